//! The commands about serving.

use clap::{Arg, ArgAction, Command};

use super::{LOGGING, SERVING, json, keys_that, with_configuration, with_keys};

/// `serve`.
pub(super) fn serve() -> Command {
    let keys = keys_that(|key| key.name.starts_with(SERVING) || key.name.starts_with(LOGGING));
    let command = Command::new("serve")
        .about("Serve models over HTTP: predictions, health, metrics, MLflow scoring, Open Inference Protocol")
        .after_help(
            "It listens on loopback, where nobody else can reach it; another address needs a token (`tabwright token create`). \
             SIGTERM ends it when all that was asked is answered, SIGHUP has it take up new settings, files and certificates. \
             An alias that moves is taken up within a second.\n\n\
             Examples:\n  tabwright serve churn\n  tabwright serve churn@champion churn@challenger --shadow churn@challenger\n  \
             tabwright serve model.tw --port 9000\n  \
             tabwright serve churn --log durable\n  \
             tabwright serve churn --canary churn@challenger=0.1 --canary-key churn=customer_id",
        )
        .arg(
            Arg::new("models")
                .value_name("MODEL")
                .num_args(1..)
                .required(true)
                .action(ArgAction::Append)
                .help("Model files (served by their names without .tw), or registered NAME:VERSION, NAME@ALIAS or NAME (its champion)"),
        );
    with_configuration(with_keys(command, &keys))
        .arg(json().help("Print one JSON line on standard output when it listens"))
}
