//! The report as a document, for the screen, Markdown and a page.

use tabwright_monitor::performance::{MetricEstimate, Performance};
use tabwright_report::chart::{Chart, Line, svg};
use tabwright_report::document::{Document, Section, Table, Value};
use tabwright_report::text::{count, counted, number, percent};
use tabwright_store::time;

use super::{Hour, Report};
use crate::alert::Status;
use crate::drift::{columns_of, told_apart};

/// Hours that a table shows one by one; of more, days are.
const SHOWN_HOURS: usize = 48;
/// Classes that are named.
const SHOWN_CLASSES: usize = 20;
/// Characters of a time that name the day.
const DAY_DIGITS: usize = 10;

impl Report {
    /// The report, as a document.
    pub fn document(&self) -> Document {
        let sections = [
            Some(self.volume_section()),
            self.latency_section(),
            self.answers_section(),
            Some(self.drift_section()),
            self.inputs_section(),
            Some(self.quality_section()),
            self.slices_section(),
            self.alerts_section(),
            self.log_section(),
            Some(self.next_section()),
        ];
        let sections = match self.volume.predictions {
            0 => [self.log_section(), self.alerts_section(), Some(self.next_section())].into_iter().flatten().collect(),
            _ => sections.into_iter().flatten().collect(),
        };
        Document { title: format!("{}:{} in use", self.model, self.version), lead: self.lead(), sections }
    }

    fn lead(&self) -> String {
        let period = format!("between {} and {}", to_minutes(&self.period.start), to_minutes(&self.period.end));
        if self.volume.predictions == 0 {
            return format!("Nothing was logged {period}.");
        }
        let drift = match &self.drift {
            Some(drift) if drift.drift => "The world has moved. ",
            Some(_) => "No drift. ",
            None => "",
        };
        let alarms = self.alerts.iter().filter(|alert| alert.status == Status::Firing).count();
        let alarms = if alarms == 0 { String::new() } else { format!("{}. ", counted(alarms, "alert")) };
        format!(
            "{drift}{alarms}{} {period}; {} of them have a label.",
            counted(self.volume.predictions as usize, "prediction"),
            self.labels.maturity.map_or_else(|| "none".to_owned(), percent),
        )
    }

    fn volume_section(&self) -> Section {
        let volume = &self.volume;
        let mut section = Section::new("Volume");
        let text = |value: String| Value::Text(value);
        section
            .fact("Model", text(format!("{}, version {}", self.model, self.version)))
            .fact("Predictions", text(count(volume.predictions as usize)))
            .fact(
                "An hour, on average",
                text(format!("{} over {} hours", number(volume.average_per_hour), number(volume.hours))),
            );
        if let Some(first) = &self.period.first {
            section.fact("First", text(to_minutes(first)));
        }
        if let Some(last) = &self.period.last {
            section.fact("Last", text(to_minutes(last)));
        }
        if let Some(peak) = &volume.peak {
            section.fact(
                "Busiest hour",
                text(format!("{} ({})", to_minutes(&peak.hour), count(peak.predictions as usize))),
            );
        }
        for (alias, predictions) in &volume.aliases {
            section.fact(&format!("Asked as {alias}"), text(count(*predictions as usize)));
        }
        if volume.canary > 0 {
            section.fact("Answered as a canary", text(count(volume.canary as usize)));
        }
        if volume.unusable > 0 {
            section.fact("Rows that could not be used", text(count(volume.unusable as usize)));
        }
        if volume.sample < volume.predictions {
            let (sample, all) = (count(volume.sample as usize), count(volume.predictions as usize));
            section.text(format!(
                "What follows rests on a sample of {sample} of the {all} predictions; counts of the volume are of all."
            ));
        }
        let points = volume.by_hour.iter().enumerate().map(|(at, hour)| (at as f64, hour.predictions as f64)).collect();
        if volume.by_hour.len() > 1 {
            let lines = vec![Line { name: "predictions".into(), points }];
            let first = to_minutes(&volume.by_hour[0].hour);
            let chart =
                Chart { title: "Predictions an hour".into(), horizontal: format!("hours since {first}"), lines };
            section.picture("Predictions an hour", svg(&chart));
        }
        let (name, rows) = by_time(&volume.by_hour);
        let mut table = Table::of_numbers(&[name, "predictions"]);
        rows.into_iter().for_each(|(at, predictions)| {
            table.row(vec![at, count(predictions as usize)]);
        });
        section.table(table);
        section
    }

