//! `tabwright runs compare`.

use std::process::ExitCode;

use clap::ArgMatches;
use serde_json::json;
use tabwright_lifecycle::compare::{Comparison, Noise, compare};
use tabwright_report::{Chart, page, svg};

use super::super::{configuration, texts, write_report};
use super::SHOWN_DIGITS;
use crate::error::Failure;
use crate::home::OpenHome;
use crate::screen;

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let config = configuration(matches, true)?;
    let given = matches.get_one::<String>("metric");
    let primary = given.unwrap_or(&config.project.primary_metric);
    let output = matches.get_one::<String>("output");
    if let Some(odd) = output.filter(|o| !o.ends_with(".svg") && !o.ends_with(".html")) {
        return Err(Failure::usage(format!("{odd}: curves are drawn as .svg or .html")));
    }
    let home = OpenHome::expect(&config)?;
    let (found, charts) = home.wait(compare(&home.store, &texts(matches, "runs"), primary))?;
    let drawn = match output {
        Some(output) => draw(output, &charts)?,
        None => 0,
    };
    if matches.get_flag("json") {
        let mut document = json!(found);
        document["picture"] = json!(output.filter(|_| drawn > 0));
        screen::print_json(&document)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = text(&found);
    match (output, drawn) {
        (Some(output), 1..) => text += &format!("\nCurves: {output}\n"),
        (Some(_), 0) => text += "\nNo curves: no metric of these runs has a course.\n",
        (None, _) => {}
    }
    screen::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the picture, and says how many charts are in it.
fn draw(output: &str, charts: &[Chart]) -> Result<usize, Failure> {
    let fold = charts.iter().find(|c| c.title.starts_with("fold."));
    let (content, drawn) = match (output.ends_with(".html"), fold.or(charts.first())) {
        (_, None) => return Ok(0),
        (true, _) => (page("Runs side by side", charts), charts.len()),
        (false, Some(chart)) => (svg(chart), 1),
    };
    write_report(output, &content)?;
    Ok(drawn)
}

fn short(id: &str) -> &str {
    id.get(..SHOWN_DIGITS).unwrap_or(id)
}

fn text(found: &Comparison) -> String {
    let ids: Vec<&str> = found.runs.iter().map(|id| short(id)).collect();
    let mut parts = Vec::new();
    let header = |first| std::iter::once(first).chain(ids.iter().copied()).collect::<Vec<_>>();
    if found.params.is_empty() {
        parts.push("All parameters are the same.".to_owned());
    } else {
        let mut table = screen::text_table(&header("parameter"));
        for row in &found.params {
            let values = row.values.iter().map(|v| v.clone().unwrap_or_else(|| "–".into()));
            table.add_row(std::iter::once(row.name.clone()).chain(values));
        }
        parts.push(table.to_string());
    }
    let mut table = screen::table(&header("metric"));
    for row in &found.metrics {
        let mark = |i: usize| if row.best == Some(i) { " *" } else { "" };
        let values = row.values.iter().enumerate();
        let cells = values.map(|(i, v)| v.map_or("–".to_owned(), |v| format!("{}{}", screen::number(v), mark(i))));
        screen::row(&mut table, std::iter::once(row.name.clone()).chain(cells).collect());
    }
    parts.push(format!("{table}\n* best"));
    parts.push(verdict(found));
    parts.join("\n\n") + "\n"
}

fn verdict(found: &Comparison) -> String {
    let primary = &found.primary;
    let mut lines = Vec::new();
    match found.best {
        Some(best) => lines.push(format!("Best by {primary}: {}", short(&found.runs[best]))),
        None if primary.is_empty() => lines.push("No metric decides; name one with --metric".to_owned()),
        None => lines.push(format!("None is best by {primary}")),
    }
    for run in &found.lacking {
        lines.push(format!("{} lacks {primary}, and is not compared by it", short(&found.runs[*run])));
    }
    lines.extend(found.noise.iter().map(|noise| noise_line(found, noise)));
    lines.join("\n")
}

fn noise_line(found: &Comparison, noise: &Noise) -> String {
    let other = short(&found.runs[noise.other]);
    match (noise.difference, noise.chance, noise.beyond) {
        (Some(difference), Some(chance), Some(beyond)) => {
            let (size, bound) = (screen::number(difference), screen::number(chance));
            let verdict = if beyond { "more than" } else { "no more than" };
            let folds = if noise.paired { "the same folds" } else { "folds of their own" };
            format!("Against {other}: {size} better in the mean over {folds}, {verdict} chance gives ({bound})")
        }
        _ => format!("Against {other}: noise unknown, {}", noise.why.as_deref().unwrap_or_default()),
    }
}
