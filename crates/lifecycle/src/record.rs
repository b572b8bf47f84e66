//! What is recorded of a training or an evaluation: runs as documents, one for the whole and one within it for each candidate.
//!
//! Making the documents needs no store. [`Live`] makes those of candidates while a training runs; [`RecordFile`] writes all of them
//! beside a model when the store cannot take them.

mod live;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tabwright_model::evidence::Metrics;
use tabwright_store::time::Micros;
use tabwright_store::{Batch, Measured, NewRun, RunDocument, Status};

pub use live::Live;

use crate::config::{Config, ProjectConfig};
use crate::error::{Error, Result};
use crate::evaluate::Evaluated;
use crate::redact;
use crate::train::Trained;

/// The kind of the run of a whole training.
pub const TRAIN: &str = "train";
/// The kind of the run of a candidate within a training.
pub const CANDIDATE: &str = "candidate";
/// The kind of the run of an evaluation.
pub const EVALUATE: &str = "evaluate";

/// What is known of a run besides what it found.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// Its id.
    pub run_id: String,
    /// When it began.
    pub started: Micros,
    /// When it ended.
    pub ended: Micros,
    /// Facts of the surroundings: command line, user, machine, versions, git commit and diff, peak memory …
    pub surroundings: Map<String, Value>,
}

/// A run before it has found anything.
pub fn begun(kind: &str, config: &Config, sources: &[String], about: &About) -> NewRun {
    let mut info = about.surroundings.clone();
    info.insert("data".into(), json!(sources));
    if kind == TRAIN {
        info.insert("config".into(), recorded_config(config));
        info.insert("seed".into(), json!(config.train.seed));
    }
    let mut info = Value::Object(info);
    redact::json(&mut info);
    let ProjectConfig { name, experiment, .. } = &config.project;
    NewRun {
        project: name.clone(),
        experiment: experiment.clone(),
        kind: kind.to_owned(),
        name: config.train.name.clone(),
        primary_metric: config.project.primary_metric.clone(),
        info,
        ..NewRun::default()
    }
}

/// The configuration as it is recorded: files are named from the root, so that it can be repeated from any folder.
fn recorded_config(config: &Config) -> Value {
    let mut config = config.clone();
    let absolute = |text: &mut String| {
        if !text.is_empty()
            && text != "-"
            && !text.contains("://")
            && let Ok(path) = std::path::absolute(&*text)
        {
            *text = path.to_string_lossy().into_owned();
        }
    };
    config.data.source.iter_mut().chain(&mut config.split.files).for_each(absolute);
    absolute(&mut config.split.like);
    // Whoever knows a webhook can post to it.
    config.alerts.webhook = crate::notify::shown(&config.alerts.webhook);
    json!(config)
}

/// What is known of a training from its configuration alone: tags, the note, the seed and the target.
pub fn known(config: &Config) -> Batch {
    let mut known = Batch {
        params: [("seed".to_owned(), config.train.seed.to_string())].into(),
        tags: config.train.tags.clone(),
        note: Some(config.train.note.clone()).filter(|n| !n.is_empty()),
        ..Batch::default()
    };
    if !config.data.target.is_empty() {
        known.params.insert("target".into(), config.data.target.clone());
    }
    known
}

