//! What the command line asks a server for. An option that a server does not hear is refused: passed over, it would give other
//! predictions than the user asked for.

use std::path::Path;

use clap::ArgMatches;
use clap::parser::ValueSource;
use tabwright_data::{Compression, Format};
use tabwright_lifecycle::error::Error;
use tabwright_lifecycle::file;

use super::super::super::{configuration, texts};
use super::{Request, address};
use crate::arguments;
use crate::config::keys;
use crate::error::Failure;
use crate::home;

/// Keys that say how a file is read, and that no server hears.
const UNHEARD: [&str; 4] = ["data.na", "data.delimiter", "data.quote", "data.header"];

/// Options for predictions on this machine.
const LOCAL: [&str; 2] = ["batch-size", "threads"];

impl Request {
    pub(super) fn read(matches: &ArgMatches, server: &str) -> Result<Self, Failure> {
        let model = matches.get_one::<String>("model").map_or("", String::as_str);
        let keep = texts(matches, "keep");
        let url = address::of_model(server, model, &keep)?;
        refuse_unheard(matches)?;
        let read = configuration(matches, false)?.data.read_options()?;
        let output = matches.get_one::<String>("output").cloned().unwrap_or_else(|| "-".into());
        let (wanted, accept) = wanted(&output)?;
        let accepts_bad_rows = match matches.get_one::<String>("on-error").map_or("fail", String::as_str) {
            "fail" => false,
            "null" => true,
            _ => {
                return Err(Failure::usage(
                    "--on-error with --server is fail or null: the server keeps no file of rows",
                ));
            }
        };
        let token = token(matches)?;
        let inputs = tabwright_data::resolve_inputs(&texts(matches, "data")).map_err(Error::from)?;
        let [input] = inputs.as_slice() else {
            return Err(Failure::usage(format!("a server is sent one file at a time, these are {}", inputs.len())));
        };
        file::check_apart(&[("the predictions", &output)], &inputs)?;
        Ok(Request {
            url,
            token,
            format: read.format.unwrap_or(input.format()),
            encoding: read.encoding,
            input: input.clone(),
            output,
            accept,
            wanted,
            keeps_error: keep.iter().any(|name| name == "error"),
            accepts_bad_rows,
        })
    }
}

fn refuse_unheard(matches: &ArgMatches) -> Result<(), Failure> {
    let mend = "a server reads rows its own way: write the file anew as plain CSV with a header or as JSON Lines, or predict \
                without --server";
    for name in UNHEARD {
        let Some(key) = keys::find(name) else { continue };
        let variable = keys::variable(key);
        if arguments::given_keys(matches).iter().any(|(given, _)| given.name == name) {
            return Err(Failure::usage(format!("--{} is not sent to a server; {mend}", key.flag.unwrap_or(name))));
        }
        if std::env::var_os(&variable).is_some() {
            return Err(Failure::usage(format!("{variable} is not sent to a server; {mend}")));
        }
    }
    match LOCAL.iter().find(|name| matches.value_source(name) == Some(ValueSource::CommandLine)) {
        Some(name) => Err(Failure::usage(format!(
            "--{name} is not sent to a server, which decides by itself; leave it out, or predict without --server"
        ))),
        None => Ok(()),
    }
}

/// The format of the answer, and how it is asked for.
fn wanted(output: &str) -> Result<(Format, &'static str), Failure> {
    let lower = output.to_ascii_lowercase();
    if lower.ends_with(".tsv") {
        return Err(Failure::usage(format!("{output}: a server separates cells by commas; let the name end in .csv")));
    }
    match (Format::of_path(Path::new(output)), output) {
        (_, "-") => Ok((Format::Csv, Format::Csv.media_type())),
        // A file, as `predict` writes it: a stream has no end that a reader could begin with.
        ((Some(Format::Arrow), Compression::None), _) => Ok((Format::Arrow, Format::ARROW_FILE)),
        ((Some(format), Compression::None), _) => Ok((format, format.media_type())),
        ((Some(_), _), _) => {
            Err(Failure::usage(format!("{output}: with --server nothing is packed; leave out .gz and .zst")))
        }
        _ => Err(Failure::usage(format!(
            "the name {output} tells no format; let it end in .csv, .jsonl, .parquet or .arrow"
        ))),
    }
}

fn token(matches: &ArgMatches) -> Result<Option<String>, Failure> {
    match matches.get_one::<String>("token") {
        None => Ok(None),
        Some(text) if text.starts_with("env:") || text.starts_with("file:") => {
            home::referred(text).map(Some).map_err(|why| Failure::usage(format!("--token: {why}")))
        }
        Some(_) => Err(Failure::usage("--token: name where the token is, env:NAME or file:PATH, not the token itself")),
    }
}
