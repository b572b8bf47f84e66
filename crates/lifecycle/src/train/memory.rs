//! How much memory a training may take, and what is done so that it takes no more: rows that stream instead of a table that is
//! held, fewer bins, a sample of the rows.
//!
//! Estimates follow from rows, columns and kinds alone, never from the machine, so the same limit gives the same plan.

use serde::{Deserialize, Serialize};
use tabwright_core::{Code, Kind, Schema, Task, Warning};
use tabwright_data::{Compression, Format, Input};
use tabwright_learn::candidate::{BASELINE, Candidate, CandidateConfig, Reads, Registry};
use tabwright_learn::param::Value;
use tabwright_learn::transform::{self, Family, Inputs};

use crate::config::{Config, RowsFrom};
use crate::error::{Error, Result};

/// Bytes of text from which on rows stream although nobody limits the memory: reading them again costs less than holding them.
const STREAM_BYTES: u64 = 96 << 20;
/// The same for files that are packed.
const STREAM_PACKED_BYTES: u64 = 24 << 20;

/// Bytes that every training takes: the program, its threads, the blocks that are being read.
const FIXED: u64 = 96 << 20;
/// Rows of the sample that edges and findings come from.
const SAMPLE_ROWS: u64 = 200_000;
/// Fewest rows that are worth a training.
const FEWEST_ROWS: u64 = 1_000;

/// Bytes of a row that streams, beside its bins: what boosting keeps of it (32), targets, and lists of rows.
const STREAMED_ROW: u64 = 60;
/// Bytes of a row in a fit on a table, beside features and bins.
const HELD_ROW: u64 = 72;
/// Bytes of a row for each output beyond the first: its score, its gradients, its leaf.
const OUTPUT_ROW: u64 = 24;
/// Bins with which two features share the codes of a lane.
pub(super) const FEW_BINS: i64 = 15;

/// What was decided, for the plan.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Reading {
    /// Whether rows stream.
    pub(super) streamed: bool,
    /// Which share of the rows is used.
    pub(super) share: f64,
    /// The bins that every column has at most, where the limit asks for fewer.
    pub(super) max_bin: Option<i64>,
    /// Whether fits run side by side.
    pub(super) side_by_side: bool,
    /// The limit in bytes.
    pub(super) limit: Option<u64>,
}

impl Reading {
    /// A table in memory, without a limit.
    pub(super) const HELD: Reading =
        Reading { streamed: false, share: 1.0, max_bin: None, side_by_side: true, limit: None };

    /// All rows, streamed.
    pub(super) const STREAMED: Reading = Reading { streamed: true, ..Reading::HELD };
}

/// The size of a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    rows: u64,
    features: u64,
    /// Those that are categories: they may have more levels than a byte can number, and never fewer bins.
    categories: u64,
    row_bytes: u64,
    /// Candidates and folds that are fitted.
    fits: u64,
    /// Trees of a round: more than one where there are more than two classes.
    outputs: u64,
}

impl Size {
    pub(super) fn new(rows: usize, schema: &Schema, inputs: &Inputs, config: &Config) -> Self {
        let kinds = || inputs.columns.iter().map(|&c| schema.fields()[c].kind).filter(|&kind| kind != Kind::Text);
        let (features, categories) =
            (kinds().count() as u64, kinds().filter(|&kind| kind == Kind::Categorical).count() as u64);
        let row_bytes = schema.fields().iter().map(|f| if f.kind.is_coded() { 4 } else { 8 }).sum();
        let candidates = config.train.candidates.len().max(config.candidates.len()).max(1) as u64;
        let folds = (config.selection.folds * config.selection.repeats) as u64;
        Size { rows: rows as u64, features, categories, row_bytes, fits: candidates * folds.max(1), outputs: 1 }
    }

