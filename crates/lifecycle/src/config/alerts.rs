//! The section `alerts`: when somebody is told of a model, and how they are reached.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use tabwright_core::suggest;
use tabwright_learn::param::Value;
use tabwright_monitor::alert::{Bound, Measure, Micros, Rule, Severity};

use super::MonitorConfig;
use crate::error::{Error, Result};

/// When somebody is told, and how they are reached.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertsConfig {
    /// Rules, by name; none: those of [`default_rules`].
    pub rules: BTreeMap<String, BTreeMap<String, Value>>,
    /// A URL that messages are posted to, or `env:NAME` or `file:PATH` where it stands; empty: none.
    pub webhook: String,
    /// What messages to it are signed with: `env:NAME` or `file:PATH`; empty: they are not signed.
    pub webhook_secret: String,
    /// Whether the webhook may lie at a private address.
    pub allow_private: bool,
    /// Mail.
    pub email: EmailConfig,
    /// A program and its arguments; empty: none. It gets the message as JSON on its standard input.
    pub command: Vec<String>,
}

/// Not the webhook: whoever knows it can post to it.
impl fmt::Debug for AlertsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlertsConfig")
            .field("rules", &self.rules)
            .field("webhook", &crate::notify::shown(&self.webhook))
            .field("allow_private", &self.allow_private)
            .field("email", &self.email)
            .field("command", &self.command)
            .finish_non_exhaustive()
    }
}

/// How mail is sent.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EmailConfig {
    /// Who gets it; none: there is no mail.
    pub to: Vec<String>,
    /// Whom it is from.
    pub from: String,
    /// The server, with or without a port.
    pub server: String,
    /// `tls`, `starttls` or `plain`; empty: by the port, and plain to loopback alone.
    pub security: String,
    /// Who the server knows; empty: nobody.
    pub user: String,
    /// The password: `env:NAME` or `file:PATH`.
    pub password: String,
}

impl fmt::Debug for EmailConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmailConfig")
            .field("to", &self.to)
            .field("from", &self.from)
            .field("server", &self.server)
            .field("security", &self.security)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// The keys of a rule.
const KEYS: [&str; 13] = [
    "measure",
    "above",
    "reaches",
    "below",
    "window",
    "for",
    "clear",
    "clear_for",
    "silence",
    "delay",
    "severity",
    "group",
    "enabled",
];

impl AlertsConfig {
    /// The rules that are asked for, in the order of their names; without any, the usual ones.
    ///
    /// # Errors
    /// [`Error::Config`] for the first key that is none or whose value is none, by its whole name.
    pub fn rules(&self, monitor: &MonitorConfig) -> Result<Vec<Rule>> {
        if self.rules.is_empty() {
            return Ok(default_rules(monitor));
        }
        let mut rules = Vec::new();
        for (name, fields) in &self.rules {
            rules.extend(RuleFields { name, fields }.rule()?);
        }
        Ok(rules)
    }
}

/// The rules of a configuration that names none: drift as `monitor.drift_share` says, predictions that could not be logged, and more
/// than one in twenty that got no answer.
pub fn default_rules(monitor: &MonitorConfig) -> Vec<Rule> {
    let drift = Rule::new("drift", Measure::DriftShare, Bound::Reaches(monitor.drift_share));
    let lost = Rule { severity: Severity::Critical, ..Rule::new("lost", Measure::Lost, Bound::Above(0.0)) };
    let errors = Rule::new("errors", Measure::Errors, Bound::Above(0.05));
    vec![drift, Rule { window: HOUR, ..errors }, Rule { window: HOUR, ..lost }]
}

/// An hour, in microseconds.
const HOUR: Micros = 3_600_000_000;

/// A rule as it stands in a configuration.
struct RuleFields<'a> {
    name: &'a str,
    fields: &'a BTreeMap<String, Value>,
}

