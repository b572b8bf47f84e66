//! A webhook: the message as JSON, posted to a URL and signed.
//!
//! Any 2xx is an arrival. 5xx, 429 and failed connections are tried again, a bounded number of times within a bounded time; other
//! answers are final. Names are resolved here and the connection goes to the address that was checked, for each hop of a redirect anew.
//! A proxy would resolve names by itself, so none is used. The body of an answer is not read.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url};
use sha2::Sha256;

use super::address::{Lookup, SystemLookup, why_private};
use super::pace::{Pace, SystemPace};
use super::{Undelivered, deepest, shown_url};
use crate::alert::Message;

/// Fewest characters of a secret.
const SHORTEST_SECRET: usize = 16;
/// Most redirects that are followed.
const MOST_REDIRECTS: usize = 3;
/// What the webhook is told who asks.
const USER_AGENT: &str = concat!("tabwright/", env!("CARGO_PKG_VERSION"));

/// How long, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most attempts.
    pub attempts: u32,
    /// How long one attempt may take, with all of its redirects.
    pub attempt: Duration,
    /// How long all of them may take, with the pauses between.
    pub total: Duration,
    /// The first pause; each further one is twice as long.
    pub pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Limits { attempts: 5, attempt: seconds(10), total: seconds(60), pause: seconds(1) }
    }
}

/// A URL that messages are posted to.
#[derive(Clone)]
pub struct Webhook {
    url: Url,
    secret: Option<Vec<u8>>,
    pub(super) allow_private: bool,
    /// A host whose address counts as public, so that a test has one.
    #[cfg(test)]
    pub(super) trusted: Option<&'static str>,
    /// How long, and how often.
    pub limits: Limits,
    /// Who knows the addresses of names.
    pub lookup: Arc<dyn Lookup>,
    /// The clock.
    pub pace: Arc<dyn Pace>,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("url", &shown_url(&self.url))
            .field("is_signed", &self.secret.is_some())
            .field("allow_private", &self.allow_private)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Why an attempt failed.
struct Trouble {
    why: String,
    /// Whether another attempt may help.
    again: bool,
    /// How long the webhook asks to be left alone.
    wait: Option<Duration>,
}

impl Trouble {
    fn again(why: impl Into<String>) -> Self {
        Trouble { why: why.into(), again: true, wait: None }
    }

    fn last(why: impl Into<String>) -> Self {
        Trouble { why: why.into(), again: false, wait: None }
    }
}

impl Webhook {
    /// A webhook whose messages are not signed.
    ///
    /// # Errors
    /// For a text that is no URL of HTTP, or one with a name and a password in it.
    pub fn new(url: &str, allow_private: bool) -> Result<Self, String> {
        let url = Url::parse(url.trim()).map_err(|e| format!("this is no URL ({e}); write https://host/path"))?;
        check(&url)?;
        let (lookup, pace) = (Arc::new(SystemLookup), Arc::new(SystemPace::default()));
        Ok(Webhook {
            url,
            secret: None,
            allow_private,
            #[cfg(test)]
            trusted: None,
            limits: Limits::default(),
            lookup,
            pace,
        })
    }

    /// Signs messages.
    ///
    /// # Errors
    /// If the secret is too short to be one.
    pub fn signed(mut self, secret: &str) -> Result<Self, String> {
        if secret.len() < SHORTEST_SECRET {
            return Err(format!("a secret has at least {SHORTEST_SECRET} characters, this one has not"));
        }
        self.secret = Some(secret.as_bytes().to_vec());
        Ok(self)
    }

    /// Posts a message; the answer is the number of attempts that it took.
    ///
    /// # Errors
    /// If it did not arrive.
    pub async fn send(&self, message: &Message) -> Result<u32, Undelivered> {
        let failed = |attempts, why| Err(Undelivered { attempts, why });
        let body = match serde_json::to_vec(message) {
            Ok(body) => body,
            Err(e) => return failed(0, format!("the message cannot be written: {e}")),
        };
        let begun = self.pace.elapsed();
        let mut pause = self.limits.pause;
        for attempts in 1.. {
            let left = self.limits.total.saturating_sub(self.pace.elapsed().saturating_sub(begun));
            let limit = self.limits.attempt.min(left);
            let attempt = tokio::time::timeout(limit, self.attempt(&message.id, &body, limit));
            let trouble = match attempt.await {
                Ok(Ok(())) => return Ok(attempts),
                Ok(Err(trouble)) => trouble,
                Err(_) => Trouble::again(format!("{}: no answer within {limit:?}", shown_url(&self.url))),
            };
            let spent = self.pace.elapsed().saturating_sub(begun);
            let wait = trouble.wait.map_or(pause, |asked| asked.max(pause));
            if !trouble.again || attempts >= self.limits.attempts || spent + wait >= self.limits.total {
                return failed(attempts, trouble.why);
            }
            self.pace.pause(wait).await;
            pause *= 2;
        }
        failed(0, "it was never tried".into())
    }

