//! The commands about what is kept: runs and registered models.

use clap::{Arg, ArgAction, Command, value_parser};

use super::{json, list, no_record, reading, with_configuration};

/// `runs`.
pub(super) fn runs() -> Command {
    let command = Command::new("runs")
        .about("Find, show, compare, bring in and throw away the runs that were recorded")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommand(runs_list())
        .subcommand(with_configuration(
            Command::new("show").about("Show all that was recorded of a run").arg(run("RUN")).arg(json()),
        ))
        .subcommand(with_configuration(
            Command::new("compare")
                .about("Put runs side by side: what differs, what is best, and whether that is more than noise")
                .arg(
                    Arg::new("runs")
                        .value_name("RUN")
                        .num_args(2..)
                        .required(true)
                        .help("Ids, or their first four digits or more"),
                )
                .arg(Arg::new("metric").long("metric").value_name("METRIC").help(
                    "What decides, such as test.roc_auc [default: project.primary_metric, else that of the first run]",
                ))
                .arg(
                    Arg::new("output")
                        .short('o')
                        .long("output")
                        .value_name("FILE")
                        .help("Draws the curves: .html for all of them, .svg for that of the folds, else the first"),
                )
                .arg(json()),
        ))
        .subcommand(with_configuration(
            Command::new("tag")
                .about("Set tags and the note of a run")
                .arg(run("RUN"))
                .arg(
                    Arg::new("tags")
                        .value_name("NAME=VALUE")
                        .num_args(0..)
                        .help("Tags to set; a new value replaces the old"),
                )
                .arg(Arg::new("note").long("note").value_name("TEXT").help("The note; it replaces the old"))
                .arg(json()),
        ))
        .subcommand(with_configuration(
            Command::new("import")
                .about(
                    "Bring in runs that lie in files because the store could not take them; twice is as good as once",
                )
                .arg(
                    Arg::new("files")
                        .value_name("FILE")
                        .num_args(1..)
                        .required(true)
                        .help("Files that end in .run.json"),
                )
                .arg(json()),
        ));
    runs_trash(command)
}

fn runs_list() -> Command {
    let command = Command::new("list")
        .about("List runs, the latest first")
        .after_help(
            "Fields: metrics.NAME, params.NAME, tags.NAME, run_id, name, kind, status, project, experiment, started, ended, \
             seconds.\nOperators: =, !=, <, <=, >, >=, like ('%' any characters, '_' one), in (…), is null, and, or, not.\n\n\
             Examples:\n  tabwright runs list --filter \"metrics.roc_auc > 0.8 and params.type = 'gbdt_leafwise'\"\n  \
             tabwright runs list --filter \"tags.owner like 'a%' and started > '2026-11-01'\" --sort metrics.test.log_loss",
        )
        .arg(Arg::new("filter").long("filter").value_name("CONDITION").default_value("").help("Which runs"))
        .arg(
            Arg::new("sort")
                .long("sort")
                .value_name("FIELD")
                .action(ArgAction::Append)
                .value_delimiter(',')
                .help("Order by a field, with asc or desc behind it; of metrics, the best come first [default: started desc]"),
        )
        .arg(
            Arg::new("limit")
                .long("limit")
                .value_name("N")
                .default_value("20")
                .value_parser(value_parser!(u32).range(1..=10_000))
                .help("Runs at most"),
        )
        .arg(
            Arg::new("offset")
                .long("offset")
                .value_name("N")
                .default_value("0")
                .value_parser(value_parser!(u64))
                .help("Runs that are passed over: the next page"),
        )
        .arg(
            Arg::new("nested")
                .long("nested")
                .action(ArgAction::SetTrue)
                .help("Also the runs within runs, such as the candidates of a training"),
        )
        .arg(Arg::new("parent").long("parent").value_name("RUN").help("The runs within this one alone"))
        .arg(
            Arg::new("deleted").long("deleted").action(ArgAction::SetTrue).help("The runs in the trash, and no others"),
        )
        .arg(json());
    with_configuration(command)
}

