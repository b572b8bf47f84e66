//! The commands about a project as a whole: its folder and its tests.

use std::path::PathBuf;

use clap::{Arg, Command, value_parser};

use super::{json, list, with_configuration};

/// `init`.
pub(super) fn init() -> Command {
    Command::new("init")
        .about("Make a project: folders for data, models and reports, a configuration, tests, and a workflow for CI")
        .after_help(
            "Examples:\n  tabwright init churn\n  tabwright init houses --from sales.csv --target price\n\n\
             Without --from, the project has a generated sample, so that every command works at once.",
        )
        .arg(
            Arg::new("folder")
                .value_name("DIR")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("The folder; it is made, or it is there and empty"),
        )
        .arg(list("from", "DATA", "Files, globs or a folder that are copied to data/raw").requires("target"))
        .arg(Arg::new("target").long("target").value_name("COL").requires("from").help("The column to predict"))
        .arg(
            Arg::new("name")
                .long("name")
                .value_name("NAME")
                .help("The name of project and model [default: that of the folder]"),
        )
        .arg(json())
}

/// `test`.
pub(super) fn test() -> Command {
    let command = Command::new("test")
        .about("Run the data and model tests of a project. Exit code 4 if one is not met")
        .after_help(
            "Tests stand in tests/*.toml: [[data]] says what is expected of data, [[model]] what of a model. Paths in them are \
             meant from the folder of tabwright.toml.\n\n\
             Examples:\n  tabwright test\n  tabwright test tests/data.toml --junit reports/tests.xml\n  tabwright test ../other-project",
        )
        .arg(
            Arg::new("paths")
                .value_name("DIR|FILES")
                .num_args(0..)
                .value_parser(value_parser!(PathBuf))
                .help("A project, or test files [default: the project here]"),
        )
        .arg(
            Arg::new("junit")
                .long("junit")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("Also writes the outcome as JUnit XML, which CI systems read"),
        )
        .arg(json());
    with_configuration(command)
}
