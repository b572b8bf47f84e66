//! The commands about watching.

use clap::{Arg, ArgAction, Command};

use super::{READING, WATCHING, json, keys_named, keys_that, list, output, reading, with_configuration, with_keys};

/// `monitor`.
pub(super) fn monitor() -> Command {
    Command::new("monitor")
        .about("Watch models in use: what they predicted, whether the world moves, how good they are")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(status())
        .subcommand(report())
        .subcommand(label())
        .subcommand(import())
        .subcommand(alerts())
        .subcommand(backtest())
        .subcommand(skew())
}

fn status() -> Command {
    let command = Command::new("status")
        .about("What is logged of each model")
        .arg(Arg::new("name").value_name("NAME").num_args(0..).action(ArgAction::Append).help("Models [default: all]"));
    with_configuration(command).arg(json())
}

fn report() -> Command {
    let command = Command::new("report")
        .about("Report on a model in use: volume, latency, predictions, drift, quality, alerts, what to do")
        .after_help(
            "Examples:\n  tabwright monitor report churn --last 7d -o report.html\n  \
             tabwright monitor report churn:3 --from 2026-11-01 --to 2026-11-08 --against 14d..7d --json",
        )
        .arg(name())
        .arg(model());
    with_watching(period(command, "7d"))
        .arg(against())
        .arg(
            Arg::new("whole")
                .long("whole")
                .action(ArgAction::SetTrue)
                .help("Has a classifier try to tell whole rows apart, too: needs rows to hold them against"),
        )
        .arg(list(
            "slice",
            "COL",
            "Tells quality by the most frequent levels of these inputs, beside [registry.slices]",
        ))
        .arg(gate("Exit code 4 if there is drift or an alert"))
        .arg(output("Where the report goes: .md, or .html with pictures"))
        .arg(json())
}

fn label() -> Command {
    let command = Command::new("label")
        .about("Say what turned out to be true of predictions, by their ids")
        .after_help(
            "A file has a column prediction_id or id, a column label or actual (or named as the target), and maybe label_time or time. All of \
             it is taken in, or nothing. A label may come early, late, again and corrected: the last one counts.",
        )
        .arg(name())
        .arg(files("Files of labels: globs, a folder of Parquet, or - for standard input"))
        .arg(column("id", "The column of ids"))
        .arg(column("label", "The column of labels"))
        .arg(column("time", "The column that says when each was true"))
        .arg(model());
    reading(with_configuration(command)).arg(json())
}

fn import() -> Command {
    let command = Command::new("import")
        .about("Take in predictions that another system made, with their own ids and times")
        .after_help(
            "Columns that are neither id, time, prediction nor probability_CLASS are inputs. An id that is there twice is one entry, so a \
             file may be imported again.",
        )
        .arg(name())
        .arg(files("Files of predictions: globs, a folder of Parquet, or - for standard input"))
        .arg(column("id", "The column of ids [default: prediction_id]"))
        .arg(column("time", "The column of times [default: time]"))
        .arg(column("prediction", "The column of predictions [default: prediction]"))
        .arg(column("latency", "The column that says how long each took, in microseconds"))
        .arg(model());
    reading(with_configuration(command)).arg(json())
}

fn alerts() -> Command {
    let command = Command::new("alerts")
        .about("Judge the rules of [alerts] once, for cron and CI, and tell whom they name")
        .after_help("Examples:\n  tabwright monitor alerts churn\n  tabwright monitor alerts churn --send --gate")
        .arg(name())
        .arg(model())
        .arg(
            Arg::new("send")
                .long("send")
                .action(ArgAction::SetTrue)
                .help("Sends what is due to the channels of [alerts]; without it nobody is told"),
        );
    with_watching(command).arg(against()).arg(gate("Exit code 4 if an alert is on")).arg(json())
}

fn backtest() -> Command {
    let command = Command::new("backtest")
        .about("Replay the log: how often would each rule of [alerts] have fired?")
        .after_help(
            "Labels count as they are known today, not as they were then.\n\nExample:\n  \
             tabwright monitor backtest churn --last 90d --quiet 2026-09-01..2026-10-15 --drifted 2026-10-15..2026-11-01",
        )
        .arg(name())
        .arg(model())
        .arg(spans("quiet", "A time in which nothing happened: alarms are false there"))
        .arg(spans("drifted", "A time in which something happened that should be noticed"));
    with_watching(period(command, "30d")).arg(against()).arg(json())
}

fn skew() -> Command {
    let command = Command::new("skew")
        .about("Score logged inputs again: does the registered model give what was answered, to the bit? Exit code 4 if not")
        .arg(name())
        .arg(model());
    with_configuration(period(command, "7d")).arg(json())
}

fn name() -> Arg {
    let help = "The model: NAME (its champion, or the version that is logged), NAME:VERSION or NAME@ALIAS; or its file";
    Arg::new("name").value_name("NAME").required(true).help(help)
}

fn model() -> Arg {
    Arg::new("model").long("model").value_name("FILE").help("The model file, for a model that is not registered here")
}

fn files(help: &'static str) -> Arg {
    Arg::new("data").value_name("FILE").num_args(1..).required(true).help(help)
}

fn column(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("COL").help(help)
}

fn gate(help: &'static str) -> Arg {
    Arg::new("gate").long("gate").action(ArgAction::SetTrue).help(help)
}

fn against() -> Arg {
    Arg::new("against").long("against").value_name("WHAT").default_value("model").help(
        "What drift is held against: model (its reference rows, else its summaries), an earlier time such as 14d..7d or \
         2026-11-01..2026-11-08, or a file",
    )
}

fn spans(name: &'static str, help: &'static str) -> Arg {
    list(name, "FROM..TO", help)
}

fn period(command: Command, last: &'static str) -> Command {
    command
        .arg(
            Arg::new("last")
                .long("last")
                .value_name("SPAN")
                .default_value(last)
                .conflicts_with("from")
                .help("How far back, such as 24h or 30d"),
        )
        .arg(
            Arg::new("from")
                .long("from")
                .value_name("TIME")
                .help("The first moment, such as 2026-11-01 or 2026-11-01T10:30:00Z"),
        )
        .arg(Arg::new("to").long("to").value_name("TIME").help("The moment before which it ends [default: now]"))
}

fn with_watching(command: Command) -> Command {
    let watching = keys_that(|key| key.name.starts_with(WATCHING));
    with_keys(with_keys(with_configuration(command), &keys_named(&READING)), &watching)
}
