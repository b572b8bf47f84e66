//! Files to a table.

use std::collections::BTreeSet;

use tabwright_core::{Code, Context, Event, Schema, Table, Warning, suggest};

use crate::arrow::table::ArrowParser;
use crate::csv::open::CsvFile;
use crate::csv::table::CsvParser;
use crate::decode::Choice;
use crate::error::Place;
use crate::fingerprint::Fingerprint;
use crate::json::table::JsonParser;
use crate::missing::Everywhere;
use crate::options::Details;
use crate::part::Rules;
use crate::passes::{Outcome, Reading, Request};
use crate::time::Zone;
use crate::{Error, Format, Input, ReadOptions, Result};

/// A table with what was learned while it was read.
#[derive(Debug, Clone)]
pub struct ReadOutcome {
    /// The table.
    pub table: Table,
    /// What the user should know.
    pub warnings: Vec<Warning>,
    /// How many rows each input gave.
    pub rows_per_input: Vec<usize>,
    /// Identifies the content.
    pub fingerprint: Fingerprint,
    /// What was found out about the first file.
    pub details: Details,
}

/// Reads files of one format and the same columns into a table. Kinds are inferred from all rows.
///
/// Columns are matched by name and stand in the order of the first file (JSON Lines: of first appearance). Memory
/// follows the columns that are kept, never the text that is read.
///
/// # Errors
/// Every input that cannot be used is refused with file, line and column, as far as they are known; an option that
/// names no column of the files is a usage error.
///
/// # Determinism
/// The table does not depend on the number of threads.
pub fn read_table(inputs: &[Input], options: &ReadOptions, context: Context<'_>) -> Result<ReadOutcome> {
    let (Outcome { table, warnings, rows_per_input, .. }, details) = read(inputs, options, true, context)?;
    let fingerprint = Fingerprint::of(&table);
    Ok(ReadOutcome { table, warnings, rows_per_input, fingerprint, details })
}

/// What a pass over files found out about the table that they hold.
#[derive(Debug, Clone)]
pub struct Survey {
    /// Names, kinds and roles of the columns, as [`read_table`] would find them.
    pub schema: Schema,
    /// How many rows there are.
    pub rows: usize,
    /// What the user should know.
    pub warnings: Vec<Warning>,
    /// How many rows each input gave.
    pub rows_per_input: Vec<usize>,
    /// What was found out about the first file.
    pub details: Details,
}

/// Reads files as [`read_table`] does, and keeps what was found out but no row. Memory follows the distinct strings of the
/// columns, not the rows.
///
/// # Errors
/// As [`read_table`].
///
/// # Determinism
/// As [`read_table`].
pub fn survey(inputs: &[Input], options: &ReadOptions, context: Context<'_>) -> Result<Survey> {
    let (Outcome { table, rows, warnings, rows_per_input }, details) = read(inputs, options, false, context)?;
    Ok(Survey { schema: table.into_parts().0, rows, warnings, rows_per_input, details })
}

fn read(inputs: &[Input], options: &ReadOptions, keeps: bool, context: Context<'_>) -> Result<(Outcome, Details)> {
    let first = inputs.first().ok_or_else(|| Error::Usage("no data is named".into()))?;
    context.observer.event(Event::Phase { name: "reading", steps: None });
    let rules = rules(options)?;
    let request = Request { options, rules: &rules, keeps, context };
    let format = options.format.unwrap_or(first.format());
    let (mut outcome, details, seen) = match format {
        Format::Csv => read_csv(inputs, &request)?,
        Format::Jsonl => {
            let parser = JsonParser::new(inputs, options, &rules)?;
            let outcome = Reading::new(&parser, None, &request).read()?;
            let details = Details { encoding: Some(parser.encoding().to_owned()), ..Details::of_format(format) };
            (outcome, details, parser.seen())
        }
        Format::Parquet | Format::Arrow => {
            let parser = ArrowParser::new(inputs, format, options, &rules)?;
            let names = parser.names();
            check_names(&names, options)?;
            let outcome = Reading::new(&parser, Some(&names), &request).read()?;
            (outcome, Details::of_format(format), names)
        }
    };
    check_names(&seen, options)?;
    if outcome.table.schema().is_empty() {
        return Err(Error::Usage(format!("no column of {} is left to read; see --drop", first.name())));
    }
    if outcome.rows == 0 {
        return Err(Error::unreadable(Place::file(first.name()), "there is no row, only the names of columns"));
    }
    outcome.warnings.sort_by_key(|w| w.column.is_some());
    Ok((outcome, details))
}