/// Throws runs away, and brings them back.
fn runs_trash(command: Command) -> Command {
    let runs = || {
        let help = "Ids, or their first four digits or more";
        Arg::new("runs").value_name("RUN").num_args(1..).required(true).help(help)
    };
    command
        .subcommand(with_configuration(
            Command::new("rm")
                .about("Throw runs away, each with those within it. They can be brought back until `tabwright gc` frees them")
                .arg(runs())
                .arg(json()),
        ))
        .subcommand(with_configuration(
            Command::new("restore").about("Bring runs back from the trash").arg(runs()).arg(json()),
        ))
}

/// `gc`.
pub(super) fn gc() -> Command {
    let command = Command::new("gc")
        .about("Free the disk: what has been in the trash for long, and files that nothing refers to")
        .after_help(
            "What an alias, a run under way or a version that is not thrown away needs is never freed, nor is a file that \
             was written within the last hour.\n\n\
             Examples:\n  tabwright gc --dry-run\n  tabwright gc --older-than 7d",
        )
        .arg(
            Arg::new("dry-run")
                .long("dry-run")
                .action(ArgAction::SetTrue)
                .help("Free nothing, and say what would be freed"),
        )
        .arg(
            Arg::new("older-than")
                .long("older-than")
                .value_name("SPAN")
                .default_value("30d")
                .help("How long something must have been in the trash: a whole number and s, m, h, d or w"),
        )
        .arg(json());
    with_configuration(command)
}

/// `models`.
pub(super) fn models() -> Command {
    Command::new("models")
        .about("The registry: versions of models, their aliases, and how they become champion")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommand(with_configuration(
            Command::new("list").about("List the registered models").arg(deleted()).arg(json()),
        ))
        .subcommand(with_configuration(
            Command::new("show")
                .about("Show a model with its versions, aliases and every move of them; or one version")
                .arg(Arg::new("model").value_name("NAME").required(true).help("NAME, NAME:VERSION or NAME@ALIAS"))
                .arg(Arg::new("at").long("at").value_name("TIME").help(
                    "Which version each alias meant then: 2026-11-27 (its end) or 2026-11-27T10:30:00 (UTC, or with an offset)",
                ))
                .arg(deleted())
                .arg(json()),
        ))
        .subcommand(with_configuration(register()))
        .subcommand(with_configuration(promote()))
        .subcommand(with_configuration(
            Command::new("rollback")
                .about("Point an alias to where it pointed before; again, one step further back")
                .arg(Arg::new("model").value_name("NAME").required(true).help("The name of the model"))
                .arg(alias("The alias that goes back"))
                .arg(why())
                .arg(json()),
        ))
        .subcommand(with_configuration(
            Command::new("alias")
                .about("Point an alias to a version without asking the gate, or take it away. For all but champion")
                .arg(version())
                .arg(Arg::new("alias").value_name("ALIAS").required(true).help("The alias, such as challenger"))
                .arg(Arg::new("remove").long("remove").action(ArgAction::SetTrue).help("Take the alias away"))
                .arg(why())
                .arg(json()),
        ))
        .subcommand(reading(with_configuration(diff())))
        .subcommand(with_configuration(
            Command::new("reproduce")
                .about("Repeat the training of a version and compare, bit for bit. Exit code 4 if it differs")
                .arg(version())
                .arg(
                    Arg::new("data")
                        .value_name("DATA")
                        .num_args(0..)
                        .help("Files to read instead of those that the run names"),
                )
                .arg(json()),
        ))
        .subcommand(with_configuration(
            Command::new("rm")
                .about(
                    "Throw a version away, or a model with all its versions. They can be brought back until `tabwright gc` \
                     frees them; numbers are never used again",
                )
                .arg(version_or_all())
                .arg(why())
                .arg(json()),
        ))
        .subcommand(with_configuration(
            Command::new("restore")
                .about("Bring a version back from the trash, or all versions of a model")
                .arg(version_or_all())
                .arg(why())
                .arg(json()),
        ))
}

