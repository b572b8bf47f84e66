//! Where rows come from: a part or a segment.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use tabwright_core::{Block, Column};
use tabwright_data::ExactReader;

use super::{CHUNK_ROWS, Damage};
use crate::error::{Error, Result};
use crate::predictions::frame::Frames;
use crate::predictions::log::Head;
use crate::predictions::part::{self, BEFORE, OpenPart, day_of};
use crate::predictions::row::{self, EntryBuilder};
use crate::predictions::schema::{ID, LayoutColumn, LogSchema, TIME};
use crate::predictions::segment::{self, Segment};
use crate::time::Micros;

/// A file with rows.
#[derive(Debug)]
pub(super) enum Source {
    Part(OpenPart),
    /// A segment, up to the length that it had when it was found.
    Segment(Segment, u64),
}

/// Where twins of a window may lie before it.
pub(super) fn look_back(from: Micros) -> Micros {
    from.saturating_sub(part::DAY)
}

/// All files of a version that may have rows of a window, or twins of them.
pub(super) fn of_window(folder: &Path, from: Micros, to: Micros, damage: &mut Vec<Damage>) -> Result<Vec<Source>> {
    // Segments are opened first: one that becomes a part after that is read as what it was, and its part passed over.
    let segments = segment::list(folder)?;
    let stems: HashSet<&str> = segments.iter().map(|s| s.stem.as_str()).collect();
    let (first, last) = (day_of(look_back(from)), day_of(to.saturating_sub(1)));
    let parts = part::list(folder)?.into_iter().filter(|p| (first..=last).contains(&p.day)).collect();
    let parts = part::current(parts, &stems, |error| {
        let path = if let Error::Damaged { path, .. } | Error::File { path, .. } = &error { path } else { folder };
        Damage::note(damage, path, &error);
    });
    let segments = segments.into_iter().map(|segment| {
        let length = segment.size();
        Source::Segment(segment, length)
    });
    Ok(parts.into_iter().map(Source::Part).chain(segments).collect())
}

impl Source {
    pub(super) fn path(&self) -> &Path {
        match self {
            Source::Part(part) => &part.part.path,
            Source::Segment(segment, _) => &segment.path,
        }
    }

    /// What is logged in it; none where that cannot be read.
    pub(super) fn schema(&self) -> Option<LogSchema> {
        match self {
            Source::Part(part) => Some(part.head.schema.clone()),
            Source::Segment(segment, length) => {
                let bytes = segment.read(*length).ok()?;
                Some(segment::open::<Head>(&segment.path, &bytes).ok()??.0.schema)
            }
        }
    }

    /// About how many rows there are: those of a segment are not known, and few take less than this number of bytes.
    pub(super) fn about_rows(&self) -> u64 {
        const ROW_BYTES: u64 = 64;
        match self {
            Source::Part(part) => part.n_rows,
            Source::Segment(_, length) => length / ROW_BYTES,
        }
    }

    /// Whether it may have rows of a window.
    pub(super) fn overlaps(&self, from: Micros, to: Micros) -> bool {
        match self {
            Source::Part(part) => (day_of(from)..=day_of(to.saturating_sub(1))).contains(&part.part.day),
            Source::Segment(..) => true,
        }
    }

    /// Calls with every id, its time and the number of its row, in the order of the rows.
    pub(super) fn for_each_id(&self, visit: &mut dyn FnMut(&str, Micros, u64)) -> Result<()> {
        let mut n = 0;
        match self {
            Source::Part(part) => {
                let Some(mut reader) = part.rows(Some(&[BEFORE + ID, BEFORE + TIME]), CHUNK_ROWS)? else {
                    return Ok(());
                };
                while let Some(block) = reader.next_block().map_err(|e| part::of_data(&part.part.path, &e))? {
                    let (Column::Category(ids), Column::Timestamp(times)) = (block.column(0), block.column(1)) else {
                        let why = "ids are no texts, or times no times".to_owned();
                        return Err(Error::Damaged { path: part.part.path.clone(), why });
                    };
                    for (row, at) in times.iter().enumerate() {
                        visit(ids.get(row).unwrap_or_default(), *at, n);
                        n += 1;
                    }
                }
            }
            Source::Segment(segment, length) => {
                let bytes = segment.read(*length)?;
                let Some((_, frames)) = segment::open::<Head>(&segment.path, &bytes)? else { return Ok(()) };
                for payload in frames {
                    let ids = row::ids_and_times(payload).ok_or_else(|| unknown(&segment.path))?;
                    for (id, at) in ids {
                        visit(id, at, n);
                        n += 1;
                    }
                }
            }
        }
        Ok(())
    }