    fn latency_section(&self) -> Option<Section> {
        let latency = self.latency.as_ref()?;
        let mut section = Section::new("Latency");
        let ms = |x: f64| Value::Text(format!("{} ms", number(x)));
        section
            .fact("Half took at most", ms(latency.p50))
            .fact("95%", ms(latency.p95))
            .fact("99%", ms(latency.p99))
            .fact("The longest", ms(latency.max));
        Some(section)
    }

    fn answers_section(&self) -> Option<Section> {
        let answers = &self.predictions;
        let mut section = Section::new("Predictions");
        if !answers.classes.is_empty() {
            let all: u64 = answers.classes.values().sum();
            let mut classes: Vec<(&String, &u64)> = answers.classes.iter().collect();
            classes.sort_by_key(|(class, predictions)| (std::cmp::Reverse(**predictions), (*class).clone()));
            let mut table = Table::of_numbers(&["class", "predictions", "share"]);
            for (class, predictions) in classes.into_iter().take(SHOWN_CLASSES) {
                table.row(vec![class.clone(), count(*predictions as usize), percent(*predictions as f64 / all as f64)]);
            }
            section.table(table);
        }
        if let Some(spread) = &answers.distribution {
            let mut table = Table::of_numbers(&["", "mean", "least", "10%", "median", "90%", "largest"]);
            let numbers = [spread.mean, spread.min, spread.p10, spread.median, spread.p90, spread.max];
            table.row([spread.of.clone()].into_iter().chain(numbers.map(number)).collect());
            section.table(table);
        }
        (!section.blocks.is_empty()).then_some(section)
    }

    fn drift_section(&self) -> Section {
        match &self.drift {
            Some(drift) => {
                let mut section = columns_of(drift, "Drift");
                let against = &self.drift_against;
                let verdict = if drift.drift { "Drift" } else { "No drift" };
                let drifted = drift.columns.iter().filter(|column| column.drift).count();
                let (columns, share) = (drift.columns.len(), percent(drift.drift_share));
                let text = format!(
                    "{verdict}: {drifted} of {columns} columns, answers among them, drift against {against}; from a share of {share} on, the whole does."
                );
                section.blocks.insert(0, tabwright_report::document::Block::Text(text));
                if let Some(apart) = &self.whole {
                    section.text(told_apart(apart));
                }
                section
            }
            None => {
                let mut section = Section::new("Drift");
                section.text(format!("Not judged: {}.", self.drift_against));
                section
            }
        }
    }

    fn inputs_section(&self) -> Option<Section> {
        let mut section = Section::new("Inputs");
        let unusual = self.inputs;
        if unusual.missing + unusual.out_of_range + unusual.unseen > 0 {
            let mut table = Table::of_numbers(&["values that were", "count"]);
            for (what, n) in [
                ("missing", unusual.missing),
                ("out of range", unusual.out_of_range),
                ("of an unseen level", unusual.unseen),
            ] {
                table.row(vec![what.to_owned(), count(n as usize)]);
            }
            section.table(table);
        }
        let mut lines: Vec<String> = Vec::new();
        if let Some(quality) = &self.data_quality {
            lines.extend(quality.findings.iter().map(|finding| match &finding.column {
                Some(column) => format!("`{column}`: {}", finding.message),
                None => finding.message.clone(),
            }));
        }
        lines.extend(self.gaps.iter().map(|gap| {
            let (from, to) = (time::to_seconds(gap.from), time::to_seconds(gap.to));
            format!("Only {} came from {from} to {to}; {} are usual", gap.entries, number(gap.usual))
        }));
        if !lines.is_empty() {
            section.list(lines);
        }
        (!section.blocks.is_empty()).then_some(section)
    }

