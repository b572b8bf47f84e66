//! Rows of typed values: [`Column`], [`Block`] and [`Table`]. What a reader makes and a pipeline reads.
//!
//! A block is what travels (one online row is a block of one); a table is a block with a schema, held whole.

mod build;
mod levels;

use std::sync::Arc;

use crate::{Error, Field, Kind, Result, Role, Schema};

pub use build::TableBuilder;
pub use levels::{LevelIndex, Levels, LevelsBuilder};

/// Marks a missing value among whole numbers and timestamps. A cell that holds this very number is read as a float.
pub const MISSING_INTEGER: i64 = i64::MIN;

/// Marks a missing value among category codes.
pub const MISSING_CODE: u32 = u32::MAX;

/// Codes into the levels of one column. Codes follow the order of first appearance and mean nothing beyond it:
/// a fitted pipeline maps the strings to its own frozen codes.
#[derive(Debug, Clone, Default)]
pub struct Category {
    /// A code per row; [`MISSING_CODE`] where the value is missing.
    pub codes: Vec<u32>,
    /// The strings behind the codes.
    pub levels: Arc<Levels>,
}

impl Category {
    /// Builds a column from optional strings.
    pub fn from_strings<S: AsRef<str>>(values: impl IntoIterator<Item = Option<S>>) -> Self {
        let mut builder = LevelsBuilder::default();
        let codes = values.into_iter().map(|v| v.map_or(MISSING_CODE, |s| builder.intern(s.as_ref()))).collect();
        Category { codes, levels: Arc::new(builder.finish()) }
    }

    /// The string of a row, or `None` where it is missing.
    pub fn get(&self, row: usize) -> Option<&str> {
        let code = self.codes[row];
        (code != MISSING_CODE).then(|| self.levels.get(code))
    }
}

/// The values of one column, one per row.
#[derive(Debug, Clone)]
pub enum Column {
    /// Numbers; NaN is missing.
    Float(Vec<f64>),
    /// Whole numbers; [`MISSING_INTEGER`] is missing.
    Integer(Vec<i64>),
    /// Microseconds since 1970-01-01T00:00:00Z; [`MISSING_INTEGER`] is missing.
    Timestamp(Vec<i64>),
    /// Booleans, categories and text.
    Category(Category),
}

