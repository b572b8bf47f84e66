//! Which rows of a block are meant, and where rows come from: [`Rows`], [`View`] and [`Source`].
//!
//! A fold, a split or a single row is a set of row numbers over a block that nobody copies.

use std::ops::Range;

use crate::{Block, Column, Result, Schema, Table};

/// Rows in one pass of a fit: sums run over blocks of this many rows, so they do not depend on the number of threads.
pub const BLOCK_ROWS: usize = 8_192;

/// Row numbers: a range or a list.
#[derive(Debug, Clone, Copy)]
pub enum RowSet<'a> {
    /// From (inclusive) to (exclusive).
    Range(usize, usize),
    /// In this order.
    List(&'a [u32]),
}

impl<'a> RowSet<'a> {
    /// How many rows are meant.
    pub fn len(self) -> usize {
        match self {
            RowSet::Range(from, to) => to - from,
            RowSet::List(rows) => rows.len(),
        }
    }

    /// Whether no row is meant.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The row number at a position.
    pub fn get(self, position: usize) -> usize {
        match self {
            RowSet::Range(from, _) => from + position,
            RowSet::List(rows) => rows[position] as usize,
        }
    }

    /// The row numbers, in order.
    pub fn iter(self) -> impl ExactSizeIterator<Item = usize> + 'a {
        (0..self.len()).map(move |i| self.get(i))
    }

    /// Part of the set, by position.
    #[must_use]
    pub fn slice(self, positions: Range<usize>) -> RowSet<'a> {
        match self {
            RowSet::Range(from, _) => RowSet::Range(from + positions.start, from + positions.end),
            RowSet::List(rows) => RowSet::List(&rows[positions]),
        }
    }
}

/// Some rows of a block: what every transform and predictor reads.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    block: &'a Block,
    set: RowSet<'a>,
}

impl<'a> Rows<'a> {
    /// All rows of a block.
    pub fn all(block: &'a Block) -> Self {
        Rows { block, set: RowSet::Range(0, block.n_rows()) }
    }

    /// The rows of a set.
    pub fn new(block: &'a Block, set: RowSet<'a>) -> Self {
        Rows { block, set }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.set.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty()
    }

    /// Which rows of the block these are.
    pub fn set(&self) -> RowSet<'a> {
        self.set
    }

    /// A column of the whole block, to be read at [`Rows::set`].
    pub fn column(&self, position: usize) -> &'a Column {
        self.block.column(position)
    }

    /// Other rows of the same block.
    #[must_use]
    pub fn at<'b>(&self, set: RowSet<'b>) -> Rows<'b>
    where
        'a: 'b,
    {
        Rows { block: self.block, set }
    }

    /// Part of the rows, by position.
    #[must_use]
    pub fn slice(&self, positions: Range<usize>) -> Rows<'a> {
        Rows { block: self.block, set: self.set.slice(positions) }
    }
}

/// A stream of rows that can be read again and again: what a fit of few passes reads. A table is one, a file another; a
/// part of a cluster can be one too.
pub trait Source: Sync {
    /// What the columns are.
    fn schema(&self) -> &Schema;

    /// Lends the rows to `visit`, in order, some at a time: the same rows in every pass.
    ///
    /// # Errors
    /// [`Error::Source`](crate::Error::Source) if the rows cannot be read again, or what `visit` returns.
    fn scan(&self, visit: &mut dyn FnMut(Rows<'_>) -> Result<()>) -> Result<()>;
}

/// Some rows of a table, for one fit: a split or a fold.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    table: &'a Table,
    set: RowSet<'a>,
}

impl<'a> View<'a> {
    /// All rows of a table.
    pub fn all(table: &'a Table) -> Self {
        View { table, set: RowSet::Range(0, table.n_rows()) }
    }

    /// The rows of a set.
    pub fn new(table: &'a Table, set: RowSet<'a>) -> Self {
        View { table, set }
    }

    /// The table behind the view.
    pub fn table(&self) -> &'a Table {
        self.table
    }

    /// The rows.
    pub fn rows(&self) -> Rows<'a> {
        Rows::new(self.table.block(), self.set)
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.set.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty()
    }
}

impl Source for View<'_> {
    fn schema(&self) -> &Schema {
        self.table.schema()
    }

    fn scan(&self, visit: &mut dyn FnMut(Rows<'_>) -> Result<()>) -> Result<()> {
        let rows = self.rows();
        let mut starts = (0..rows.len()).step_by(BLOCK_ROWS);
        starts.try_for_each(|start| visit(rows.slice(start..(start + BLOCK_ROWS).min(rows.len()))))
    }
}