    fn quality_section(&self) -> Section {
        let mut section = Section::new("Quality");
        let labels = &self.labels;
        let maturity = labels.maturity.map_or_else(|| "none".to_owned(), percent);
        section.text(format!(
            "{maturity} of the predictions are labelled ({} of {}).",
            count(labels.labelled as usize),
            count(self.volume.predictions as usize)
        ));
        let mut lines = Vec::new();
        if labels.corrected > 0 {
            lines.push(format!(
                "{} of the labels were corrected after they had come.",
                count(labels.corrected as usize)
            ));
        }
        if labels.unusable > 0 {
            lines.push(format!(
                "{} of the labels cannot be judged: of another kind, or unknown to the model.",
                count(labels.unusable as usize)
            ));
        }
        if labels.unknown > 0 {
            let examples =
                labels.unknown_examples.iter().take(3).map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ");
            let belong = if labels.unknown == 1 { "belongs" } else { "belong" };
            let unknown = counted(labels.unknown as usize, "label");
            lines.push(format!("{unknown} {belong} to no logged prediction, such as {examples}."));
        }
        if !lines.is_empty() {
            section.list(lines);
        }
        let Some(quality) = &self.quality else {
            section.text("How good the answers are is not known: no label has come.");
            return section;
        };
        let level = percent(quality.level);
        let mut table = Table::of_numbers(&["metric", "value", &format!("from ({level})"), "to"]);
        for metric in &quality.whole.metrics {
            table.row([vec![metric.metric.name().to_owned()], cells(metric)].concat());
        }
        section.table(table);
        if quality.windows.len() > 1 {
            let parts =
                quality.windows.iter().map(|w| (time::to_seconds(w.from)[..DAY_DIGITS].to_owned(), &w.performance));
            section.heading("By time").table(parts_table("from", parts.collect()));
        }
        section
    }

    fn slices_section(&self) -> Option<Section> {
        let quality = self.quality.as_ref().filter(|quality| !quality.slices.is_empty())?;
        let mut section = Section::new("Quality by slice");
        section.table(parts_table("slice", quality.slices.iter().map(|s| (s.slice.clone(), &s.performance)).collect()));
        Some(section)
    }

    fn alerts_section(&self) -> Option<Section> {
        if self.alerts.is_empty() {
            return None;
        }
        let mut section = Section::new("Alerts");
        section.list(self.alerts.iter().map(|alert| alert.text.clone()).collect());
        Some(section)
    }

    fn log_section(&self) -> Option<Section> {
        let log = &self.log;
        let mut lines: Vec<String> = log.losses.iter().map(|loss| format!("Not logged: {loss}.")).collect();
        lines.extend(log.damage.iter().map(|damage| format!("Not readable: {damage}.")));
        if log.duplicates > 0 {
            lines.push(format!(
                "{} of the entries were there twice, by their ids, and count once.",
                count(log.duplicates as usize)
            ));
        }
        lines.extend(self.findings.iter().map(|finding| finding.message.clone()));
        if lines.is_empty() {
            return None;
        }
        let mut section = Section::new("The log");
        section.list(lines);
        Some(section)
    }

    fn next_section(&self) -> Section {
        let mut section = Section::new("What to do");
        section.list(self.to_do.clone());
        section
    }
}

