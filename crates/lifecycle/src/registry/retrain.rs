//! `retrain`: the recorded recipe of a version on new data, and what came of it beside the version on the same rows.

use std::path::Path;

use tabwright_core::Context;
use tabwright_model::artifact::Artifact;
use tabwright_store::Version;

use super::gate::{Check, Question, Side, judge};
use crate::config::{Config, GateConfig, Holdout, RegistryConfig};
use crate::error::{Error, Result};

/// The configuration that trains a version anew: its own, on `data` where some is named. Rows are cut where they were cut, so
/// that no row which the version was tested on is trained on; `file` is the version's model file.
///
/// # Errors
/// [`Error::Data`] if no run says how it was trained, or its data was standard input and none is named.
pub fn recipe(version: &Version, recorded: Option<Config>, file: &Path, data: &[String]) -> Result<Config> {
    let name = format!("{}:{}", version.registered.name, version.version);
    let Some(mut config) = recorded else {
        return Err(Error::Data(format!(
            "no run here says how {name} was trained; train it once more with --name {}",
            version.registered.name
        )));
    };
    if !data.is_empty() {
        config.data.source = data.to_vec();
    }
    if config.data.source.iter().any(|s| s == "-") {
        return Err(Error::Data(format!(
            "{name} was trained on standard input; name a file: tabwright retrain {name} FILE"
        )));
    }
    if config.split.holdout == Holdout::Split && config.split.column.is_empty() {
        config.split.like = file.to_string_lossy().into_owned();
    }
    config.train.name.clone_from(&version.registered.name);
    config.train.output.clear();
    Ok(config)
}

/// How a new version compares with an earlier one, on rows that neither was fitted on.
///
/// # Errors
/// From reading; where they cannot be compared, the check says why.
pub fn beside(
    new: (&Version, &Artifact, &Config),
    old: (&Version, &Artifact, Option<&Config>),
    context: Context<'_>,
) -> Result<Option<Check>> {
    let asked = RegistryConfig { gate: GateConfig::default(), ..RegistryConfig::default() };
    let question = Question {
        candidate: Side { version: new.0, artifact: new.1, config: Some(new.2) },
        current: Some(Side { version: old.0, artifact: old.1, config: old.2 }),
        asked: &asked,
        data: &[],
    };
    Ok(judge(&question, context)?.checks.into_iter().find(|c| c.name == "not_worse"))
}