    /// Begins to read the rows; nothing where there are none.
    pub(super) fn rows(&self, chunk_rows: usize, damage: &mut Vec<Damage>) -> Result<Option<Rows>> {
        match self {
            Source::Part(part) => {
                let reader = part.rows(None, chunk_rows)?;
                let (head, layout) = (Arc::clone(&part.head), Arc::clone(&part.layout));
                let path = part.part.path.clone();
                Ok(reader.map(|reader| Rows { head, layout, path, from: From::Part(Box::new(reader)) }))
            }
            Source::Segment(segment, length) => {
                let bytes = segment.read(*length)?;
                let (head, end): (Head, usize) = match segment::open(&segment.path, &bytes) {
                    Ok(None) => return Ok(None),
                    Ok(Some((head, frames))) => (head, frames.end()),
                    Err(error) => {
                        Damage::note(damage, &segment.path, &error);
                        return Ok(None);
                    }
                };
                let mut frames = Frames::of(&bytes);
                frames.by_ref().for_each(drop);
                if frames.damaged() > 0 {
                    let why = format!("{} bytes of the segment are damaged and were passed over", frames.damaged());
                    Damage::note(damage, &segment.path, &why);
                }
                let layout = Arc::new(head.schema.layout());
                let from = From::Segment { bytes, end, chunk_rows };
                Ok(Some(Rows { head: Arc::new(head), layout, path: segment.path.clone(), from }))
            }
        }
    }
}

fn unknown(path: &Path) -> Error {
    let why = "a frame is whole and has another form than this version of Tabwright knows".to_owned();
    Error::Damaged { path: path.to_owned(), why }
}

/// The rows of a source, in their order.
#[derive(Debug)]
pub(super) struct Rows {
    head: Arc<Head>,
    layout: Arc<Vec<LayoutColumn>>,
    path: std::path::PathBuf,
    from: From,
}

#[derive(Debug)]
enum From {
    Part(Box<ExactReader>),
    Segment { bytes: Vec<u8>, end: usize, chunk_rows: usize },
}

impl Rows {
    pub(super) fn head(&self) -> &Head {
        &self.head
    }

    pub(super) fn layout(&self) -> &[LayoutColumn] {
        &self.layout
    }

    pub(super) fn next(&mut self) -> Result<Option<Block>> {
        match &mut self.from {
            From::Part(reader) => {
                let block = reader.next_block().map_err(|e| part::of_data(&self.path, &e))?;
                let Some(block) = block else { return Ok(None) };
                let n_rows = block.n_rows();
                let columns = block.into_columns().split_off(BEFORE);
                Block::new(columns, n_rows).map(Some).map_err(|e| Error::Invalid(e.to_string()))
            }
            From::Segment { bytes, end, chunk_rows } => {
                let mut rows = EntryBuilder::new(&self.layout);
                let mut frames = Frames::of(&bytes[*end..]);
                let mut read = 0;
                while rows.n_rows() < *chunk_rows {
                    let Some(payload) = frames.next() else { break };
                    rows.read(payload).ok_or_else(|| unknown(&self.path))?;
                    read = frames.end();
                }
                *end += read;
                Ok((rows.n_rows() > 0).then(|| rows.finish()))
            }
        }
    }
}
