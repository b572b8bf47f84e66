//! Fits the pipeline of trees on rows that stream by: on facts about each column, which say all that its transforms depend on.

use std::sync::Arc;

use tabwright_core::block::MISSING_CODE;
use tabwright_core::finding::{self, WholeNumbers};
use tabwright_core::{Category, Column, Kind, LevelsBuilder, RowSet, Rows, Schema, numeric};

use super::config::{CategoryEncoder, CategoryImpute, FamilyTransforms, NumberImpute, Scaler};
use super::{Family, FittedPipeline, Inputs, TransformConfig, assemble, fit_kept, left_out};
use crate::error::Result;

/// The first column whose transforms for a family follow from all of its values (a mean, a median, a spread, the number of
/// rows of a level), so that its rows must be held to fit them.
pub fn needs_values(schema: &Schema, inputs: &Inputs, family: Family, config: &TransformConfig) -> Option<String> {
    let needs = |field: &&tabwright_core::Field| {
        let FamilyTransforms { number, category } = config.for_column(&field.name, family);
        let of_number =
            !matches!(number.impute, NumberImpute::None | NumberImpute::Constant) || number.scale != Scaler::None;
        let of_category = category.encode != CategoryEncoder::Native
            || !matches!(category.impute, CategoryImpute::None | CategoryImpute::Constant);
        if field.kind.is_coded() { of_category } else { of_number }
    };
    inputs.columns.iter().map(|&c| &schema.fields()[c]).find(needs).map(|field| field.name.clone())
}

/// What the rows of a column say together, and how often each level occurs.
#[derive(Debug)]
pub(crate) struct ColumnFacts {
    kind: Kind,
    rows: usize,
    missing: usize,
    /// Whether a number is missing or infinite.
    has_gap: bool,
    /// The bits of the first value.
    first: Option<u64>,
    varies: bool,
    numbers: WholeNumbers,
    levels: LevelsBuilder,
    counts: LevelCounts,
    /// Of the rows that have no weight.
    unweighted: LevelCounts,
}

/// Rows of each level, and without one.
#[derive(Debug, Default)]
struct LevelCounts {
    levels: Vec<usize>,
    missing: usize,
}

impl LevelCounts {
    /// Counts rows by the codes of `levels`, which takes in new ones.
    fn add(&mut self, category: &Category, set: RowSet<'_>, levels: &mut LevelsBuilder) {
        let mut counts = vec![0; category.levels.len()];
        for row in set.iter() {
            match counts.get_mut(category.codes[row] as usize) {
                Some(count) => *count += 1,
                None => self.missing += 1,
            }
        }
        for (code, count) in counts.into_iter().enumerate().filter(|(_, count)| *count > 0) {
            let own = levels.intern(category.levels.get(code as u32)) as usize;
            self.levels.resize(self.levels.len().max(own + 1), 0);
            self.levels[own] += count;
        }
    }
}

impl ColumnFacts {
    /// Begins with no row of a column of a kind.
    pub(crate) fn new(kind: Kind) -> Self {
        ColumnFacts {
            kind,
            rows: 0,
            missing: 0,
            has_gap: false,
            first: None,
            varies: false,
            numbers: WholeNumbers::default(),
            levels: LevelsBuilder::default(),
            counts: LevelCounts::default(),
            unweighted: LevelCounts::default(),
        }
    }

    /// Takes in further rows.
    pub(crate) fn update(&mut self, rows: Rows<'_>, position: usize) {
        let (column, set) = (rows.column(position), rows.set());
        self.rows += set.len();
        self.missing += set.iter().filter(|&row| column.is_missing(row)).count();
        match column {
            Column::Float(v) => {
                self.has_gap |= set.iter().any(|row| !v[row].is_finite());
                self.watch(set.iter().map(|row| numeric::canonical(v[row]).to_bits()));
            }
            Column::Integer(v) | Column::Timestamp(v) => self.watch(set.iter().map(|row| v[row] as u64)),
            // Free text is not counted: it becomes no feature.
            Column::Category(category) if self.kind != Kind::Text => self.counts.add(category, set, &mut self.levels),
            Column::Category(_) => {}
        }
        if self.kind.is_numeric() {
            self.numbers.update(column, set);
        }
    }

    /// Says which of the rows that were taken in have no weight: they have no bin.
    pub(crate) fn discount(&mut self, rows: Rows<'_>, position: usize) {
        if let Column::Category(category) = rows.column(position)
            && self.kind != Kind::Text
        {
            self.unweighted.add(category, rows.set(), &mut self.levels);
        }
    }

    fn watch(&mut self, mut values: impl Iterator<Item = u64>) {
        if !self.varies {
            let Some(first) = self.first.or_else(|| values.next()) else { return };
            self.first = Some(first);
            self.varies = values.any(|value| value != first);
        }
    }

    /// A column of a few rows that its transforms are fitted on as on all: every level once, a missing value if there is one.
    pub(crate) fn witness(&self) -> Column {
        let gap = self.missing > 0 || self.has_gap;
        if !self.kind.is_coded() {
            return Column::Float(if gap { vec![0.0, f64::NAN] } else { vec![0.0] });
        }
        let mut codes: Vec<u32> = (0..self.levels.len() as u32).collect();
        codes.extend((self.missing > 0).then_some(MISSING_CODE));
        Column::Category(Category { codes, levels: Arc::new(self.levels.levels().clone()) })
    }

    /// How many rows with a weight each row of the witness stands for.
    pub(crate) fn counts(&self) -> Vec<usize> {
        let without = |code: usize| self.unweighted.levels.get(code).copied().unwrap_or(0);
        let levels = self.counts.levels.iter().enumerate().map(|(code, count)| count - without(code));
        let missing = (self.missing > 0).then(|| self.missing - self.unweighted.missing);
        levels.chain(missing).collect()
    }

    fn is_constant(&self) -> bool {
        match self.kind.is_coded() {
            true => self.levels.len() + usize::from(self.missing > 0) <= 1,
            false => !self.varies,
        }
    }

    fn identifier(&self, name: &str) -> Option<String> {
        match self.kind {
            Kind::Categorical => finding::identifier_tokens(self.levels.levels(), &self.counts.levels),
            kind if kind.is_numeric() => self.numbers.reason(name),
            _ => None,
        }
    }
}

/// Fits the pipeline of a family of models on what is known of the inputs' columns: the pipeline of [`fit`](super::fit) on the
/// rows that the facts are of, where no transform [needs values](needs_values).
pub(crate) fn fit(
    schema: &Schema,
    facts: &[ColumnFacts],
    inputs: &Inputs,
    family: Family,
    config: &TransformConfig,
) -> Result<FittedPipeline> {
    let fit_column = |(&position, facts): (&usize, &ColumnFacts)| {
        let field = &schema.fields()[position];
        let identifier = || facts.identifier(&field.name).filter(|_| !inputs.forced.contains(&position));
        let all_missing = || facts.missing == facts.rows;
        if let Some(warning) = left_out(field, family, all_missing, identifier, || facts.is_constant()) {
            return Err(warning);
        }
        let column = facts.witness();
        Ok(fit_kept(field, &column, RowSet::Range(0, column.len()), &config.for_column(&field.name, family)))
    };
    assemble(schema, inputs, inputs.columns.iter().zip(facts).map(fit_column).collect())
}
