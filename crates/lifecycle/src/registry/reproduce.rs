//! `models reproduce`: repeats the recorded plan and compares content ids; where they differ, names the first thing that does.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use tabwright_core::Context;
use tabwright_learn::candidate::Registry;
use tabwright_learn::param;
use tabwright_model::artifact::Artifact;
use tabwright_store::Version;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::train::{self, Surroundings};

/// What came of repeating.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reproduced {
    /// Whether it is the same model, to the last bit.
    pub identical: bool,
    /// The content id of the version.
    pub expected: String,
    /// The content id of the repetition.
    pub found: String,
    /// The first thing that differs.
    pub difference: Option<Difference>,
    /// Wall-clock time of the repetition.
    pub seconds: f64,
}

/// A thing that was recorded and found otherwise.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// What: `data`, `version`, `configuration` or `unknown`.
    pub what: &'static str,
    /// Where in it, and what this means.
    pub message: String,
    /// As it was recorded.
    pub recorded: Value,
    /// As it is now.
    pub found: Value,
}

/// Repeats the training of a version from its plan: the same rows, cuts and hyperparameters, the chosen candidate alone.
/// `data` are files to read instead of those that the run names.
///
/// # Errors
/// If nothing says where the data is, it cannot be read, or the candidate cannot be fitted.
pub fn reproduce(
    version: &Version,
    artifact: &Artifact,
    run: Option<&Config>,
    data: &[String],
    surroundings: &Surroundings,
    context: Context<'_>,
) -> Result<Reproduced> {
    let name = format!("{}:{}", version.registered.name, version.version);
    let mut files = Config::default();
    files.data.source = data.to_vec();
    let mut config = match run {
        Some(config) => config.clone(),
        None if data.is_empty() => {
            return Err(Error::Data(format!(
                "{name}: no run here says which data it was trained on; name it: tabwright models reproduce {name} FILE"
            )));
        }
        None => config_of_plan(artifact, &files),
    };
    if !data.is_empty() {
        config.data.source.clone_from(&files.data.source);
    }
    if config.data.source.iter().any(|s| s == "-") {
        return Err(Error::Data(format!(
            "{name} was trained on standard input; name a file with the same rows: tabwright models reproduce {name} FILE"
        )));
    }
    follow_candidate(&mut config, &artifact.evidence.plan)?;
    let trained = train::train(&config, &Registry::default(), surroundings, context)?;
    let (expected, found) = (artifact.content_id().to_owned(), trained.artifact.content_id().to_owned());
    let identical = expected == found;
    let difference = (!identical).then(|| first_difference(artifact, &trained.artifact));
    Ok(Reproduced { identical, expected, found, difference, seconds: trained.seconds })
}

/// A configuration that does what a plan says, with the files of another; how the files are read is what is usual.
pub(crate) fn config_of_plan(artifact: &Artifact, files: &Config) -> Config {
    let plan = &artifact.evidence.plan;
    let signature = artifact.model().signature();
    let read = |value: &Value, into: &mut Value| {
        let (Some(value), Some(into)) = (value.as_object(), into.as_object_mut()) else { return };
        for (name, known) in into.iter_mut() {
            if let Some(value) = value.get(name) {
                known.clone_from(value);
            }
        }
    };
    let mut config = serde_json::json!(Config::default());
    config["features"] = plan["features"].clone();
    read(&plan["split"], &mut config["split"]);
    read(&plan["selection"], &mut config["selection"]);
    config["selection"]["folds"] = plan["folds"]["n"].clone();
    config["selection"]["repeats"] = plan["folds"]["repeats"].clone();
    let mut config: Config = serde_json::from_value(config).unwrap_or_default();
    config.train.seed = plan["seed"].as_u64().unwrap_or(config.train.seed);
    config.data.source.clone_from(&files.data.source);
    config.split.files.clone_from(&files.split.files);
    config.data.target.clone_from(&signature.target);
    signature.task.name().clone_into(&mut config.data.task);
    if let [_, positive] = signature.task.labels() {
        config.data.positive.clone_from(positive);
    }
    config.data.zone.clone_from(&signature.zone);
    config.data.na.clone_from(&signature.na);
    config
}