    /// Posts once, with all redirects.
    async fn attempt(&self, id: &str, body: &[u8], limit: Duration) -> Result<(), Trouble> {
        let timestamp = self.pace.unix_seconds().to_string();
        let mut url = self.url.clone();
        for _ in 0..=MOST_REDIRECTS {
            let addresses = self.addresses(&url).await?;
            let client = client(addresses, limit)
                .map_err(|e| Trouble::last(format!("no connection can be made: {}", deepest(&e.without_url()))))?;
            let mut request = client
                .post(url.clone())
                .header(CONTENT_TYPE, "application/json")
                .header("x-tabwright-id", id)
                .header("x-tabwright-timestamp", &timestamp);
            if let Some(secret) = &self.secret {
                let signature = signature(secret, &timestamp, body);
                request = request.header("x-tabwright-signature", format!("sha256={signature}"));
            }
            let sent = request.body(body.to_vec()).send().await;
            let answer = sent.map_err(|e| {
                let why = if e.is_timeout() { "no answer in time".into() } else { deepest(&e.without_url()) };
                Trouble::again(format!("{}: {why}", shown_url(&url)))
            })?;
            // What comes after the head is nobody's: the connection ends with the answer.
            match next(&url, &answer)? {
                None => return Ok(()),
                Some(next) => url = next,
            }
        }
        Err(Trouble::last(format!("{}: more than {MOST_REDIRECTS} redirects", shown_url(&self.url))))
    }

    /// The addresses to connect to, all of them checked.
    async fn addresses(&self, url: &Url) -> Result<Vec<SocketAddr>, Trouble> {
        let shown = shown_url(url);
        let port = url.port_or_known_default().unwrap_or(443);
        let name = url.host_str().unwrap_or_default();
        let addresses = match name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => {
                let found = self.lookup.lookup(name, port).await;
                found.map_err(|e| Trouble::again(format!("{shown}: the name has no address: {}", deepest(&e))))?
            }
        };
        if addresses.is_empty() {
            return Err(Trouble::again(format!("{shown}: the name has no address")));
        }
        #[cfg(test)]
        if self.trusted == Some(name) {
            return Ok(addresses);
        }
        if self.allow_private {
            return Ok(addresses);
        }
        // One that is not public among others that are is how a name is made to mean both.
        match addresses.iter().find_map(|address| Some((address.ip(), why_private(address.ip())?))) {
            None => Ok(addresses),
            Some((address, why)) => Err(Trouble::last(format!(
                "{shown}: it lies at {address}, which is {why}; such addresses are refused unless alerts.allow_private = true"
            ))),
        }
    }
}

/// Where an answer sends the message on; none if it has arrived.
fn next(url: &Url, answer: &Response) -> Result<Option<Url>, Trouble> {
    let shown = shown_url(url);
    let status = answer.status();
    match status {
        status if status.is_success() => Ok(None),
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => {
            let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let next = location.and_then(|location| url.join(location).ok());
            let Some(next) = next else {
                return Err(Trouble::last(format!("{shown}: {} without a place to go to", status.as_u16())));
            };
            check(&next).map_err(|why| Trouble::last(format!("{shown}: it redirects to another place: {why}")))?;
            if url.scheme() == "https" && next.scheme() != "https" {
                return Err(Trouble::last(format!("{shown}: it redirects to {}, without TLS", shown_url(&next))));
            }
            Ok(Some(next))
        }
        status if status.is_redirection() => Err(Trouble::last(format!(
            "{shown}: it answers {}, a redirect that would lose the message; write the address that it leads to",
            status.as_u16()
        ))),
        StatusCode::TOO_MANY_REQUESTS => {
            let asked = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
            Err(Trouble { wait: asked.map(Duration::from_secs), ..Trouble::again(format!("{shown}: it answers 429")) })
        }
        status if status.is_server_error() => Err(Trouble::again(format!("{shown}: it answers {}", status.as_u16()))),
        status => Err(Trouble::last(format!("{shown}: it answers {}, and takes no such message", status.as_u16()))),
    }
}

/// What a URL of a webhook may be.
fn check(url: &Url) -> Result<(), String> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("a webhook is asked by http or https, not by `{}`", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "a name or a password in the URL is not sent; leave it out, and sign with alerts.webhook_secret".into()
        );
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("the URL has no host".into());
    }
    Ok(())
}

/// A client that connects to these addresses alone, whatever a name means by then.
fn client(addresses: Vec<SocketAddr>, limit: Duration) -> reqwest::Result<Client> {
    // Whoever comes second finds the same one installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(USER_AGENT)
        .timeout(limit)
        .dns_resolver(Pinned(addresses))
        .build()
}

#[derive(Debug)]
struct Pinned(Vec<SocketAddr>);

impl Resolve for Pinned {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses: Addrs = Box::new(self.0.clone().into_iter());
        Box::pin(std::future::ready(Ok(addresses)))
    }
}

/// The signature of a message: HMAC-SHA256 over the timestamp, a full stop and the body, in hexadecimal.
pub fn signature(secret: &[u8], timestamp: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("invariant: HMAC takes a key of any length");
    for part in [timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}