fn version_or_all() -> Arg {
    let help = "NAME:VERSION, or NAME: all of its versions";
    Arg::new("model").value_name("NAME[:VERSION]").required(true).help(help)
}

fn deleted() -> Arg {
    Arg::new("deleted").long("deleted").action(ArgAction::SetTrue).help("The versions in the trash, and no others")
}

fn diff() -> Command {
    let model = |name: &'static str| {
        let help = "A model file, or a registered NAME:VERSION, NAME@ALIAS or NAME (its champion)";
        Arg::new(name).value_name(if name == "a" { "A" } else { "B" }).required(true).help(help)
    };
    Command::new("diff")
        .about(
            "Tell two models apart: schema, features, hyperparameters, metrics; and the decisions that flip, and why",
        )
        .after_help(
            "The exit code is 0 whatever differs: a gate decides what may be promoted (tabwright models promote).\n\n\
             Examples:\n  tabwright models diff churn:1 churn:2\n  \
             tabwright models diff churn@champion new.tw --data newest.csv -o diff.html",
        )
        .arg(model("a"))
        .arg(model("b"))
        .arg(list("data", "FILE", "Files whose rows both are asked about"))
        .arg(
            Arg::new("output")
                .short('o')
                .long("output")
                .visible_alias("html")
                .value_name("FILE")
                .help("A page with pictures as well: .html"),
        )
        .arg(json())
}

/// `retrain`.
pub(super) fn retrain() -> Command {
    let command = Command::new("retrain")
        .about("Train a registered model anew from its recorded recipe, on new data, and register it as challenger")
        .arg(version())
        .arg(
            Arg::new("data")
                .value_name("DATA")
                .num_args(0..)
                .help("Files, globs or a folder [default: those that the version was trained with]"),
        )
        .arg(no_record())
        .arg(json());
    with_configuration(command)
}

fn register() -> Command {
    Command::new("register")
        .about("Register a model file as the next version of a name")
        .arg(Arg::new("file").value_name("FILE").required(true).help("The model file"))
        .arg(Arg::new("name").long("name").value_name("NAME").required(true).help("The name of the model"))
        .arg(
            Arg::new("alias")
                .long("alias")
                .value_name("ALIAS")
                .help("An alias that is to point to it, such as challenger"),
        )
        .arg(
            Arg::new("description")
                .long("description")
                .value_name("TEXT")
                .default_value("")
                .help("A sentence for people"),
        )
        .arg(list("tag", "NAME=VALUE", "Tags of the version"))
        .arg(why())
        .arg(json())
}

fn promote() -> Command {
    Command::new("promote")
        .about("Move an alias to a version, if the gate lets it pass. Exit code 4 and the reasons if it does not")
        .after_help(
            "The gate is [registry.gate] in tabwright.toml. Unless it says otherwise, a version must not be worse than the one \
             that the alias points to, beyond noise, on rows that neither was fitted on.\n\n\
             Examples:\n  tabwright models promote churn:2\n  tabwright models promote churn:2 --alias shadow\n  \
             tabwright models promote churn:2 --force --why \"the old one fails on new plans\"",
        )
        .arg(version())
        .arg(alias("The alias that moves"))
        .arg(Arg::new("force").long("force").action(ArgAction::SetTrue).help("Move it whatever the gate says; needs --why"))
        .arg(why())
        .arg(list("data", "FILE", "Files to compare on, instead of those that the version was trained with"))
        .arg(json())
}

fn run(name: &'static str) -> Arg {
    Arg::new("run").value_name(name).required(true).help("The id of the run, or its first four digits or more")
}

fn version() -> Arg {
    let help = "NAME:VERSION, NAME@ALIAS, or NAME, which means NAME@champion";
    Arg::new("model").value_name("NAME:VERSION").required(true).help(help)
}

fn alias(help: &'static str) -> Arg {
    Arg::new("alias").long("alias").value_name("ALIAS").default_value("champion").help(help)
}

fn why() -> Arg {
    Arg::new("why").long("why").value_name("TEXT").default_value("").help("The reason, for the audit trail")
}
