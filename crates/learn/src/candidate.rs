//! What can be trained: candidate types with their hyperparameters, the registry that finds them by name, and the
//! interface that a learner implements.
//!
//! A learner sees features and targets of fitting rows and returns a predictor that is data. So a candidate of a
//! user's own, registered by name, is stored, loaded and served like those that come with the library.

mod baseline;
mod forest;
mod gbdt;
mod linear;

use std::collections::BTreeMap;
use std::sync::Arc;

use tabwright_core::{Cancel, Targets, Task, Warning, suggest};
use tabwright_model::Features;
use tabwright_model::model::{Link, Predictor};
use tabwright_trees::binning::Binner;
use tabwright_trees::boost::Binned;

use crate::error::{Error, Result};
use crate::param::{Allowed, Params, Spec, Value};
use crate::transform::Family;

pub use baseline::constant;

/// Fitting rows, ready to be learned from.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// What is to be learned.
    pub task: &'a Task,
    /// The features of the rows.
    pub features: &'a Features,
    /// The name of each feature; one-hot groups have that of their column.
    pub names: &'a [String],
    /// Targets and weights of the rows; class weights are multiplied in.
    pub targets: &'a Targets,
    /// A key per row, for draws that follow the row and not its place.
    pub keys: &'a [u64],
    /// Seed of the learner.
    pub seed: u64,
    /// Number of rounds that earlier fits settled on: no early stopping then.
    pub rounds: Option<u32>,
    /// The wish to stop.
    pub cancel: &'a Cancel,
}

/// Fitting rows that are bins already, ready to be learned from. They belong to the learner, who lets go of what it has read.
#[derive(Debug)]
pub struct BinnedSample<'a> {
    /// What is to be learned.
    pub task: &'a Task,
    /// The bins of the rows.
    pub binned: Binned,
    /// The name of each feature.
    pub names: &'a [String],
    /// Targets and weights of the rows, of which none is 0; class weights are multiplied in.
    pub targets: Targets,
    /// Seed of the learner.
    pub seed: u64,
    /// Number of rounds that earlier fits settled on.
    pub rounds: Option<u32>,
    /// The wish to stop.
    pub cancel: &'a Cancel,
}

impl BinnedSample<'_> {
    /// The same rows with features that have no column.
    fn without_bins<'b>(&'b self, features: &'b Features) -> Sample<'b> {
        Sample {
            task: self.task,
            features,
            names: self.names,
            targets: &self.targets,
            keys: &[],
            seed: self.seed,
            rounds: self.rounds,
            cancel: self.cancel,
        }
    }
}

/// What a learner returns.
#[derive(Debug, Clone)]
pub struct Learned {
    /// What turns features into raw scores.
    pub predictor: Predictor,
    /// What turns raw scores into predictions.
    pub link: Link,
    /// The number of rounds that early stopping chose.
    pub rounds: Option<u32>,
    /// What the user should know.
    pub warnings: Vec<Warning>,
}

impl Learned {
    /// A result without more to say.
    pub fn new(predictor: Predictor, link: Link) -> Self {
        Learned { predictor, link, rounds: None, warnings: Vec::new() }
    }
}

/// What a learner reads of its rows beside their targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// The values of every feature: [`Learner::fit`] is asked.
    Values,
    /// Bins of these, which [`Learner::fit_binned`] is handed; or the values.
    Bins(Binner),
    /// Nothing: features without a column will do.
    Targets,
}

/// Learns a predictor from fitting rows.
pub trait Learner: Send + Sync {
    /// What is read of the rows. One who reads less can learn from more rows than the memory holds.
    fn reads(&self, _seed: u64) -> Reads {
        Reads::Values
    }

    /// Fits on rows that are bins already.
    ///
    /// # Errors
    /// As [`fit`](Learner::fit), and for a learner that does not read bins.
    ///
    /// # Determinism
    /// The predictor is that of [`fit`](Learner::fit) on the features that the bins are of.
    fn fit_binned(&self, _sample: BinnedSample<'_>) -> Result<Learned> {
        Err(Error::Config("this learner does not read bins".into()))
    }

    /// Fits on the rows of a sample.
    ///
    /// # Errors
    /// If the rows or the parameters do not allow it.
    ///
    /// # Determinism
    /// The same sample gives the same predictor, on any number of threads.
    fn fit(&self, sample: &Sample<'_>) -> Result<Learned>;
}

type Build = dyn Fn(&Task, &Params) -> Result<Box<dyn Learner>> + Send + Sync;

/// A type of candidate: a name, hyperparameters, and how a learner is made of them.
#[derive(Clone)]
pub struct CandidateType {
    /// The name in configurations, leaderboards and model files.
    pub name: String,
    /// Names that are accepted for it on input.
    pub aliases: Vec<String>,
    /// In which form it wants its features.
    pub family: Family,
    /// One sentence for the documentation.
    pub doc: String,
    /// Whether it can learn classes, and numbers.
    pub tasks: Tasks,
    /// Its hyperparameters.
    pub params: Vec<Spec>,
    build: Arc<Build>,
}

/// Which tasks a type of candidate can learn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tasks {
    /// Binary and multiclass.
    Classification,
    /// Numbers.
    Regression,
    /// Both.
    Any,
}

