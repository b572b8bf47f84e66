//! A difference as a document, for the screen and for a page.

use tabwright_core::metric::DEFAULT_THRESHOLD;
use tabwright_core::suggest::shorten;
use tabwright_report::document::{Document, Section, Table};
use tabwright_report::ranking::{Ranked, bars};
use tabwright_report::square::{Point, reliability, scatter};
use tabwright_report::text::{bytes, count, counted, number, percent, signed};

use super::answered::{Changes, Direction, OnData, Reason};
use super::{Better, Diff, MetricRow, Row, SliceRow};

/// Digits of a content id that are shown.
const SHOWN_ID: usize = 19;
/// Rows of the smaller tables: a report names more in its JSON.
const SHOWN_ROWS: usize = 40;

impl Diff {
    /// The difference as a document.
    pub fn document(&self) -> Document {
        let mut sections = vec![self.models(), self.schema_section(), self.made_section()];
        sections.extend(self.metrics_section().into_iter().chain(self.slices_section()));
        if let Some(data) = &self.data {
            sections.extend([self.changes_section(data), self.cost_section(data)]);
        }
        let [a, b] = self.names();
        Document { title: format!("{a} and {b}"), lead: self.verdict(), sections }
    }

    /// What the two are called in headers.
    fn names(&self) -> [&str; 2] {
        match self.a.name == self.b.name {
            true => ["the first", "the second"],
            false => [&self.a.name, &self.b.name],
        }
    }

    fn verdict(&self) -> String {
        if self.identical {
            return "They are the same model, to the last bit.".into();
        }
        if let Some(why) = &self.incomparable {
            return format!("Their answers are not compared: {why}.");
        }
        match &self.data {
            None => "Give --data FILE to compare their answers, row by row.".into(),
            Some(data) if data.changes.of == "decisions" => {
                let n = counted(data.changes.rows, "row");
                format!("They decide otherwise on {n} of {} ({}).", count(data.rows), percent(data.changes.share))
            }
            Some(data) => {
                let mean = data.changes.mean_absolute_difference.unwrap_or_default();
                format!("Their answers differ by {} on average, over {}.", number(mean), counted(data.rows, "row"))
            }
        }
    }

