//! What a person sees: tables, numbers, warnings and progress. Colours and bars only on a terminal.

mod document;

use std::borrow::Cow;
use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use comfy_table::{Cell, CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use indicatif::{HumanDuration, ProgressBar, ProgressState, ProgressStyle};
use tabwright_core::{Clock, Event, Observer, Warning};
use tabwright_model::Model;
use tabwright_model::model::Predictor;

use crate::error::Failure;

pub(crate) use document::in_text;
pub(crate) use tabwright_report::text::{bytes, count, counted, number, percent, seconds};

/// Says on stderr what ended the command.
pub(crate) fn report(failure: &Failure) {
    let mut stderr = std::io::stderr().lock();
    let mark = if stderr.is_terminal() { "\x1b[31;1merror:\x1b[0m" } else { "error:" };
    // Where stderr is gone, the exit code still speaks.
    let _ = writeln!(stderr, "{mark} {}", visible(&failure.message));
}

/// Says on stderr what a user may want to know.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "note: {}", visible(text));
}

/// A text whose control characters cannot reach the terminal: names of columns and cells come from files.
fn visible(text: &str) -> Cow<'_, str> {
    let is_hidden = |c: char| c.is_control() && c != '\n';
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let shown = |c: char| if is_hidden(c) { c.escape_default().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(shown).collect())
}

/// Writes to standard output. A reader that went away (`| head`) is no error.
///
/// # Errors
/// If standard output cannot be written for another reason.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(visible(text).as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// Writes one JSON document to standard output.
///
/// # Errors
/// As [`print`].
pub(crate) fn print_json(value: &serde_json::Value) -> Result<(), Failure> {
    print(&format!("{value:#}\n"))
}

/// No lines but one below the header.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// A table with a header; columns from the second on are numbers, to the right.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE).set_content_arrangement(ContentArrangement::Disabled);
    let cells = header.iter().enumerate();
    table.set_header(cells.map(|(i, h)| Cell::new(h).set_alignment(alignment(i))));
    table
}

/// A table of texts: every column to the left.
pub(crate) fn text_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE).set_content_arrangement(ContentArrangement::Disabled).set_header(header);
    table
}

/// Adds a row; columns from the second on are to the right.
pub(crate) fn row(table: &mut Table, cells: Vec<String>) {
    let cells = cells.into_iter().enumerate();
    table.add_row(cells.map(|(i, c)| Cell::new(c).set_alignment(alignment(i))).collect::<Vec<_>>());
}

fn alignment(column: usize) -> CellAlignment {
    if column == 0 { CellAlignment::Left } else { CellAlignment::Right }
}

/// One line for a warning.
pub(crate) fn warning_line(warning: &Warning) -> String {
    match &warning.column {
        Some(column) => format!("{column}: {} [{}]", warning.message, warning.code),
        None => format!("{} [{}]", warning.message, warning.code),
    }
}

/// Features that are shown.
const STRONGEST: usize = 10;

/// The strongest features of a model; nothing for one that asks none.
pub(crate) fn strongest_features(model: &Model) -> Option<String> {
    let importances = model.importances();
    if importances.is_empty() {
        return None;
    }
    let of = if matches!(model.predictor(), Predictor::Linear(_)) { "weights" } else { "gain" };
    let mut table = table(&["feature", &format!("share of the {of}")]);
    for (name, share) in importances.iter().take(STRONGEST) {
        row(&mut table, vec![(*name).to_owned(), percent(*share)]);
    }
    let n = importances.len();
    let title = if n > STRONGEST { format!("Strongest {STRONGEST} of {n} features") } else { "Features".to_owned() };
    Some(format!("{title}\n{table}"))
}

/// The clock of the command line.
#[derive(Debug)]
pub(crate) struct WallClock(Instant);

impl WallClock {
    /// Starts the clock.
    pub(crate) fn start() -> Self {
        WallClock(Instant::now())
    }
}

impl Clock for WallClock {
    fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

/// Shows progress on a terminal, and warnings on stderr.
#[derive(Debug)]
pub(crate) struct Screen {
    bar: ProgressBar,
    best: Mutex<Vec<(String, f64)>>,
    shows_warnings: bool,
}

impl Screen {
    /// A screen; without a terminal there is no bar.
    pub(crate) fn new(shows_warnings: bool) -> Self {
        let bar = if std::io::stderr().is_terminal() { ProgressBar::no_length() } else { ProgressBar::hidden() };
        bar.set_style(spinner());
        bar.enable_steady_tick(Duration::from_millis(120));
        Screen { bar, best: Mutex::new(Vec::new()), shows_warnings }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// Says something on stderr above the bar.
    pub(crate) fn say(&self, line: &str) {
        self.speaker()(line);
    }

    /// Says something on stderr above the bar, from any thread.
    pub(crate) fn speaker(&self) -> impl Fn(&str) + Send + Sync + 'static {
        let bar = self.bar.clone();
        move |line| {
            bar.suspend(|| {
                let _ = writeln!(std::io::stderr(), "{}", visible(line));
            });
        }
    }

    fn begin(&self, name: &str, steps: Option<usize>) {
        self.bar.reset();
        match steps {
            Some(steps) => {
                self.bar.set_length(steps as u64);
                self.bar.set_style(steps_style());
            }
            None => {
                self.bar.unset_length();
                self.bar.set_style(spinner());
            }
        }
        self.bar.set_prefix(name.to_owned());
        self.bar.set_message("");
    }

    /// The mean score of a candidate so far, beside the bar.
    fn note_fold(&self, candidate: &str, score: f64) {
        let Ok(mut scores) = self.best.lock() else { return };
        scores.push((candidate.to_owned(), score));
        let own: Vec<f64> = scores.iter().filter(|(c, _)| c == candidate).map(|(_, s)| *s).collect();
        let mean = own.iter().sum::<f64>() / own.len() as f64;
        let folds = if own.len() == 1 { "fold" } else { "folds" };
        let message = format!("{candidate} {} after {} {folds}", number(mean), own.len());
        self.bar.set_message(visible(&message).into_owned());
    }
}

fn spinner() -> ProgressStyle {
    style("{spinner} {prefix} {wide_msg}")
}

fn steps_style() -> ProgressStyle {
    // Before the first step is done, nothing is known about the time left.
    let left = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        if state.pos() > 0 {
            let _ = write!(out, ", {:#} left", HumanDuration(state.eta()));
        }
    };
    style("{spinner} {prefix} [{bar:20}] {pos}/{len}{left}  {wide_msg}").with_key("left", left)
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("invariant: the templates are well-formed").progress_chars("=> ")
}

impl Observer for Screen {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Phase { name, steps } => self.begin(name, steps),
            Event::Step { .. } => self.bar.inc(1),
            Event::Fold { candidate, score, .. } => self.note_fold(candidate, score),
            Event::Progress { done, total } => {
                let mb = done as f64 / 1e6;
                self.bar.set_message(match total {
                    Some(total) => format!("{mb:.0} of {:.0} MB", total as f64 / 1e6),
                    None => format!("{mb:.0} MB"),
                });
            }
            Event::Warning(warning) if self.shows_warnings => self.say(&format!("warning: {}", warning_line(warning))),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_files_cannot_steer_the_terminal() {
        assert_eq!(visible("plain: ü\nline"), "plain: ü\nline");
        assert_eq!(visible("a\x1b[31mred\r"), "a\\u{1b}[31mred\\r");
    }
}