impl Column {
    /// An empty column that can hold values of a kind.
    pub fn empty(kind: Kind) -> Self {
        match kind {
            Kind::Float => Column::Float(Vec::new()),
            Kind::Integer => Column::Integer(Vec::new()),
            Kind::Timestamp => Column::Timestamp(Vec::new()),
            Kind::Boolean | Kind::Categorical | Kind::Text => Column::Category(Category::default()),
        }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        match self {
            Column::Float(v) => v.len(),
            Column::Integer(v) | Column::Timestamp(v) => v.len(),
            Column::Category(c) => c.codes.len(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the value of a row is missing.
    pub fn is_missing(&self, row: usize) -> bool {
        match self {
            Column::Float(v) => v[row].is_nan(),
            Column::Integer(v) | Column::Timestamp(v) => v[row] == MISSING_INTEGER,
            Column::Category(c) => c.codes[row] == MISSING_CODE,
        }
    }

    /// Appends a missing value.
    pub fn push_missing(&mut self) {
        match self {
            Column::Float(values) => values.push(f64::NAN),
            Column::Integer(values) | Column::Timestamp(values) => values.push(MISSING_INTEGER),
            Column::Category(category) => category.codes.push(MISSING_CODE),
        }
    }

    /// The value of a row as a number: NaN where it is missing, and for categories.
    pub fn number(&self, row: usize) -> f64 {
        match self {
            Column::Float(v) => v[row],
            Column::Integer(v) | Column::Timestamp(v) => integer_to_number(v[row]),
            Column::Category(_) => f64::NAN,
        }
    }

    /// The rows of the given positions, in that order. Levels are shared, not copied.
    #[must_use]
    pub fn take(&self, rows: &[u32]) -> Column {
        fn pick<T: Copy>(values: &[T], rows: &[u32]) -> Vec<T> {
            rows.iter().map(|&r| values[r as usize]).collect()
        }
        match self {
            Column::Float(v) => Column::Float(pick(v, rows)),
            Column::Integer(v) => Column::Integer(pick(v, rows)),
            Column::Timestamp(v) => Column::Timestamp(pick(v, rows)),
            Column::Category(c) => {
                Column::Category(Category { codes: pick(&c.codes, rows), levels: Arc::clone(&c.levels) })
            }
        }
    }
}

/// A whole number as `f64`, NaN for [`MISSING_INTEGER`]. Numbers beyond 2⁵³ are rounded to the nearest.
pub fn integer_to_number(value: i64) -> f64 {
    if value == MISSING_INTEGER { f64::NAN } else { value as f64 }
}

/// Rows of typed columns, all of one length.
#[derive(Debug, Clone, Default)]
pub struct Block {
    columns: Vec<Column>,
    n_rows: usize,
}

impl Block {
    /// Checks that all columns have `n_rows` rows.
    ///
    /// # Errors
    /// [`Error::Length`] names the first column (by position) that does not.
    pub fn new(columns: Vec<Column>, n_rows: usize) -> Result<Self> {
        match columns.iter().position(|c| c.len() != n_rows) {
            Some(i) => Err(Error::Length { name: format!("#{}", i + 1), found: columns[i].len(), expected: n_rows }),
            None => Ok(Block { columns, n_rows }),
        }
    }

    /// The columns, in the order of the schema.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// One column.
    pub fn column(&self, position: usize) -> &Column {
        &self.columns[position]
    }

    /// How many rows there are.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Takes the columns out.
    pub fn into_columns(self) -> Vec<Column> {
        self.columns
    }
}

/// A table held in memory: a block with the schema that names its columns.
#[derive(Debug, Clone, Default)]
pub struct Table {
    schema: Schema,
    block: Block,
    row_hashes: Option<Vec<u64>>,
}

impl Table {
    /// Puts columns under a schema.
    ///
    /// # Errors
    /// [`Error::Length`] if the columns differ in length or in number from the schema.
    pub fn new(schema: Schema, columns: Vec<Column>) -> Result<Self> {
        if schema.len() != columns.len() {
            return Err(Error::Length { name: "(columns)".into(), found: columns.len(), expected: schema.len() });
        }
        let n_rows = columns.first().map_or(0, Column::len);
        let block = Block::new(columns, n_rows).map_err(|e| match e {
            Error::Length { name, found, expected } => {
                let position = name.trim_start_matches('#').parse::<usize>().map_or(0, |p| p - 1);
                Error::Length { name: schema.fields()[position].name.clone(), found, expected }
            }
            other => other,
        })?;
        Ok(Table { schema, block, row_hashes: None })
    }

    /// What the columns are.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The rows as a block.
    pub fn block(&self) -> &Block {
        &self.block
    }

    /// How many rows there are.
    pub fn n_rows(&self) -> usize {
        self.block.n_rows
    }

    /// One column, by position.
    pub fn column(&self, position: usize) -> &Column {
        &self.block.columns[position]
    }

    /// One column, by name.
    ///
    /// # Errors
    /// [`Error::UnknownColumn`], with the nearest name.
    pub fn column_named(&self, name: &str) -> Result<&Column> {
        Ok(self.column(self.schema.require(name)?))
    }

    /// Says that this table has some columns of a wider one, whose rows have these hashes
    /// ([`row_hashes`](crate::split::row_hashes) over all columns that are not ignored). Its rows are then told apart by them.
    ///
    /// # Panics
    /// If there is not one for each row.
    #[must_use]
    pub fn with_row_hashes(self, hashes: Vec<u64>) -> Self {
        assert_eq!(hashes.len(), self.n_rows(), "invariant: one hash per row");
        Table { row_hashes: Some(hashes), ..self }
    }

    /// The hashes of the rows of the wider table that this one has some columns of.
    pub fn row_hashes(&self) -> Option<&[u64]> {
        self.row_hashes.as_deref()
    }

    /// Takes the hashes of the rows away.
    pub fn take_row_hashes(&mut self) -> Option<Vec<u64>> {
        self.row_hashes.take()
    }

    /// Gives a column another role.
    pub fn set_role(&mut self, position: usize, role: Role) {
        self.schema.set_role(position, role);
    }

    /// Drops every column that `keep` refuses.
    pub fn retain_columns(&mut self, mut keep: impl FnMut(&Field) -> bool) {
        let fields = std::mem::take(&mut self.schema).fields().to_vec();
        let columns = std::mem::take(&mut self.block.columns);
        let (fields, columns): (Vec<Field>, Vec<Column>) =
            fields.into_iter().zip(columns).filter(|(field, _)| keep(field)).unzip();
        self.schema = Schema::new(fields).expect("invariant: names stay unique when some are dropped");
        self.block.columns = columns;
    }

    /// The rows of the given positions, in that order.
    #[must_use]
    pub fn take(&self, rows: &[u32]) -> Table {
        let columns = self.block.columns.iter().map(|c| c.take(rows)).collect();
        let row_hashes = self.row_hashes.as_ref().map(|hashes| rows.iter().map(|&r| hashes[r as usize]).collect());
        Table { schema: self.schema.clone(), block: Block { columns, n_rows: rows.len() }, row_hashes }
    }

    /// Takes schema and columns apart.
    pub fn into_parts(self) -> (Schema, Vec<Column>) {
        (self.schema, self.block.columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_keep_the_order_of_first_appearance_and_their_bytes() {
        let c = Category::from_strings([Some("b"), None, Some("a"), Some("b"), Some(""), Some("é")]);
        assert_eq!(c.codes, [0, MISSING_CODE, 1, 0, 2, 3]);
        assert_eq!(c.levels.iter().collect::<Vec<_>>(), ["b", "a", "", "é"]);
        assert_eq!(c.levels.sorted(), [2, 1, 0, 3]);
        assert_eq!((c.get(1), c.get(4)), (None, Some("")));
    }

    #[test]
    fn many_levels_are_found_again() {
        let mut builder = LevelsBuilder::default();
        for i in 0..100_000u32 {
            assert_eq!(builder.intern(&i.to_string()), i);
        }
        assert_eq!(builder.find("77777"), Some(77_777));
        assert_eq!(builder.intern("4"), 4);
        assert_eq!(builder.find("x"), None);
    }

    #[test]
    fn columns_of_another_length_are_refused_by_name() {
        let schema = Schema::new(vec![Field::feature("a", Kind::Float), Field::feature("b", Kind::Float)]).unwrap();
        let error = Table::new(schema, vec![Column::Float(vec![1.0]), Column::Float(vec![])]).unwrap_err();
        assert_eq!(error, Error::Length { name: "b".into(), found: 0, expected: 1 });
    }
}