impl Tasks {
    /// Whether a task is among them.
    pub fn contains(self, task: &Task) -> bool {
        match self {
            Tasks::Any => true,
            Tasks::Classification => task.is_classification(),
            Tasks::Regression => !task.is_classification(),
        }
    }
}

impl std::fmt::Debug for CandidateType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CandidateType").field("name", &self.name).field("family", &self.family).finish_non_exhaustive()
    }
}

/// Class weights work the same for every candidate that learns classes.
const CLASS_WEIGHT: Spec = Spec {
    name: "class_weight",
    aliases: &[],
    default: Value::None,
    allowed: Allowed::ClassWeight,
    optional: true,
    doc: "Weights of the classes: \"balanced\" gives each class the same total weight.",
};

impl CandidateType {
    /// A type of candidate of one's own.
    pub fn new(
        name: impl Into<String>,
        family: Family,
        tasks: Tasks,
        mut params: Vec<Spec>,
        build: impl Fn(&Task, &Params) -> Result<Box<dyn Learner>> + Send + Sync + 'static,
    ) -> Self {
        if tasks != Tasks::Regression {
            params.push(CLASS_WEIGHT);
        }
        let (aliases, doc) = (Vec::new(), String::new());
        CandidateType { name: name.into(), aliases, family, doc, tasks, params, build: Arc::new(build) }
    }

    fn documented(mut self, doc: &str, aliases: &[&str]) -> Self {
        self.doc = doc.to_owned();
        self.aliases = aliases.iter().map(|a| (*a).to_owned()).collect();
        self
    }
}

/// The types of candidates that can be asked for by name.
#[derive(Debug, Clone)]
pub struct Registry {
    types: Vec<CandidateType>,
}

impl Default for Registry {
    /// The types that come with the library.
    fn default() -> Self {
        let types = [linear::types(), forest::types(), gbdt::types(), baseline::types()].concat();
        Registry { types }
    }
}

impl Registry {
    /// Adds a type, in the place of one with the same name.
    pub fn register(&mut self, candidate_type: CandidateType) {
        self.types.retain(|t| t.name != candidate_type.name);
        self.types.push(candidate_type);
    }

    /// All types, in the order of the documentation.
    pub fn types(&self) -> &[CandidateType] {
        &self.types
    }

    /// A type by its name or an alias.
    ///
    /// # Errors
    /// With the nearest name.
    pub fn find(&self, name: &str) -> Result<&CandidateType> {
        let found = self.types.iter().find(|t| t.name == name || t.aliases.iter().any(|a| a == name));
        found.ok_or_else(|| {
            let names: Vec<&str> = self.types.iter().map(|t| t.name.as_str()).collect();
            Error::Core(tabwright_core::Error::UnknownName {
                what: "candidate",
                found: name.to_owned(),
                hint: suggest::did_you_mean(
                    name,
                    self.types.iter().flat_map(|t| t.aliases.iter().chain([&t.name])).map(String::as_str),
                ),
                allowed: names.join(", "),
            })
        })
    }

    /// The candidates that are trained when none is named: every type that can learn the task.
    pub fn for_task(&self, task: &Task) -> Vec<&CandidateType> {
        self.types.iter().filter(|t| t.tasks.contains(task) && t.name != BASELINE).collect()
    }
}

/// The floor of every leaderboard.
pub const BASELINE: &str = "baseline";

/// A candidate as it is asked for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CandidateConfig {
    /// The name on the leaderboard.
    pub name: String,
    /// Its type; the name itself where none is given.
    pub candidate_type: Option<String>,
    /// Raw hyperparameters.
    pub params: BTreeMap<String, Value>,
}

/// A candidate that is ready to be fitted.
#[derive(Clone)]
pub struct Candidate {
    /// The name on the leaderboard.
    pub name: String,
    /// Its type's name.
    pub candidate_type: String,
    /// In which form it wants its features.
    pub family: Family,
    /// All hyperparameters.
    pub params: Params,
    learner: Arc<dyn Learner>,
}

impl std::fmt::Debug for Candidate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Candidate").field("name", &self.name).field("params", &self.params).finish_non_exhaustive()
    }
}

impl Candidate {
    /// Type and hyperparameters as texts, as they are recorded.
    pub fn described(&self) -> BTreeMap<String, String> {
        let text = |value: serde_json::Value| match value {
            serde_json::Value::String(text) => text,
            serde_json::Value::Null => "none".to_owned(),
            other => other.to_string(),
        };
        let params = match serde_json::json!(self.params) {
            serde_json::Value::Object(params) => params,
            _ => serde_json::Map::new(),
        };
        let mut described: BTreeMap<String, String> =
            params.into_iter().map(|(name, value)| (name, text(value))).collect();
        described.insert("type".into(), self.candidate_type.clone());
        described
    }

