//! The section `monitor`: how models are watched.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tabwright_monitor::DriftOptions;
use tabwright_monitor::drift::{ColumnRule, Test, Threshold};

use crate::error::{Error, Result};

/// How models are watched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MonitorConfig {
    /// The test of drift of all columns that it fits; empty: by kind and number of rows.
    pub drift_test: String,
    /// Tests of single columns.
    pub drift_tests: BTreeMap<String, String>,
    /// Where drift begins in all columns: a number, or `auto`; empty: what is usual for the test.
    pub drift_threshold: String,
    /// Where it begins in single columns: a number, or `auto`.
    pub drift_thresholds: BTreeMap<String, String>,
    /// Share of the columns that makes the whole drift.
    pub drift_share: f64,
    /// How often a calibrated threshold may be exceeded without drift.
    pub false_alarm_rate: f64,
    /// Least change of the share of missing values that matters.
    pub missing_change: f64,
}

impl Default for MonitorConfig {
    fn default() -> Self {
        let usual = DriftOptions::default();
        MonitorConfig {
            drift_test: String::new(),
            drift_tests: BTreeMap::new(),
            drift_threshold: String::new(),
            drift_thresholds: BTreeMap::new(),
            drift_share: usual.drift_share,
            false_alarm_rate: usual.false_alarm_rate,
            missing_change: usual.missing_change,
        }
    }
}

impl MonitorConfig {
    /// How drift is judged.
    ///
    /// # Errors
    /// If a test or a threshold is none; the names of columns are checked where the columns are known.
    pub fn drift_options(&self, seed: u64) -> Result<DriftOptions> {
        let mut rules: BTreeMap<String, ColumnRule> = BTreeMap::new();
        for (column, text) in &self.drift_tests {
            rules.entry(column.clone()).or_default().test = Some(test(text)?);
        }
        for (column, text) in &self.drift_thresholds {
            rules.entry(column.clone()).or_default().threshold = Some(threshold(text)?);
        }
        Ok(DriftOptions {
            test: if self.drift_test.is_empty() { None } else { Some(test(&self.drift_test)?) },
            threshold: threshold(&self.drift_threshold)?,
            rules,
            drift_share: self.drift_share,
            false_alarm_rate: self.false_alarm_rate,
            missing_change: self.missing_change,
            seed,
            ..DriftOptions::default()
        })
    }
}

fn test(text: &str) -> Result<Test> {
    text.parse().map_err(|e: tabwright_core::Error| Error::Config(e.to_string()))
}

fn threshold(text: &str) -> Result<Threshold> {
    match text.trim() {
        "" => Ok(Threshold::Usual),
        "auto" => Ok(Threshold::Auto),
        number => match number.parse::<f64>() {
            Ok(value) if value.is_finite() && value >= 0.0 => Ok(Threshold::Fixed(value)),
            _ => Err(Error::Config(format!(
                "a threshold of drift is a number from 0 on, or `auto`; `{number}` is neither"
            ))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_become_options_and_what_is_none_is_refused() {
        let mut config = MonitorConfig::default();
        assert_eq!(config.drift_options(42).unwrap(), DriftOptions::default());
        config.drift_test = "ks".into();
        config.drift_tests.insert("plan".into(), "psi".into());
        config.drift_thresholds.insert("plan".into(), "0.2".into());
        config.drift_thresholds.insert("age".into(), "auto".into());
        let options = config.drift_options(7).unwrap();
        assert_eq!(options.test, Some(Test::KolmogorovSmirnov));
        let plan = ColumnRule { test: Some(Test::PopulationStability), threshold: Some(Threshold::Fixed(0.2)) };
        assert_eq!((options.rules["plan"], options.rules["age"].threshold), (plan, Some(Threshold::Auto)));
        for wrong in ["-1", "NaN", "much"] {
            config.drift_threshold = wrong.into();
            assert!(config.drift_options(7).unwrap_err().to_string().contains("`auto`"), "{wrong}");
        }
        config.drift_threshold = String::new();
        config.drift_test = "kss".into();
        assert!(config.drift_options(7).unwrap_err().to_string().contains("did you mean `ks`"));
    }
}
