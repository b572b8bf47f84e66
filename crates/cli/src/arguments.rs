//! The commands and their flags. Flags that set a configuration key are made from the table of keys.

mod monitor;
mod project;
mod serve;
mod store;
mod token;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::config::keys::{KEYS, Key, KeyType};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Keys that say how files are read: every command that reads rows takes their flags.
const READING: [&str; 6] = ["data.na", "data.format", "data.delimiter", "data.quote", "data.header", "data.encoding"];
/// Keys that say what columns are: for commands that find it out, where a model does not say it.
const KINDS: [&str; 2] = ["data.types", "data.drop"];

/// Keys of this section are for `serve` alone.
const SERVING: &str = "serve.";
/// Keys of this section are for those commands that predict.
const LOGGING: &str = "log.";
/// Keys of this section are for those commands that watch models.
const WATCHING: &str = "monitor.";

/// The whole command line.
pub(crate) fn command() -> Command {
    Command::new("tabwright")
        .version(env!("CARGO_PKG_VERSION"))
        .about("From a table to a model that earns its keep: read, check, learn, choose, predict, judge.")
        .after_help(
            "Exit codes: 0 ok, 1 failed, 2 bad usage or configuration, 3 unreadable or unusable data, 4 a verdict said no.",
        )
        .styles(STYLES)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommand(train())
        .subcommand(predict())
        .subcommand(evaluate())
        .subcommand(check())
        .subcommand(drift())
        .subcommand(monitor::monitor())
        .subcommand(profile())
        .subcommand(show())
        .subcommand(card())
        .subcommand(store::runs())
        .subcommand(store::models())
        .subcommand(store::retrain())
        .subcommand(project::init())
        .subcommand(project::test())
        .subcommand(serve::serve())
        .subcommand(store::gc())
        .subcommand(token::token())
        .subcommand(example())
        .subcommand(docs())
}

fn train() -> Command {
    let all = keys_that(|key| ![SERVING, LOGGING, WATCHING].iter().any(|section| key.name.starts_with(section)));
    let command = Command::new("train")
        .about("Train candidates with honest validation, keep the best in one model file")
        .after_help(
            "Examples:\n  tabwright train customers.csv --target churned\n  \
             tabwright train 'sales/*.parquet' --target price --candidates gbdt_leafwise,ridge --time sold_on\n  \
             tabwright train customers.csv --target churned --name churn --tag owner=ada\n  \
             tabwright train rows.csv --target y --holdout none --folds 0 --candidates gbdt_depthwise",
        )
        .arg(
            data("Files, globs, a folder of Parquet, or - for standard input; absent: data.source of tabwright.toml")
                .required(false),
        );
    with_configuration(with_keys(command, &all)).arg(no_record()).arg(json())
}

fn no_record() -> Arg {
    Arg::new("no-record").long("no-record").action(ArgAction::SetTrue).help("Leaves no record of the run in the home")
}

fn predict() -> Command {
    reading(
        Command::new("predict")
            .about("Predict rows with a model, in bounded memory and in their order")
            .arg(model())
            .arg(data("Files, globs, a folder of Parquet, or - for standard input"))
            .arg(output("Where predictions go: .csv, .jsonl, .parquet, .arrow (text also .gz or .zst); - is CSV on standard output"))
            .arg(list("keep", "COLS", "Columns of the data to carry through, such as an id"))
            .arg(
                Arg::new("on-error")
                    .long("on-error")
                    .value_name("HOW")
                    .default_value("fail")
                    .help("A row that cannot be used: fail, null (an empty prediction), or reject=FILE (the row goes there)"),
            )
            .arg(
                Arg::new("batch-size")
                    .long("batch-size")
                    .value_name("N")
                    .value_parser(value_parser!(u32).range(1..=10_000_000))
                    .help("Rows predicted at a time [default: 1000 for standard input, 20000 for files]"),
            )
            .arg(threads())
            .arg(
                Arg::new("log")
                    .long("log")
                    .action(ArgAction::SetTrue)
                    .conflicts_with("server")
                    .help("Logs the predictions in the home, so that the model can be watched; [log] says what is kept"),
            )
            .arg(
                Arg::new("log-id")
                    .long("log-id")
                    .value_name("COL")
                    .requires("log")
                    .help("The column with the id of each prediction, by which labels come [default: ids are made, as the column prediction_id]"),
            )
            .arg(
                Arg::new("log-time")
                    .long("log-time")
                    .value_name("COL")
                    .requires("log")
                    .help("The column that says when each prediction was made [default: now]"),
            )
            .arg(
                Arg::new("server")
                    .long("server")
                    .value_name("URL")
                    .help("Has a server predict: one file is sent to it, MODEL is a model by its name there"),
            )
            .arg(
                Arg::new("token")
                    .long("token")
                    .value_name("WHERE")
                    .requires("server")
                    .help("The token for the server: env:NAME or file:PATH that holds it"),
            )
            .arg(
                Arg::new("ca")
                    .long("ca")
                    .value_name("FILE")
                    .requires("server")
                    .help("Certificates (PEM) to trust, beside those of the system"),
            )
            .arg(json()),
    )
}

