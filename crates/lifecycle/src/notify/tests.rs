//! Tests of channels, against servers and programs of this machine.

mod command;
mod email;
mod webhook;

use std::collections::BTreeMap;
use std::path::Path;

use tabwright_monitor::alert::{Bound, Measure, Micros, Reading, Rule};

use super::*;
use crate::alert::Readings;
use crate::config::EmailConfig;

const HOUR: Micros = 3_600_000_000;

struct Bad;

impl Readings for Bad {
    fn read(&mut self, _: Measure, window: (Micros, Micros)) -> Result<Reading> {
        Ok(Reading::known(window, 100, 0.5))
    }
}

fn rule() -> Rule {
    Rule { window: HOUR, ..Rule::new("errors", Measure::Errors, Bound::Above(0.05)) }
}

/// The message of a rule that fires.
fn message() -> Message {
    let folder = tempfile::tempdir().unwrap();
    let mut run = AlertRun::open(folder.path(), "churn").unwrap();
    run.judge(&[rule()], &mut Bad, 500_000 * HOUR).unwrap().messages.remove(0)
}

fn config() -> AlertsConfig {
    AlertsConfig {
        webhook: "env:HOOK".into(),
        webhook_secret: "file:/secret".into(),
        email: EmailConfig {
            to: vec!["Ops <ops@example.com>".into()],
            from: "tabwright@example.com".into(),
            server: "smtp.example.com".into(),
            user: "u".into(),
            password: "env:PASSWORD".into(),
            ..EmailConfig::default()
        },
        command: vec!["/usr/bin/notify".into()],
        ..AlertsConfig::default()
    }
}

fn resolve(text: &str) -> Result<String, String> {
    let known = BTreeMap::from([
        ("env:HOOK", "https://hooks.example/T0/geheim?key=geheim"),
        ("file:/secret", "geheimgeheimgeheim"),
        ("env:PASSWORD", "geheim"),
    ]);
    match known.get(text) {
        Some(value) => Ok((*value).to_owned()),
        None if text.starts_with("env:") => Err(format!("the environment has no variable {}", &text[4..])),
        None => Ok(text.to_owned()),
    }
}

#[test]
fn channels_are_those_that_are_set_and_show_no_secret() {
    let channels = Channels::of(&config(), &resolve).unwrap();
    assert!(channels.webhook.is_some() && channels.email.is_some() && channels.command.is_some());
    let shown = format!("{channels:?}");
    assert!(shown.contains("https://hooks.example") && shown.contains("smtp.example.com"), "{shown}");
    assert!(!shown.contains("geheim"), "{shown}");
    assert!(Channels::of(&AlertsConfig::default(), &resolve).unwrap().is_empty());
}

#[test]
fn what_cannot_be_used_is_refused_by_its_key() {
    type Change = fn(&mut AlertsConfig);
    let cases: [(Change, &str); 16] = [
        (|c| c.webhook = "env:NOBODY".into(), "alerts.webhook: the environment has no variable NOBODY"),
        (|c| c.webhook = "ftp://hooks.example/geheim".into(), "alerts.webhook: a webhook is asked by http or https"),
        (|c| c.webhook = "https://me:geheim@hooks.example".into(), "alerts.webhook: a name or a password in the URL"),
        (|c| c.webhook = "geheim".into(), "alerts.webhook: this is no URL"),
        (|c| c.webhook_secret = "geheimgeheimgeheim".into(), "alerts.webhook_secret: name where the secret is"),
        (|c| c.webhook_secret = "env:PASSWORD".into(), "alerts.webhook_secret: a secret has at least 16 characters"),
        (|c| c.webhook.clear(), "alerts.webhook_secret: there is no alerts.webhook"),
        (|c| c.email.password = "geheim".into(), "alerts.email.password: name where the secret is"),
        (|c| c.email.password.clear(), "alerts.email: password: the user has none"),
        (|c| c.email.user.clear(), "alerts.email: user: there is a password"),
        (|c| c.email.to.push("nobody".into()), "alerts.email: to: `nobody` is no address"),
        (
            |c| c.email.to.push("a@example.com\r\nBcc: b@example.com".into()),
            "alerts.email: to: `a@example.com\\r\\nBcc",
        ),
        (|c| c.email.from.clear(), "alerts.email: from: whom it is from is missing"),
        (|c| c.email.server = "smtp example".into(), "alerts.email: server: `smtp example` is no host"),
        (|c| c.email.security = "startls".into(), "did you mean `starttls`?"),
        (|c| c.command = vec![" ".into()], "alerts.command: the program is missing"),
    ];
    for (change, says) in cases {
        let mut config = config();
        change(&mut config);
        let error = Channels::of(&config, &resolve).unwrap_err();
        assert!(error.to_string().contains(says), "{says}: {error}");
        assert!(!error.to_string().contains("geheim"), "{error}");
        assert_eq!(error.exit(), crate::error::Exit::Usage);
    }
}

#[test]
fn addresses_are_shown_without_what_only_the_owner_knows() {
    for (text, is) in [
        ("https://hooks.example/T0/abc?key=geheim", "https://hooks.example"),
        ("http://user:pw@[::1]:8080/x#y", "http://[::1]:8080"),
        ("env:HOOK", "env:HOOK"),
        ("", ""),
        ("geheim", "***"),
    ] {
        assert_eq!(shown(text), is);
    }
}

/// A run whose message is due, in a folder.
fn due(folder: &Path) -> (AlertRun, Vec<Message>) {
    let mut run = AlertRun::open(folder, "churn").unwrap();
    let messages = run.judge(&[rule()], &mut Bad, 500_000 * HOUR).unwrap().messages;
    run.save().unwrap();
    (run, messages)
}

#[cfg(unix)]
#[tokio::test]
async fn a_message_is_told_once_one_channel_has_taken_it() {
    let folder = tempfile::tempdir().unwrap();
    let program = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        Some(Program::new(&words).unwrap())
    };
    let channels = Channels { command: program(&["false"]), ..Channels::default() };
    for _ in 0..2 {
        let (mut run, messages) = due(folder.path());
        assert_eq!(messages.len(), 1, "nobody got it, so it is due");
        let outcomes = channels.send_due(&mut run, &messages).await.unwrap();
        assert_eq!((outcomes[0].channel, outcomes[0].sent), (Channel::Command, false));
    }
    // One of two is enough.
    let webhook = Webhook::new("http://127.0.0.1:9/", false).unwrap();
    let channels = Channels { command: program(&["cat"]), webhook: Some(webhook), email: None };
    let (mut run, messages) = due(folder.path());
    let outcomes = channels.send_due(&mut run, &messages).await.unwrap();
    assert_eq!(outcomes.iter().map(|o| o.sent).collect::<Vec<_>>(), [false, true]);
    drop(run);
    assert!(due(folder.path()).1.is_empty());
}
