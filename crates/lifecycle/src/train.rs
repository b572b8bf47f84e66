//! `train`: from files to a model file, in one road that the command line and a Rust program share.

mod held_back;
mod material;
mod memory;
mod report;
mod stream;

pub(crate) use material::named;
pub(crate) use memory::parse_bytes;

pub use held_back::{HeldBack, held_back};
pub use material::Prepared;

use std::path::Path;

use rayon::ThreadPool;
use tabwright_core::finding;
use tabwright_core::metric::Metric;
use tabwright_core::split::Split;
use tabwright_core::{Code, Context, Event, Table, Task, View, Warning};
use tabwright_data::Input;
use tabwright_learn::candidate::{BASELINE, Candidate, CandidateConfig, Registry};
use tabwright_learn::fit::Material;
use tabwright_learn::search::{self, Found, Parts, Selection};
use tabwright_learn::stream::{Stream, Streamed};
use tabwright_model::artifact::Artifact;
use tabwright_model::evidence::Record;

use crate::config::{Config, RowsFrom};
use crate::error::{Error, Result};

/// A trained model with all that is known about the training.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The model, its evidence and its record.
    pub artifact: Artifact,
    /// The search.
    pub found: Found,
    /// The metric that decided.
    pub metric: Metric,
    /// Which rows served for what.
    pub split: Split,
    /// Rows with a target.
    pub rows: usize,
    /// Seed of the learners.
    pub seed: u64,
    /// Findings and warnings.
    pub warnings: Vec<Warning>,
    /// Wall-clock time of the whole.
    pub seconds: f64,
}

/// Facts of the surroundings that a library does not look up by itself.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// Now, as RFC 3339 in UTC.
    pub created_at: String,
    /// Operating system and architecture.
    pub machine: String,
}

/// Trains from the files that a configuration names.
///
/// # Errors
/// From reading, splitting and searching; nothing is written.
pub fn train(
    config: &Config,
    registry: &Registry,
    surroundings: &Surroundings,
    context: Context<'_>,
) -> Result<Trained> {
    let started = context.clock.seconds();
    if config.data.target.is_empty() {
        return Err(Error::Config(
            "no target is named; give --target COLUMN (or data.target in tabwright.toml)".into(),
        ));
    }
    with_threads(config.train.threads, || {
        let prepared = material::read(config, registry, context)?;
        learn(prepared, config, registry, surroundings, (started, context))
    })
}

/// Trains from a table in memory, whose schema says what the columns are. `config.data` names the target and changes roles;
/// how files are read is of no effect.
///
/// # Errors
/// As [`train`], and [`Error::Config`] for kinds and test files that are asked for: those belong to reading.
pub fn train_table(
    table: Table,
    config: &Config,
    registry: &Registry,
    surroundings: &Surroundings,
    context: Context<'_>,
) -> Result<Trained> {
    let started = context.clock.seconds();
    if !config.data.types.is_empty() || !config.split.files.is_empty() {
        return Err(Error::Config(
            "data.types and split.files are for files that are read; a table in memory has its kinds, and a split column \
             (split.column) says which of its rows are tested on"
                .into(),
        ));
    }
    if config.train.memory_bytes()?.is_some() || config.train.rows_from == RowsFrom::Stream {
        return Err(Error::Config(
            "train.memory_limit and train.rows_from = \"stream\" are for files that are read; a table in memory is held already"
                .into(),
        ));
    }
    for name in &config.data.drop {
        table.schema().require(name)?;
    }
    with_threads(config.train.threads, || {
        let prepared = material::prepare(material::Raw::of_table(table), config)?;
        learn(prepared, config, registry, surroundings, (started, context))
    })
}

/// Threads of a command, at most: beyond, starting them takes longer than they save.
const MOST_THREADS: usize = 512;

/// Runs a command on a pool of its own size; 0 threads: the pool that is there.
pub(crate) fn with_threads<T: Send>(threads: usize, run: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    if threads == 0 {
        return run();
    }
    if threads > MOST_THREADS {
        return Err(Error::Config(format!(
            "--threads {threads} is too many (at most {MOST_THREADS}); leave it out for one thread per core"
        )));
    }
    let pool: ThreadPool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|e| Error::Config(format!("{threads} threads cannot be started: {e}")))?;
    pool.install(run)
}