/// The documents of a training: the run, and one within it for each candidate. `live` has those that were made while it ran,
/// which know when a candidate began and ended; it may have none.
pub fn of_training(trained: &Trained, config: &Config, about: &About, live: &[RunDocument]) -> Vec<RunDocument> {
    let mut run = begun(TRAIN, config, &config.data.source, about);
    let metric = trained.metric.name();
    if run.primary_metric.is_empty() {
        metric.clone_into(&mut run.primary_metric);
    }
    if let Some(info) = run.info.as_object_mut() {
        let evidence = &trained.artifact.evidence;
        info.insert("plan".into(), evidence.plan.clone());
        info.insert("findings".into(), json!(evidence.findings));
        info.insert("data_fingerprint".into(), json!(evidence.data_fingerprint));
        info.insert("content_id".into(), json!(trained.artifact.content_id()));
        info.insert("seconds".into(), json!(trained.seconds));
    }
    let candidates = candidates(trained, config, about, live);
    // The first is the best.
    let mut logged = candidates.first().map(|best| best.logged.clone()).unwrap_or_default();
    let known = known(config);
    (logged.tags, logged.note) = (known.tags, known.note);
    let signature = trained.artifact.model().signature();
    for (name, value) in [
        ("candidate", trained.found.best().candidate.name.clone()),
        ("content_id", trained.artifact.content_id().to_owned()),
        ("seed", trained.seed.to_string()),
        ("target", signature.target.clone()),
        ("task", signature.task.name().to_owned()),
        ("rows", trained.rows.to_string()),
    ] {
        logged.params.entry(name.to_owned()).or_insert(value);
    }
    for (part, metrics) in [("train", Some(&trained.found.train)), ("test", trained.found.test.as_ref())] {
        logged.metrics.extend(measured(part, metrics, about.ended));
    }
    for slice in &trained.artifact.evidence.slices {
        let own = measured("test", Some(&slice.metrics), about.ended)
            .map(|m| Measured { name: format!("{}[{}]", m.name, slice.name), ..m });
        // A slice may be named in any way; a metric may not.
        logged.metrics.extend(own.filter(|m| tabwright_store::name::check_key("the metric", &m.name).is_ok()));
    }
    let whole = RunDocument {
        run_id: about.run_id.clone(),
        run,
        status: Status::Completed,
        started: about.started,
        ended: Some(about.ended),
        logged,
    };
    std::iter::once(whole).chain(candidates).collect()
}

/// The documents of candidates, in the order of the leaderboard.
fn candidates(trained: &Trained, config: &Config, about: &About, live: &[RunDocument]) -> Vec<RunDocument> {
    let lines = trained.found.leaderboard.iter().map(|line| {
        let name = &line.candidate.name;
        let known = live.iter().find(|document| document.run.name == *name).cloned();
        let mut document = known.unwrap_or_else(|| {
            live::begun(&about.run_id, &config.project, (name, trained.metric.name()), about.started)
        });
        let found = live::Found {
            params: &line.described(),
            measured: &line.measurements(trained.metric),
            failure: line.failure.as_deref(),
            interrupted: line.interrupted,
        };
        let ended = document.ended.unwrap_or(about.ended);
        live::end(&mut document, found, ended);
        document
    });
    lines.collect()
}

/// The documents of a training that ended with an error. `live` has those of the candidates that had begun: what they had found
/// is kept.
pub fn of_failure(config: &Config, about: &About, error: &Error, live: Vec<RunDocument>) -> Vec<RunDocument> {
    let mut run = begun(TRAIN, config, &config.data.source, about);
    if let Some(info) = run.info.as_object_mut() {
        info.insert("error".into(), json!(redact::text(&error.to_string())));
    }
    let status = if error.is_cancelled() { Status::Killed } else { Status::Failed };
    if let Some(first) = live.first().filter(|_| run.primary_metric.is_empty()) {
        run.primary_metric.clone_from(&first.run.primary_metric);
    }
    let (run_id, started, ended) = (about.run_id.clone(), about.started, Some(about.ended));
    let whole = RunDocument { run_id, run, status, started, ended, logged: known(config) };
    let candidates = live.into_iter().map(|mut document| {
        if document.status == Status::Running {
            (document.status, document.ended) = (status, ended);
        }
        document
    });
    std::iter::once(whole).chain(candidates).collect()
}