    /// The same, once the task is known.
    pub(super) fn for_task(self, task: &Task) -> Self {
        let outputs = if let Task::Multiclass { labels } = task { labels.len() as u64 } else { 1 };
        Size { outputs, ..self }
    }

    fn held(&self, rows: u64, fits: u64) -> u64 {
        FIXED + rows * (self.row_bytes + fits * (10 * self.features + HELD_ROW + self.more_outputs()))
    }

    fn streamed(&self, rows: u64, few_bins: bool) -> u64 {
        // The bins by column, and once more by row in lanes.
        let numbers = self.features - self.categories;
        let bins = 4 * self.categories + if few_bins { numbers + numbers.div_ceil(2) } else { 2 * numbers };
        FIXED
            + 2 * SAMPLE_ROWS.min(rows) * (self.row_bytes + 8 * self.features)
            + rows * (bins + STREAMED_ROW + self.more_outputs())
    }

    fn more_outputs(&self) -> u64 {
        (self.outputs - 1) * OUTPUT_ROW
    }
}

/// Why the rows of a training must be held, if they must.
pub(super) fn obstacle(config: &Config, registry: &Registry) -> Option<String> {
    if config.selection.folds > 0 {
        return Some(format!("{} folds are cross-validated (--folds 0 does without)", config.selection.folds));
    }
    let Ok(configs) = config.candidate_configs() else { return Some("the candidates are not known".into()) };
    if configs.is_empty() {
        return Some("every type of candidate is trained (--candidates gbdt_leafwise names one that streams)".into());
    }
    let held = configs.iter().find(|c| !streams(c, config.train.seed, registry))?;
    Some(format!("candidate `{}` reads all values of its rows", held.name))
}

/// Whether a candidate learns from rows that stream. The task is not known yet: one that it can learn will do.
fn streams(candidate: &CandidateConfig, seed: u64, registry: &Registry) -> bool {
    let tasks = [Task::Regression, Task::Binary { labels: ["0".into(), "1".into()] }];
    let resolved = tasks.iter().find_map(|task| Candidate::resolve(candidate, task, registry).ok());
    resolved.is_some_and(|c| c.family == Family::Trees && c.reads(seed) != Reads::Values)
}

/// Why the columns of a table must be held to fit their transforms, if they must.
pub(super) fn column_obstacle(schema: &Schema, inputs: &Inputs, config: &Config) -> Option<String> {
    let column = transform::needs_values(schema, inputs, Family::Trees, &config.features)?;
    Some(format!("what features.trees does to `{column}` follows from all of its values"))
}

/// Whether files are so large that their rows stream without being asked to.
pub(super) fn is_large(inputs: &[Input]) -> bool {
    let is_packed =
        |i: &Input| i.compression() != Compression::None || matches!(i.format(), Format::Parquet | Format::Arrow);
    let weight = |i: &Input| i.size() * if is_packed(i) { STREAM_BYTES / STREAM_PACKED_BYTES } else { 1 };
    inputs.iter().map(weight).sum::<u64>() >= STREAM_BYTES
}

/// Decides how rows are read and how many, so that a limit is kept. `obstacle` says why they cannot stream.
///
/// # Errors
/// [`Error::Config`] if even a few rows take more than the limit, or if rows are to stream that cannot.
pub(super) fn decide(size: Size, config: &Config, obstacle: Option<&str>) -> Result<Reading> {
    let from = config.train.rows_from;
    if let (RowsFrom::Stream, Some(why)) = (from, obstacle) {
        return Err(Error::Config(format!(
            "train.rows_from = \"stream\", but rows must be held in memory: {why}; leave \
             train.rows_from out to hold them"
        )));
    }
    let may_stream = obstacle.is_none() && from != RowsFrom::Memory;
    let Some(limit) = config.train.memory_bytes()? else {
        return Ok(if may_stream { Reading::STREAMED } else { Reading::HELD });
    };
    let reading = Reading { limit: Some(limit), ..Reading::HELD };
    if from != RowsFrom::Stream && size.held(size.rows, size.fits) <= limit {
        return Ok(reading);
    }
    if may_stream {
        let reading = Reading { streamed: true, side_by_side: false, ..reading };
        if size.streamed(size.rows, false) <= limit {
            return Ok(reading);
        }
        // Bins are lowered where that alone is enough; else rows are sampled and keep all bins.
        if size.streamed(size.rows, true) <= limit {
            return Ok(Reading { max_bin: Some(FEW_BINS), ..reading });
        }
        let share = share(size.rows, limit, |rows| size.streamed(rows, false))?;
        return Ok(Reading { share, ..reading });
    }
    let reading = Reading { side_by_side: false, ..reading };
    let share = share(size.rows, limit, |rows| size.held(rows, 1))?;
    Ok(Reading { share, ..reading })
}

