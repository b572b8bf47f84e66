//! Why an answer is what it is: the features that moved its raw score most.

use tabwright_core::metric::Predictions;
use tabwright_core::summary::ColumnSummary;
use tabwright_core::{Block, Category, Column, Kind, Rows};
use tabwright_model::artifact::Artifact;
use tabwright_model::model::Model;

use crate::error::Result;

/// What one feature adds to the raw score of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason<'m> {
    /// The feature.
    pub feature: &'m str,
    /// What it adds: to the log-odds of the positive class, to the score of the predicted class, or to the number.
    pub contribution: f64,
}

/// Explains the answers of a model.
#[derive(Debug)]
pub struct Reasons {
    /// A row of medians and most frequent levels: what a weighted sum is compared with. Trees carry what they need.
    typical: Block,
}

impl Reasons {
    /// Prepares a model from what its artifact knows of the training rows.
    ///
    /// # Errors
    /// If the columns of the typical row do not fit each other.
    pub fn new(artifact: &Artifact) -> Result<Self> {
        let summaries = &artifact.evidence.summaries;
        let inputs = artifact.model().pipeline().inputs();
        let column = |(name, kind): (&str, Kind)| typical(summaries.iter().find(|s| s.name == name), kind);
        let columns = inputs.iter().map(|input| column((&input.name, input.kind))).collect();
        Ok(Reasons { typical: Block::new(columns, 1)? })
    }

    /// For each row the features that add most to its answer, in either direction, the strongest first, `most` of them.
    ///
    /// # Determinism
    /// A row has the same reasons alone and in any batch.
    ///
    /// # Errors
    /// If the model cannot be explained: a tree has too many levels.
    pub fn of<'m>(
        &self,
        model: &'m Model,
        block: &Block,
        predictions: &Predictions,
        most: usize,
    ) -> Result<Vec<Vec<Reason<'m>>>> {
        let explained = model.scorer().explain(Rows::all(block), Rows::all(&self.typical))?;
        let (k, n_outputs) = (explained.n_features, explained.base.len());
        let names: Vec<&str> = model.pipeline().outputs().iter().map(|output| output.name.as_str()).collect();
        let of_row = |row: usize| {
            let output = if n_outputs == 1 { 0 } else { predictions.label(row, model.threshold()) };
            let added = &explained.contributions[(row * n_outputs + output) * k..][..k];
            let mut order: Vec<usize> = (0..k).filter(|&f| added[f] != 0.0).collect();
            order.sort_by(|&a, &b| added[b].abs().total_cmp(&added[a].abs()).then(a.cmp(&b)));
            order.truncate(most);
            order.into_iter().map(|f| Reason { feature: names[f], contribution: added[f] }).collect()
        };
        Ok((0..block.n_rows()).map(of_row).collect())
    }
}

fn typical(summary: Option<&ColumnSummary>, kind: Kind) -> Column {
    let median = summary.and_then(|s| s.numbers.as_ref()).and_then(|n| n.quantiles.iter().find(|q| q.at == 0.5));
    let median = median.map(|q| q.value);
    match kind {
        Kind::Float | Kind::Integer => Column::Float(vec![median.unwrap_or(f64::NAN)]),
        Kind::Timestamp => {
            let missing = tabwright_core::block::MISSING_INTEGER;
            Column::Timestamp(vec![median.map_or(missing, |m| m as i64)])
        }
        Kind::Boolean | Kind::Categorical | Kind::Text => {
            let top = summary.and_then(|s| s.categories.as_ref()).and_then(|c| c.top.first());
            Column::Category(Category::from_strings([top.map(|level| level.value.as_str())]))
        }
    }
}
