//! The connection to a server: whom it trusts, how long it waits, and what is said where it fails.

use std::error::Error as StdError;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::ArgMatches;
use futures_util::{Stream, StreamExt};
use reqwest::{Client, Url};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_platform_verifier::Verifier;

use super::address;
use crate::error::Failure;

/// How long a server may take to accept the connection.
const CONNECT: Duration = Duration::from_secs(10);
/// How long nothing may be sent or come. A server has files wait for a minute unless it is told otherwise, and then computes.
const SILENCE: Duration = Duration::from_secs(600);
/// How often the system asks whether the other side is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

pub(super) fn client(matches: &ArgMatches) -> Result<Client, Failure> {
    // Whoever comes second finds the same one installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder =
        Client::builder().connect_timeout(CONNECT).tcp_keepalive(KEEPALIVE).redirect(reqwest::redirect::Policy::none());
    if let Some(file) = matches.get_one::<String>("ca") {
        let config = trusting(file).map_err(|why| Failure::usage(format!("--ca {file}: {why}")))?;
        builder = builder.tls_backend_preconfigured(config);
    }
    builder.build().map_err(|e| Failure::failed(format!("no connection can be made: {}", deepest(&e))))
}

/// TLS that trusts the certificates of a file beside those of the system.
fn trusting(file: &str) -> Result<ClientConfig, String> {
    let pem = std::fs::read(file).map_err(|e| e.to_string())?;
    let read: Result<Vec<CertificateDer<'static>>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let named = read.map_err(|e| e.to_string())?;
    if named.is_empty() {
        return Err("there is no certificate in it; PEM is needed".into());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let inner = Verifier::new_with_extra_roots(named.clone(), Arc::clone(&provider)).map_err(|e| e.to_string())?;
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|e| e.to_string())?.dangerous();
    let verifier = Arc::new(Named { named, inner });
    Ok(builder.with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// Checks a certificate as the system does, and takes one that may sign others (as `openssl req -x509` makes them) for that of a
/// server, if it is named itself.
#[derive(Debug)]
struct Named<V> {
    named: Vec<CertificateDer<'static>>,
    inner: V,
}

impl<V: ServerCertVerifier> ServerCertVerifier for Named<V> {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.inner.verify_server_cert(certificate, others, name, ocsp, now) {
            // When it is valid was looked at before; the name is not yet, and there is no issuer but itself.
            Err(error) if is_of_an_issuer(&error) && self.named.iter().any(|named| named == certificate) => {
                verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Whether a certificate was refused only because it may sign others.
fn is_of_an_issuer(error: &rustls::Error) -> bool {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::Other(other)) => {
            format!("{:?}", other.0) == "CaUsedAsEndEntity"
        }
        _ => false,
    }
}

/// Why there is no answer.
pub(super) async fn failed(client: &Client, url: &Url, error: &reqwest::Error) -> Failure {
    if let Some(of_rows) = cause::<tabwright_data::Error>(error) {
        let exit = tabwright_lifecycle::error::Exit::Data;
        return Failure { message: of_rows.to_string(), exit };
    }
    let server = address::shown(url);
    if let Some(tls) = cause::<rustls::Error>(error) {
        return Failure::failed(format!("{server}: {}", of_tls(tls, url)));
    }
    let is_refused = cause::<io::Error>(error).is_some_and(|e| e.kind() == io::ErrorKind::ConnectionRefused);
    let why = match error {
        _ if is_refused => format!("{}; is the server running there?", deepest(error)),
        error if error.is_timeout() => format!("no connection within {} s", CONNECT.as_secs()),
        error if !error.is_connect() && url.scheme() == "http" && speaks_tls(client, url).await => {
            format!("the server there speaks TLS; write {}", server.replacen("http:", "https:", 1))
        }
        error => deepest(error),
    };
    Failure::failed(format!("{server}: {why}"))
}

fn of_tls(error: &rustls::Error, url: &Url) -> String {
    use CertificateError as Bad;
    let host = url.host_str().unwrap_or_default();
    match error {
        rustls::Error::InvalidMessage(_) => {
            format!("the server there speaks no TLS; write {}", address::shown(url).replacen("https:", "http:", 1))
        }
        rustls::Error::InvalidCertificate(Bad::UnknownIssuer) => {
            "nobody who is trusted here has signed its certificate; name that of the signer with --ca FILE (PEM)".into()
        }
        error if is_of_an_issuer(error) => {
            "its certificate may sign others and is trusted by nobody here; name it with --ca FILE (PEM), or make one with \
             openssl req -x509 -addext basicConstraints=critical,CA:FALSE"
                .into()
        }
        rustls::Error::InvalidCertificate(Bad::NotValidForName | Bad::NotValidForNameContext { .. }) => {
            format!("its certificate is not for the name `{host}`; ask it by a name that stands in it")
        }
        rustls::Error::InvalidCertificate(Bad::Expired | Bad::ExpiredContext { .. }) => {
            "its certificate has expired".into()
        }
        other => other.to_string(),
    }
}

/// Whether what answers an address without TLS would answer with it. Nothing is sent but the question.
async fn speaks_tls(client: &Client, url: &Url) -> bool {
    let mut url = url.clone();
    url.set_path("/health/live");
    url.set_query(None);
    // The port stays: one that is not named is another for `https`.
    let port = url.port_or_known_default();
    if url.set_scheme("https").is_err() || url.set_port(port).is_err() {
        return false;
    }
    match client.get(url).timeout(CONNECT).send().await {
        Ok(_) => true,
        Err(error) => matches!(cause::<rustls::Error>(&error), Some(rustls::Error::InvalidCertificate(_))),
    }
}

/// When something was last sent or came.
#[derive(Debug, Clone)]
pub(super) struct Activity(Arc<Mutex<Instant>>);

impl Activity {
    pub(super) fn begun() -> Self {
        Activity(Arc::new(Mutex::new(Instant::now())))
    }

    /// Notes each item of a stream.
    pub(super) fn of<S: Stream>(&self, items: S) -> impl Stream<Item = S::Item> + use<S> {
        let last = Arc::clone(&self.0);
        items.inspect(move |_| *last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now())
    }

    /// Waits for something as long as there is activity.
    pub(super) async fn watch<T>(&self, work: impl Future<Output = T>) -> Result<T, Failure> {
        self.watch_for(work, SILENCE).await
    }

    async fn watch_for<T>(&self, work: impl Future<Output = T>, longest: Duration) -> Result<T, Failure> {
        let mut work = std::pin::pin!(work);
        loop {
            let silent = self.0.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
            let Some(left) = longest.checked_sub(silent).filter(|left| !left.is_zero()) else {
                let message = format!("the server has been silent for {} s", longest.as_secs());
                return Err(Failure::failed(message));
            };
            if let Ok(done) = tokio::time::timeout(left, &mut work).await {
                return Ok(done);
            }
        }
    }
}

/// The first error of a kind below another.
fn cause<'e, T: StdError + 'static>(error: &'e (dyn StdError + 'static)) -> Option<&'e T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        // What an error of the system was made of is passed over by its own source.
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// What is at the bottom of an error: the layers above say only that something failed.
pub(super) fn deepest(error: &dyn StdError) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};

    use super::*;

    /// A certificate of `localhost` that may sign others, valid to the end of a year.
    fn certificate(until: i32) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(vec!["localhost".into()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(until, 12, 31));
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    #[test]
    fn a_certificate_that_may_sign_others_is_taken_where_it_is_named_itself() {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        // 1 January 2026.
        let now = UnixTime::since_unix_epoch(Duration::from_secs(1_767_225_600));
        let (valid, other, old) = (certificate(2090), certificate(2090), certificate(2021));
        let check = |named: &CertificateDer<'static>, shown: &CertificateDer<'static>, name: &'static str| {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(named.clone()).unwrap();
            let inner =
                rustls::client::WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::clone(&provider));
            let inner = Arc::into_inner(inner.build().unwrap()).unwrap();
            let verifier = Named { named: vec![named.clone()], inner };
            verifier.verify_server_cert(shown, &[], &ServerName::try_from(name).unwrap(), &[], now).map(drop)
        };
        assert!(check(&valid, &valid, "localhost").is_ok());
        let name = check(&valid, &valid, "models.example").unwrap_err();
        assert!(of_tls(&name, &Url::parse("https://models.example").unwrap()).contains("not for the name"), "{name:?}");
        assert!(check(&valid, &other, "localhost").is_err(), "one that is not named");
        let expired = check(&old, &old, "localhost").unwrap_err();
        assert!(of_tls(&expired, &Url::parse("https://localhost").unwrap()).contains("expired"), "{expired:?}");
    }

    #[tokio::test]
    async fn a_server_may_be_busy_but_not_silent() {
        let activity = Activity::begun();
        assert_eq!(activity.watch_for(std::future::ready(7), SILENCE).await.unwrap(), 7);
        let silent = activity.watch_for(std::future::pending::<()>(), Duration::from_millis(20)).await;
        assert!(silent.unwrap_err().message.contains("silent"));
        let activity = Activity::begun();
        let ticks = futures_util::stream::unfold(0, |n| async move {
            tokio::time::sleep(Duration::from_millis(30)).await;
            (n < 10).then_some((n, n + 1))
        });
        let all = activity.watch_for(activity.of(ticks).count(), Duration::from_millis(200)).await;
        assert_eq!(all.unwrap(), 10, "it takes 330 ms, and is never silent for 200");
    }
}
