//! Sends the messages of alerts: to a webhook, by mail, to a program. Each channel ends within a bounded time, whatever is at the other
//! end of it, and says what became of it.
//!
//! Nothing here decides what is due ([`crate::alert`] does), and nothing resolves where a secret stands: whoever makes [`Channels`] hands
//! that over. No secret and nothing of a webhook's path or query is in any error or debug output.

mod address;
mod command;
mod email;
mod pace;
#[cfg(test)]
mod tests;
mod webhook;

use std::fmt;

use reqwest::Url;
use serde::Serialize;

use crate::alert::{AlertRun, Message};
use crate::config::AlertsConfig;
use crate::error::{Error, Result};

pub use address::{Looking, Lookup, SystemLookup, why_private};
pub use command::Program;
pub use email::{Email, Security};
pub use pace::{Pace, Pausing, SystemPace};
pub use webhook::{Limits, Webhook, signature};

/// Where a message can go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// A URL that it is posted to.
    Webhook,
    /// Mail.
    Email,
    /// A program.
    Command,
}

/// What became of a message on one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The id of the message.
    pub message: String,
    /// Where it went.
    pub channel: Channel,
    /// Whether it arrived.
    pub sent: bool,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it did not arrive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A message that did not arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undelivered {
    /// How often it was tried.
    pub attempts: u32,
    /// Why, for a person.
    pub why: String,
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

/// The channels of a configuration.
#[derive(Debug, Default)]
pub struct Channels {
    /// A URL that messages are posted to.
    pub webhook: Option<Webhook>,
    /// Mail.
    pub email: Option<Email>,
    /// A program.
    pub command: Option<Program>,
}

impl Channels {
    /// The channels that are set. `resolve` reads what `env:NAME` and `file:PATH` refer to, and leaves any other text as it is.
    ///
    /// # Errors
    /// [`Error::Config`] for the first key that cannot be used.
    pub fn of(config: &AlertsConfig, resolve: &dyn Fn(&str) -> Result<String, String>) -> Result<Self> {
        let refuse = |key: &str, why: String| Error::Config(format!("alerts.{key}: {why}"));
        // What is a secret never stands in the configuration itself, which is shown and kept.
        let secret = |key: &str, text: &str| match text {
            "" => Ok(None),
            _ if !text.starts_with("env:") && !text.starts_with("file:") => {
                Err(refuse(key, "name where the secret is, env:NAME or file:PATH, not the secret itself".into()))
            }
            _ => resolve(text).map(Some).map_err(|why| refuse(key, why)),
        };
        let mut channels = Channels::default();
        let key = secret("webhook_secret", &config.webhook_secret)?;
        if !config.webhook.is_empty() {
            let url = resolve(&config.webhook).map_err(|why| refuse("webhook", why))?;
            let webhook = Webhook::new(&url, config.allow_private).map_err(|why| refuse("webhook", why))?;
            channels.webhook = Some(match key {
                Some(key) => webhook.signed(&key).map_err(|why| refuse("webhook_secret", why))?,
                None => webhook,
            });
        } else if key.is_some() {
            return Err(refuse("webhook_secret", "there is no alerts.webhook that it would sign for".into()));
        }
        let password = secret("email.password", &config.email.password)?;
        if !config.email.to.is_empty() {
            channels.email = Some(Email::new(&config.email, password).map_err(|why| refuse("email", why))?);
        }
        if !config.command.is_empty() {
            channels.command = Some(Program::new(&config.command).map_err(|why| refuse("command", why))?);
        }
        Ok(channels)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.webhook.is_none() && self.email.is_none() && self.command.is_none()
    }

    /// Sends a message on every channel at the same time, and says what became of it on each.
    pub async fn send(&self, message: &Message) -> Vec<Outcome> {
        let webhook = async { Some((Channel::Webhook, self.webhook.as_ref()?.send(message).await)) };
        let email = async { Some((Channel::Email, self.email.as_ref()?.send(message).await)) };
        let command = async { Some((Channel::Command, self.command.as_ref()?.send(message).await)) };
        let (webhook, email, command) = tokio::join!(webhook, email, command);
        let outcomes = [webhook, email, command].into_iter().flatten();
        outcomes.map(|(channel, result)| outcome(message, channel, result)).collect()
    }

    /// Sends what is due, one message after the other, and notes each as told that arrived on at least one channel.
    ///
    /// # Errors
    /// If that cannot be noted; what was sent is then sent again by the next run, with the same id.
    pub async fn send_due(&self, run: &mut AlertRun, messages: &[Message]) -> Result<Vec<Outcome>> {
        let mut all = Vec::new();
        for message in messages {
            let outcomes = self.send(message).await;
            if outcomes.iter().any(|outcome| outcome.sent) {
                run.told(message);
                // At once, since the next message may take its time.
                run.save()?;
            }
            all.extend(outcomes);
        }
        Ok(all)
    }
}

fn outcome(message: &Message, channel: Channel, result: Result<u32, Undelivered>) -> Outcome {
    let (sent, attempts, error) = match result {
        Ok(attempts) => (true, attempts, None),
        Err(undelivered) => (false, undelivered.attempts, Some(undelivered.why)),
    };
    Outcome { message: message.id.clone(), channel, sent, attempts, error }
}

/// As much of a webhook's address as may be shown: not its path, where many have their secret, and not its query.
pub fn shown(text: &str) -> String {
    if text.is_empty() || text.starts_with("env:") || text.starts_with("file:") {
        return text.to_owned();
    }
    match Url::parse(text) {
        Ok(url) => shown_url(&url),
        Err(_) => "***".into(),
    }
}

fn shown_url(url: &Url) -> String {
    let host = url.host_str().unwrap_or("***");
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    format!("{}://{host}{port}", url.scheme())
}

/// A text that stays within one line of a header, a log or a table.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c }).collect()
}

/// What is at the bottom of an error: the layers above say only that something failed.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    one_line(&error.to_string())
}