/// The document of an evaluation. `model` is how the model was named.
pub fn of_evaluation(
    evaluated: &Evaluated,
    (model, content_id): (&str, &str),
    (config, sources): (&Config, &[String]),
    about: &About,
) -> RunDocument {
    let mut run = begun(EVALUATE, config, sources, about);
    if let Some(info) = run.info.as_object_mut() {
        info.insert("content_id".into(), json!(content_id));
    }
    let scores = evaluated.evaluation.scores.iter();
    let metrics: Metrics = scores.filter(|(_, v)| !v.is_nan()).map(|(m, v)| (m.name().to_owned(), *v)).collect();
    let logged = Batch {
        params: [("model".to_owned(), redact::text(model)), ("rows".to_owned(), evaluated.evaluation.rows.to_string())]
            .into(),
        metrics: measured("evaluation", Some(&metrics), about.ended).collect(),
        ..Batch::default()
    };
    let (run_id, started) = (about.run_id.clone(), about.started);
    RunDocument { run_id, run, status: Status::Completed, started, ended: Some(about.ended), logged }
}

fn measured<'a>(part: &'a str, metrics: Option<&'a Metrics>, at: Micros) -> impl Iterator<Item = Measured> + 'a {
    let one =
        move |(name, value): (&String, &f64)| Measured { name: format!("{part}.{name}"), step: 0, at, value: *value };
    metrics.into_iter().flatten().map(one)
}

/// Version of the layout of a record file.
const FORMAT: u32 = 1;
/// What follows the name of the model in that of its record.
const EXTENSION: &str = ".run.json";

/// Runs in a file: what a store could not take, for `runs import`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordFile {
    /// Version of the layout.
    pub format: u32,
    /// The runs, parents before their children.
    pub runs: Vec<RunDocument>,
    /// What was to be registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub register: Option<Registration>,
}

/// A registration that is still to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// The name of the model.
    pub name: String,
    /// The model file; it lies beside the record.
    pub file: String,
    /// An alias that is to point to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
}

impl RecordFile {
    /// A record of runs.
    pub fn new(runs: Vec<RunDocument>, register: Option<Registration>) -> Self {
        RecordFile { format: FORMAT, runs, register }
    }

    /// Where the record of a model file lies: beside it.
    pub fn beside(model: &Path) -> PathBuf {
        let mut name = model.file_name().unwrap_or_default().to_os_string();
        name.push(EXTENSION);
        model.with_file_name(name)
    }

    /// Writes the file.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn save(&self, path: &Path) -> Result<()> {
        use std::io::Write;
        let what = "the record of the run could not be written";
        let told = |source| Error::Write { path: path.to_owned(), what, source };
        let text = serde_json::to_string_pretty(self).map_err(|e| told(e.into()))?;
        let mut file = crate::file::create(path, what)?;
        file.write_all(text.as_bytes()).map_err(told)?;
        file.finish().map_err(told)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::Data`] for one that cannot be read, is no record, or of a later version.
    pub fn load(path: &Path) -> Result<Self> {
        let told = |why: String| Error::Data(format!("{}: {why}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|e| told(format!("the record cannot be read: {e}")))?;
        let value: Value = serde_json::from_str(&text).map_err(|e| told(format!("it is no record of a run: {e}")))?;
        match value["format"].as_u64() {
            Some(format) if format > FORMAT.into() => {
                Err(told(format!("it has the format {format} of a later version; this one reads up to {FORMAT}")))
            }
            _ => serde_json::from_value(value).map_err(|e| told(format!("it is no record of a run: {e}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_configuration_says_of_a_webhook_only_whose_it_is() {
        let mut config = Config::default();
        config.alerts.webhook = "https://hooks.example/T0/geheim?key=geheim".into();
        config.alerts.email.password = "geheim".into();
        let about = About { run_id: "r".into(), started: 0, ended: 0, surroundings: Map::new() };
        let info = begun(TRAIN, &config, &[], &about).info.to_string();
        assert!(info.contains("https://hooks.example") && !info.contains("geheim"), "{info}");
    }
}
