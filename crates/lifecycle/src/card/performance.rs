//! What the model is worth: by part, by slice, how far its probabilities can be trusted, and what it is worth to its users.

use tabwright_core::metric::{Metric, Reliability, ReliabilityBin};
use tabwright_core::{Code, Warning};
use tabwright_report::document::{Section, Table, Value};
use tabwright_report::square::reliability;
use tabwright_report::text::{count, counted, number};

use super::Card;
use crate::answers::{Answers, metrics};
use crate::show::measured;
use crate::slice;

impl Card<'_> {
    pub(super) fn performance(&self, warnings: &mut Vec<Warning>) -> Section {
        let mut section = Section::new("Performance");
        self.by_part(&mut section);
        self.by_slice(&mut section);
        section.heading("Calibration");
        let evidence = &self.artifact.evidence;
        let brier = evidence.test.as_ref().and_then(|m| m.get(Metric::Brier.name())).copied();
        let nothing = match (self.artifact.model().task().is_classification(), &evidence.test) {
            (false, _) => "It answers with numbers, which have no probabilities to hold against what was observed.",
            (true, None) => "No row was held back to test on, so nothing can be said from the evidence.",
            (true, Some(_)) => {
                "The model file holds no reliability curve: it has many classes, or was made before they were kept. \
                 --data FILE measures one."
            }
        };
        calibration(&mut section, "the test rows", &evidence.reliability, brier, nothing);
        if let Some(answers) = self.answers {
            self.on_data(answers, &mut section, warnings);
        }
        section.heading("Business impact").fact("Impact", self.told("business_impact", |c| &c.business_impact));
        section
    }

    fn by_part(&self, section: &mut Section) {
        let evidence = &self.artifact.evidence;
        let parts = measured(evidence);
        section.heading("Training, validation, test");
        if parts.is_empty() {
            section.text("Nothing was measured.");
            return;
        }
        let header: Vec<&str> = std::iter::once("metric").chain(parts.iter().map(|(name, _)| *name)).collect();
        let mut table = Table::of_numbers(&header);
        for metric in Metric::for_task(self.artifact.model().task()) {
            let value = |(_, metrics): &(&str, &tabwright_model::evidence::Metrics)| {
                metrics.get(metric.name()).map_or("–".into(), |v| number(*v))
            };
            let mark = if evidence.metric == metric.name() { " (decided)" } else { "" };
            let cells = std::iter::once(format!("{}{mark}", metric.name())).chain(parts.iter().map(value));
            table.row(cells.collect());
        }
        section.table(table).text(match evidence.test {
            Some(_) => {
                "Training and test describe the stored model; validation and folds the fits that it was chosen by. No step \
                 before the last had seen the test rows."
            }
            None => "No row was held back to test on: what stands here flatters the model.",
        });
    }

    fn by_slice(&self, section: &mut Section) {
        let evidence = &self.artifact.evidence;
        section.heading("By slice");
        if evidence.slices.is_empty() {
            let value = match self.about.config.registry.slices.is_empty() {
                true => Value::Missing("registry.slices".into()),
                false => Value::Text("none was measured when the model was trained; --data FILE measures them".into()),
            };
            section.fact("Slices", value);
            return;
        }
        let names = Metric::for_task(self.artifact.model().task());
        let own = evidence.slices.iter();
        let rows = own.map(|s| (s.name.as_str(), s.condition.as_str(), s.rows, &s.metrics));
        section.table(slice_table(names, evidence.metric.as_str(), rows)).text("On the test rows.");
    }

    /// What it is worth on rows that were given.
    fn on_data(&self, answers: &Answers, section: &mut Section, warnings: &mut Vec<Warning>) {
        let model = self.artifact.model();
        let rows = counted(answers.judged.len(), "row");
        section.heading(&format!("On the given data ({rows} with a target)"));
        let Some(evaluation) = answers.evaluate(model, None) else {
            section.text("None of the given rows has a target, so nothing was measured.");
            return;
        };
        let mut table = Table::of_numbers(&["metric", "value"]);
        for (metric, value) in &evaluation.scores {
            table.row(vec![metric.name().to_owned(), number(*value)]);
        }
        section.table(table);
        if answers.fingerprint == self.artifact.evidence.data_fingerprint {
            section.text("The model was trained from these very rows: the figures flatter it.");
        }
        let all: Vec<u32> = (0..answers.table.n_rows() as u32).collect();
        let mut measured = Vec::new();
        for (name, condition) in &self.about.config.registry.slices {
            match slice::rows_of(&answers.table, &all, condition) {
                Ok(rows) => {
                    let found = answers.evaluate(model, Some(&rows));
                    let scores = found.as_ref().map(metrics).unwrap_or_default();
                    measured.push((name.as_str(), condition.as_str(), found.map_or(0, |e| e.rows), scores));
                }
                Err(error) => {
                    let message = format!("the slice `{name}` was not measured: {error}");
                    warnings.push(Warning::general(Code::SliceLeftOut, message));
                }
            }
        }
        let names = Metric::for_task(model.task());
        let rows = measured.iter().map(|(name, condition, rows, scores)| (*name, *condition, *rows, scores));
        section.table(slice_table(names, &self.artifact.evidence.metric, rows));
        let brier = evaluation.score(Metric::Brier);
        calibration(section, "the given rows", &answers.reliability(model), brier, "");
    }
}

