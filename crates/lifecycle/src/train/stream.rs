//! Files as a source of rows that is read again and again, for tables that are not held.

use std::collections::BTreeMap;

use tabwright_core::block::TableBuilder;
use tabwright_core::random::{Keyed, Purpose};
use tabwright_core::{
    Context, Error as CoreError, Event, Result as CoreResult, Role, RowSet, Rows, Schema, Source, Table, split,
};
use tabwright_data::{Input, ReadOptions, StreamRequest, Survey};

use crate::error::{Error, Result};

/// Rows of a block of a stream.
const BATCH_ROWS: usize = 16_384;

/// A keyed share of the rows, drawn by their number: equal rows are drawn one by one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct RowSample {
    /// Seed of the draw.
    pub(super) seed: u64,
    /// Which share of the rows is drawn.
    pub(super) share: f64,
}

/// The rows of files.
#[derive(Debug, Clone)]
pub(super) struct FileRows {
    inputs: Vec<Input>,
    options: ReadOptions,
    schema: Schema,
    /// How many rows the survey met.
    rows: usize,
    /// The rows that are read at all.
    sample: Option<RowSample>,
    /// Rows that lack this column are passed over.
    target: Option<usize>,
}

impl FileRows {
    /// The rows that a survey went over, under its schema with the roles of a training.
    pub(super) fn new(inputs: Vec<Input>, options: &ReadOptions, survey: &Survey, schema: Schema) -> Self {
        let details = &survey.details;
        let options = ReadOptions {
            // What was detected once is not guessed again.
            format: Some(details.format),
            delimiter: details.delimiter.or(options.delimiter),
            quote: details.quote.or(options.quote),
            header: details.header.or(options.header),
            encoding: options.encoding.clone().or_else(|| details.encoding.clone().filter(|_| inputs.len() == 1)),
            na: options.na.clone(),
            zone: options.zone.clone(),
            types: BTreeMap::new(),
            roles: BTreeMap::new(),
            drop: Vec::new(),
            columns: None,
            ..options.clone()
        };
        FileRows { inputs, options, schema, rows: survey.rows, sample: None, target: None }
    }

    /// Reads a share of the rows only.
    pub(super) fn sampled(self, sample: Option<RowSample>) -> Self {
        FileRows { sample, ..self }
    }

    /// Passes over rows that lack a column.
    pub(super) fn with_target(self, target: usize) -> Self {
        FileRows { target: Some(target), ..self }
    }

    /// Reads some columns into a table, which knows the hashes of its rows over all columns; says which of the rows read come
    /// from the first `n_main` files.
    pub(super) fn gather(&self, columns: &[usize], n_main: usize, context: Context<'_>) -> Result<(Table, usize)> {
        let fields = columns.iter().map(|&c| self.schema.fields()[c].clone()).collect();
        let mut builder = TableBuilder::new(Schema::new(fields)?);
        let mut hashes = Vec::new();
        let (mut done, mut main) = (0, 0);
        self.read(&mut |table, set, file| {
            if context.cancel.is_cancelled() {
                return Err(CoreError::Cancelled);
            }
            let own = row_hashes(table);
            hashes.extend(set.iter().map(|row| own[row]));
            builder.push(Rows::new(table.block(), set), columns);
            main += if file < n_main { set.len() } else { 0 };
            done += table.n_rows() as u64;
            context.observer.event(Event::Progress { done, total: Some(self.rows as u64) });
            Ok(())
        })
        .map_err(|error| match error {
            CoreError::Cancelled => Error::Cancelled("no model was written".into()),
            other => other.into(),
        })?;
        hashes.shrink_to_fit();
        Ok((builder.finish()?.with_row_hashes(hashes), main))
    }

    /// Lends every block, the rows of it that are meant, and the file that it comes from.
    fn read(&self, visit: &mut dyn FnMut(&Table, RowSet<'_>, usize) -> CoreResult<()>) -> CoreResult<()> {
        let failed = |error: tabwright_data::Error| CoreError::Source { message: error.to_string() };
        let request = StreamRequest {
            passed_over: Vec::new(),
            expected: self.schema.fields().iter().map(|f| (f.name.clone(), f.kind)).collect(),
            keep: Vec::new(),
            batch_size: BATCH_ROWS,
            // Sums are taken in blocks of rows: where a batch ends must depend on their number alone.
            batch_bytes: usize::MAX,
        };
        let mut stream = tabwright_data::open_stream(&self.inputs, &request, &self.options).map_err(failed)?;
        let mut rows = 0;
        while let Some(block) = stream.next() {
            let block = block.map_err(failed)?;
            let first = rows;
            rows += block.block.n_rows();
            if let Some(bad) = block.bad.first() {
                let place = stream.place(block.places[bad.row]);
                return Err(self.changed(&format!("{place} has `{}`, which is {}", bad.found, bad.message)));
            }
            let file = block.places.first().map_or(0, |place| place.file);
            let table = Table::new(self.schema.clone(), block.block.into_columns())?;
            match self.meant(&table, first) {
                None => visit(&table, RowSet::Range(0, table.n_rows()), file)?,
                Some(meant) => visit(&table, RowSet::List(&meant), file)?,
            }
        }
        match rows == self.rows {
            true => Ok(()),
            false => Err(self.changed(&format!("it had {} rows and has {rows}", self.rows))),
        }
    }

    fn changed(&self, how: &str) -> CoreError {
        let name = self.inputs.first().map_or("-", Input::name);
        let message = format!("{name} changed while it was read: {how}; train again when it is complete");
        CoreError::Source { message }
    }

    /// The rows of a block that are meant, where those are not all; `first` is the number of its first row.
    fn meant(&self, table: &Table, first: usize) -> Option<Vec<u32>> {
        if self.sample.is_none() && self.target.is_none() {
            return None;
        }
        let drawn = self.sample.map(|RowSample { seed, share }| (Keyed::new(seed, Purpose::MemorySample), share));
        let is_drawn = |row: u32| {
            drawn.as_ref().is_none_or(|(keyed, share)| keyed.uniform(first as u64 + u64::from(row)) < *share)
        };
        let has_target = |row: u32| self.target.is_none_or(|t| !table.column(t).is_missing(row as usize));
        Some((0..table.n_rows() as u32).filter(|&row| has_target(row) && is_drawn(row)).collect())
    }
}

/// Over all columns that are not ignored.
fn row_hashes(table: &Table) -> Vec<u64> {
    split::row_hashes(table, |position| table.schema().fields()[position].role != Role::Ignored)
}

impl Source for FileRows {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn scan(&self, visit: &mut dyn FnMut(Rows<'_>) -> CoreResult<()>) -> CoreResult<()> {
        self.read(&mut |table, set, _| visit(Rows::new(table.block(), set)))
    }
}
