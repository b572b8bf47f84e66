//! The fits of a search: one for each candidate and fold, one for each candidate on the training part. They run side
//! by side, the quicker ones first, on the threads of the caller's pool.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Once, OnceLock};

use tabwright_core::metric::Metric;
use tabwright_core::{Context, Event};
use tabwright_model::evidence::Metrics;

use super::{Line, Parts, mean_metrics};
use crate::candidate::Candidate;
use crate::error::Result;
use crate::fit::Fits;

/// One fit: of a candidate, on a fold or (`None`) on the training part.
#[derive(Debug, Clone, Copy)]
struct Job {
    candidate: usize,
    fold: Option<usize>,
}

#[derive(Debug, Clone)]
struct Outcome {
    metrics: Metrics,
    rounds: Option<u32>,
    fit_seconds: f64,
    predict_seconds: f64,
}

/// The order in which types start: the quicker first, so that whoever stops early has something. Forests share their trees
/// among idle cores, so that none waits for the last fit. Others come last.
const ORDER: [&str; 8] = [
    "baseline",
    "linear_regression",
    "ridge",
    "logistic_regression",
    "gbdt_leafwise",
    "gbdt_depthwise",
    "random_forest",
    "extra_trees",
];

pub(super) fn run(
    material: &dyn Fits,
    parts: Parts<'_>,
    candidates: &[Candidate],
    metric: Metric,
    context: Context<'_>,
) -> Vec<Line> {
    let folds = (0..parts.folds.len()).map(Some);
    let whole = (!parts.validation.is_empty()).then_some(None);
    let places: Vec<Option<usize>> = folds.chain(whole).collect();
    let jobs = (0..candidates.len()).flat_map(|candidate| places.iter().map(move |&fold| Job { candidate, fold }));
    let mut jobs: Vec<Job> = jobs.collect();
    let turn = |job: &Job| {
        let own = &candidates[job.candidate].candidate_type;
        (ORDER.iter().position(|t| t == own).unwrap_or(ORDER.len()), job.fold.is_some())
    };
    jobs.sort_by_key(turn);
    if !jobs.is_empty() {
        context.observer.event(Event::Phase { name: "comparing candidates", steps: Some(jobs.len()) });
    }
    let search =
        Search { jobs: &jobs, results: jobs.iter().map(|_| OnceLock::new()).collect(), candidates, metric, context };
    let courses: Vec<Course> = candidates.iter().map(|_| Course::of(places.len())).collect();
    let run = |position: usize| {
        let job = &jobs[position];
        let course = &courses[job.candidate];
        if !context.cancel.is_cancelled() {
            course.begin(|| search.tell_begun(job.candidate));
            let outcome = one(material, parts, &candidates[job.candidate], job.fold, context);
            report(candidates, *job, &outcome, metric, context);
            // A fit that was cut short by the wish to stop is no result.
            if !context.cancel.is_cancelled() || outcome.is_ok() {
                let _ = search.results[position].set(outcome);
            }
        }
        course.end_of_fit(|| search.tell_ended(job.candidate));
    };
    if jobs.is_empty() {
        // Nothing is compared: the only fit is the last one.
        (0..candidates.len()).for_each(|candidate| search.tell_begun(candidate));
    }
    if material.side_by_side() {
        let run = &run;
        rayon::scope_fifo(|scope| (0..jobs.len()).for_each(|position| scope.spawn_fifo(move |_| run(position))));
    } else {
        (0..jobs.len()).for_each(run);
    }
    (0..candidates.len()).map(|candidate| search.line(candidate)).collect()
}

/// How far the fits of a candidate have come.
struct Course {
    begun: Once,
    left: AtomicUsize,
}

impl Course {
    fn of(fits: usize) -> Self {
        Course { begun: Once::new(), left: AtomicUsize::new(fits) }
    }

    /// Calls `tell` before the first fit; no other fit goes on before that is told.
    fn begin(&self, tell: impl FnOnce()) {
        self.begun.call_once(tell);
    }

    /// Calls `tell` at the end of the last fit, which sees the results of all others.
    fn end_of_fit(&self, tell: impl FnOnce()) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            tell();
        }
    }
}

/// What is found while the jobs run.
struct Search<'a> {
    jobs: &'a [Job],
    /// One for each job.
    results: Vec<OnceLock<Result<Outcome>>>,
    candidates: &'a [Candidate],
    metric: Metric,
    context: Context<'a>,
}