    fn header<'a>(&'a self, first: &'a str) -> [&'a str; 3] {
        let [a, b] = self.names();
        [first, a, b]
    }

    fn models(&self) -> Section {
        let mut table = Table::of_texts(&self.header("model"));
        let mut row = |name: &str, a: String, b: String| {
            table.row(vec![name.to_owned(), a, b]);
        };
        let (a, b) = (&self.a, &self.b);
        let short = |id: &str| format!("{}…", id.chars().take(SHOWN_ID).collect::<String>());
        row("content", short(&a.content_id), short(&b.content_id));
        row("type", a.candidate_type.clone(), b.candidate_type.clone());
        row("predictor", a.predictor.clone(), b.predictor.clone());
        row("size of the file", bytes(a.size), bytes(b.size));
        row("rows fitted on", count(a.fitted_rows as usize), count(b.fitted_rows as usize));
        row("chosen by", a.metric.clone(), b.metric.clone());
        row("made", a.created_at.clone(), b.created_at.clone());
        let mut section = Section::new("Models");
        section.table(table);
        section
    }

    fn schema_section(&self) -> Section {
        let schema = &self.schema;
        let mut section = Section::new("Schema");
        section.table(self.row_table("signature", &schema.signature));
        let labels = [("labels added", &schema.labels_added), ("labels removed", &schema.labels_removed)];
        let line =
            |(what, labels): (&str, &Vec<String>)| format!("{what}: {}", shorten(labels.iter().map(String::as_str)));
        section.list(labels.into_iter().filter(|(_, l)| !l.is_empty()).map(line).collect());
        let mut table = Table::of_texts(&[&self.header("column")[..], &["levels added", "levels removed"]].concat());
        for column in schema.columns.iter().take(SHOWN_ROWS) {
            let side = |role: &Option<String>, kind: &Option<String>| match (role, kind) {
                (None, _) => "–".to_owned(),
                (Some(role), None) => role.clone(),
                (Some(role), Some(kind)) => format!("{kind} ({role})"),
            };
            let levels = |levels: &[String]| match levels {
                [] => String::new(),
                levels => shorten(levels.iter().map(String::as_str)),
            };
            table.row(vec![
                column.name.clone(),
                side(&column.role_a, &column.kind_a),
                side(&column.role_b, &column.kind_b),
                levels(&column.levels_added),
                levels(&column.levels_removed),
            ]);
        }
        section.table(table);
        section.text(match schema.columns.is_empty() {
            true => format!("Both read the same {}, with the same kinds and levels.", counted(schema.same, "column")),
            false => {
                format!("{} differ, {} are the same.", counted(schema.columns.len(), "column"), count(schema.same))
            }
        });
        section
    }

    /// What was done to get each: features, hyperparameters, plan and findings.
    fn made_section(&self) -> Section {
        let mut section = Section::new("Features and training");
        let parts = [
            ("feature made of", &self.features),
            ("hyperparameter", &self.hyperparameters),
            ("plan", &self.plan),
            ("finding", &self.findings),
        ];
        for (name, rows) in parts {
            section.table(self.row_table(name, rows));
            if rows.len() > SHOWN_ROWS {
                section.text(format!("{} more are in --json.", count(rows.len() - SHOWN_ROWS)));
            }
        }
        if section.blocks.is_empty() {
            section.text("Features, hyperparameters, plan and findings are the same.");
        }
        section
    }

    fn row_table(&self, first: &str, rows: &[Row]) -> Table {
        let mut table = Table::of_texts(&self.header(first));
        for row in rows.iter().take(SHOWN_ROWS) {
            let value = |v: &Option<String>| v.clone().unwrap_or_else(|| "–".into());
            table.row(vec![row.name.clone(), value(&row.a), value(&row.b)]);
        }
        table
    }

    fn metrics_section(&self) -> Option<Section> {
        if self.incomparable.is_some() {
            return None;
        }
        let mut section = Section::new("Metrics");
        if let Some(data) = &self.data {
            let rows = counted(data.judged, "row");
            section.heading(&format!("On the given rows ({rows} with a target)"));
            section.table(self.metric_table(&data.metrics));
            for name in &data.trained_on_them {
                section.text(format!("{name} was trained from these very rows: its scores flatter it."));
            }
        }
        if !self.metrics.is_empty() {
            section.heading("As they were measured after the trainings");
            section.table(self.metric_table(&self.metrics));
            section.text(match self.same_test_rows {
                true => "Both were tested on the same rows. (* better)",
                false => "They were tested on other rows each, so these differ by more than the models. (* better)",
            });
        }
        (!section.blocks.is_empty()).then_some(section)
    }

    fn metric_table(&self, rows: &[MetricRow]) -> Table {
        let mut table = Table::of_numbers(&[&self.header("metric")[..], &["difference"]].concat());
        for row in rows {
            table.row([vec![row.name.clone()], metric_cells(row)].concat());
        }
        table
    }

    fn slices_section(&self) -> Option<Section> {
        let given = self.data.as_ref().map(|d| &d.slices).filter(|s| !s.is_empty());
        let slices = given.unwrap_or(&self.slices);
        if slices.is_empty() || self.incomparable.is_some() {
            return None;
        }
        let mut section = Section::new("Slices");
        let mut metrics = vec![self.a.metric.as_str(), &self.b.metric];
        metrics.dedup();
        for metric in metrics {
            let mut header = vec!["slice", "rows"];
            header.extend(&self.names());
            header.extend(["difference", "decisions changed"]);
            let mut table = Table::of_numbers(&header);
            for slice in slices {
                table.row(slice_cells(slice, metric));
            }
            section.heading(&match given.is_some() {
                true => format!("{metric} on the given rows"),
                false => format!("{metric} on the test rows"),
            });
            section.table(table);
        }
        section.list(slices.iter().map(|s| format!("{}: {}", s.name, s.condition)).collect());
        Some(section)
    }

    fn changes_section(&self, data: &OnData) -> Section {
        let changes = &data.changes;
        let [a, b] = self.names();
        let is_decisions = changes.of == "decisions";
        let mut section = Section::new(if is_decisions { "Decisions that flip" } else { "Answers that change" });
        section.text(changed_words(data, [a, b]));
        self.pictures(data, &mut section);
        for direction in &changes.directions {
            self.direction(direction, changes, &mut section);
        }
        if let Some(why) = &changes.no_reasons {
            section.text(format!("No reasons are given: {why}."));
        }
        self.examples(changes, &mut section);
        section
    }

    fn direction(&self, direction: &Direction, changes: &Changes, section: &mut Section) {
        let (rows, share) = (counted(direction.rows, "row"), percent(direction.share));
        section.heading(&format!("{}: {rows} ({share})", direction.name));
        if direction.reasons.is_empty() {
            return;
        }
        let mut table = Table::of_numbers(&[&self.header("what features add")[..], &["difference"]].concat());
        for reason in &direction.reasons {
            table.row(vec![reason.feature.clone(), signed(reason.a), signed(reason.b), signed(reason.difference)]);
        }
        section.table(table);
        if let Some(unit) = &changes.unit {
            section.text(format!("Means over these rows, in {unit}."));
        }
        let ranked = |r: &Reason| Ranked {
            name: r.feature.clone(),
            value: r.difference,
            spread: None,
            label: signed(r.difference),
        };
        let ranked: Vec<Ranked> = direction.reasons.iter().map(ranked).collect();
        let title = format!("{}: why", direction.name);
        section.picture("What features add in the second model and did not in the first", bars(&title, &ranked));
    }

    fn examples(&self, changes: &Changes, section: &mut Section) {
        let is_decisions = changes.of == "decisions";
        let [a, b] = self.names();
        let header = match is_decisions {
            true => vec!["row", "was", "is", "truth", a, b, "mostly by"],
            false => vec!["row", a, b, "truth", "mostly by"],
        };
        let mut table = Table::of_texts(&header);
        for example in &changes.examples {
            let text = |t: &Option<String>| t.clone().unwrap_or_else(|| "–".into());
            let by: Vec<String> = example
                .reasons
                .iter()
                .filter(|r| !r.feature.starts_with('('))
                .map(|r| format!("{} {}", r.feature, signed(r.difference)))
                .collect();
            let numbers = [number(example.a), number(example.b)];
            let cells = match is_decisions {
                true => [
                    vec![
                        count(example.row),
                        text(&example.decision_a),
                        text(&example.decision_b),
                        text(&example.target),
                    ],
                    numbers.to_vec(),
                    vec![by.join(", ")],
                ],
                false => [vec![count(example.row)], numbers.to_vec(), vec![text(&example.target), by.join(", ")]],
            };
            table.row(cells.concat());
        }
        if !table.rows.is_empty() {
            section.heading("Rows that change most");
            section.table(table);
        }
    }

    fn pictures(&self, data: &OnData, section: &mut Section) {
        let [a, b] = self.names();
        let is_decisions = data.changes.of == "decisions";
        let point = |(across, up, marked): &(f64, f64, bool)| Point { across: *across, up: *up, marked: *marked };
        let points: Vec<Point> = data.pairs.iter().map(point).collect();
        let (title, legend) = match is_decisions {
            true => ("Probabilities, row by row", ["same decision", "decision flips"]),
            false => ("Answers, row by row", ["", "changes most"]),
        };
        let is_binary = is_decisions && data.reliability[0].len() == 1;
        let cross = is_decisions.then_some(DEFAULT_THRESHOLD);
        let drawn = scatter(title, [a, b], &points, cross.filter(|_| is_binary), legend);
        let alt = format!("Answers of {a} (across) and {b} (up) for the same rows; on the dashed line both are equal");
        section.picture(&alt, drawn);
        if is_binary {
            let series: Vec<(String, &[_])> =
                [a, b].into_iter().zip(&data.reliability).map(|(n, r)| (n.to_owned(), &r[0].bins[..])).collect();
            section.picture(
                "Where a point lies below the dashed line, the probability is too high; larger circles hold more rows",
                reliability("Reliability on the given rows", &series),
            );
        }
    }

    fn cost_section(&self, data: &OnData) -> Section {
        let mut table = Table::of_numbers(&self.header("latency and size"));
        let [a, b] = &data.latency;
        let ms = |x: f64| format!("{x:.3} ms");
        table.row(vec!["one row".into(), ms(a.row_ms), ms(b.row_ms)]);
        let batch = format!("a batch of {}", counted(a.batch_rows, "row"));
        table.row(vec![batch, ms(a.batch_ms), ms(b.batch_ms)]);
        table.row(vec!["size of the file".into(), bytes(self.a.size), bytes(self.b.size)]);
        let mut section = Section::new("Latency and size");
        section.table(table).text("Medians, on this machine.");
        section
    }
}