/// A line for each slice: the metric that decided first, then the others of most use.
fn slice_table<'a>(
    metrics: &[Metric],
    decided: &str,
    slices: impl Iterator<Item = (&'a str, &'a str, usize, &'a tabwright_model::evidence::Metrics)>,
) -> Table {
    /// Metrics besides the one that decided.
    const OTHERS: usize = 3;
    let mut shown = vec![decided];
    shown.extend(metrics.iter().map(|m| m.name()).filter(|name| *name != decided).take(OTHERS));
    let header: Vec<&str> = ["slice", "rows"].into_iter().chain(shown.iter().copied()).collect();
    let mut table = Table::of_numbers(&header);
    for (name, condition, rows, scores) in slices {
        let value = |metric: &&str| scores.get(*metric).map_or("–".into(), |v| number(*v));
        let first = vec![format!("{name} ({condition})"), count(rows)];
        table.row(first.into_iter().chain(shown.iter().map(value)).collect());
    }
    table
}

/// Brier score, reliability curve and how far both are apart on average.
fn calibration(section: &mut Section, rows: &str, curves: &[Reliability], brier: Option<f64>, nothing: &str) {
    if let Some(brier) = brier {
        section.fact("Brier score", Value::Text(format!("{} on {rows} (0 is best)", number(brier))));
    }
    if curves.is_empty() {
        if !nothing.is_empty() {
            section.text(nothing);
        }
        return;
    }
    for curve in curves {
        if let Some(error) = calibration_error(&curve.bins) {
            let name = format!("Calibration error of `{}`", curve.label);
            section.fact(
                &name,
                Value::Text(format!("{}: how far probability and share are apart on average", number(error))),
            );
        }
    }
    let series: Vec<(String, &[ReliabilityBin])> = curves.iter().map(|c| (c.label.clone(), &c.bins[..])).collect();
    section.picture(
        "Below the dashed line probabilities are too high, above it too low; larger circles hold more rows",
        reliability(&format!("Reliability on {rows}"), &series),
    );
    let mut table = Table::of_numbers(&["probability", "label", "rows", "mean probability", "share observed"]);
    for curve in curves {
        for bin in &curve.bins {
            table.row(vec![
                format!("{} to {}", bin.from, bin.to),
                curve.label.clone(),
                if bin.weight.fract() == 0.0 { count(bin.weight as usize) } else { number(bin.weight) },
                number(bin.predicted),
                number(bin.observed),
            ]);
        }
    }
    section.table(table);
}

/// The distance between probability and share observed, on average over the rows.
fn calibration_error(bins: &[ReliabilityBin]) -> Option<f64> {
    let weight: f64 = bins.iter().map(|b| b.weight).sum();
    let apart = bins.iter().map(|b| b.weight * (b.predicted - b.observed).abs()).sum::<f64>();
    (weight > 0.0).then_some(apart / weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calibration_error_weighs_bins_by_their_rows() {
        let bin = |predicted, observed, weight| ReliabilityBin { from: 0.0, to: 0.1, predicted, observed, weight };
        let error = calibration_error(&[bin(0.1, 0.2, 30.0), bin(0.9, 0.5, 10.0)]).unwrap();
        assert!((error - (0.1 * 30.0 + 0.4 * 10.0) / 40.0).abs() < 1e-12);
        assert_eq!(calibration_error(&[]), None);
    }
}
