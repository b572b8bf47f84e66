//! The record of a training while it runs: an observer that keeps a document of each candidate that has begun.
//!
//! It writes nothing and waits for nobody: whoever records asks it now and then for what is new.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;
use tabwright_core::{Event, Measurement, Observer};
use tabwright_store::time::{self, Micros};
use tabwright_store::{Batch, Measured, NewRun, RunDocument, Status, Store};

use super::CANDIDATE;
use crate::config::{Config, ProjectConfig};
use crate::redact;

/// The candidates of a training that is under way, as runs within it.
#[derive(Debug)]
pub struct Live {
    run_id: String,
    project: ProjectConfig,
    candidates: Mutex<Vec<Followed>>,
}

#[derive(Debug)]
struct Followed {
    document: RunDocument,
    is_news: bool,
}

impl Live {
    /// The candidates of a training that has not begun. `run_id` is the id of its run.
    pub fn new(config: &Config, run_id: &str) -> Self {
        Live { run_id: run_id.to_owned(), project: config.project.clone(), candidates: Mutex::new(Vec::new()) }
    }

    /// The documents that have changed since this was asked last.
    pub fn news(&self) -> Vec<RunDocument> {
        let mut candidates = self.candidates();
        let news = candidates.iter_mut().filter_map(|c| std::mem::take(&mut c.is_news).then(|| c.document.clone()));
        news.collect()
    }

    /// What was news could not be written: all of it is news again.
    pub fn not_written(&self) {
        self.candidates().iter_mut().for_each(|c| c.is_news = true);
    }

    /// The documents of all candidates that have begun, in that order.
    pub fn documents(&self) -> Vec<RunDocument> {
        self.candidates().iter().map(|c| c.document.clone()).collect()
    }

    fn candidates(&self) -> MutexGuard<'_, Vec<Followed>> {
        // Nothing is left half-changed by a thread that panics: a document is changed in one go.
        self.candidates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the document of a candidate; `metric`: makes it where it is not there.
    fn change(&self, candidate: &str, metric: Option<&str>, change: impl FnOnce(&mut RunDocument)) {
        let mut candidates = self.candidates();
        let position = candidates.iter().position(|c| c.document.run.name == candidate);
        let position = match (position, metric) {
            (Some(position), _) => position,
            (None, None) => return,
            (None, Some(metric)) => {
                let document = begun(&self.run_id, &self.project, (candidate, metric), time::now());
                candidates.push(Followed { document, is_news: true });
                candidates.len() - 1
            }
        };
        let followed = &mut candidates[position];
        change(&mut followed.document);
        followed.is_news = true;
    }
}

impl Observer for Live {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::CandidateBegun { candidate, params, metric } => {
                self.change(candidate, Some(metric.name()), |document| document.logged.params = params.clone());
            }
            Event::Fold { candidate, fold, score } => self.change(candidate, None, |document| {
                let name = format!("fold.{}", document.run.primary_metric);
                document.logged.metrics.push(Measured { name, step: fold as i64, at: time::now(), value: score });
            }),
            Event::CandidateEnded { candidate, params, metric, measured, failure, interrupted } => {
                let found = Found { params, measured, failure, interrupted };
                self.change(candidate, Some(metric.name()), |document| end(document, found, time::now()));
            }
            _ => {}
        }
    }
}

/// What was found of a candidate.
pub(super) struct Found<'a> {
    pub(super) params: &'a BTreeMap<String, String>,
    pub(super) measured: &'a [Measurement],
    pub(super) failure: Option<&'a str>,
    pub(super) interrupted: bool,
}

/// The document of a candidate that begins.
pub(super) fn begun(
    parent: &str,
    project: &ProjectConfig,
    (candidate, metric): (&str, &str),
    started: Micros,
) -> RunDocument {
    RunDocument {
        run_id: Store::run_id_within(parent, candidate),
        run: NewRun {
            project: project.name.clone(),
            experiment: project.experiment.clone(),
            parent: Some(parent.to_owned()),
            kind: CANDIDATE.into(),
            name: candidate.to_owned(),
            primary_metric: metric.to_owned(),
            info: json!({}),
        },
        status: Status::Running,
        started,
        ended: None,
        logged: Batch::default(),
    }
}

/// Brings the document of a candidate to its end. A value that stood there before keeps its time.
pub(super) fn end(document: &mut RunDocument, found: Found<'_>, ended: Micros) {
    let before = std::mem::take(&mut document.logged.metrics);
    let measured = found.measured.iter().map(|one| {
        let known = before.iter().find(|b| b.name == one.name && b.step == one.step);
        let at = known.map_or(ended, |known| known.at);
        Measured { name: one.name.clone(), step: one.step, at, value: one.value }
    });
    document.logged.metrics = measured.collect();
    document.logged.params = found.params.clone();
    document.ended = Some(ended);
    document.status = match (found.interrupted, found.failure) {
        (true, _) => Status::Killed,
        (false, Some(_)) => Status::Failed,
        (false, None) => Status::Completed,
    };
    document.run.info = found.failure.map_or_else(|| json!({}), |why| json!({ "error": redact::text(why) }));
}

#[cfg(test)]
mod tests {
    use tabwright_core::Metric;

    use super::*;

    #[test]
    fn a_candidate_is_news_until_it_is_asked_for_and_keeps_its_times() {
        let live = Live::new(&Config::default(), "00000000000000aa");
        let params: BTreeMap<String, String> = [("type".to_owned(), "ridge".to_owned())].into();
        let metric = Metric::Rmse;
        // A fold of a candidate that nobody has heard of is passed over.
        live.event(Event::Fold { candidate: "ridge", fold: 0, score: 1.0 });
        assert!(live.news().is_empty());
        live.event(Event::CandidateBegun { candidate: "ridge", params: &params, metric });
        live.event(Event::Fold { candidate: "ridge", fold: 1, score: 3.0 });
        let news = live.news();
        assert_eq!((news.len(), news[0].status, &news[0].logged.params), (1, Status::Running, &params));
        assert_eq!(news[0].run_id, Store::run_id_within("00000000000000aa", "ridge"));
        let fold = &news[0].logged.metrics[0];
        assert_eq!((fold.name.as_str(), fold.step, fold.value), ("fold.rmse", 1, 3.0));
        assert!(live.news().is_empty(), "it was asked for");
        live.not_written();
        assert_eq!(live.news(), news);
        let measured =
            [("rmse", 0), ("fold.rmse", 1)].map(|(name, step)| Measurement { name: name.into(), step, value: 3.0 });
        let ended = |failure, interrupted| {
            live.event(Event::CandidateEnded {
                candidate: "ridge",
                params: &params,
                metric,
                measured: &measured,
                failure,
                interrupted,
            });
            live.documents().remove(0)
        };
        let completed = ended(None, false);
        assert_eq!((completed.status, completed.logged.metrics.len()), (Status::Completed, 2));
        assert_eq!((&completed.logged.metrics[1], completed.started), (fold, news[0].started));
        assert!(completed.ended.is_some());
        assert_eq!(ended(Some("no rows"), false).status, Status::Failed);
        assert_eq!(ended(Some("it was not complete"), true).status, Status::Killed);
    }
}