/// Leaves the candidate that was chosen, with all of its hyperparameters: others change nothing about its fit.
fn follow_candidate(config: &mut Config, plan: &Value) -> Result<()> {
    let candidate = &plan["candidate"];
    let told = |what: &str| Error::Data(format!("the plan of the version does not say {what}"));
    let name = candidate["name"].as_str().ok_or_else(|| told("which candidate was chosen"))?;
    let of_type = candidate["type"].as_str().ok_or_else(|| told("the type of the candidate"))?;
    let params = serde_json::from_value::<BTreeMap<String, param::Value>>(candidate["params"].clone());
    let mut params = params.map_err(|e| told(&format!("the hyperparameters: {e}")))?;
    params.insert("type".into(), param::Value::Text(of_type.to_owned()));
    config.candidates = [(name.to_owned(), params)].into();
    config.train.candidates = vec![name.to_owned()];
    config.train.output.clear();
    Ok(())
}

fn first_difference(recorded: &Artifact, found: &Artifact) -> Difference {
    let (old, new) = (&recorded.evidence, &found.evidence);
    if old.data_fingerprint != new.data_fingerprint {
        let message = match old.rows == new.rows {
            true => {
                format!("the data has other content: as many rows as then ({}), with other cells or columns", old.rows)
            }
            false => format!("the data has {} rows, it had {}", new.rows, old.rows),
        };
        let (recorded, found) = (old.data_fingerprint.clone().into(), new.data_fingerprint.clone().into());
        return Difference { what: "data", message, recorded, found };
    }
    if recorded.record.version != found.record.version {
        let message = format!(
            "the data is the same; Tabwright {} trained it, this is {}",
            recorded.record.version, found.record.version
        );
        let versions = [&recorded.record.version, &found.record.version].map(|v| Value::from(v.clone()));
        let [recorded, found] = versions;
        return Difference { what: "version", message, recorded, found };
    }
    let mut plans = [old.plan.clone(), new.plan.clone()];
    for plan in &mut plans {
        // The repetition has one candidate on purpose.
        plan.as_object_mut().map(|p| p.remove("candidates"));
    }
    let [old, new] = plans;
    match first_path(&old, &new, String::new()) {
        Some((path, recorded, found)) => {
            let message = format!("data and version are the same; `{path}` of the plan is another");
            Difference { what: "configuration", message, recorded, found }
        }
        None => Difference {
            what: "unknown",
            message: "data, version and plan are the same: this is a defect of Tabwright, or of the machine".into(),
            recorded: recorded.record.machine.clone().into(),
            found: found.record.machine.clone().into(),
        },
    }
}

/// The first place where two documents differ, with both values.
fn first_path(old: &Value, new: &Value, path: String) -> Option<(String, Value, Value)> {
    match (old, new) {
        (Value::Object(a), Value::Object(b)) => {
            let mut names: Vec<&String> = a.keys().chain(b.keys()).collect();
            names.sort_unstable();
            names.dedup();
            names.into_iter().find_map(|name| {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                first_path(a.get(name).unwrap_or(&Value::Null), b.get(name).unwrap_or(&Value::Null), path)
            })
        }
        (a, b) if a == b => None,
        (a, b) => Some((path, a.clone(), b.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_place_that_differs_is_named() {
        let old = serde_json::json!({ "a": 1, "b": { "c": [1, 2], "d": 3 } });
        let mut new = old.clone();
        assert_eq!(first_path(&old, &new, String::new()), None);
        new["b"]["d"] = 4.into();
        new["e"] = 5.into();
        assert_eq!(first_path(&old, &new, String::new()), Some(("b.d".into(), 3.into(), 4.into())));
    }
}