    /// Resolves what is asked for.
    ///
    /// # Errors
    /// For an unknown type, one that cannot learn the task, or hyperparameters out of range.
    pub fn resolve(config: &CandidateConfig, task: &Task, registry: &Registry) -> Result<Self> {
        let found = match (&config.candidate_type, registry.find(&config.name)) {
            (Some(of_type), _) => {
                registry.find(of_type).map_err(|e| Error::Config(format!("candidates.{}.type: {e}", config.name)))?
            }
            (None, Err(_)) if !config.params.is_empty() => {
                let names: Vec<&str> = registry.for_task(task).iter().map(|t| t.name.as_str()).collect();
                return Err(Error::Config(format!(
                    "candidates.{0} has no `type`, and `{0}` is none; add type = \"…\", one of: {1}",
                    config.name,
                    names.join(", ")
                )));
            }
            (None, found) => found?,
        };
        if !found.tasks.contains(task) {
            let able: Vec<&str> = registry.for_task(task).iter().map(|t| t.name.as_str()).collect();
            return Err(Error::Config(format!(
                "`{}` cannot learn a {} task; these can: {}",
                config.name,
                task.name(),
                able.join(", ")
            )));
        }
        let params = Params::resolve(&config.name, &config.params, &found.params)?;
        let learner = Arc::from((found.build)(task, &params)?);
        // A type asked for by another library's name carries ours from here on.
        let name = if found.aliases.contains(&config.name) { &found.name } else { &config.name };
        Ok(Candidate { name: name.clone(), candidate_type: found.name.clone(), family: found.family, params, learner })
    }

    /// Learns a predictor. Class weights are multiplied into the targets' weights; where the fitting rows have one
    /// class only, the answer is that class whatever the type.
    ///
    /// # Errors
    /// From the learner.
    pub fn fit(&self, sample: &Sample<'_>) -> Result<Learned> {
        if baseline::has_one_answer(sample) {
            return constant(sample);
        }
        let weighted = self.class_weighted(sample)?;
        self.learner.fit(&Sample { targets: weighted.as_ref().unwrap_or(sample.targets), ..*sample })
    }

    /// What is read of the rows.
    pub fn reads(&self, seed: u64) -> Reads {
        match self.params.contains(CLASS_WEIGHT.name).then(|| self.params.get(CLASS_WEIGHT.name)) {
            // Rows without a weight are left out before they are binned; a class may be one of them.
            Some(Value::Map(weights)) if weights.values().any(|w| *w <= 0.0) => Reads::Values,
            _ => self.learner.reads(seed),
        }
    }

    /// Learns a predictor from bins, as [`fit`](Candidate::fit) does from values.
    ///
    /// # Errors
    /// From the learner.
    pub fn fit_binned(&self, mut sample: BinnedSample<'_>) -> Result<Learned> {
        let features = Features::new(sample.targets.len(), Vec::new());
        let rows = sample.without_bins(&features);
        if baseline::has_one_answer(&rows) {
            return constant(&rows);
        }
        if let Some(weighted) = self.class_weighted(&rows)? {
            sample.targets = weighted;
        }
        self.learner.fit_binned(sample)
    }

    fn class_weighted(&self, sample: &Sample<'_>) -> Result<Option<Targets>> {
        if !sample.task.is_classification() || !self.params.contains(CLASS_WEIGHT.name) {
            return Ok(None);
        }
        let labels = sample.task.labels();
        let weights: Vec<f64> = match self.params.get(CLASS_WEIGHT.name) {
            Value::Map(map) => {
                if let Some(label) = map.keys().find(|l| !labels.contains(l)) {
                    let known = labels.iter().map(String::as_str);
                    let hint = suggest::did_you_mean(label, known.clone());
                    let known = suggest::shorten(known);
                    return Err(Error::Config(format!(
                        "candidate `{}`: class_weight names the label `{label}`, which is not one{hint}; the labels are: {known}",
                        self.name
                    )));
                }
                labels.iter().map(|l| map.get(l).copied().unwrap_or(1.0)).collect()
            }
            Value::Text(_) => balanced(sample.targets, labels.len()),
            _ => return Ok(None),
        };
        let rows = 0..sample.targets.len();
        let own = rows.map(|r| sample.targets.weight(r) * weights[sample.targets.values[r] as usize]).collect();
        Ok(Some(Targets { values: sample.targets.values.clone(), weights: Some(own) }))
    }
}

/// `n / (k · n_c)` for each class, from counts of rows, as scikit-learn's `class_weight="balanced"`.
fn balanced(targets: &Targets, n_classes: usize) -> Vec<f64> {
    let mut counts = vec![0u64; n_classes];
    targets.values.iter().for_each(|&c| counts[c as usize] += 1);
    let present = counts.iter().filter(|c| **c > 0).count() as f64;
    counts.iter().map(|&c| if c == 0 { 1.0 } else { targets.len() as f64 / (present * c as f64) }).collect()
}
