//! Drift as a document, for the screen and for a page.

use tabwright_core::numeric;
use tabwright_monitor::DriftReport;
use tabwright_monitor::classifier::Apart;
use tabwright_monitor::drift::ColumnDrift;
use tabwright_report::document::{Document, Section, Table};
use tabwright_report::ranking::{Ranked, bars};
use tabwright_report::text::{count, counted, number, percent};

use super::Drifted;

/// Columns that the picture shows.
const SHOWN: usize = 30;

impl Drifted {
    /// What was found, as a document. `names` are those of the reference and of the current rows.
    pub fn document(&self, names: [&str; 2]) -> Document {
        let mut sections = vec![columns_of(&self.report, "Columns")];
        sections.extend(self.whole_section());
        sections.extend(self.findings_section());
        sections.push(self.next_section());
        let [reference, current] = names;
        Document { title: format!("Drift of {current} against {reference}"), lead: self.verdict(), sections }
    }

    fn verdict(&self) -> String {
        let report = &self.report;
        let drifted = report.columns.iter().filter(|column| column.drift).count();
        let [reference, current] = report.rows.map(|rows| rows as usize);
        let how = if report.approximate { ", which are known by their summaries only" } else { "" };
        let verdict = if report.drift { "Drift" } else { "No drift" };
        format!(
            "{verdict}: {} of {} columns {} ({}; from {} on, the whole does). {} were held against {}{how}.",
            count(drifted),
            count(report.columns.len()),
            if drifted == 1 { "drifts" } else { "drift" },
            percent(report.drifted_share),
            percent(report.drift_share),
            counted(current, "row"),
            counted(reference, "row"),
        )
    }

    fn whole_section(&self) -> Option<Section> {
        let apart = self.whole.as_ref()?;
        let mut section = Section::new("The rows as a whole");
        section.text(told_apart(apart));
        Some(section)
    }

    fn findings_section(&self) -> Option<Section> {
        let report = &self.report;
        let missing = report.not_compared.iter().map(|own| format!("`{}`: {}", own.column, own.reason));
        let lines: Vec<String> = report.findings.iter().map(|f| f.message.clone()).chain(missing).collect();
        if lines.is_empty() {
            return None;
        }
        let mut section = Section::new("What else needs a look");
        section.list(lines);
        Some(section)
    }

    fn next_section(&self) -> Section {
        let mut section = Section::new("What to do");
        let steps: &[&str] = if self.report.drift {
            &[
                "See whether the columns at the top are measured as before: a broken source looks like drift.",
                "Judge the model on rows with known answers from the new time (`tabwright evaluate`), if there are any.",
                "Train anew on rows that include the new time (`tabwright retrain`), and compare before it takes over.",
            ]
        } else {
            few_or_nothing(&self.report)
        };
        section.list(steps.iter().map(|step| (*step).to_owned()).collect());
        section
    }
}

/// How well whole rows can be told apart.
pub(crate) fn told_apart(apart: &Apart) -> String {
    let verdict = if apart.drift { "They can be told apart" } else { "They cannot be told apart" };
    format!(
        "{verdict}: a model that saw some of both guessed where the others come from with a ROC AUC of {} (0.5 is chance; p = {}).",
        number(apart.roc_auc),
        number(apart.p_value)
    )
}

/// Each column, in a table and a picture.
pub(crate) fn columns_of(report: &DriftReport, title: &str) -> Section {
    let mut section = Section::new(title);
    let header = [
        "column",
        "kind",
        "test",
        "statistic",
        "p-value",
        "adjusted p",
        "threshold",
        "missing before",
        "missing now",
        "drift",
    ];
    let mut table = Table::of_texts(&header);
    let columns = by_weight(&report.columns);
    for column in &columns {
        let or_dash = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), number);
        table.row(vec![
            column.column.clone(),
            column.kind.name().to_owned(),
            column.test.map_or("–", |test| test.name()).to_owned(),
            or_dash(column.statistic),
            or_dash(column.p_value),
            or_dash(column.adjusted_p_value),
            or_dash(column.threshold),
            percent(missing_share(column, 0)),
            percent(missing_share(column, 1)),
            if column.drift { "yes" } else { "no" }.to_owned(),
        ]);
    }
    section.table(table);
    let notes: Vec<String> = report.columns.iter().filter_map(note).collect();
    if !notes.is_empty() {
        section.list(notes);
    }
    let ranked: Vec<Ranked> = columns.iter().filter_map(|column| ranked(column)).take(SHOWN).collect();
    if !ranked.is_empty() {
        let title = "How far each column is on its way to drift: 1 is its threshold";
        section.picture(title, bars(title, &ranked));
    }
    section
}

/// What is to be done where nothing drifts.
fn few_or_nothing(report: &DriftReport) -> &'static [&'static str] {
    /// Rows below which hardly anything can be told.
    const FEW: u64 = 30;
    let [reference, current] = report.rows;
    if reference.min(current) < FEW {
        return &["Wait for more rows: of so few, hardly anything can be told."];
    }
    match report.not_compared.is_empty() && report.findings.is_empty() {
        true => &["Nothing: the rows look like those that they were held against."],
        false => &["Look at what is named above; what could be compared looks like what it was held against."],
    }
}

/// The share of the rows of one side without a value.
fn missing_share(column: &ColumnDrift, side: usize) -> f64 {
    let missing = column.missing[side];
    let rows = missing + column.n[side] + column.infinite[side];
    if rows == 0 { 0.0 } else { missing as f64 / rows as f64 }
}

fn note(column: &ColumnDrift) -> Option<String> {
    Some(format!("`{}`: {}", column.column, column.note.as_ref()?))
}

fn ranked(column: &ColumnDrift) -> Option<Ranked> {
    let label = column.test.map_or_else(String::new, |test| test.name().to_owned());
    Some(Ranked { name: column.column.clone(), value: weight(column)?, spread: None, label })
}

/// How far a column is on its way to its threshold, which is 1; p-values are on their way by their logarithms.
fn weight(column: &ColumnDrift) -> Option<f64> {
    /// Beyond this many times the threshold it is all the same.
    const MOST: f64 = 20.0;
    let threshold = column.threshold.filter(|threshold| *threshold > 0.0)?;
    let weight = match column.adjusted_p_value.or(column.p_value) {
        Some(p) if threshold < 1.0 => numeric::ln(p.max(f64::MIN_POSITIVE)) / numeric::ln(threshold),
        Some(_) => return None,
        None => column.statistic? / threshold,
    };
    Some(weight.min(MOST))
}

/// The columns, those that drift most first.
fn by_weight(columns: &[ColumnDrift]) -> Vec<&ColumnDrift> {
    let mut sorted: Vec<&ColumnDrift> = columns.iter().collect();
    let key = |column: &ColumnDrift| (column.drift, weight(column).unwrap_or(f64::NEG_INFINITY));
    sorted.sort_by(|a, b| {
        let (a, b) = (key(a), key(b));
        b.0.cmp(&a.0).then(b.1.total_cmp(&a.1))
    });
    sorted
}
