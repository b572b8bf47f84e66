//! The command about tokens: who may ask a server for what.

use clap::builder::PossibleValuesParser;
use clap::{Arg, Command};
use tabwright_store::Scope;

use super::{json, with_configuration};

/// `token`.
pub(super) fn token() -> Command {
    Command::new("token")
        .about("Tokens that callers of `tabwright serve` identify themselves with")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommand(with_configuration(create()))
        .subcommand(with_configuration(
            Command::new("list").about("List the tokens, without their texts, which are stored nowhere").arg(json()),
        ))
        .subcommand(with_configuration(
            Command::new("revoke")
                .about("Revoke a token for good")
                .arg(
                    Arg::new("token")
                        .value_name("ID_OR_NAME")
                        .required(true)
                        .help("The id or the name of the token; its text will do as well"),
                )
                .arg(json()),
        ))
}

fn create() -> Command {
    Command::new("create")
        .about("Create a token and print its text, this once: only a hash of it is stored")
        .after_help(
            "The text alone goes to standard output, what is said about it to standard error.\n\n\
             Examples:\n  TOKEN=$(tabwright token create --name shop --scope predict)\n  \
             tabwright token create --name nightly --scope write --expires 12h\n  \
             curl -H \"Authorization: Bearer $TOKEN\" http://127.0.0.1:8080/v1/models",
        )
        .arg(
            Arg::new("name")
                .long("name")
                .value_name("NAME")
                .required(true)
                .help("The name, which no other token has that is not revoked"),
        )
        .arg(
            Arg::new("scope")
                .long("scope")
                .value_name("SCOPE")
                .required(true)
                .value_parser(PossibleValuesParser::new(Scope::ALL.map(Scope::name)))
                .help("What it lets its holder do; each holds those before it: predict asks for predictions, read sees metrics, write changes what is served, admin reloads the server"),
        )
        .arg(
            Arg::new("expires")
                .long("expires")
                .value_name("SPAN")
                .default_value("90d")
                .help("When it ends: a whole number and s, m, h, d or w from now on; or never"),
        )
        .arg(json())
}