/// The share of the rows that keeps a limit.
fn share(rows: u64, limit: u64, need: impl Fn(u64) -> u64) -> Result<f64> {
    let fewest = FEWEST_ROWS.min(rows);
    if need(fewest) > limit {
        let (limit, least, all) = (shown(limit), shown(need(fewest)), shown(need(rows)));
        return Err(Error::Config(format!(
            "--memory-limit {limit} is too little: {fewest} rows take about {least}, all {rows} rows {all}; \
             raise it, or leave columns out with --drop"
        )));
    }
    let (mut fits, mut exceeds) = (fewest, rows + 1);
    while exceeds - fits > 1 {
        let middle = fits + (exceeds - fits) / 2;
        if need(middle) <= limit { fits = middle } else { exceeds = middle }
    }
    Ok(fits as f64 / rows as f64)
}

/// Whether a decision that was made before the task was known is to be made again: there are more outputs than one, and
/// the rows take more than the limit.
pub(super) fn must_decide_again(reading: &Reading, size: Size, size_for_task: Size) -> bool {
    let Some(limit) = reading.limit else { return false };
    let rows = (reading.share * size.rows as f64).round() as u64;
    let needed = match reading.streamed {
        true => size_for_task.streamed(rows, reading.max_bin.is_some()),
        false => size_for_task.held(rows, if reading.side_by_side { size.fits } else { 1 }),
    };
    size_for_task.outputs > size.outputs && needed > limit
}

/// Says what a limit changed.
pub(super) fn warnings(reading: &Reading, size: Size, rows: usize) -> Vec<Warning> {
    let Some(limit) = reading.limit.map(shown) else { return Vec::new() };
    let mut said = Vec::new();
    let needed = match reading.streamed {
        true => shown(size.streamed(size.rows, false)),
        false => shown(size.held(size.rows, 1)),
    };
    if let Some(max_bin) = reading.max_bin {
        let message = format!(
            "to keep the memory limit of {limit} (about {needed} needed), numbers have at most {max_bin} bins instead of 255"
        );
        said.push(Warning::general(Code::MemoryLimit, message));
    }
    if reading.share < 1.0 {
        let message = format!(
            "to keep the memory limit of {limit} (about {needed} needed), {rows} of {} rows are used ({:.1}%), drawn by key",
            size.rows,
            100.0 * rows as f64 / size.rows as f64
        );
        said.push(Warning::general(Code::MemoryLimit, message));
    }
    said
}

/// The candidates with no more bins than a limit allows.
pub(super) fn with_bins(mut configs: Vec<CandidateConfig>, max_bin: Option<i64>) -> Vec<CandidateConfig> {
    let Some(max_bin) = max_bin else { return configs };
    for config in configs.iter_mut().filter(|c| c.candidate_type.as_deref().unwrap_or(&c.name) != BASELINE) {
        let asked = ["max_bin", "max_bins"].into_iter().find(|name| config.params.contains_key(*name));
        let fewer = match asked.and_then(|name| config.params.get(name)) {
            Some(Value::Integer(own)) => (*own).min(max_bin),
            _ => max_bin,
        };
        config.params.insert(asked.unwrap_or("max_bin").to_owned(), Value::Integer(fewer));
    }
    configs
}

