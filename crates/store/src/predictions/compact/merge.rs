//! Makes one part of the small ones of a day that is over. It lists those whose place it takes, so that a crash in between leaves
//! nothing that is read twice.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use tabwright_core::{Block, Kind};
use tabwright_data::{ExactColumn, Spread};

use super::Compacted;
use crate::error::{Error, Result};
use crate::predictions::part::{self, BEFORE, Day, OpenPart, PartWriter, day_of};
use crate::predictions::{Damage, place, read, segment};
use crate::time::Micros;

/// Parts from this size on stay as they are.
const LARGE: u64 = 64 << 20;
/// Rows that are read at a time.
const ROWS: usize = 1 << 16;

pub(super) fn merge(folder: &Path, now: Micros, done: &mut Compacted) -> Result<()> {
    let segments = segment::list(folder)?;
    let segments: HashSet<&str> = segments.iter().map(|s| s.stem.as_str()).collect();
    let mut parts = part::list(folder)?;
    parts.retain(|p| p.day < day_of(now) && !segments.contains(p.stem.as_str()));
    let small: Vec<Day> = parts.iter().filter(|p| p.size < LARGE).map(|p| p.day).collect();
    parts.retain(|p| small.iter().filter(|day| **day == p.day).count() > 1);
    if parts.is_empty() {
        return Ok(());
    }
    let Some(_alone) = read::lock_against_readers(folder)? else { return Ok(()) };
    let mut current = part::current(parts.clone(), &segments, |error| {
        if let Error::Damaged { path, .. } | Error::File { path, .. } = &error {
            Damage::note(&mut done.damage, path, &error);
        }
    });
    // Parts that a merged one took the place of are still there if that was interrupted.
    remove_replaced(&parts, &current)?;
    current.retain(|p| p.part.size < LARGE);
    let mut groups: BTreeMap<(Day, String), Vec<OpenPart>> = BTreeMap::new();
    for part in current {
        let key = serde_json::json!([*part.head, part.columns]).to_string();
        groups.entry((part.part.day, key)).or_default().push(part);
    }
    for ((day, _), group) in groups {
        let mut group = group;
        while group.len() > 1 {
            let mut size = 0;
            let fits = group.iter().take_while(|p| {
                size += p.part.size;
                size <= LARGE
            });
            let n = fits.count().max(2);
            let rest = group.split_off(n.min(group.len()));
            merge_group(folder, day, &group, done)?;
            group = rest;
        }
    }
    Ok(())
}

/// Takes away the parts that others have taken the place of.
fn remove_replaced(all: &[part::Part], current: &[OpenPart]) -> Result<()> {
    let replaced =
        |part: &part::Part| current.iter().any(|p| p.part.day == part.day && p.replaces.contains(&part.stem));
    for part in all.iter().filter(|p| replaced(p)) {
        remove(&part.path)?;
    }
    Ok(())
}

fn remove(path: &Path) -> Result<()> {
    std::fs::remove_file(path).map_err(Error::file(path, "the part cannot be taken away"))
}

fn merge_group(folder: &Path, day: Day, group: &[OpenPart], done: &mut Compacted) -> Result<()> {
    let [first, ..] = group else { return Ok(()) };
    let replaces: Vec<String> = group.iter().map(|p| p.part.stem.clone()).collect();
    // The name follows from what is merged, so that a merge that is done again takes the place of the one that was interrupted. It
    // begins like that of the first, so that the order of the parts stays that of their segments.
    let hash = blake3::hash(replaces.join("/").as_bytes()).to_hex();
    let begins = first.part.stem.get(..segment::STEM).unwrap_or(&first.part.stem);
    let stem = format!("{begins}-{}", &hash[..16]);
    let layout = &first.layout;
    let columns = layout.iter().zip(&first.columns[BEFORE..]).map(|(column, (name, kind))| {
        let spread = if *kind == Kind::Float { Spread::Repeated } else { column.spread() };
        ExactColumn { name: name.clone(), kind: *kind, spread }
    });
    let mut writer = PartWriter::create((folder, day, &stem), &first.head, columns.collect(), &replaces)?;
    for part in group {
        let Some(mut reader) = part.rows(None, ROWS)? else { continue };
        while let Some(block) = reader.next_block().map_err(|e| part::of_data(&part.part.path, &e))? {
            let n_rows = block.n_rows();
            let columns = block.into_columns().split_off(BEFORE);
            writer.write(&Block::new(columns, n_rows).map_err(|e| Error::Invalid(e.to_string()))?)?;
        }
    }
    writer.finish()?;
    for part in group {
        remove(&part.part.path)?;
    }
    place::sync_folder(&part::day_folder(folder, day));
    done.merged += group.len() as u64;
    Ok(())
}
