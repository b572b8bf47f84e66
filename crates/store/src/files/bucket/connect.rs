//! The connection to a bucket: built from the variables that AWS has defined, with limits, and run on a thread of its own, so
//! that files can be asked for from anywhere. `object_store` speaks through `reqwest`, which has the TLS of the databases. What is
//! said of errors holds no secret.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use tokio::runtime::{Handle, Runtime, RuntimeFlavor};
use tokio::time::error::Elapsed;

use super::BucketLocation;
use crate::error::{Error, Result};

/// How often a request is repeated that failed in a way that may pass.
const RETRIES: usize = 3;
/// Pauses between them, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));
/// How long to wait for a connection.
const CONNECT: Duration = Duration::from_secs(3);

/// A bucket that can be asked, and the thread on which it is.
#[derive(Debug)]
pub(super) struct Connection {
    store: Arc<AmazonS3>,
    /// There until it is dropped.
    runtime: Option<Runtime>,
}

impl Connection {
    /// Makes ready to ask. Sends nothing yet.
    pub(super) fn open(location: &BucketLocation, wait: Duration) -> Result<Self> {
        location.check()?;
        // What the program has chosen for its TLS stays; where it has chosen nothing, there is none yet.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let is_plain = location.endpoint().is_some_and(|url| url.starts_with("http://"));
        let limits = ClientOptions::new()
            .with_allow_http(is_plain)
            .with_connect_timeout(CONNECT.min(wait))
            .with_timeout_disabled();
        let retry = RetryConfig {
            backoff: BackoffConfig { init_backoff: PAUSES.0, max_backoff: PAUSES.1, base: 2.0 },
            max_retries: RETRIES,
            retry_timeout: wait,
        };
        let mut builder = AmazonS3Builder::new();
        for (name, value) in location.variables() {
            if let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
                builder = builder.with_config(key, value);
            }
        }
        let builder = builder.with_bucket_name(location.bucket()).with_client_options(limits).with_retry(retry);
        let invalid = |why: String| Error::Environment { place: location.shown(), why };
        let store = builder.build().map_err(|e| invalid(innermost(&e)))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("tabwright-bucket")
            .enable_all()
            .build()
            .map_err(|e| invalid(format!("no thread can be started: {e}")))?;
        Ok(Connection { store: Arc::new(store), runtime: Some(runtime) })
    }

    pub(super) fn store(&self) -> Arc<AmazonS3> {
        Arc::clone(&self.store)
    }

    /// Waits for an answer, not longer than a limit.
    pub(super) fn wait<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl Future<Output = Result<T, Trouble>> + Send + 'static,
    ) -> Result<T, Trouble> {
        let Some(runtime) = &self.runtime else { return Err(Trouble::Ended) };
        let (sender, answer) = channel();
        runtime.spawn(async move {
            let answer = tokio::time::timeout(limit, work).await.unwrap_or_else(|e| Err(e.into()));
            // Whoever asked waits for the answer, or has ended.
            let _ = sender.send(answer);
        });
        let receive = || answer.recv().unwrap_or(Err(Trouble::Ended));
        match Handle::try_current() {
            // The other tasks of the program go on meanwhile.
            Ok(handle) if handle.runtime_flavor() == RuntimeFlavor::MultiThread => tokio::task::block_in_place(receive),
            _ => receive(),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// There is no such object.
    Missing,
    /// Nothing came in time.
    Silent,
    /// The thread has ended.
    Ended,
    /// Anything else.
    Other(object_store::Error),
}

impl From<Elapsed> for Trouble {
    fn from(_: Elapsed) -> Self {
        Trouble::Silent
    }
}

impl From<object_store::Error> for Trouble {
    fn from(error: object_store::Error) -> Self {
        match error {
            // A bucket that is not there is no missing file.
            object_store::Error::NotFound { source, .. } if !code(&source.to_string()).starts_with("NoSuchBucket") => {
                Trouble::Missing
            }
            other => Trouble::Other(other),
        }
    }
}

impl Trouble {
    /// What a person is told: what the bucket said, and what to do about it.
    pub(super) fn told(&self, location: &BucketLocation, wait: Duration) -> io::Error {
        let where_to = location.endpoint().map_or("Amazon S3".to_owned(), without_login);
        match self {
            Trouble::Missing => io::Error::new(io::ErrorKind::NotFound, super::MISSING),
            Trouble::Silent => {
                let seconds = wait.as_secs().max(1);
                let text =
                    format!("{where_to} did not answer within {seconds} s; check AWS_ENDPOINT_URL and the network");
                io::Error::new(io::ErrorKind::TimedOut, text)
            }
            Trouble::Ended => io::Error::other("the thread that asks the bucket has ended"),
            Trouble::Other(error) => io::Error::other(explained(error, location, &where_to)),
        }
    }
}

/// An answer of the bucket, or an error of the network, in words.
fn explained(error: &object_store::Error, location: &BucketLocation, where_to: &str) -> String {
    let said = error.to_string();
    let code = code(&said);
    let message = between(&said, "<Message>", "</Message>").unwrap_or_default().trim().trim_end_matches('.');
    let answer = match (code, message) {
        ("", _) => String::new(),
        (code, "") => format!(" ({code})"),
        (code, message) => format!(" ({code}: {message})"),
    };
    let bucket = location.bucket();
    match code {
        "NoSuchBucket" => format!("there is no bucket `{bucket}` at {where_to}; make it first, or correct store.files"),
        "ExpiredToken" | "RequestTimeTooSkewed" | "RequestExpired" => format!("{where_to} refuses{answer}"),
        "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => {
            format!("{where_to} refuses{answer}; check AWS_REGION")
        }
        _ if said.contains("incorrectly configured region") => {
            format!("the bucket `{bucket}` is in another region; check AWS_REGION")
        }
        _ => match error {
            object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => format!(
                "{where_to} denies access{answer}; check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and what they may do with \
                 the bucket `{bucket}`"
            ),
            _ if code.is_empty() => format!("{where_to} cannot be reached: {}", innermost(error)),
            _ => format!("{where_to} refuses{answer}"),
        },
    }
}

