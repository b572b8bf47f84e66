//! `tabwright profile`: every column on a line, and what is odd.

use std::process::ExitCode;

use clap::ArgMatches;
use tabwright_core::summary::{ColumnSummary, NumberSummary, sparkline};
use tabwright_core::{Kind, Task};
use tabwright_lifecycle::profile::{Profile, profile};

use super::{configuration, context, stop_on_signal, texts};
use crate::error::Failure;
use crate::screen::{self, Screen, WallClock};

/// Levels that are named in a line.
const SHOWN_LEVELS: usize = 3;
/// Characters of a level that are shown.
const SHOWN_CHARACTERS: usize = 18;

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let mut config = configuration(matches, false)?;
    config.data.source = texts(matches, "data");
    config.train.threads = matches.get_one::<usize>("threads").copied().unwrap_or(0);
    stop_on_signal("nothing is printed");
    let (on_screen, clock) = (Screen::new(false), WallClock::start());
    let profile = profile(&config, context(&on_screen, &clock));
    on_screen.finish();
    let profile = profile?;
    if matches.get_flag("json") {
        let document = serde_json::to_value(&profile).map_err(|e| Failure::failed(e.to_string()))?;
        screen::print_json(&document)?;
    } else {
        screen::print(&text(&profile))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn text(profile: &Profile) -> String {
    let (rows, columns) = (screen::counted(profile.rows, "row"), screen::counted(profile.columns.len(), "column"));
    let mut text = format!("{rows}, {columns}");
    if let (Some(target), Some(task)) = (&profile.target, &profile.task) {
        let labels = match task {
            Task::Binary { labels } => format!(", positive class `{}`", labels[1]),
            Task::Multiclass { labels } => format!(", {} classes", labels.len()),
            Task::Regression => String::new(),
        };
        text += &format!("; target `{target}`: {}{labels}", task.name());
    }
    let mut table =
        screen::text_table(&["column", "kind", "missing", "distinct", "least · 25 % · middle · 75 % · largest"]);
    for column in &profile.columns {
        let share = column.missing as f64 / (column.count.max(1)) as f64;
        let about = if column.distinct_exact { "" } else { "≈" };
        table.add_row([
            column.name.clone(),
            column.kind.to_string(),
            screen::percent(share),
            format!("{about}{}", screen::count(column.distinct as usize)),
            distribution(column),
        ]);
    }
    text += &format!("\n\n{table}\n");
    match profile.findings.len() {
        0 => text += "\nNo findings.\n",
        n => {
            text += &format!("\n{}\n", screen::counted(n, "finding"));
            for finding in &profile.findings {
                text += &format!("- {}\n", screen::warning_line(finding));
            }
        }
    }
    text
}

fn distribution(column: &ColumnSummary) -> String {
    if let Some(numbers) = &column.numbers {
        return number_line(column.kind, numbers);
    }
    if let Some(text) = &column.text {
        return format!("{} words on average, longest {} characters", screen::number(text.mean_words), text.longest);
    }
    let Some(categories) = &column.categories else { return String::new() };
    let present = (column.count - column.missing).max(1) as f64;
    let shown: Vec<String> = categories
        .top
        .iter()
        .take(SHOWN_LEVELS)
        .map(|level| format!("{} {}", shortened(&level.value), screen::percent(level.count as f64 / present)))
        .collect();
    let more = categories.levels as usize - shown.len().min(categories.levels as usize);
    match (shown.is_empty(), more) {
        (true, _) => format!("{} levels", screen::count(more)),
        (false, 0) => shown.join(", "),
        (false, more) => format!("{}, {} more", shown.join(", "), screen::count(more)),
    }
}

fn number_line(kind: Kind, numbers: &NumberSummary) -> String {
    let quantile = |at: f64| numbers.quantiles.iter().find(|q| q.at == at).map_or(f64::NAN, |q| q.value);
    let show = |x: f64| match kind {
        Kind::Timestamp => tabwright_data::format_timestamp(x as i64).chars().take(10).collect(),
        Kind::Integer if x.fract() == 0.0 && x.abs() < 1e15 => format!("{x:.0}"),
        _ => screen::number(x),
    };
    let values = [numbers.min, quantile(0.25), quantile(0.5), quantile(0.75), numbers.max];
    format!("{}  {}", sparkline(&numbers.histogram), values.map(show).join(" · "))
}

fn shortened(text: &str) -> String {
    let mut characters = text.chars();
    let start: String = characters.by_ref().take(SHOWN_CHARACTERS).collect();
    if characters.next().is_some() { format!("{start}…") } else { start }
}