/// What a report asks its reader to do.
pub(super) fn to_do(report: &Report, has_model: bool) -> Vec<String> {
    let name = &report.model;
    let mut steps = Vec::new();
    if report.volume.predictions == 0 {
        steps.push(format!(
            "Log predictions: `tabwright serve {name} --log async`, `tabwright predict {name} DATA --log`, or \
             `tabwright monitor import {name} FILE` for those of another system."
        ));
        return steps;
    }
    let firing = report.alerts.iter().filter(|alert| alert.status == Status::Firing);
    steps.extend(firing.map(|alert| format!("See to the alert `{}`: {}", alert.rule, alert.text)));
    if report.log.lost > 0 {
        steps.push("See why predictions could not be logged: the report does not know them.".into());
    }
    if report.data_quality.as_ref().is_some_and(|quality| !quality.findings.is_empty()) {
        steps.push("Look at the inputs above at their source: a broken column looks like drift.".into());
    }
    if report.drift.as_ref().is_some_and(|drift| drift.drift) {
        steps.push("See whether the columns that drift are measured as before.".into());
        steps.push(format!(
            "Judge the model on labels of the new time, then train anew with them (`tabwright retrain {name} DATA`) and compare before \
             it takes over."
        ));
    }
    if report.labels.labelled == 0 {
        steps.push(format!(
            "Send labels, so that quality is known: `tabwright monitor label {name} FILE`, or POST /v1/models/{name}/labels."
        ));
    }
    if !has_model {
        steps.push(
            "Name the model (--model FILE), or register it: inputs are then held against what it was trained on."
                .into(),
        );
    }
    if steps.is_empty() {
        steps.push("Nothing: what the model sees looks like what it was held against.".into());
    }
    steps
}

/// A moment to the minute, for a person.
fn to_minutes(text: &str) -> String {
    const DIGITS: usize = 16;
    text.get(..DIGITS).map_or_else(|| text.to_owned(), |minutes| format!("{} UTC", minutes.replace('T', " ")))
}

/// Counts by hour, or by day where there are many hours.
fn by_time(hours: &[Hour]) -> (&'static str, Vec<(String, u64)>) {
    if hours.len() <= SHOWN_HOURS {
        return ("hour", hours.iter().map(|hour| (to_minutes(&hour.hour), hour.predictions)).collect());
    }
    let mut days: Vec<(String, u64)> = Vec::new();
    for hour in hours {
        let day = hour.hour.get(..DAY_DIGITS).unwrap_or_default();
        match days.last_mut().filter(|(last, _)| last == day) {
            Some((_, predictions)) => *predictions += hour.predictions,
            None => days.push((day.to_owned(), hour.predictions)),
        }
    }
    ("day", days)
}

fn cells(metric: &MetricEstimate) -> Vec<String> {
    let or_dash = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), number);
    match &metric.reason {
        Some(reason) => vec![reason.clone(), String::new(), String::new()],
        None => vec![or_dash(metric.value), or_dash(metric.low), or_dash(metric.high)],
    }
}

/// The first metrics of parts of the rows.
fn parts_table(name: &str, parts: Vec<(String, &Performance)>) -> Table {
    /// Metrics that fit beside each other.
    const SHOWN: usize = 3;
    let names: Vec<String> = parts
        .first()
        .map_or_else(Vec::new, |(_, p)| p.metrics.iter().take(SHOWN).map(|m| m.metric.name().to_owned()).collect());
    let header: Vec<&str> = [name, "rows", "labelled"].into_iter().chain(names.iter().map(String::as_str)).collect();
    let mut table = Table::of_numbers(&header);
    for (part, performance) in parts {
        let mut row =
            vec![part, count(performance.rows as usize), performance.maturity.map_or_else(|| "–".into(), percent)];
        row.extend(performance.metrics.iter().take(SHOWN).map(|metric| {
            match (metric.value, metric.low, metric.high) {
                (Some(value), Some(low), Some(high)) => {
                    format!("{} ({} to {})", number(value), number(low), number(high))
                }
                (Some(value), ..) => number(value),
                _ => "–".to_owned(),
            }
        }));
        table.row(row);
    }
    table
}
