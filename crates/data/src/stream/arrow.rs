//! Parquet and Arrow IPC files as a stream of blocks.

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::DataType;
use tabwright_core::{Category, Column, Kind};

use crate::arrow::convert::{self, Cells};
use crate::arrow::open::{self, Batches};
use crate::error::{Place, Position};
use crate::infer::boolean_levels;
use crate::part::{Mode, Part, Rules, Values};
use crate::read::rules;
use crate::text::TextColumn;
use crate::time::Zone;
use crate::{Error, Format, Input, ReadOptions, Result};

use super::slot::{Route, Slot};
use super::{BadRow, Batched, Opened, Raw, RowPlace, StreamBlock, StreamRequest, Waves, check_columns, extra_columns};

pub(super) fn open(inputs: &[Input], format: Format, request: &StreamRequest, options: &ReadOptions) -> Result<Opened> {
    let rules = rules(options)?;
    let mut files = Vec::new();
    let mut extra = Vec::new();
    let mut keep_kinds = Vec::new();
    for (index, input) in inputs.iter().enumerate() {
        let schema = open::schema(input, format, options)?;
        options.check_width(input.name(), schema.fields().len())?;
        let names: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
        crate::csv::open::refuse_twins(input.name(), &names)?;
        check_columns(input.name(), &names, request)?;
        let route = Route::new(names.iter().map(String::as_str), request);
        let columns: Vec<usize> =
            (0..names.len()).filter(|&c| route.expected[c].is_some() || !route.keep[c].is_empty()).collect();
        for &column in &columns {
            let field = schema.field(column);
            open::check_type(input, field.name(), field.data_type())?;
        }
        let kinds: Vec<Kind> = request
            .keep
            .iter()
            .map(|name| schema.field_with_name(name).map_or(Kind::Text, |f| convert::kept_kind(f.data_type())))
            .collect();
        if index == 0 {
            extra = extra_columns(&names, request);
            keep_kinds.clone_from(&kinds);
        }
        if kinds != keep_kinds {
            let message = format!("the columns to keep have other types than in {}", inputs[0].name());
            return Err(Error::unreadable(Place::file(input.name()), message));
        }
        let expected = columns.iter().map(|&c| route.expected[c]).collect();
        let keep = columns.iter().map(|&c| route.keep[c].clone()).collect();
        files.push(File { columns, route: Route { expected, keep } });
    }
    let keep = request.keep.iter().cloned().zip(keep_kinds).collect();
    let shape = Shape { inputs: inputs.to_vec(), files, request: request.clone(), rules };
    let source = ArrowBatches { shape, format, next: 0, batches: None, rows: 0 };
    Ok(Opened { blocks: Box::new(Waves::new(source)), header: None, keep, extra, warnings: Vec::new() })
}

struct File {
    columns: Vec<usize>,
    /// The way of the columns that are read.
    route: Route,
}

struct Shape {
    inputs: Vec<Input>,
    files: Vec<File>,
    request: StreamRequest,
    rules: Rules,
}

struct ArrowBatches {
    shape: Shape,
    format: Format,
    next: usize,
    batches: Option<Batches>,
    /// Rows of the file before the next batch.
    rows: u64,
}

struct RawBatch {
    file: usize,
    batch: RecordBatch,
    rows_before: u64,
}

impl Batched for ArrowBatches {
    type Raw = RawBatch;
    type Shape = Shape;