/// The code in an error document of S3; empty where there is none.
fn code(text: &str) -> &str {
    between(text, "<Code>", "</Code>").unwrap_or_default()
}

fn between<'a>(text: &'a str, begin: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(begin)?;
    rest.split_once(end).map(|(found, _)| found)
}

/// What the first cause says, without what was put around it.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// A URL without the user and password that somebody may have put into it.
fn without_login(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    format!("{scheme}://{}", rest.rsplit_once('@').map_or(rest, |(_, host)| host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_without_keys() {
        let location = |endpoint: &str| {
            let set = [("AWS_ENDPOINT_URL".to_owned(), endpoint.to_owned())];
            match super::super::super::FileLocation::parse("s3://models/a", set).unwrap() {
                super::super::super::FileLocation::Bucket(bucket) => bucket,
                _ => unreachable!(),
            }
        };
        let body = "403 Forbidden: <Error><Code>InvalidAccessKeyId</Code><Message>It does not exist.</Message>\
                    <AWSAccessKeyId>AKIAGEHEIM</AWSAccessKeyId></Error>";
        let denied = object_store::Error::PermissionDenied { path: "x".into(), source: body.into() };
        let told = Trouble::from(denied).told(&location("http://ada:geheim@minio:9000"), Duration::ZERO).to_string();
        assert!(told.starts_with("http://minio:9000 denies access (InvalidAccessKeyId: It does not exist)"), "{told}");
        assert!(!told.contains("AKIA") && !told.contains("geheim"));
        let no_bucket = "404: <Error><Code>NoSuchBucket</Code></Error>".into();
        let error = Trouble::from(object_store::Error::NotFound { path: "x".into(), source: no_bucket });
        let told = error.told(&location("http://minio:9000"), Duration::ZERO).to_string();
        assert!(told.contains("there is no bucket `models` at http://minio:9000"), "{told}");
        let no_key = "404: <Error><Code>NoSuchKey</Code></Error>".into();
        let error = Trouble::from(object_store::Error::NotFound { path: "x".into(), source: no_key });
        assert!(matches!(error, Trouble::Missing));
    }
}
