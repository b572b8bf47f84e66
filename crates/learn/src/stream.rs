//! Fits on rows that are never held: they are read from a [`Source`], once for what the pipelines and the edges of bins
//! follow from, once for the bins of each fit, and once for the scores of each model.
//!
//! The models are those of fits on a table in memory, byte for byte.

use std::sync::Arc;

use rayon::prelude::*;
use tabwright_core::block::{MISSING_CODE, TableBuilder};
use tabwright_core::metric::Predictions;
use tabwright_core::rows::BLOCK_ROWS;
use tabwright_core::summary::Summarizer;
use tabwright_core::{Block, Cancel, Category, Column, ColumnSummary, RowSet, Rows, Source, Table, Targets, Task};
use tabwright_model::model::Signature;
use tabwright_model::pipeline::Pipeline;
use tabwright_model::{FeatureColumn, Features, Model};
use tabwright_trees::binning::{BinnedMatrix, Binner, MOST_LEVELS, StreamBinner};
use tabwright_trees::boost::Binned;

use crate::candidate::{BinnedSample, Candidate, Reads, Sample};
use crate::error::{Error, Result};
use crate::fit::{Fits, FittedCandidate, Scores};
use crate::transform::{self, ColumnFacts, Inputs, TransformConfig};

/// Rows that stream, and what is asked of them.
#[derive(Clone, Copy)]
pub struct Stream<'a> {
    /// Every row with a target.
    pub source: &'a dyn Source,
    /// What is to be learned.
    pub signature: &'a Signature,
    /// Targets and weights of all rows.
    pub targets: &'a Targets,
    /// The columns that may become features.
    pub inputs: &'a Inputs,
    /// What is done to columns before a model sees them.
    pub transforms: &'a TransformConfig,
    /// Seed of the learners.
    pub seed: u64,
}

impl std::fmt::Debug for Stream<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("signature", self.signature).finish_non_exhaustive()
    }
}

/// Rows that stream, with what was found out about the sets of rows that are fitted on.
#[derive(Debug)]
pub struct Streamed<'a> {
    stream: Stream<'a>,
    sets: Vec<FittingSet>,
}

/// What pipelines and bins of some rows follow from.
#[derive(Debug)]
struct FittingSet {
    /// Sets of one search are nested, so their sizes tell them apart.
    n_rows: usize,
    /// Of every input.
    facts: Vec<ColumnFacts>,
    /// The rows that edges come from, with all columns.
    sample: Table,
}

/// What is being found out about a set of rows.
struct Finding {
    facts: Vec<ColumnFacts>,
    sample: TableBuilder,
    sampled: Vec<u32>,
    /// The rows that have no weight.
    unweighted: Vec<u32>,
}

impl<'a> Streamed<'a> {
    /// Reads the rows once, for all sets of rows (ascending, nested, the largest last) that will be fitted on.
    ///
    /// # Errors
    /// If the rows cannot be read.
    pub fn new(stream: Stream<'a>, sets: &[&[u32]], cancel: &Cancel) -> Result<Self> {
        let schema = stream.source.schema();
        let all_columns: Vec<usize> = (0..schema.len()).collect();
        // Which rows are drawn depends on the seed alone.
        let binner = Binner { max_bin: 2, min_data_in_bin: 1, max_levels: MOST_LEVELS, seed: stream.seed };
        let mut found = Vec::with_capacity(sets.len());
        for rows in sets {
            let kept = weighted(stream.targets, rows);
            let kept = kept.as_deref().unwrap_or(rows);
            let sampled = binner.sample(kept.len()).map(|places| places.iter().map(|&p| kept[p as usize]).collect());
            let fact = |&c: &usize| ColumnFacts::new(schema.fields()[c].kind);
            found.push(Finding {
                facts: stream.inputs.columns.iter().map(fact).collect(),
                sample: TableBuilder::new(schema.clone()),
                sampled: sampled.unwrap_or_else(|| kept.to_vec()),
                unweighted: rows.iter().copied().filter(|&row| stream.targets.weight(row as usize) == 0.0).collect(),
            });
        }
        let mut cursor = Cursor::default();
        stream.source.scan(&mut |block| {
            stop_if(cancel)?;
            let at = cursor.advance(block.len());
            for (found, rows) in found.iter_mut().zip(sets) {
                let (own, unweighted) = (within(rows, at, block), within(&found.unweighted, at, block));
                found.facts.par_iter_mut().zip(&stream.inputs.columns).for_each(|(facts, &c)| {
                    facts.update(block.at(RowSet::List(&own)), c);
                    facts.discount(block.at(RowSet::List(&unweighted)), c);
                });
                let own = within(&found.sampled, at, block);
                found.sample.push(block.at(RowSet::List(&own)), &all_columns);
            }
            Ok(())
        })?;
        let sets = found.into_iter().zip(sets).map(|(found, rows)| {
            Ok(FittingSet { n_rows: rows.len(), facts: found.facts, sample: found.sample.finish()? })
        });
        let sets = sets.collect::<Result<_>>()?;
        Ok(Streamed { stream, sets })
    }