/// Bytes as a person says them.
fn shown(bytes: u64) -> String {
    match bytes {
        0..1_000_000_000 => format!("{:.0} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}

/// Reads a size such as `512MB`, `4GB` or `4GiB`.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse_bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: f64 = match unit.trim().to_ascii_lowercase().as_str() {
        "kb" | "k" => 1e3,
        "mb" | "m" => 1e6,
        "gb" | "g" => 1e9,
        "tb" | "t" => 1e12,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        "tib" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        "" | "b" if number.len() > 6 => 1.0,
        _ => return Err(format!("`{text}` is not a size; give a number with a unit, such as 512MB, 4GB or 4GiB")),
    };
    let bytes = number.parse::<f64>().ok().map(|n| n * factor).filter(|b| *b >= 1.0 && *b < 1e18);
    bytes.map(|b| b as u64).ok_or_else(|| format!("`{text}` is not a size; give one such as 512MB, 4GB or 4GiB"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_units() {
        assert_eq!(parse_bytes("512MB"), Ok(512_000_000));
        assert_eq!(parse_bytes(" 1.5 gb"), Ok(1_500_000_000));
        assert_eq!(parse_bytes("4GiB"), Ok(4 << 30));
        assert_eq!(parse_bytes("4000000000"), Ok(4_000_000_000));
        for bad in ["", "4", "GB", "4 apples", "-1GB", "1e3GB", "0GB", "1.2.3GB"] {
            assert!(parse_bytes(bad).unwrap_err().contains("512MB"), "{bad}");
        }
    }

    #[test]
    fn a_limit_is_kept_by_streaming_then_by_fewer_bins_then_by_fewer_rows() {
        let size = Size { rows: 10_000_000, features: 20, categories: 0, row_bytes: 160, fits: 1, outputs: 1 };
        let decided = |limit: &str, obstacle: Option<&str>| {
            let mut config = Config::default();
            config.train.memory_limit = limit.into();
            decide(size, &config, obstacle)
        };
        let held = decided("8GB", None).unwrap();
        assert!(!held.streamed && held.share == 1.0);
        let streamed = decided("1.3GB", None).unwrap();
        assert!(streamed.streamed && streamed.share == 1.0 && streamed.max_bin.is_none());
        let coarse = decided("1.15GB", None).unwrap();
        assert_eq!((coarse.share, coarse.max_bin), (1.0, Some(FEW_BINS)));
        let few = decided("600MB", None).unwrap();
        assert!(few.streamed && few.max_bin.is_none() && (0.2..0.6).contains(&few.share), "{few:?}");
        let rows = (few.share * size.rows as f64).round() as u64;
        assert!(size.streamed(rows, false) <= 600_000_000 && size.streamed(rows + 2, false) > 600_000_000);
        let held = decided("2GB", Some("folds")).unwrap();
        assert!(!held.streamed && held.share < 1.0 && !held.side_by_side);
        // Seven classes take 144 bytes of a row more.
        let labels = (0..7).map(|class| class.to_string()).collect();
        let of_classes = size.for_task(&Task::Multiclass { labels });
        assert!(must_decide_again(&streamed, size, of_classes) && !must_decide_again(&streamed, size, size));
        let mut config = Config::default();
        config.train.memory_limit = "1.3GB".into();
        let fewer = decide(of_classes, &config, None).unwrap();
        assert!(fewer.streamed && (0.3..0.6).contains(&fewer.share), "{fewer:?}");
        assert!(!must_decide_again(&fewer, of_classes, of_classes));
        let error = decided("50MB", None).unwrap_err().to_string();
        assert!(error.contains("--memory-limit 50 MB is too little: 1000 rows take about 101 MB"), "{error}");
    }
}