fn learn(
    mut prepared: Prepared,
    config: &Config,
    registry: &Registry,
    surroundings: &Surroundings,
    (started, context): (f64, Context<'_>),
) -> Result<Trained> {
    let task = prepared.signature.task.clone();
    let metric = selection_metric(config, &task)?;
    let divided = material::divide(&prepared, config)?;
    let is_compared = !divided.folds.is_empty() || !divided.split.validation.is_empty();
    let candidates = resolve_candidates(config, &task, registry, (is_compared, prepared.reading.max_bin))?;
    prepared.warnings.extend(divided.warnings.iter().cloned());
    let split = &divided.split;
    let parts = Parts { train: &split.train, validation: &split.validation, test: &split.test, folds: &divided.folds };
    let selection = Selection { metric, on: config.selection.on };
    let rows = prepared.table.n_rows();
    let mut reference = None;
    let (model, found, summaries, (slices, unmeasured)) = match prepared.stream.take() {
        None => {
            look_for_findings(&mut prepared, split);
            tell(&prepared.warnings, context);
            let material = Material {
                table: &prepared.table,
                signature: &prepared.signature,
                targets: &prepared.targets,
                keys: &prepared.keys,
                inputs: &prepared.inputs,
                transforms: &config.features,
                seed: config.train.seed,
                side_by_side: prepared.reading.side_by_side,
            };
            let (model, found) = search::search(&material, parts, &candidates, selection, context)?;
            let summaries = report::summaries(&prepared, split, &model);
            let measured = report::slices(&prepared, split, &model, config);
            if config.train.keep_reference > 0 {
                let fitted_on = search::fitted_on(parts);
                reference = report::reference(&prepared, &fitted_on, &model, config.train.keep_reference);
            }
            (model, found, summaries, measured)
        }
        Some(source) => {
            let hashes = prepared.table.take_row_hashes().unwrap_or_default();
            prepared.warnings.extend(finding::repeated_rows(&hashes, split));
            // Only the split needed them.
            drop(hashes);
            prepared.table = Table::default();
            context.observer.event(Event::Phase { name: "looking at the columns", steps: None });
            let stream = Stream {
                source: &source,
                signature: &prepared.signature,
                targets: &prepared.targets,
                inputs: &prepared.inputs,
                transforms: &config.features,
                seed: config.train.seed,
            };
            let streamed = {
                let fitted_on = search::fitted_on(parts);
                let sets = [parts.train, &fitted_on[..]];
                Streamed::new(stream, if parts.validation.is_empty() { &sets[1..] } else { &sets }, context.cancel)?
            };
            let found = sample_findings(&streamed, &prepared, config);
            prepared.warnings.extend(found);
            tell(&prepared.warnings, context);
            let (model, found) = search::search(&streamed, parts, &candidates, selection, context)?;
            let summaries = streamed.summarize(&model, &search::fitted_on(parts))?;
            let told = [report::unmeasured_slices(config), report::unkept_reference(config)].concat();
            (model, found, summaries, (Vec::new(), told))
        }
    };
    let mut warnings = prepared.warnings.clone();
    for warning in found.left_out.iter().chain(&found.warnings).chain(&unmeasured) {
        let known = warnings.iter().any(|w| w.code == warning.code && w.column == warning.column && w.column.is_some());
        if !known {
            context.observer.event(Event::Warning(warning));
            warnings.push(warning.clone());
        }
    }
    let evidence = report::evidence(&prepared, &divided, config, metric, (summaries, slices), (&found, &warnings));
    let seconds = context.clock.seconds() - started;
    let record = Record {
        created_at: surroundings.created_at.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        machine: surroundings.machine.clone(),
        model_type: found.best().candidate.candidate_type.clone(),
        seconds,
        fit_seconds: found.fit_seconds,
    };
    let mut artifact = Artifact::new(model, evidence, record);
    if let Some(rows) = reference {
        artifact = artifact.with_reference(rows);
    }
    let seed = config.train.seed;
    Ok(Trained { artifact, found, metric, split: divided.split, rows, seed, warnings, seconds })
}

fn selection_metric(config: &Config, task: &Task) -> Result<Metric> {
    if config.selection.metric.is_empty() {
        return Ok(Metric::default_for(task));
    }
    Metric::parse_for(&config.selection.metric, task).map_err(|e| Error::Config(e.to_string()))
}

/// The candidates that are asked for, and the baseline wherever anything is compared.
fn resolve_candidates(
    config: &Config,
    task: &Task,
    registry: &Registry,
    (is_compared, max_bin): (bool, Option<i64>),
) -> Result<Vec<Candidate>> {
    let mut configs = memory::with_bins(config.candidate_configs()?, max_bin);
    if configs.is_empty() {
        let named = |t: &tabwright_learn::candidate::CandidateType| CandidateConfig {
            name: t.name.clone(),
            ..Default::default()
        };
        configs = registry.for_task(task).into_iter().map(named).collect();
    }
    let has_baseline = configs.iter().any(|c| c.candidate_type.as_deref().unwrap_or(&c.name) == BASELINE);
    if !has_baseline && is_compared {
        configs.push(CandidateConfig { name: BASELINE.to_owned(), ..Default::default() });
    }
    let resolved: Vec<Candidate> =
        configs.iter().map(|c| Ok(Candidate::resolve(c, task, registry)?)).collect::<Result<_>>()?;
    let mut names = std::collections::BTreeSet::new();
    match resolved.iter().find(|c| !names.insert(c.name.clone())) {
        Some(twice) => {
            Err(Error::Config(format!("two candidates are named `{}`; give one of them another name", twice.name)))
        }
        None => Ok(resolved),
    }
}

fn tell(warnings: &[Warning], context: Context<'_>) {
    warnings.iter().for_each(|warning| context.observer.event(Event::Warning(warning)));
}

/// Findings on a sample of the rows that are fitted on. What is known of all rows (which columns are left out, how many rows a
/// class has) is said elsewhere.
fn sample_findings(streamed: &Streamed<'_>, prepared: &Prepared, config: &Config) -> Vec<Warning> {
    let Some(sample) = streamed.sample() else { return Vec::new() };
    let Some(target) = sample.schema().position(&config.data.target) else { return Vec::new() };
    let mut found = finding::findings(View::all(sample), Some(target), Some(&prepared.signature.task));
    let of_all_rows = [Code::AllMissing, Code::Constant, Code::IdentifierLike, Code::TextLeftOut, Code::RareClass];
    let is_feature =
        |column: &String| sample.schema().position(column).is_some_and(|p| prepared.inputs.columns.contains(&p));
    found.retain(|w| !of_all_rows.contains(&w.code) && w.column.as_ref().is_none_or(is_feature));
    found
}

/// Findings on the rows that are fitted on; those of the test part stay unseen.
fn look_for_findings(prepared: &mut Prepared, split: &Split) {
    let mut rows: Vec<u32> = [&split.train[..], &split.validation[..]].concat();
    rows.sort_unstable();
    let view = View::new(&prepared.table, tabwright_core::RowSet::List(&rows));
    let mut found = finding::findings(view, Some(prepared.target), Some(&prepared.signature.task));
    let features = &prepared.inputs.columns;
    let schema = prepared.table.schema();
    let is_feature = |w: &Warning| {
        w.column
            .as_ref()
            .is_none_or(|c| schema.position(c).is_some_and(|p| features.contains(&p) || p == prepared.target))
    };
    found.retain(is_feature);
    let kept = |w: &Warning| {
        let forced =
            w.column.as_ref().and_then(|c| schema.position(c)).is_some_and(|p| prepared.inputs.forced.contains(&p));
        w.code == Code::IdentifierLike && forced
    };
    found.retain(|w| !kept(w));
    if !split.test.is_empty() || !split.validation.is_empty() {
        found.extend(finding::duplicate_rows(&prepared.table, split));
    }
    prepared.warnings.append(&mut found);
}

/// Reads files into one table, as a training reads them: kinds from all rows, options from `config.data`.
///
/// # Errors
/// From reading.
pub fn read_table<S: AsRef<str>>(sources: &[S], config: &Config) -> Result<Table> {
    let sources: Vec<String> = sources.iter().map(|s| s.as_ref().to_owned()).collect();
    let options = config.data.read_options()?;
    Ok(tabwright_data::read_table(&inputs(&sources)?, &options, Context::silent())?.table)
}

/// Writes the model of a training to its file.
///
/// # Errors
/// [`Error::Write`]; the old file of that name stays whole.
pub fn save(trained: &Trained, path: &Path) -> Result<()> {
    crate::file::save(&trained.artifact, path)
}

/// The inputs that a configuration names.
pub(crate) fn inputs(sources: &[String]) -> Result<Vec<Input>> {
    if sources.is_empty() {
        return Err(Error::Config("no data is named; give a file, a glob, a folder, or - for standard input".into()));
    }
    Ok(tabwright_data::resolve_inputs(sources)?)
}