fn evaluate() -> Command {
    reading(
        Command::new("evaluate")
            .about("Judge a model on rows with known answers: every metric, the confusion matrix, figures per class")
            .arg(model())
            .arg(data("Files, globs, a folder of Parquet, or - for standard input"))
            .arg(Arg::new("weight").long("weight").value_name("COL").help("Column with the weight of each row"))
            .arg(threads())
            .arg(no_record())
            .arg(json().help("Print one JSON document, with the curves")),
    )
}

fn check() -> Command {
    let command = reading(
        Command::new("check")
            .about("Hold data against a model's contract: columns, kinds, levels, ranges. Exit code 4 on a breach")
            .arg(data("Files, globs, a folder of Parquet, or - for standard input"))
            .arg(
                Arg::new("against")
                    .long("against")
                    .value_name("MODEL")
                    .required(true)
                    .help("A model file, or a registered model"),
            )
            .arg(share("max-unseen", "0.05", "Largest share of rows with a level that the model has not seen"))
            .arg(share("max-out-of-range", "0.05", "Largest share of rows outside of the range of the training rows"))
            .arg(share("max-more-missing", "0.10", "Largest rise of the share of missing values"))
            .arg(json()),
    );
    with_keys(command, &keys_named(&KINDS))
}

fn drift() -> Command {
    let command = Command::new("drift")
        .about("Has the world moved? Hold a table against another one, or against what a model remembers")
        .after_help(
            "Examples:\n  tabwright drift january.csv --against december.csv\n  \
             tabwright drift today.parquet --against churn@champion --gate\n  \
             tabwright drift january.csv --against december.csv --test psi --drift-thresholds age=0.2 -o drift.html",
        )
        .arg(data("The current rows: files, globs, a folder of Parquet, or - for standard input"))
        .arg(
            Arg::new("against")
                .long("against")
                .value_name("FILE|MODEL")
                .required(true)
                .action(ArgAction::Append)
                .help("Rows to hold them against, or a model, whose summaries say less than rows"),
        )
        .arg(list("columns", "COL", "Compares these columns only [default: all but identifiers]"))
        .arg(
            Arg::new("whole")
                .long("whole")
                .action(ArgAction::SetTrue)
                .help("Has a classifier try to tell the rows apart, too: what no column shows alone"),
        )
        .arg(Arg::new("gate").long("gate").action(ArgAction::SetTrue).help("Exit code 4 if there is drift"))
        .arg(output("Where the report goes: .md, or .html with a picture"))
        .arg(json());
    let keys = [&READING[..], &KINDS, &["data.zone"]].concat();
    let watching = keys_that(|key| key.name.starts_with(WATCHING));
    with_keys(with_keys(with_configuration(command), &keys_named(&keys)), &watching)
}

fn profile() -> Command {
    let keys = [&READING[..], &KINDS, &["data.zone", "data.target", "data.task", "data.roles"]].concat();
    let command = Command::new("profile")
        .about("Look at a table: kinds, missing values, quantiles, top values, findings")
        .arg(data("Files, globs, a folder of Parquet, or - for standard input"));
    with_keys(command, &keys_named(&keys)).arg(threads()).arg(json())
}

fn show() -> Command {
    Command::new("show")
        .about("Show what a model file holds: signature, pipeline, metrics, plan, lineage")
        .arg(model())
        .arg(json())
}

fn card() -> Command {
    let command = Command::new("card")
        .about("Write the model card from the evidence: what the model is for, how it was made, what it is worth")
        .after_help(
            "What no machine can know (objective, owner, impact, schedules, limits) stands in [project] and [card] of \
             tabwright.toml, and is marked where it is missing.\n\n\
             Examples:\n  tabwright card churn -o card.md\n  tabwright card model.tw --data newest.csv -o card.html",
        )
        .arg(model())
        .arg(list(
            "data",
            "FILE",
            "Files with known answers: performance, slices and reliability on their rows as well",
        ))
        .arg(output("Where the card goes: .md, or .html with pictures; - is Markdown on standard output"))
        .arg(json());
    reading(with_configuration(command))
}

