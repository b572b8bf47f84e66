//! `tabwright evaluate`: how good a model is on rows with known answers.

use std::path::Path;
use std::process::ExitCode;

use clap::ArgMatches;
use tabwright_core::Task;
use tabwright_core::metric::Evaluation;
use tabwright_lifecycle::evaluate::{EvaluateOptions, Evaluated, evaluate};
use tabwright_lifecycle::record;
use tabwright_model::Model;

use super::recording::{Recording, set_aside};
use super::{configuration, context, load, say_warnings, stop_on_signal, texts};
use crate::error::Failure;
use crate::screen::{self, Screen, WallClock};

/// More classes than this are not shown as a matrix.
const SHOWN_CLASSES: usize = 12;

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let artifact = load(matches, "model")?;
    let config = configuration(matches, false)?;
    let json = matches.get_flag("json");
    let options = EvaluateOptions {
        sources: texts(matches, "data"),
        weight: matches.get_one::<String>("weight").cloned(),
        threads: matches.get_one::<usize>("threads").copied().unwrap_or(0),
        curves: json,
        read: config.data.read_options()?,
    };
    let (on_screen, clock) = (Screen::new(false), WallClock::start());
    let recording = match matches.get_flag("no-record") {
        true => None,
        false => {
            // The files are named on the command line; where runs are kept stands in tabwright.toml.
            let kept = crate::config::resolve(&crate::config::Given::default())?;
            Some((Recording::begin(record::EVALUATE, &kept, &options.sources, on_screen.speaker())?, kept))
        }
    };
    stop_on_signal("nothing is printed");
    let done = evaluate(&artifact, &options, context(&on_screen, &clock));
    on_screen.finish();
    let done = done?;
    say_warnings(&done.warnings, &on_screen);
    let mut run_id = None;
    if let Some((recording, kept)) = recording {
        run_id = Some(recording.run_id().to_owned());
        let ended = recording.end();
        let model = matches.get_one::<String>("model").map_or("", String::as_str);
        let about = (model, artifact.content_id());
        let document = record::of_evaluation(&done, about, (&kept, &options.sources), &ended.about);
        let file = format!("evaluation-{}.run.json", document.run_id);
        if let Err(error) = ended.write(std::slice::from_ref(&document), async |_| Ok(())) {
            let warning = set_aside(vec![document], None, Path::new(&file), &error);
            say_warnings(&[warning], &on_screen);
        }
    }
    if json {
        let mut document = done.to_json(&artifact)?;
        document["run_id"] = serde_json::json!(run_id);
        screen::print_json(&document)?;
    } else {
        screen::print(&text(&done, artifact.model()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn text(done: &Evaluated, model: &Model) -> String {
    let evaluation = &done.evaluation;
    let positive = match model.task() {
        Task::Binary { labels } => format!(", positive class `{}` from probability {}", labels[1], model.threshold()),
        _ => String::new(),
    };
    let mut parts = vec![format!(
        "{} for `{}` ({}{positive}): {} with a target",
        model.candidate_type(),
        model.signature().target,
        model.task().name(),
        screen::counted(evaluation.rows, "row")
    )];
    let mut table = screen::table(&["metric", "value"]);
    for (metric, value) in &evaluation.scores {
        screen::row(&mut table, vec![metric.name().to_owned(), screen::number(*value)]);
    }
    parts.push(table.to_string());
    if !evaluation.labels.is_empty() {
        parts.push(classes(evaluation));
        parts.push(confusion(evaluation));
    }
    parts.join("\n\n") + "\n"
}

fn classes(evaluation: &Evaluation) -> String {
    let mut table = screen::table(&["class", "precision", "recall", "f1", "support"]);
    for class in &evaluation.classes {
        let support = if class.support.fract() == 0.0 {
            screen::count(class.support as usize)
        } else {
            screen::number(class.support)
        };
        let numbers = [class.precision, class.recall, class.f1].map(screen::number);
        screen::row(&mut table, [vec![class.label.clone()], numbers.to_vec(), vec![support]].concat());
    }
    table.to_string()
}

fn confusion(evaluation: &Evaluation) -> String {
    if evaluation.labels.len() > SHOWN_CLASSES {
        return format!("The confusion matrix of {} classes is in --json", evaluation.labels.len());
    }
    let predicted: Vec<String> = evaluation.labels.iter().map(|l| format!("→ {l}")).collect();
    let header = std::iter::once("actual").chain(predicted.iter().map(String::as_str)).collect::<Vec<_>>();
    let mut table = screen::table(&header);
    for (label, row) in evaluation.labels.iter().zip(&evaluation.confusion) {
        let cell = |w: &f64| if w.fract() == 0.0 { screen::count(*w as usize) } else { screen::number(*w) };
        screen::row(&mut table, std::iter::once(label.clone()).chain(row.iter().map(cell)).collect());
    }
    format!("Confusion matrix (rows: actual, columns: predicted)\n{table}")
}
