//! What a fitted pipeline makes of rows and a predictor reads: columns of numbers, of category codes, and of one-hot
//! groups that are never expanded.

/// Code of a missing value in [`FeatureColumn::Code`].
pub const CODE_MISSING: u32 = 0;
/// Code of a level that the fit has not seen in [`FeatureColumn::Code`].
pub const CODE_UNSEEN: u32 = 1;
/// First code of a level in [`FeatureColumn::Code`]; levels follow in byte order.
pub const CODE_FIRST: u32 = 2;
/// Marks a row without any 1 in a [`FeatureColumn::OneHot`] group.
pub const ONE_HOT_NONE: u32 = u32::MAX;

/// One output of a pipeline, with a value per row.
#[derive(Debug, Clone, PartialEq)]
pub enum FeatureColumn {
    /// A number; NaN is missing (only trees meet it, the linear pipelines impute).
    Number(Vec<f64>),
    /// A category for trees: [`CODE_MISSING`], [`CODE_UNSEEN`] or a level's frozen code.
    Code {
        /// A code per row, below `n_codes`.
        codes: Vec<u32>,
        /// Number of codes, the two reserved ones included.
        n_codes: u32,
    },
    /// A group of `width` columns of which at most one is 1: its index per row, or [`ONE_HOT_NONE`].
    OneHot {
        /// An index per row, below `width`, or [`ONE_HOT_NONE`].
        codes: Vec<u32>,
        /// Number of columns that the group stands for.
        width: u32,
    },
}

impl Default for FeatureColumn {
    /// No rows.
    fn default() -> Self {
        FeatureColumn::Number(Vec::new())
    }
}

impl FeatureColumn {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        match self {
            FeatureColumn::Number(v) => v.len(),
            FeatureColumn::Code { codes, .. } | FeatureColumn::OneHot { codes, .. } => codes.len(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many weights a linear model has for the column.
    pub fn width(&self) -> usize {
        match self {
            FeatureColumn::Number(_) | FeatureColumn::Code { .. } => 1,
            FeatureColumn::OneHot { width, .. } => *width as usize,
        }
    }

    /// The rows of the given positions, in that order.
    #[must_use]
    pub fn take(&self, rows: &[u32]) -> FeatureColumn {
        fn pick<T: Copy>(values: &[T], rows: &[u32]) -> Vec<T> {
            rows.iter().map(|&r| values[r as usize]).collect()
        }
        match self {
            FeatureColumn::Number(v) => FeatureColumn::Number(pick(v, rows)),
            FeatureColumn::Code { codes, n_codes } => {
                FeatureColumn::Code { codes: pick(codes, rows), n_codes: *n_codes }
            }
            FeatureColumn::OneHot { codes, width } => FeatureColumn::OneHot { codes: pick(codes, rows), width: *width },
        }
    }
}

/// The features of some rows, column by column.
///
/// A one-hot group is one index per row: a compressed sparse row matrix whose rows all have the same length and whose
/// values are all 1, so that neither row pointers nor values need to be kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Features {
    n_rows: usize,
    columns: Vec<FeatureColumn>,
}

impl Features {
    /// Puts columns together.
    ///
    /// # Panics
    /// If a column has not `n_rows` rows: the pipeline that made it is wrong, not the data.
    pub fn new(n_rows: usize, columns: Vec<FeatureColumn>) -> Self {
        assert!(columns.iter().all(|c| c.len() == n_rows), "invariant: every feature has a value per row");
        Features { n_rows, columns }
    }

    /// How many rows there are.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// The columns.
    pub fn columns(&self) -> &[FeatureColumn] {
        &self.columns
    }

    /// The columns, to be refilled in place.
    pub fn columns_mut(&mut self) -> &mut Vec<FeatureColumn> {
        &mut self.columns
    }

    /// Begins anew on the memory of the columns, which the caller fills with `n_rows` values each.
    pub(crate) fn begin(&mut self, n_rows: usize) -> &mut Vec<FeatureColumn> {
        self.n_rows = n_rows;
        &mut self.columns
    }

    /// How many weights a linear model has for all columns.
    pub fn n_weights(&self) -> usize {
        self.columns.iter().map(FeatureColumn::width).sum()
    }

    /// The rows of the given positions, in that order.
    #[must_use]
    pub fn take(&self, rows: &[u32]) -> Features {
        Features { n_rows: rows.len(), columns: self.columns.iter().map(|c| c.take(rows)).collect() }
    }
}