    /// Summarises the inputs of a model over some rows (ascending), in a pass of its own.
    ///
    /// # Errors
    /// If the rows cannot be read.
    pub fn summarize(&self, model: &Model, rows: &[u32]) -> Result<Vec<ColumnSummary>> {
        let schema = self.stream.source.schema();
        let inputs = model.pipeline().bind(schema)?;
        let mut summaries: Vec<Summarizer> = inputs.iter().map(|&c| Summarizer::new(&schema.fields()[c], 0)).collect();
        let mut cursor = Cursor::default();
        self.stream.source.scan(&mut |block| {
            let own = within(rows, cursor.advance(block.len()), block);
            let columns = summaries.par_iter_mut().zip(&inputs);
            columns.for_each(|(summary, &c)| summary.update(block.at(RowSet::List(&own)), c));
            Ok(())
        })?;
        Ok(summaries.into_par_iter().map(Summarizer::finish).collect())
    }

    /// Rows of the largest set, at most as many as edges are found from, with all columns.
    pub fn sample(&self) -> Option<&Table> {
        self.sets.last().map(|set| &set.sample)
    }

    fn set(&self, rows: &[u32]) -> Result<&FittingSet> {
        let found = self.sets.iter().find(|set| set.n_rows == rows.len());
        found.ok_or_else(|| Error::Data(format!("{} rows are to be fitted on that were not read for it", rows.len())))
    }

    /// The bins of the rows, as [`Binner::bin`] makes them of all features at once.
    fn bin(
        &self,
        set: &FittingSet,
        rows: &[u32],
        pipeline: &Pipeline,
        (binner, cancel): (&Binner, &Cancel),
    ) -> Result<BinnedMatrix> {
        let schema = self.stream.source.schema();
        let positions = pipeline.bind(schema)?;
        let sample = pipeline.transform(Rows::all(set.sample.block()), &positions);
        let counts = self.counts(set, pipeline)?;
        let mut stream = StreamBinner::new(binner, rows.len(), &sample, &counts);
        drop(sample);
        let mut cursor = Cursor::default();
        self.stream.source.scan(&mut |block| {
            stop_if(cancel)?;
            let own = within(rows, cursor.advance(block.len()), block);
            let own = block.at(RowSet::List(&own));
            let starts: Vec<usize> = (0..own.len()).step_by(BLOCK_ROWS).collect();
            let part = |&start: &usize| own.slice(start..(start + BLOCK_ROWS).min(own.len()));
            let blocks: Vec<Features> =
                starts.par_iter().map(|start| pipeline.transform(part(start), &positions)).collect();
            stream.push(&blocks);
            Ok(())
        })?;
        Ok(stream.finish())
    }

    /// How many rows of a set each code of each categorical feature has: the rows of the witnesses, by their codes.
    fn counts(&self, set: &FittingSet, pipeline: &Pipeline) -> Result<Vec<Vec<usize>>> {
        let mut counts = vec![Vec::new(); pipeline.outputs().len()];
        let schema = self.stream.source.schema();
        for (facts, &column) in set.facts.iter().zip(&self.stream.inputs.columns) {
            let name = &schema.fields()[column].name;
            let Some(input) = pipeline.inputs().iter().position(|i| i.name == *name && i.kind.is_coded()) else {
                continue;
            };
            let witness = facts.witness();
            let n_rows = witness.len();
            // The other inputs are missing; what becomes of them is not looked at.
            let columns = pipeline.inputs().iter().enumerate().map(|(i, own)| match own.kind.is_coded() {
                true if i == input => witness.clone(),
                true => missing_codes(n_rows),
                false => Column::Float(vec![f64::NAN; n_rows]),
            });
            let block = Block::new(columns.collect(), n_rows)?;
            let positions: Vec<usize> = (0..pipeline.inputs().len()).collect();
            let features = pipeline.transform(Rows::all(&block), &positions);
            for (output, (feature, counts)) in pipeline.outputs().iter().zip(features.columns().iter().zip(&mut counts))
            {
                let FeatureColumn::Code { codes, n_codes } = feature else { continue };
                if output.name == *name {
                    counts.resize(*n_codes as usize, 0);
                    codes.iter().zip(facts.counts()).for_each(|(&code, n)| counts[code as usize] += n);
                }
            }
        }
        Ok(counts)
    }
}

