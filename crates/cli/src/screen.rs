//! What a person sees: tables, numbers, warnings and progress. Colours and bars only on a terminal.

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

/// A metric or statistic with four to five digits that matter.
pub(crate) fn number(x: f64) -> String {
    let size = x.abs();
    match size {
        _ if !x.is_finite() => "–".into(),
        0.0 => "0".into(),
        _ if !(1e-4..1e7).contains(&size) => format!("{x:.3e}"),
        _ if size >= 1000.0 => format!("{x:.0}"),
        _ if size >= 100.0 => format!("{x:.1}"),
        _ if size >= 10.0 => format!("{x:.2}"),
        _ if size >= 1.0 => format!("{x:.3}"),
        _ => format!("{x:.4}"),
    }
}

/// A count with thin groups of three digits.
pub(crate) fn count(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count of things, in the singular or with an `s`.
pub(crate) fn counted(n: usize, what: &str) -> String {
    format!("{} {what}{}", count(n), if n == 1 { "" } else { "s" })
}

/// A size with three digits.
pub(crate) fn bytes(n: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if n < 1_000 {
        return counted(usize::try_from(n).unwrap_or(usize::MAX), "byte");
    }
    let (mut size, mut unit) = (n as f64 / 1e3, 0);
    while size >= 999.5 && unit + 1 < UNITS.len() {
        (size, unit) = (size / 1e3, unit + 1);
    }
    let digits = if size < 9.995 { 2 } else { usize::from(size < 99.95) };
    format!("{size:.digits$} {}", UNITS[unit])
}

/// A duration with three digits.
pub(crate) fn seconds(s: f64) -> String {
    match s {
        _ if s < 0.000_95 => format!("{:.0} µs", s * 1e6),
        _ if s < 0.095 => format!("{:.1} ms", s * 1e3),
        _ if s < 0.95 => format!("{:.0} ms", s * 1e3),
        _ if s < 95.0 => format!("{s:.2} s"),
        _ => format!("{} min {:.0} s", (s / 60.0).floor(), s % 60.0),
    }
}

/// A share as a percentage.
pub(crate) fn percent(share: f64) -> String {
    match share * 100.0 {
        0.0 => "0 %".into(),
        p if p < 0.1 => format!("{p:.2} %"),
        p if p < 10.0 => format!("{p:.1} %"),
        p => format!("{p:.0} %"),
    }
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
        self.bar.suspend(|| {
            let _ = writeln!(std::io::stderr(), "{}", visible(line));
        });
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

    #[test]
    fn numbers_show_the_digits_that_matter() {
        assert_eq!(
            [0.84512, 1.10843, 48_222.4, 565.33, 0.0, 1e-7].map(number),
            ["0.8451", "1.108", "48222", "565.3", "0", "1.000e-7"]
        );
        assert_eq!(
            [0, 1, 999, 1_000, 15_820, 999_600, 1_234_567, u64::MAX].map(bytes),
            ["0 bytes", "1 byte", "999 bytes", "1.00 kB", "15.8 kB", "1.00 MB", "1.23 MB", "18446744 TB"]
        );
        assert_eq!([7.0, 1234.0, 1_234_567.0].map(|x| count(x as usize)), ["7", "1,234", "1,234,567"]);
        assert_eq!(
            [0.00002, 0.0123, 0.5, 2.345, 125.0].map(seconds),
            ["20 µs", "12.3 ms", "500 ms", "2.35 s", "2 min 5 s"]
        );
    }
}
