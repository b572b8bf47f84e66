//! What is logged of each model, at a glance.

use serde::Serialize;
use tabwright_store::Home;
use tabwright_store::predictions::Predictions;
use tabwright_store::time::{self, Micros};

use crate::error::Result;

/// What is logged of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VersionStatus {
    /// The model.
    pub model: String,
    /// The version.
    pub version: String,
    /// Its predictions; the same id twice is counted twice here.
    pub predictions: u64,
    /// The first of them.
    pub first: Option<String>,
    /// The last.
    pub last: Option<String>,
    /// Predictions of the model that have a label, whichever version made them.
    pub labels: usize,
    /// Predictions that could not be logged.
    pub lost: u64,
    /// Bytes of the log of the model, all versions and labels.
    pub bytes: u64,
}

/// The logs of a home, model by model and version by version.
///
/// # Errors
/// If a folder cannot be read.
pub fn status(home: &Home, models: &[String]) -> Result<Vec<VersionStatus>> {
    let mut all = Vec::new();
    for model in models {
        let log = Predictions::of(home, model)?;
        let labels = log.labels(Micros::MAX)?.len();
        let losses = log.losses(0, Micros::MAX)?;
        let bytes = log.bytes()?;
        for version in log.versions()? {
            let extent = log.extent(&version)?;
            all.push(VersionStatus {
                model: model.clone(),
                predictions: extent.entries,
                first: extent.span.map(|(first, _)| time::to_seconds(first)),
                last: extent.span.map(|(_, last)| time::to_seconds(last)),
                labels,
                lost: losses.iter().filter(|loss| loss.version == version).map(|loss| loss.rows).sum(),
                bytes,
                version,
            });
        }
    }
    Ok(all)
}