fn metric_cells(row: &MetricRow) -> Vec<String> {
    let mark = |side: Better| if row.better == Some(side) { " *" } else { "" };
    let value = |v: Option<f64>, side| v.map_or("–".to_owned(), |v| format!("{}{}", number(v), mark(side)));
    let difference = row.a.zip(row.b).map_or("–".to_owned(), |(a, b)| signed(b - a));
    vec![value(row.a, Better::A), value(row.b, Better::B), difference]
}

fn slice_cells(slice: &SliceRow, metric: &str) -> Vec<String> {
    let rows = match (slice.rows_a, slice.rows_b) {
        (Some(a), Some(b)) if a == b => count(a),
        (a, b) => [a, b].map(|n| n.map_or("–".to_owned(), count)).join(" / "),
    };
    let cells = match slice.metrics.iter().find(|m| m.name == metric) {
        Some(row) => metric_cells(row),
        None => vec!["–".to_owned(); 3],
    };
    let changed = slice.changed.map_or("–".to_owned(), count);
    [vec![slice.name.clone(), rows], cells, vec![changed]].concat()
}

fn changed_words(data: &OnData, [a, b]: [&str; 2]) -> String {
    let changes = &data.changes;
    if changes.of != "decisions" {
        let (mean, size) = (changes.mean_difference, changes.mean_absolute_difference);
        return format!(
            "{b} answers {} on average ({} in size). Looked into: the {} that change most.",
            signed(mean.unwrap_or_default()),
            number(size.unwrap_or_default()),
            counted(changes.rows, "row")
        );
    }
    let n = counted(changes.rows, "row");
    let flips = format!("{n} of {} ({}).", count(data.rows), percent(changes.share));
    match (changes.mended, changes.broken) {
        (Some(mended), Some(broken)) => format!(
            "{flips} {b} is right where {a} was wrong on {}, and wrong where it was right on {}.",
            counted(mended, "row"),
            counted(broken, "row")
        ),
        _ => flips,
    }
}
