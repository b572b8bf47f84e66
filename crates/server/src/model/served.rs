//! One version of a model that answers.

use std::cell::RefCell;
use std::sync::{Arc, OnceLock};

use tabwright_core::metric::Predictions;
use tabwright_core::{Block, Kind, Rows, Warning};
use tabwright_data::{ReadOptions, RowShape, json_string};
use tabwright_lifecycle::answer::{self, Reasons};
use tabwright_model::artifact::Artifact;
use tabwright_model::contract::RowFlags;
use tabwright_model::model::Model;
use tabwright_model::pipeline::Scratch;

use crate::http::ModelHeaders;
use crate::log::{Origin, Predicted, RowIds, VersionLog, Waiting};
use crate::metrics::OfModel;
use crate::refusal::{Answer, Refusal};

/// Rows that one thread predicts alone: handing less to others costs more than it saves.
const ROWS_ALONE: usize = 1024;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// A model in memory, with what every request needs of it.
#[derive(Debug)]
pub(crate) struct Served {
    /// The name that it is served by.
    pub(crate) name: String,
    /// Its version; `1` for a file.
    pub(crate) version: String,
    /// Both, as counters and answers have them.
    pub(crate) labels_of_model: OfModel,
    pub(crate) headers: ModelHeaders,
    pub(crate) artifact: Artifact,
    /// What its rows look like.
    pub(crate) shape: RowShape,
    /// How files of rows are read for it.
    pub(crate) read: ReadOptions,
    /// The columns that it reads.
    pub(crate) expected: Vec<(String, Kind)>,
    /// Columns that may be there and are not read.
    pub(crate) passed_over: Vec<String>,
    /// The beginning of each answer in JSON: `{"model":…,"model_version":…,"predictions":[`.
    pub(crate) opening: String,
    /// The labels as JSON has them: whole numbers as such, the rest as strings.
    pub(crate) labels: Vec<String>,
    /// `"classes":[…]`; empty for a regression.
    pub(crate) classes: String,
    reasons: OnceLock<Result<Reasons, String>>,
    flags: OnceLock<RowFlags>,
    /// Where its predictions are logged; none where they are not.
    pub(crate) log: Option<Arc<VersionLog>>,
}

impl Served {
    /// Prepares a model.
    ///
    /// # Errors
    /// If its time zone is unknown here.
    pub(crate) fn new(
        name: &str,
        version: &str,
        artifact: Artifact,
        log: Option<Arc<VersionLog>>,
    ) -> Result<Self, String> {
        let model = artifact.model();
        let utf8 = ReadOptions { encoding: Some("utf-8".into()), ..ReadOptions::default() };
        let read = answer::read_options(model, &utf8);
        let expected = answer::expected_columns(model);
        let shape = RowShape::new(expected.iter().map(|(name, kind)| (name.as_str(), *kind)), &read);
        let shape = shape.map_err(|e| e.to_string())?;
        let mut opening = String::from("{\"model\":");
        json_string(&mut opening, name);
        opening.push_str(",\"model_version\":");
        json_string(&mut opening, version);
        opening.push_str(",\"predictions\":[");
        let task = model.task();
        let is_whole = task.labels().iter().all(|label| answer::whole(label).is_some());
        let as_json = |label: &String| match is_whole {
            true => label.clone(),
            false => quoted(label),
        };
        let labels: Vec<String> = task.labels().iter().map(as_json).collect();
        let classes = if labels.is_empty() { String::new() } else { format!("\"classes\":[{}]", labels.join(",")) };
        Ok(Served {
            name: name.to_owned(),
            version: version.to_owned(),
            labels_of_model: OfModel { model: name.to_owned(), version: version.to_owned() },
            headers: ModelHeaders::new(name, version),
            shape,
            read,
            expected,
            passed_over: answer::known_columns(&artifact),
            opening,
            labels,
            classes,
            reasons: OnceLock::new(),
            flags: OnceLock::new(),
            log,
            artifact,
        })
    }

    pub(crate) fn model(&self) -> &Model {
        self.artifact.model()
    }

    /// Predicts rows: few on this thread, many on all.
    pub(crate) fn predict(&self, block: &Block) -> Predictions {
        let scorer = self.model().scorer();
        let (n_rows, n_outputs) = (block.n_rows(), self.model().predictor().n_outputs());
        if n_rows > ROWS_ALONE {
            return scorer.predict(Rows::all(block));
        }
        let mut values = vec![0.0; n_rows * n_outputs];
        SCRATCH.with_borrow_mut(|scratch| scorer.predict_into(Rows::all(block), scratch, &mut values));
        Predictions { n_outputs, values }
    }

    /// Logs rows that can all be used, under the id of the request.
    pub(crate) fn log_all(&self, block: &Block, predictions: &Predictions, origin: &Origin) -> Option<Waiting> {
        let (threshold, ids) = (self.model().threshold(), RowIds::Numbered(0));
        let rows = Predicted { block, predictions, bad: &[], threshold, ids };
        self.log.as_ref()?.rows(self.model(), rows, origin)
    }

    /// Explains answers.
    ///
    /// # Errors
    /// If the model cannot be explained.
    pub(crate) fn reasons(&self) -> Answer<&Reasons> {
        let made = self.reasons.get_or_init(|| Reasons::new(&self.artifact).map_err(|e| e.to_string()));
        made.as_ref().map_err(|why| Refusal::bad("no_reasons", format!("this model cannot be explained: {why}")))
    }

    /// What is unusual about rows.
    pub(crate) fn flags(&self, block: &Block) -> Vec<Vec<Warning>> {
        let make = || RowFlags::new(self.model(), &self.artifact.evidence.summaries, tabwright_data::format_timestamp);
        self.flags.get_or_init(make).of(self.model(), block)
    }
}

/// A text as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    json_string(&mut out, text);
    out
}