/// How cells are read, from what the options say.
pub(crate) fn rules(options: &ReadOptions) -> Result<Rules> {
    Ok(Rules { na: Everywhere::new(&options.na), zone: Zone::named(&options.zone)? })
}

type Read = (Outcome, Details, Vec<String>);

fn read_csv(inputs: &[Input], request: &Request<'_>) -> Result<Read> {
    let options = request.options;
    let mut files: Vec<CsvFile> = inputs.iter().map(|i| CsvFile::open(i, options, None)).collect::<Result<_>>()?;
    align_headers(&mut files, options)?;
    check_names(&files[0].names, options)?;
    loop {
        let names = files[0].names.clone();
        let parser = CsvParser::new(files.clone(), request.rules)?;
        let outcome = Reading::new(&parser, Some(&names), request).read();
        match outcome {
            Ok(mut outcome) => {
                outcome.warnings.extend(files.iter().filter(|f| f.fell_back).map(fallback_warning));
                let first = &files[0];
                let details = Details {
                    format: Format::Csv,
                    delimiter: Some(first.dialect.delimiter),
                    quote: Some(first.dialect.quote),
                    header: Some(first.header),
                    encoding: Some(first.encoding.to_owned()),
                };
                return Ok((outcome, details, names));
            }
            Err(Error::Encoding { place, offset, encoding }) if encoding == encoding_rs::UTF_8.name() => {
                // Nobody asked for UTF-8: the file is read again as what it most likely is.
                let guess = files.iter_mut().find(|f| f.input.name() == place.file && f.choice == Choice::Detect);
                match guess {
                    Some(file) => *file = CsvFile::open(&file.input.clone(), options, Some(Choice::fallback()))?,
                    None => return Err(Error::Encoding { place, offset, encoding }),
                }
            }
            Err(error) => return Err(error),
        }
    }
}

pub(crate) fn fallback_warning(file: &CsvFile) -> Warning {
    let message = format!(
        "{} is not UTF-8 and was read as Windows-1252 (Latin-1); name the encoding if that is wrong",
        file.input.name()
    );
    Warning::general(Code::Encoding, message)
}

/// The first file decides whether there is a header: a later one of few rows may look otherwise by itself.
fn align_headers(files: &mut [CsvFile], options: &ReadOptions) -> Result<()> {
    let header = files[0].header;
    for file in files.iter_mut().skip(1).filter(|f| f.header != header) {
        let options = ReadOptions { header: Some(header), ..options.clone() };
        *file = CsvFile::open(&file.input.clone(), &options, None)?;
    }
    Ok(())
}

/// Refuses options that name a column which is not there.
pub(crate) fn check_names(seen: &[String], options: &ReadOptions) -> Result<()> {
    let known: BTreeSet<&str> = seen.iter().map(String::as_str).collect();
    let asked = options.types.keys().chain(options.roles.keys()).chain(&options.drop);
    let mut asked = asked.chain(options.columns.iter().flatten());
    match asked.find(|name| !known.contains(name.as_str())) {
        None => Ok(()),
        Some(name) => Err(Error::Core(tabwright_core::Error::UnknownColumn {
            name: name.clone(),
            hint: suggest::did_you_mean(name, seen.iter().map(String::as_str)),
            available: suggest::shorten(seen.iter().map(String::as_str)),
        })),
    }
}