fn example() -> Command {
    Command::new("example")
        .about("Write a realistic generated table to try things on")
        .arg(
            Arg::new("name")
                .value_name("NAME")
                .required(true)
                .value_parser(["churn", "houses"])
                .help("churn (who leaves, yes or no) or houses (what a house sells for)"),
        )
        .arg(output("Where the table goes, in any format; - is CSV on standard output"))
        .arg(
            Arg::new("rows")
                .long("rows")
                .value_name("N")
                .default_value("4000")
                .value_parser(value_parser!(u32).range(1..))
                .help("Number of rows"),
        )
        .arg(
            Arg::new("seed")
                .long("seed")
                .value_name("S")
                .default_value("42")
                .value_parser(value_parser!(u64))
                .help("Another seed, another table; the same seed, the same rows"),
        )
}

fn docs() -> Command {
    Command::new("docs").about("Print reference pages of the guide").arg(
        Arg::new("page")
            .value_name("PAGE")
            .required(true)
            .value_parser(["configuration", "candidates", "commands"])
            .help("configuration: every key; candidates: every type with its hyperparameters; commands: every flag"),
    )
}

fn model() -> Arg {
    let help =
        "A model file (with a / or ending in .tw), or a registered NAME:VERSION, NAME@ALIAS or NAME (its champion)";
    Arg::new("model").value_name("MODEL").required(true).help(help)
}

fn data(help: &'static str) -> Arg {
    Arg::new("data").value_name("DATA").num_args(1..).required(true).help(help)
}

/// Where the answer goes; standard output if nothing else is said.
fn output(help: &'static str) -> Arg {
    Arg::new("output").short('o').long("output").value_name("FILE").default_value("-").help(help)
}

fn json() -> Arg {
    Arg::new("json")
        .long("json")
        .action(ArgAction::SetTrue)
        .help("Print one JSON document on standard output and nothing else")
}

fn threads() -> Arg {
    Arg::new("threads")
        .long("threads")
        .value_name("N")
        .default_value("0")
        .value_parser(value_parser!(usize))
        .help("Number of threads; 0: one for each core. The result is the same")
}

fn list(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).action(ArgAction::Append).value_delimiter(',').help(help)
}

fn share(name: &'static str, default: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name("SHARE")
        .default_value(default)
        .value_parser(|text: &str| match text.parse::<f64>() {
            Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
            _ => Err("a share lies between 0 and 1"),
        })
        .help(help)
}

fn reading(command: Command) -> Command {
    with_keys(command, &keys_named(&READING))
}

fn keys_named(names: &[&str]) -> Vec<&'static Key> {
    keys_that(|key| names.contains(&key.name))
}

fn keys_that(is_meant: impl Fn(&Key) -> bool) -> Vec<&'static Key> {
    KEYS.iter().filter(|key| key.flag.is_some() && is_meant(key)).collect()
}

/// Adds the flags of keys.
fn with_keys(command: Command, keys: &[&'static Key]) -> Command {
    keys.iter().fold(command, |command, key| {
        let Some(flag) = key.flag else { return command };
        let short = if flag == "output" { Some('o') } else { None };
        let mut arg =
            Arg::new(key.name).long(flag).value_name(key.value).allow_hyphen_values(flag == "na").help(help(key));
        if let Some(short) = short {
            arg = arg.short(short);
        }
        if is_plain(key) {
            return command.arg(Arg::new(key.name).long(flag).action(ArgAction::SetTrue).help(help(key)));
        }
        let many = matches!(key.key_type, KeyType::List | KeyType::Pairs | KeyType::Numbers);
        command.arg(if many { arg.action(ArgAction::Append) } else { arg })
    })
}

/// Whether a flag has no value: to be there is all it says.
fn is_plain(key: &Key) -> bool {
    key.key_type == KeyType::Switch && key.value.is_empty()
}

fn help(key: &Key) -> String {
    let shown = key.default.trim_matches('"');
    match shown {
        "" | "[]" | "{}" => key.doc.to_owned(),
        default => format!("{} [default: {default}]", key.doc),
    }
}

fn with_configuration(command: Command) -> Command {
    command
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .value_parser(value_parser!(std::path::PathBuf))
                .help("The configuration file [default: the nearest tabwright.toml from here upwards]"),
        )
        .arg(
            Arg::new("set")
                .long("set")
                .value_name("KEY=VALUE")
                .action(ArgAction::Append)
                .help("Sets any key of the configuration, such as candidates.small.n_estimators=50"),
        )
}

/// The flags of keys that were given.
pub(crate) fn given_keys(matches: &ArgMatches) -> Vec<(&'static Key, Vec<String>)> {
    let given = |key: &'static Key| {
        if is_plain(key) {
            let is_there = matches.try_get_one::<bool>(key.name).ok().flatten() == Some(&true);
            return is_there.then(|| (key, vec!["true".to_owned()]));
        }
        let texts = matches.try_get_many::<String>(key.name).ok().flatten()?;
        Some((key, texts.cloned().collect()))
    };
    KEYS.iter().filter_map(given).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }
}