fn one(
    material: &dyn Fits,
    parts: Parts<'_>,
    candidate: &Candidate,
    fold: Option<usize>,
    context: Context<'_>,
) -> Result<Outcome> {
    let (fitting, scoring) = match fold {
        Some(f) => (&parts.folds[f].fit[..], &parts.folds[f].score[..]),
        None => (parts.train, parts.validation),
    };
    let start = context.clock.seconds();
    let fitted = material.fit(candidate, fitting, None, context.cancel)?;
    let middle = context.clock.seconds();
    let metrics = material.score(&fitted.model, &[scoring])?.pop().unwrap_or_default().metrics;
    let end = context.clock.seconds();
    Ok(Outcome { metrics, rounds: fitted.rounds, fit_seconds: middle - start, predict_seconds: end - middle })
}

fn report(candidates: &[Candidate], job: Job, outcome: &Result<Outcome>, metric: Metric, context: Context<'_>) {
    let name = &candidates[job.candidate].name;
    if let (Some(fold), Ok(outcome)) = (job.fold, outcome) {
        let score = outcome.metrics.get(metric.name()).copied().unwrap_or(f64::NAN);
        context.observer.event(Event::Fold { candidate: name, fold, score });
    }
    let step = job.fold.map_or_else(|| name.clone(), |fold| format!("{name}, fold {}", fold + 1));
    context.observer.event(Event::Step { name: &step });
}

impl Search<'_> {
    fn tell_begun(&self, candidate: usize) {
        let candidate = &self.candidates[candidate];
        let params = candidate.described();
        let event = Event::CandidateBegun { candidate: &candidate.name, params: &params, metric: self.metric };
        self.context.observer.event(event);
    }

    fn tell_ended(&self, candidate: usize) {
        let line = self.line(candidate);
        self.context.observer.event(Event::CandidateEnded {
            candidate: &line.candidate.name,
            params: &line.described(),
            metric: self.metric,
            measured: &line.measurements(self.metric),
            failure: line.failure.as_deref(),
            interrupted: line.interrupted,
        });
    }

    /// A candidate's line of the leaderboard, as far as its jobs have ended.
    fn line(&self, candidate: usize) -> Line {
        let own = || {
            let all = self.jobs.iter().zip(self.results.iter().map(OnceLock::get));
            all.filter(|(job, _)| job.candidate == candidate)
        };
        let error = own().find_map(|(_, result)| result?.as_ref().err());
        let interrupted = error.is_none() && own().any(|(_, result)| result.is_none());
        let failure = match error {
            Some(error) => Some(error.to_string()),
            None => interrupted.then(|| "it was not complete when the search was stopped".to_owned()),
        };
        let mut folds: Vec<(usize, &Outcome)> =
            own().filter_map(|(job, r)| Some((job.fold?, r?.as_ref().ok()?))).collect();
        folds.sort_unstable_by_key(|(fold, _)| *fold);
        let whole = own().find(|(job, _)| job.fold.is_none()).and_then(|(_, r)| r?.as_ref().ok());
        let folds: Vec<&Outcome> = folds.into_iter().map(|(_, o)| o).collect();
        let metrics: Vec<Metrics> = folds.iter().map(|o| o.metrics.clone()).collect();
        let timed: Vec<&Outcome> = whole.map_or_else(|| folds.clone(), |w| vec![w]);
        let mean = |value: fn(&Outcome) -> f64| timed.iter().map(|o| value(o)).sum::<f64>() / timed.len().max(1) as f64;
        let mut rounds: Vec<u32> = folds.iter().filter_map(|o| o.rounds).collect();
        if rounds.is_empty() {
            rounds.extend(whole.and_then(|w| w.rounds));
        }
        rounds.sort_unstable();
        Line {
            candidate: self.candidates[candidate].clone(),
            cv_scores: metrics.iter().map(|m| m.get(self.metric.name()).copied().unwrap_or(f64::NAN)).collect(),
            cv_metrics: mean_metrics(&metrics),
            validation: whole.map(|w| w.metrics.clone()),
            fit_seconds: mean(|o| o.fit_seconds),
            predict_seconds: mean(|o| o.predict_seconds),
            rounds: rounds.get(rounds.len() / 2).copied(),
            failure,
            interrupted,
        }
    }
}