impl RuleFields<'_> {
    fn refuse<T>(&self, key: &str, why: impl fmt::Display) -> Result<T> {
        Err(Error::Config(format!("alerts.rules.{}.{key}: {why}", self.name)))
    }

    /// The rule; none if it is turned off.
    fn rule(&self) -> Result<Option<Rule>> {
        if self.name.is_empty() || self.name.chars().any(char::is_control) {
            return Err(Error::Config(format!(
                "alerts.rules: {:?} is no name of a rule; write one of visible characters",
                self.name
            )));
        }
        if let Some(unknown) = self.fields.keys().find(|key| !KEYS.contains(&key.as_str())) {
            let hint = suggest::did_you_mean(unknown, KEYS);
            return self.refuse(unknown, format!("there is no such key{hint}; a rule has {}", KEYS.join(", ")));
        }
        let measure = match self.text("measure")? {
            Some(text) => text.parse::<Measure>().or_else(|e: tabwright_core::Error| self.refuse("measure", e))?,
            None => return self.refuse("measure", "what is looked at is missing, such as measure = \"errors\""),
        };
        let mut rule = Rule::new(self.name, measure, self.bound()?);
        rule.clear = self.number("clear")?;
        for (key, count) in [("for", &mut rule.fire_after), ("clear_for", &mut rule.clear_after)] {
            *count = self.count(key)?.unwrap_or(*count);
        }
        for (key, length) in [("window", &mut rule.window), ("silence", &mut rule.silence), ("delay", &mut rule.delay)]
        {
            *length = self.span(key)?.unwrap_or(*length);
        }
        if let Some(text) = self.text("severity")? {
            rule.severity = text.parse::<Severity>().or_else(|e: tabwright_core::Error| self.refuse("severity", e))?;
        }
        rule.group = self.text("group")?.unwrap_or_default().to_owned();
        // The parameter is the first word of its message.
        rule.validate().map_err(|e| Error::Config(format!("alerts.rules.{}.{e}", self.name)))?;
        Ok(self.switch("enabled")?.unwrap_or(true).then_some(rule))
    }

    fn bound(&self) -> Result<Bound> {
        let given = [
            self.number("above")?.map(Bound::Above),
            self.number("reaches")?.map(Bound::Reaches),
            self.number("below")?.map(Bound::Below),
        ];
        let mut given = given.into_iter().flatten();
        match (given.next(), given.next()) {
            (Some(bound), None) => Ok(bound),
            (None, _) => self.refuse("above", "a bound is missing; write one of above, reaches and below"),
            (Some(_), Some(_)) => {
                self.refuse("above", "a rule has one bound; write one of above, reaches and below, and a rule for each")
            }
        }
    }

    fn text(&self, key: &str) -> Result<Option<&str>> {
        match self.fields.get(key) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(other) => self.refuse(key, format!("a text in quotes is needed, got {other}")),
        }
    }

    fn number(&self, key: &str) -> Result<Option<f64>> {
        match self.fields.get(key) {
            None => Ok(None),
            Some(Value::Float(number)) => Ok(Some(*number)),
            Some(Value::Integer(number)) => Ok(Some(*number as f64)),
            Some(other) => self.refuse(key, format!("a number is needed, got {other}")),
        }
    }

    fn count(&self, key: &str) -> Result<Option<u32>> {
        match self.fields.get(key) {
            None => Ok(None),
            Some(Value::Integer(number)) if u32::try_from(*number).is_ok() => Ok(u32::try_from(*number).ok()),
            Some(other) => self.refuse(key, format!("a whole number of windows is needed, got {other}")),
        }
    }

    fn switch(&self, key: &str) -> Result<Option<bool>> {
        match self.fields.get(key) {
            None => Ok(None),
            Some(Value::Bool(switch)) => Ok(Some(*switch)),
            Some(other) => self.refuse(key, format!("true or false is needed, got {other}")),
        }
    }

    fn span(&self, key: &str) -> Result<Option<Micros>> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let span = tabwright_store::time::parse_span(text).or_else(|e| self.refuse(key, e))?;
        Ok(Some(Micros::try_from(span.as_micros()).unwrap_or(Micros::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> Result<Vec<Rule>, String> {
        let config: AlertsConfig = toml::from_str(text).map_err(|e| e.to_string())?;
        config.rules(&MonitorConfig::default()).map_err(|e| e.to_string())
    }

    #[test]
    fn a_rule_has_all_that_stands_in_its_table() {
        let text = "[rules.auc]\nmeasure = \"roc_auc\"\nbelow = 0.7\nclear = 0.75\nwindow = \"7d\"\nfor = 2\nclear_for = 3\n\
                    silence = \"2d\"\ndelay = \"30d\"\nseverity = \"critical\"\ngroup = \"quality\"\n\
                    [rules.busy]\nmeasure = \"volume\"\nabove = 1000\nwindow = \"30m\"\n\
                    [rules.off]\nmeasure = \"errors\"\nabove = 0\nenabled = false\n";
        let found = rules(text).unwrap();
        assert_eq!(found.len(), 2, "one is turned off");
        let measure = Measure::Metric(tabwright_core::metric::Metric::RocAuc);
        let expected = Rule {
            window: 7 * 24 * HOUR,
            fire_after: 2,
            clear: Some(0.75),
            clear_after: 3,
            silence: 48 * HOUR,
            delay: 30 * 24 * HOUR,
            severity: Severity::Critical,
            group: "quality".into(),
            ..Rule::new("auc", measure, Bound::Below(0.7))
        };
        assert_eq!(found[0], expected);
        let busy = Rule { window: HOUR / 2, ..Rule::new("busy", Measure::Volume, Bound::Above(1000.0)) };
        assert_eq!(found[1], busy);
    }

    #[test]
    fn without_rules_there_are_the_usual_ones() {
        let monitor = MonitorConfig { drift_share: 0.3, ..MonitorConfig::default() };
        let found = AlertsConfig::default().rules(&monitor).unwrap();
        let named: Vec<(&str, Bound)> = found.iter().map(|rule| (&*rule.name, rule.bound)).collect();
        let expected = [("drift", Bound::Reaches(0.3)), ("errors", Bound::Above(0.05)), ("lost", Bound::Above(0.0))];
        assert_eq!(named, expected);
        assert!(found.iter().all(|rule| rule.validate().is_ok()));
    }

    #[test]
    fn a_mistake_is_answered_with_its_key() {
        for (fields, says) in [
            ("abov = 1", "alerts.rules.r.abov: there is no such key (did you mean `above`?)"),
            (
                "measure = \"latncy\"\nabove = 1",
                "alerts.rules.r.measure: unknown measure `latncy` (did you mean `latency`?)",
            ),
            ("above = 1", "alerts.rules.r.measure: what is looked at is missing"),
            ("measure = \"errors\"", "alerts.rules.r.above: a bound is missing"),
            ("measure = \"errors\"\nabove = 1\nbelow = 2", "a rule has one bound"),
            ("measure = \"errors\"\nabove = \"1\"", "alerts.rules.r.above: a number is needed, got \"1\""),
            ("measure = \"errors\"\nabove = 1\nfor = 0", "alerts.rules.r.for = 0 is out of range"),
            ("measure = \"errors\"\nabove = 1\nfor = 1.5", "alerts.rules.r.for: a whole number of windows"),
            ("measure = \"errors\"\nabove = 1\nwindow = \"1 day\"", "alerts.rules.r.window: `1 day` is no time span"),
            ("measure = \"errors\"\nabove = 1\nwindow = \"0s\"", "alerts.rules.r.window = 0 s is out of range"),
            (
                "measure = \"errors\"\nabove = 1\nclear = 2",
                "alerts.rules.r.clear = 2 is out of range; allowed: at most 1",
            ),
            ("measure = \"errors\"\nabove = 1\nseverity = \"high\"", "alerts.rules.r.severity: unknown severity"),
            ("measure = \"errors\"\nabove = nan", "alerts.rules.r.above = NaN"),
        ] {
            let error = rules(&format!("[rules.r]\n{fields}\n")).unwrap_err();
            assert!(error.contains(says), "{fields}: {error}");
        }
        let error = rules("[rules.\"a\\nb\"]\nmeasure = \"errors\"\nabove = 1").unwrap_err();
        assert!(error.contains("no name of a rule"), "{error}");
    }

    #[test]
    fn where_messages_go_is_not_shown() {
        let text = "webhook = \"https://hooks.example/T0/abc?key=geheim\"\nwebhook_secret = \"env:S\"\n[email]\npassword = \"geheim\"\n";
        let config: AlertsConfig = toml::from_str(text).unwrap();
        let shown = format!("{config:?}");
        assert!(
            shown.contains("https://hooks.example") && !shown.contains("geheim") && !shown.contains("abc"),
            "{shown}"
        );
    }
}
