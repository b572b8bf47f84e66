//! Frees what is older than it need be, or more than there is room for: whole days, the oldest first.

use std::path::Path;
use std::time::Duration;

use super::part::{self, Day, Part, day_of, day_text};
use super::{LABELS, Predictions, label, loss, place, segment};
use crate::error::{Error, Result};
use crate::time::Micros;

/// How long predictions and labels are kept, unless it is said otherwise.
pub const KEPT_FOR: Duration = Duration::from_secs(30 * 86_400);

/// What is kept of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// The time.
    pub now: Micros,
    /// How old a day may be; none for any age.
    pub age: Option<Duration>,
    /// How many bytes all files of the model may have together; none for any number.
    pub bytes: Option<u64>,
    /// Whether it is only found out what would be freed.
    pub dry_run: bool,
}

impl Retention {
    /// What is kept for 30 days.
    pub fn by_default(now: Micros) -> Self {
        Retention { now, age: Some(KEPT_FOR), bytes: None, dry_run: false }
    }
}

/// What was freed, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FreedPredictions {
    /// The versions and days of parts, the oldest first.
    pub days: Vec<(String, String)>,
    /// Parts.
    pub parts: u64,
    /// Segments of labels.
    pub label_segments: u64,
    /// Bytes of all of these.
    pub bytes: u64,
    /// Bytes that are kept.
    pub kept_bytes: u64,
}

pub(super) fn retain(log: &Predictions, retention: &Retention) -> Result<FreedPredictions> {
    let mut freed = FreedPredictions::default();
    let mut total = log.bytes()?;
    let mut days: Vec<(Day, String, Vec<Part>)> = Vec::new();
    for version in log.versions()? {
        for part in part::list(&log.folder().join(&version))? {
            match days.last_mut().filter(|(day, of, _)| (*day, of) == (part.day, &version)) {
                Some((_, _, parts)) => parts.push(part),
                None => days.push((part.day, version.clone(), vec![part])),
            }
        }
    }
    days.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    let age = retention.age.map(|age| Micros::try_from(age.as_micros()).unwrap_or(Micros::MAX));
    let until = age.map(|age| retention.now.saturating_sub(age));
    if let Some(until) = until {
        if !retention.dry_run {
            loss::forget(log.folder(), until)?;
        }
        let labels = label::older_than(&log.folder().join(LABELS), until, retention.dry_run)?;
        (freed.label_segments, freed.bytes) = (labels.0, labels.1);
        total = total.saturating_sub(labels.1);
    }
    for (day, version, parts) in days {
        // A day is too old when its last moment is.
        let is_old = until.is_some_and(|until| day < day_of(until));
        if !is_old && retention.bytes.is_none_or(|most| total <= most) {
            continue;
        }
        let folder = log.folder().join(&version);
        for part in &parts {
            if !retention.dry_run {
                remove(&part.path)?;
            }
            freed.parts += 1;
            freed.bytes += part.size;
            total = total.saturating_sub(part.size);
        }
        if !retention.dry_run {
            // What else somebody has put there stays, and its folder with it.
            let _ = std::fs::remove_dir(part::day_folder(&folder, day));
            place::sync_folder(&folder);
        }
        freed.days.push((version, day_text(day)));
    }
    freed.kept_bytes = total;
    Ok(freed)
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::file(path, "the part cannot be freed")(e)),
        _ => Ok(()),
    }
}

/// Bytes of the parts and segments of a folder.
pub(super) fn bytes_of(folder: &Path) -> Result<u64> {
    let parts: u64 = part::list(folder)?.iter().map(|p| p.size).sum();
    let segments: u64 = segment::list(folder)?.iter().map(|s| s.size()).sum();
    Ok(parts + segments)
}
