//! `tabwright example`: generated tables to try things on.

use std::process::ExitCode;

use clap::ArgMatches;
use tabwright_lifecycle::example::{self, Example};

use crate::error::Failure;
use crate::screen;

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let name = matches.get_one::<String>("name").map_or("churn", String::as_str);
    let which = if name == "churn" { Example::Churn } else { Example::Houses };
    let rows = matches.get_one::<u32>("rows").copied().unwrap_or(4000) as usize;
    let seed = matches.get_one::<u64>("seed").copied().unwrap_or(42);
    let output = matches.get_one::<String>("output").map_or("-", String::as_str);
    example::write(which, rows, seed, output)?;
    if output != "-" {
        let target = if name == "churn" { "churned" } else { "price" };
        screen::print(&format!(
            "{} rows in {output}\nNext: tabwright train {output} --target {target}\n",
            screen::count(rows)
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
