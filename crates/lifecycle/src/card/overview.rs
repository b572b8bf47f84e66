//! The first section: what the model is for, and what it is worth in a sentence.

use tabwright_core::Task;
use tabwright_core::suggest::shorten;
use tabwright_learn::candidate::BASELINE;
use tabwright_report::document::{Section, Value};
use tabwright_report::text::{count, counted, number};

use super::Card;

impl Card<'_> {
    pub(super) fn overview(&self) -> Section {
        let model = self.artifact.model();
        let task = match model.task() {
            Task::Binary { labels } => format!(
                "two classes: `{}` (positive, from probability {}) or `{}`",
                labels[1],
                model.threshold(),
                labels[0]
            ),
            Task::Multiclass { labels } => {
                format!("{} classes: {}", count(labels.len()), shorten(labels.iter().map(String::as_str)))
            }
            Task::Regression => "a number (regression)".into(),
        };
        let inputs = model.pipeline().inputs();
        let names = shorten(inputs.iter().map(|i| i.name.as_str()));
        let mut section = Section::new("Overview");
        let recorded = self.about.run.map_or("", |run| run.project.objective.as_str());
        let own = self.about.config.project.objective.as_str();
        let objective = if own.trim().is_empty() { recorded } else { own };
        section
            .fact("Objective", Value::of_key("project.objective", objective))
            .fact("Owner", self.told("owner", |c| &c.owner))
            .fact("Task", Value::Text(task))
            .fact("Target", Value::Text(model.signature().target.clone()))
            .fact("Features", Value::Text(format!("{}: {names}", counted(inputs.len(), "column"))))
            .fact("Performance", Value::Text(self.worth()));
        section
    }

    /// The metric that decided, where it was measured, beside the baseline.
    fn worth(&self) -> String {
        let evidence = &self.artifact.evidence;
        let metric = &evidence.metric;
        let mut words = Vec::new();
        if let Some(score) = evidence.test.as_ref().and_then(|m| m.get(metric)) {
            words.push(format!(
                "{} on {} that no step before had seen",
                number(*score),
                counted(self.rows("test"), "test row")
            ));
        }
        let best = evidence.leaderboard.first();
        if let Some((mean, std)) = best.and_then(|line| line.cv_mean.zip(line.cv_std)) {
            words.push(format!("{} ± {} over the folds", number(mean), number(std)));
        }
        let baseline = evidence.leaderboard.iter().find(|line| line.candidate_type == BASELINE);
        let floor = baseline
            .and_then(|line| line.cv_mean.or_else(|| line.validation.as_ref().and_then(|v| v.get(metric).copied())));
        if let Some(floor) = floor.filter(|_| self.artifact.model().candidate_type() != BASELINE) {
            words.push(format!("the baseline has {}", number(floor)));
        }
        match words.is_empty() {
            true => "nothing was held back, so it was not measured".into(),
            false => format!("{metric} {}", words.join("; ")),
        }
    }
}