fn missing_codes(n_rows: usize) -> Column {
    Column::Category(Category { codes: vec![MISSING_CODE; n_rows], levels: Arc::default() })
}

impl Fits for Streamed<'_> {
    fn task(&self) -> &Task {
        &self.stream.signature.task
    }

    fn inputs(&self) -> &Inputs {
        self.stream.inputs
    }

    fn side_by_side(&self) -> bool {
        false
    }

    fn fit(
        &self,
        candidate: &Candidate,
        rows: &[u32],
        rounds: Option<u32>,
        cancel: &Cancel,
    ) -> Result<FittedCandidate> {
        let Stream { source, signature, targets, inputs, transforms, seed } = self.stream;
        let set = self.set(rows)?;
        let fitted = transform::fit_facts(source.schema(), &set.facts, inputs, candidate.family, transforms)?;
        let names: Vec<String> = fitted.pipeline.outputs().iter().map(|output| output.name.clone()).collect();
        let task = &signature.task;
        let learned = match candidate.reads(seed) {
            Reads::Values => {
                let why = format!("`{}` needs all values of its rows in memory", candidate.name);
                return Err(Error::Config(why));
            }
            Reads::Targets => {
                let (features, targets) = (Features::new(rows.len(), Vec::new()), targets.take(rows));
                let names = &names;
                let keys = &[];
                candidate.fit(&Sample {
                    task,
                    features: &features,
                    names,
                    targets: &targets,
                    keys,
                    seed,
                    rounds,
                    cancel,
                })?
            }
            Reads::Bins(binner) => {
                // A row without a weight has no bins.
                let kept = weighted(targets, rows);
                let rows = kept.as_deref().unwrap_or(rows);
                let matrix = self.bin(set, rows, &fitted.pipeline, (&binner, cancel))?;
                let binned = Binned { matrix, types: fitted.pipeline.output_types().collect() };
                let targets = targets.take(rows);
                drop(kept);
                candidate.fit_binned(BinnedSample { task, binned, names: &names, targets, seed, rounds, cancel })?
            }
        };
        let model =
            Model::new(signature.clone(), &candidate.candidate_type, fitted.pipeline, learned.predictor, learned.link)?;
        Ok(FittedCandidate { model, rounds: learned.rounds, left_out: fitted.left_out, warnings: learned.warnings })
    }

    fn score(&self, model: &Model, sets: &[&[u32]]) -> Result<Vec<Scores>> {
        let scorer = model.bind(self.stream.source.schema())?;
        let n_outputs = model.predictor().n_outputs();
        let with_room = |rows: &&[u32]| Predictions { n_outputs, values: Vec::with_capacity(rows.len() * n_outputs) };
        let mut predictions: Vec<Predictions> = sets.iter().map(with_room).collect();
        let mut cursor = Cursor::default();
        self.stream.source.scan(&mut |block| {
            let at = cursor.advance(block.len());
            for (rows, predictions) in sets.iter().zip(&mut predictions) {
                let own = within(rows, at, block);
                predictions.values.extend(scorer.predict(block.at(RowSet::List(&own))).values);
            }
            Ok(())
        })?;
        let score = |(rows, predictions): (&&[u32], Predictions)| {
            Scores::of(&self.stream.signature.task, self.stream.targets, rows, &predictions)
        };
        Ok(sets.iter().zip(predictions).map(score).collect())
    }
}

fn stop_if(cancel: &Cancel) -> tabwright_core::Result<()> {
    if cancel.is_cancelled() { Err(tabwright_core::Error::Cancelled) } else { Ok(()) }
}

/// The rows that have a weight, where some have none.
fn weighted(targets: &Targets, rows: &[u32]) -> Option<Vec<u32>> {
    let weights = targets.weights.as_ref()?;
    let has_weight = |row: &u32| weights[*row as usize] > 0.0;
    (!rows.iter().all(has_weight)).then(|| rows.iter().copied().filter(has_weight).collect())
}

/// How many rows went by.
#[derive(Debug, Default)]
struct Cursor(usize);

impl Cursor {
    /// The number of the first row of a block of so many.
    fn advance(&mut self, rows: usize) -> usize {
        self.0 += rows;
        self.0 - rows
    }
}

/// The rows of a list (ascending numbers of all rows) that are in a block whose first row is number `first`, by their
/// place in the block.
fn within(rows: &[u32], first: usize, block: Rows<'_>) -> Vec<u32> {
    let place = |number: usize| rows.partition_point(|&row| (row as usize) < number);
    let inside = &rows[place(first)..place(first + block.len())];
    inside.iter().map(|&row| block.set().get(row as usize - first) as u32).collect()
}
