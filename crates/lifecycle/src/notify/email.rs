//! Mail: the message as text, over SMTP with TLS.
//!
//! Without TLS it goes to this machine alone, unless that is asked for by name. Addresses are read before anything is sent, and no text
//! of a message gets into a header but as one encoded line.

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Mailboxes};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message as Mail, Tokio1Executor};
use tabwright_core::suggest;

use super::{Undelivered, deepest, one_line};
use crate::alert::Message;
use crate::config::EmailConfig;

/// How long the server may take to accept the connection.
const CONNECT: Duration = Duration::from_secs(10);
/// How long the whole may take, whatever the server does.
const TOTAL: Duration = Duration::from_secs(30);

/// How a server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte on, port 465.
    Tls,
    /// TLS as soon as the server was greeted, port 587; a server that has none gets nothing.
    StartTls,
    /// No TLS, port 25.
    Plain,
}

/// How mail is sent.
#[derive(Clone)]
pub struct Email {
    to: Vec<Mailbox>,
    from: Mailbox,
    host: String,
    port: u16,
    security: Security,
    credentials: Option<Credentials>,
    /// How long the whole may take, whatever the server does.
    pub total: Duration,
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Email")
            .field("to", &self.to)
            .field("from", &self.from)
            .field("host", &self.host)
            .field("port", &self.port)
            .field("security", &self.security)
            .field("has_credentials", &self.credentials.is_some())
            .finish_non_exhaustive()
    }
}

impl Email {
    /// Mail as it is configured, with the password that the configuration refers to.
    ///
    /// # Errors
    /// For an address, a server or a word that is none.
    pub fn new(config: &EmailConfig, password: Option<String>) -> Result<Self, String> {
        let read = |what: &str, text: &str| {
            let shown = text.escape_debug();
            if text.chars().any(char::is_control) {
                return Err(format!("{what}: `{shown}` is no address"));
            }
            text.parse::<Mailbox>().map_err(|e| {
                format!("{what}: `{shown}` is no address ({e}); write ops@example.com or Ops <ops@example.com>")
            })
        };
        let to = config.to.iter().map(|text| read("to", text)).collect::<Result<Vec<_>, _>>()?;
        if to.is_empty() {
            return Err("to: nobody is named".into());
        }
        if config.from.is_empty() {
            return Err("from: whom it is from is missing".into());
        }
        let (host, port) = server(&config.server)?;
        let is_here = is_loopback(&host);
        let security = match (config.security.as_str(), port) {
            ("tls", _) | ("", Some(465)) => Security::Tls,
            ("plain", _) => Security::Plain,
            ("", _) if is_here => Security::Plain,
            ("starttls" | "", _) => Security::StartTls,
            (other, _) => {
                let hint = suggest::did_you_mean(other, ["tls", "starttls", "plain"]);
                return Err(format!("security: `{}` is none of tls, starttls, plain{hint}", other.escape_debug()));
            }
        };
        let usual = match security {
            Security::Tls => 465,
            Security::StartTls => 587,
            Security::Plain => 25,
        };
        let credentials = match (config.user.as_str(), password) {
            ("", None) => None,
            ("", Some(_)) => return Err("user: there is a password and nobody that it belongs to".into()),
            (user, Some(password)) => Some(Credentials::new(user.to_owned(), password)),
            (_, None) => return Err("password: the user has none; write env:NAME or file:PATH".into()),
        };
        let from = read("from", &config.from)?;
        let port = port.unwrap_or(usual);
        Ok(Email { to, from, host, port, security, credentials, total: TOTAL })
    }

    /// Sends a message to all at once. A mail is tried once: what the server does not take now, the next run sends again.
    ///
    /// # Errors
    /// If the server did not take it.
    pub async fn send(&self, message: &Message) -> Result<u32, Undelivered> {
        let failed = |why: String| {
            let place = format!("{}:{}", self.host, self.port);
            Err(Undelivered { attempts: 1, why: format!("mail by {place}: {}", one_line(&why)) })
        };
        let mail = match self.mail(message, SystemTime::now()) {
            Ok(mail) => mail,
            Err(why) => return failed(why),
        };
        let transport = match self.transport() {
            Ok(transport) => transport,
            Err(why) => return failed(why),
        };
        match tokio::time::timeout(self.total, transport.send(mail)).await {
            Ok(Ok(_)) => Ok(1),
            Ok(Err(error)) if error.is_timeout() => failed(format!("no connection within {CONNECT:?}")),
            Ok(Err(error)) => match std::error::Error::source(&error) {
                Some(source) => failed(deepest(source)),
                None => failed(error.to_string()),
            },
            Err(_) => failed(format!("it took longer than {:?}", self.total)),
        }
    }

    fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
        let parameters = || {
            TlsParameters::new(self.host.clone()).map_err(|e| format!("no TLS connection can be made: {}", deepest(&e)))
        };
        let tls = match self.security {
            Security::Tls => Tls::Wrapper(parameters()?),
            Security::StartTls => Tls::Required(parameters()?),
            Security::Plain => Tls::None,
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(self.host.clone())
            .port(self.port)
            .tls(tls)
            .timeout(Some(CONNECT));
        if let Some(credentials) = &self.credentials {
            builder = builder.credentials(credentials.clone());
        }
        Ok(builder.build())
    }

    /// The mail of a message.
    pub(super) fn mail(&self, message: &Message, now: SystemTime) -> Result<Mail, String> {
        let to: Mailboxes = self.to.iter().cloned().collect();
        let id: String = message.id.chars().filter(char::is_ascii_alphanumeric).collect();
        Mail::builder()
            .from(self.from.clone())
            .mailbox(lettre::message::header::To::from(to))
            .date(now)
            .message_id(Some(format!("<{id}@tabwright>")))
            .subject(one_line(&message.subject))
            .header(ContentType::TEXT_PLAIN)
            .body(format!("{}\n\nid {id}\n", message.text))
            .map_err(|e| format!("the mail cannot be written: {e}"))
    }
}

/// A host and its port, if there is one.
fn server(text: &str) -> Result<(String, Option<u16>), String> {
    let refuse =
        || format!("server: `{}` is no host; write smtp.example.com or smtp.example.com:587", text.escape_debug());
    let text = text.trim();
    // An address of version 6 has colons of its own.
    let (host, port) = match (text.parse::<IpAddr>(), text.rsplit_once(':')) {
        (Ok(_), _) | (_, None) => (text, None),
        (_, Some((host, port))) => (host, Some(port.parse().ok().filter(|p| *p > 0).ok_or_else(refuse)?)),
    };
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    let is_named = host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    if host.is_empty() || !(is_named || host.parse::<IpAddr>().is_ok()) {
        return Err(refuse());
    }
    Ok((host.to_owned(), port))
}

/// Names of this machine, without asking anybody what they mean.
fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
