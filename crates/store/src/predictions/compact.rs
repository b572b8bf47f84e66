//! Makes parts of the segments whose writers have ended, and one part of the small ones of a day.
//!
//! A part has the name of its segment, which is taken away when all of its parts are on disk: until then, readers pass over the
//! parts. Whatever a crash interrupts is done again, with the same names.

mod merge;

use std::collections::{BTreeMap, HashSet};
use std::fs::{File, TryLockError};
use std::path::Path;

use tabwright_core::{Block, Column};

use super::log::Head;
use super::part::{self, Day, PartWriter, day_of};
use super::row::{self, EntryBuilder};
use super::schema::{LayoutColumn, TIME};
use super::segment::{self, Segment, Taken};
use super::{Damage, Predictions, place};
use crate::error::{Error, Result};
use crate::time::Micros;

/// The file that is locked by the one who compacts.
const COMPACTING: &str = ".compacting";

/// What was compacted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compacted {
    /// Segments that became parts, or were empty.
    pub segments: u64,
    /// Bytes that these had.
    pub segment_bytes: u64,
    /// Parts that were made of them.
    pub parts: u64,
    /// Bytes that these have.
    pub part_bytes: u64,
    /// Entries in them.
    pub rows: u64,
    /// Bytes of frames that were not written to their end: those of a process that died, which nobody was told were written.
    pub torn_bytes: u64,
    /// Parts that were merged with others of their day.
    pub merged: u64,
    /// What was damaged. A segment of which a piece was, lies beside the others with the ending `.damaged`.
    pub damage: Vec<Damage>,
    /// Versions that another process compacts at the moment.
    pub busy: Vec<String>,
}

pub(super) fn compact(log: &Predictions, now: Micros) -> Result<Compacted> {
    let mut done = Compacted::default();
    for version in log.versions()? {
        let folder = log.folder().join(&version);
        let Some(_alone) = lock(&folder)? else {
            done.busy.push(version);
            continue;
        };
        remove_unfinished(&folder)?;
        for segment in segment::list(&folder)? {
            match segment.take_over() {
                Ok(Some(taken)) => compact_segment(&folder, &segment, taken, &mut done)?,
                Ok(None) => {}
                Err(error) => Damage::note(&mut done.damage, &segment.path, &error),
            }
        }
        merge::merge(&folder, now, &mut done)?;
    }
    Ok(done)
}

/// Keeps others from compacting a version while the answer is held.
fn lock(folder: &Path) -> Result<Option<File>> {
    let path = folder.join(COMPACTING);
    let told = |e| Error::file(&path, "the log cannot be compacted")(e);
    if path.is_symlink() {
        return Err(told(std::io::Error::other("a link stands in its place; take it away")));
    }
    let file = File::options().create(true).append(true).open(&path).map_err(told)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(e)) => Err(told(e)),
    }
}

/// Takes away what a compaction that died has left: nobody else writes there.
fn remove_unfinished(folder: &Path) -> Result<()> {
    for day in place::folders(folder)?.into_iter().filter(|name| part::is_day(name)) {
        for entry in place::entries(&folder.join(day))? {
            if place::is_file(&entry) && place::is_temporary(&entry.file_name().to_string_lossy()) {
                // The next compaction tries again.
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
    Ok(())
}

fn compact_segment(folder: &Path, segment: &Segment, taken: Taken, done: &mut Compacted) -> Result<()> {
    let size = taken.bytes.len() as u64;
    done.torn_bytes += taken.torn as u64;
    match segment::open::<Head>(&segment.path, &taken.bytes) {
        Ok(None) => {}
        Ok(Some((head, frames))) => {
            let layout = head.schema.layout();
            let Some(days) = by_day(&layout, frames) else {
                let why = "a frame has another form than this version of Tabwright knows; the segment is left as it is";
                Damage::note(&mut done.damage, &segment.path, &why);
                return Ok(());
            };
            for (day, rows) in days {
                let block = rows.finish();
                done.rows += block.n_rows() as u64;
                done.part_bytes += write_part(folder, (day, &segment.stem), &head, &layout, &block)?;
                done.parts += 1;
            }
        }
        Err(error) => {
            // Without its head, a segment says nothing, and somebody may be able to mend it.
            Damage::note(&mut done.damage, &segment.path, &error);
            return Ok(());
        }
    }
    if taken.damaged > 0 {
        let why = format!("{} bytes were damaged; what is whole became parts", taken.damaged);
        Damage::note(&mut done.damage, &segment.path, &why);
    }
    taken.remove()?;
    done.segments += 1;
    done.segment_bytes += size;
    Ok(())
}

/// The entries of each day.
fn by_day<'a>(layout: &[LayoutColumn], frames: impl Iterator<Item = &'a [u8]>) -> Option<BTreeMap<Day, EntryBuilder>> {
    let mut days: BTreeMap<Day, EntryBuilder> = BTreeMap::new();
    for payload in frames {
        let times = row::times(payload)?;
        let own: HashSet<Day> = times.iter().map(|at| day_of(*at)).collect();
        if let (1, Some(day)) = (own.len(), times.first().map(|at| day_of(*at))) {
            days.entry(day).or_insert_with(|| EntryBuilder::new(layout)).read(payload)?;
            continue;
        }
        let mut all = EntryBuilder::new(layout);
        all.read(payload)?;
        let block = all.finish();
        let mut rows: BTreeMap<Day, Vec<u32>> = BTreeMap::new();
        for (row, at) in times.iter().enumerate() {
            rows.entry(day_of(*at)).or_default().push(row as u32);
        }
        for (day, rows) in rows {
            days.entry(day).or_insert_with(|| EntryBuilder::new(layout)).push_rows(&block, &rows);
        }
    }
    Some(days)
}

/// Writes the entries of a day, in the order of their times.
fn write_part(
    folder: &Path,
    (day, stem): (Day, &str),
    head: &Head,
    layout: &[LayoutColumn],
    block: &Block,
) -> Result<u64> {
    let columns = layout.iter().zip(block.columns()).map(|(column, values)| column.exact(values)).collect();
    let mut writer = PartWriter::create((folder, day, stem), head, columns, &[])?;
    match block.column(TIME) {
        Column::Timestamp(times) if !times.is_sorted() => {
            let mut rows: Vec<u32> = (0..block.n_rows() as u32).collect();
            rows.sort_by_key(|row| times[*row as usize]);
            let sorted = block.columns().iter().map(|c| c.take(&rows)).collect();
            let sorted = Block::new(sorted, block.n_rows()).map_err(|e| Error::Invalid(e.to_string()))?;
            writer.write(&sorted)?;
        }
        _ => writer.write(block)?,
    }
    writer.finish()
}
