//! Entries to the payload of a frame, and back to columns.

use std::ops::Range;

use tabwright_core::{Block, Column, Kind};

use super::codec::{self, ColumnBuilder, Cursor};
use super::entry::{Entries, InputHash, hash_some};
use super::schema::{LayoutColumn, LogSchema};
use crate::time::Micros;

/// Bytes of a hash.
const HASH: usize = size_of::<InputHash>();
/// Stands for a hash where neither inputs nor hashes are known.
const UNKNOWN: InputHash = [0; HASH];

/// The payload of a frame for some rows of checked entries.
pub(super) fn encode(schema: &LogSchema, entries: &Entries<'_>, rows: Range<usize>) -> Vec<u8> {
    let mut out = Vec::with_capacity(rows.len() * (64 + 8 * entries.inputs.len()));
    codec::put_number(&mut out, rows.len() as u64);
    let times: &mut dyn Iterator<Item = Micros> = match entries.times {
        [one] => &mut std::iter::repeat_n(*one, rows.len()),
        times => &mut times[rows.clone()].iter().copied(),
    };
    // Times stand first: a compaction sorts frames by them.
    codec::put_steps(&mut out, times);
    codec::put_distinct(&mut out, &entries.ids[rows.clone()]);
    put_hashes(&mut out, entries, rows.clone());
    for list in [entries.missing, entries.out_of_range, entries.unseen, entries.latencies] {
        match list {
            [] => codec::put_missing(&mut out),
            [one] => codec::put_steps(&mut out, std::iter::repeat_n(*one, rows.len())),
            list => codec::put_steps(&mut out, list[rows.clone()].iter().copied()),
        }
    }
    match entries.flags {
        [] => codec::put_missing(&mut out),
        flags => codec::put_texts(&mut out, flags[rows.clone()].iter().copied()),
    }
    match entries.alias {
        None => codec::put_missing(&mut out),
        Some(alias) => codec::put_texts(&mut out, std::iter::repeat_n(alias, rows.len())),
    }
    codec::put_column(&mut out, entries.predictions, schema.outputs.kind(), rows.clone());
    match entries.probabilities {
        [] => schema.outputs.classes().iter().for_each(|_| codec::put_missing(&mut out)),
        all => all.iter().for_each(|p| codec::put_floats(&mut out, p[rows.clone()].iter().copied())),
    }
    for (column, input) in entries.inputs.iter().zip(&schema.inputs) {
        codec::put_column(&mut out, column, input.kind, rows.clone());
    }
    out
}

fn put_hashes(out: &mut Vec<u8>, entries: &Entries<'_>, rows: Range<usize>) {
    let own: Vec<InputHash>;
    let hashes = match entries.hashes {
        [] if entries.inputs.is_empty() => {
            own = vec![UNKNOWN; rows.len()];
            &own[..]
        }
        [] => {
            own = hash_some(entries.inputs, rows);
            &own[..]
        }
        given => &given[rows],
    };
    hashes.iter().for_each(|hash| out.extend_from_slice(hash));
}

/// The times of a payload, which stand first; nothing if it is none.
pub(super) fn times(payload: &[u8]) -> Option<Vec<Micros>> {
    let mut from = Cursor(payload);
    let n = from.count()?;
    let mut times = ColumnBuilder::new(Kind::Timestamp);
    times.read(&mut from, n)?;
    match times.finish() {
        Column::Timestamp(times) => Some(times),
        _ => None,
    }
}

/// Ids and times of a payload; nothing if it is none.
pub(super) fn ids_and_times(payload: &[u8]) -> Option<Vec<(&str, Micros)>> {
    let times = times(payload)?;
    let mut from = Cursor(payload);
    let n = from.count()?;
    ColumnBuilder::new(Kind::Timestamp).read(&mut from, n)?;
    times.into_iter().map(|at| Some((from.text()?, at))).collect()
}

/// Columns of entries that come in frame by frame.
#[derive(Debug)]
pub(super) struct EntryBuilder {
    columns: Vec<ColumnBuilder>,
    n_rows: usize,
}

impl EntryBuilder {
    pub(super) fn new(layout: &[LayoutColumn]) -> Self {
        EntryBuilder { columns: layout.iter().map(|c| ColumnBuilder::new(c.kind)).collect(), n_rows: 0 }
    }

    pub(super) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Reads a payload; nothing if it is none of this layout. The builder cannot be used then.
    pub(super) fn read(&mut self, payload: &[u8]) -> Option<()> {
        let mut from = Cursor(payload);
        let n = from.count()?;
        let [id, time, hash, missing, out_of_range, unseen, latency, rest @ ..] = &mut self.columns[..] else {
            return None;
        };
        time.read(&mut from, n)?;
        for _ in 0..n {
            id.push_text(Some(from.text()?));
        }
        let mut text = [0; 2 * HASH];
        for bytes in from.bytes(n.checked_mul(HASH)?)?.chunks_exact(HASH) {
            hash.push_text((*bytes != UNKNOWN).then(|| hex(bytes, &mut text)));
        }
        for column in [missing, out_of_range, unseen, latency] {
            column.read(&mut from, n)?;
        }
        for column in rest {
            column.read(&mut from, n)?;
        }
        self.n_rows += n;
        from.0.is_empty().then_some(())
    }

    /// Appends rows of a block of the same layout.
    pub(super) fn push_rows(&mut self, block: &Block, rows: &[u32]) {
        for (own, column) in self.columns.iter_mut().zip(block.columns()) {
            own.push_rows(column, rows);
        }
        self.n_rows += rows.len();
    }

    pub(super) fn finish(self) -> Block {
        let columns = self.columns.into_iter().map(ColumnBuilder::finish).collect();
        Block::new(columns, self.n_rows).expect("invariant: every column got each row")
    }
}

/// Bytes as hexadecimal digits.
fn hex<'a>(bytes: &[u8], text: &'a mut [u8; 2 * HASH]) -> &'a str {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    std::str::from_utf8(text).unwrap_or_default()
}
