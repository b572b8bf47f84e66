//! The section `log`: what is kept of predictions, and for how long.

use serde::{Deserialize, Serialize};
use tabwright_store::predictions::Retention;
use tabwright_store::time::{self, Micros};

use crate::error::{Error, Result};
use crate::monitor::logger::{LogMode, LogSettings, LoggedInputs};
use crate::train::parse_bytes;

/// What is kept of predictions, and for how long.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// `off`, `async` or `durable`.
    pub mode: String,
    /// `values`, or `hashes` to keep no input.
    pub inputs: String,
    /// Inputs whose values are kept; empty: all.
    pub columns: Vec<String>,
    /// Whether a prediction that cannot be logged is refused, where `mode` is `durable`.
    pub strict: bool,
    /// Age at which a day is freed; empty: never.
    pub keep: String,
    /// Bytes that the log of a model may have; empty: any number.
    pub keep_size: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        LogConfig {
            mode: "off".into(),
            inputs: "values".into(),
            columns: Vec::new(),
            strict: false,
            keep: "30d".into(),
            keep_size: String::new(),
        }
    }
}

impl LogConfig {
    /// How predictions are logged.
    ///
    /// # Errors
    /// If a word is none of those that are known, or columns are named where no values are kept.
    pub fn settings(&self) -> Result<LogSettings> {
        let mode = match self.mode.as_str() {
            "off" => LogMode::Off,
            "async" => LogMode::Async,
            "durable" => LogMode::Durable,
            other => return Err(Error::Config(format!("log.mode: `{other}` is none of off, async and durable"))),
        };
        let inputs = match (self.inputs.as_str(), &self.columns[..]) {
            ("values", []) => LoggedInputs::All,
            ("values", columns) => LoggedInputs::Columns(columns.to_vec()),
            ("hashes", []) => LoggedInputs::Hashes,
            ("hashes", _) => {
                let message =
                    "log.inputs = \"hashes\" keeps no values, and log.columns names some; take one of the two away";
                return Err(Error::Config(message.into()));
            }
            (other, _) => return Err(Error::Config(format!("log.inputs: `{other}` is neither values nor hashes"))),
        };
        self.retention(0)?;
        Ok(LogSettings { mode, inputs, strict: self.strict })
    }

    /// What is kept, as of a moment.
    ///
    /// # Errors
    /// If an age or a size is none.
    pub fn retention(&self, now: Micros) -> Result<Retention> {
        let told = |key: &str, why: &dyn std::fmt::Display| Error::Config(format!("log.{key}: {why}"));
        let age = match self.keep.as_str() {
            "" => None,
            text => Some(time::parse_span(text).map_err(|e| told("keep", &e))?),
        };
        let bytes = match self.keep_size.as_str() {
            "" => None,
            text => Some(parse_bytes(text).map_err(|e| told("keep_size", &e))?),
        };
        Ok(Retention { now, age, bytes, dry_run: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_settings_and_others_are_refused() {
        let usual = LogConfig::default();
        assert_eq!(usual.settings().unwrap().mode, LogMode::Off);
        assert_eq!(usual.retention(7).unwrap(), Retention::by_default(7));
        let some = LogConfig { mode: "durable".into(), columns: vec!["plan".into()], ..usual.clone() };
        let settings = some.settings().unwrap();
        assert_eq!((settings.mode, settings.inputs), (LogMode::Durable, LoggedInputs::Columns(vec!["plan".into()])));
        for (wrong, says) in [
            (LogConfig { mode: "sync".into(), ..usual.clone() }, "off, async and durable"),
            (LogConfig { inputs: "none".into(), ..usual.clone() }, "neither values nor hashes"),
            (LogConfig { inputs: "hashes".into(), ..some }, "take one of the two away"),
            (LogConfig { keep: "30".into(), ..usual.clone() }, "log.keep"),
            (LogConfig { keep_size: "much".into(), ..usual }, "log.keep_size"),
        ] {
            let error = wrong.settings().unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