    fn read(&mut self) -> Result<Option<RawBatch>> {
        loop {
            if let Some(batches) = &mut self.batches {
                if let Some(batch) = batches.next()? {
                    let rows_before = self.rows;
                    self.rows += batch.num_rows() as u64;
                    return Ok(Some(RawBatch { file: self.next - 1, batch, rows_before }));
                }
                self.batches = None;
            }
            let Some(input) = self.shape.inputs.get(self.next) else { return Ok(None) };
            let columns = &self.shape.files[self.next].columns;
            self.batches = Some(Batches::open(input, self.format, columns, self.shape.request.batch_size)?);
            self.next += 1;
            self.rows = 0;
        }
    }

    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn parse(shape: &Shape, raw: RawBatch) -> Result<Option<StreamBlock>> {
        let n_rows = raw.batch.num_rows();
        let mut bad = Vec::new();
        let mut expected: Vec<Option<Column>> = shape.request.expected.iter().map(|_| None).collect();
        let mut keep: Vec<Option<Column>> = shape.request.keep.iter().map(|_| None).collect();
        let route = &shape.files[raw.file].route;
        for (index, array) in raw.batch.columns().iter().enumerate() {
            let failed = |message| Error::unreadable(Place::file(shape.inputs[raw.file].name()), message);
            if let Some(position) = route.expected[index] {
                let (name, kind) = &shape.request.expected[position];
                expected[position] = Some(shape.column(array, name, *kind, &mut bad).map_err(failed)?);
            }
            for &position in &route.keep[index] {
                keep[position] = Some(kept(array, &shape.rules).map_err(failed)?);
            }
        }
        bad.sort_by_key(|b| b.row);
        let place = |row: usize| RowPlace { file: raw.file, position: Position::Row(raw.rows_before + row as u64 + 1) };
        let block = tabwright_core::Block::new(expected.into_iter().flatten().collect(), n_rows)?;
        let keep = keep.into_iter().flatten().collect();
        let places = (0..n_rows).map(place).collect();
        Ok(Some(StreamBlock { block, keep, places, bad, raw: Raw::Batch(raw.batch) }))
    }
}

impl Shape {
    fn column(&self, array: &ArrayRef, name: &str, kind: Kind, bad: &mut Vec<BadRow>) -> Result<Column, String> {
        if convert::kept_kind(array.data_type()) == kind && !kind.is_coded() && self.rules.na.is_empty() {
            return Ok(column_of(convert::part(array, Mode::Infer, &self.rules)?, kind));
        }
        let plain = convert::plain(array)?;
        let cells = Cells::new(&plain, &self.rules.zone)?;
        let mut slot = Slot::new(name, kind, plain.len());
        let mut text = String::new();
        for row in 0..array.len() {
            text.clear();
            match cells.write(row, &mut text) {
                true => slot.target().push(&text, &self.rules, bad),
                false => slot.target().push_missing(),
            }
        }
        Ok(slot.finish())
    }
}

/// A column that is carried through: typed where its type says a kind, else as text.
fn kept(array: &ArrayRef, rules: &Rules) -> Result<Column, String> {
    let kind = convert::kept_kind(array.data_type());
    let rules = Rules { na: Default::default(), zone: rules.zone.clone() };
    let mode = if kind == Kind::Text { Mode::Forced(Kind::Text) } else { Mode::Infer };
    Ok(column_of(convert::part(array, mode, &rules)?, kind))
}

fn column_of(part: Part, kind: Kind) -> Column {
    use tabwright_core::block::{MISSING_CODE, MISSING_INTEGER};
    match part.values {
        Values::Integer(values) => Column::Integer(values),
        Values::Float(values) => Column::Float(values),
        Values::Timestamp(values) => Column::Timestamp(values),
        Values::Boolean(codes) => Column::Category(Category { codes, levels: boolean_levels() }),
        Values::Text(text) => {
            let mut column = TextColumn::default();
            column.append(&text);
            Column::Category(column.finish())
        }
        Values::Missing | Values::Broken => match kind {
            Kind::Integer => Column::Integer(vec![MISSING_INTEGER; part.rows]),
            Kind::Float => Column::Float(vec![f64::NAN; part.rows]),
            Kind::Timestamp => Column::Timestamp(vec![MISSING_INTEGER; part.rows]),
            _ => Column::Category(Category { codes: vec![MISSING_CODE; part.rows], levels: Default::default() }),
        },
    }
}

/// Writes a row as a JSON object.
pub(super) fn row_as_json(batch: &RecordBatch, row: usize) -> String {
    let mut out = String::from("{");
    for (index, (field, array)) in batch.schema().fields().iter().zip(batch.columns()).enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        crate::write::json::push_string(&mut out, field.name());
        out.push_str(": ");
        let mut text = String::new();
        let plain = convert::plain(array);
        let written = plain.as_ref().ok().and_then(|p| Cells::new(p, &Zone::Utc).ok().map(|c| c.write(row, &mut text)));
        let is_bare = field.data_type().is_numeric() || field.data_type() == &DataType::Boolean;
        match written {
            Some(true) if is_bare && !text.contains("inf") => out.push_str(&text),
            Some(true) => crate::write::json::push_string(&mut out, &text),
            _ => out.push_str("null"),
        }
    }
    out.push('}');
    out
}
