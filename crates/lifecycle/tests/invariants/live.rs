//! What an observer hears of a training while it runs is what is recorded at its end.

use std::sync::Mutex;

use tabwright_core::observe::NoClock;
use tabwright_core::{Cancel, Context, Event, Observer};
use tabwright_learn::candidate::Registry;
use tabwright_lifecycle::record::{About, Live, of_training};
use tabwright_lifecycle::train::{Surroundings, train_table};
use tabwright_store::{RunDocument, Status};

use crate::{churn, config};

/// The course of a training, and the wish to stop after so many folds.
struct Heard<'a> {
    live: Live,
    words: Mutex<Vec<String>>,
    stop: (&'a Cancel, usize),
}

impl Observer for Heard<'_> {
    fn event(&self, event: Event<'_>) {
        let mut words = self.words.lock().unwrap();
        match event {
            Event::CandidateBegun { candidate, .. } => words.push(format!("{candidate} begins")),
            Event::Fold { candidate, .. } => words.push(format!("{candidate} fold")),
            Event::CandidateEnded { candidate, .. } => words.push(format!("{candidate} ends")),
            _ => {}
        }
        if words.iter().filter(|w| w.ends_with("fold")).count() == self.stop.1 {
            self.stop.0.cancel();
        }
        self.live.event(event);
    }
}

/// All of a document but its times.
fn timeless(document: &RunDocument) -> RunDocument {
    let mut document = RunDocument { started: 0, ended: None, ..document.clone() };
    document.logged.metrics.iter_mut().for_each(|m| m.at = 0);
    document
}

/// Trains with three candidates of two folds. Returns what was heard, what was kept of it, and what is recorded at the end.
fn train(stop_after: usize) -> (Vec<String>, Vec<RunDocument>, Vec<RunDocument>) {
    let config = config(&["logistic_regression", "gbdt_leafwise"]);
    let about = About { run_id: "00000000000000aa".into(), started: 1, ended: 9, ..About::default() };
    let cancel = Cancel::new();
    let heard = Heard { live: Live::new(&config, &about.run_id), words: Mutex::default(), stop: (&cancel, stop_after) };
    let context = Context { observer: &heard, cancel: &cancel, clock: &NoClock };
    let trained = train_table(churn(300), &config, &Registry::default(), &Surroundings::default(), context).unwrap();
    let recorded = of_training(&trained, &config, &about, &[]).split_off(1);
    (heard.words.into_inner().unwrap(), heard.live.documents(), recorded)
}

#[test]
fn what_is_heard_is_what_is_recorded() {
    let (words, live, recorded) = train(usize::MAX);
    assert_eq!((live.len(), recorded.len()), (3, 3));
    for document in &recorded {
        let name = &document.run.name;
        let own = |what: &str| words.iter().filter(|w| **w == format!("{name} {what}")).count();
        assert_eq!((own("begins"), own("fold"), own("ends")), (1, 2, 1), "{words:?}");
        let course: Vec<&String> = words.iter().filter(|w| w.starts_with(&format!("{name} "))).collect();
        assert!(course[0].ends_with("begins") && course[3].ends_with("ends"), "{course:?}");
        let kept = live.iter().find(|d| d.run.name == *name).unwrap();
        assert_eq!(timeless(kept), timeless(document));
        assert!(kept.logged.metrics.iter().any(|m| m.name == "fold.roc_auc" && m.step == 1));
    }
}

#[test]
fn a_candidate_that_the_user_stops_is_killed_and_what_it_found_is_kept() {
    // The baseline has two folds, and is the first: the next fold is the first of another.
    let (_, live, recorded) = train(3);
    let status = |name: &str| recorded.iter().find(|d| d.run.name == name).unwrap().status;
    assert_eq!(status("baseline"), Status::Completed);
    assert_eq!(status("gbdt_leafwise"), Status::Killed);
    for document in &recorded {
        let kept = live.iter().find(|d| d.run.name == document.run.name).unwrap();
        assert_eq!((kept.status, &kept.run), (document.status, &document.run));
    }
    let stopped = recorded.iter().filter(|d| d.status == Status::Killed);
    let folds = stopped.flat_map(|d| &d.logged.metrics).filter(|m| m.name == "fold.roc_auc").count();
    assert!(folds <= 2 && recorded[0].run.name == "baseline", "{folds}");
}
