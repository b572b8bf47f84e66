//! Labels: what turned out to be true, by the id of the prediction. They come late, early, again and corrected; all are kept, and the
//! last one counts.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tabwright_core::block::{Category, MISSING_INTEGER};
use tabwright_core::{Column, Kind};

use super::codec::{self, ColumnBuilder, Cursor};
use super::entry::{check_id, check_time};
use super::frame::frame;
use super::read::Damage;
use super::segment::{self, FORMAT};
use super::writer::{Durable, FrameWriter, LogOptions, LogState};
use crate::error::{Error, Result};
use crate::name;
use crate::time::Micros;

/// Labels of a frame, at most.
const ROWS: usize = 8192;
/// The longest label, in bytes: that of a class.
const LONGEST: usize = 1024;

/// What turned out to be true.
#[derive(Debug, Clone, PartialEq)]
pub enum LabelValue {
    /// A number.
    Number(f64),
    /// A class.
    Text(Arc<str>),
}

/// A label on its way in.
#[derive(Debug, Clone, PartialEq)]
pub struct Label<'a> {
    /// The prediction that it belongs to.
    pub id: &'a str,
    /// What turned out to be true.
    pub value: LabelValue,
    /// When it was true, if that is known.
    pub time: Option<Micros>,
}

impl Label<'_> {
    fn check(&self) -> Result<()> {
        check_id(self.id)?;
        self.time.map_or(Ok(()), |at| check_time("a label", at))?;
        let why = match &self.value {
            LabelValue::Number(number) if !number.is_finite() => format!("{number} is no number that can be true"),
            LabelValue::Text(text) if text.is_empty() => "it is empty".to_owned(),
            LabelValue::Text(text) if text.len() > LONGEST => {
                format!("it has {} bytes; {LONGEST} are allowed", text.len())
            }
            _ => return Ok(()),
        };
        Err(Error::Invalid(format!("the label of the prediction {} cannot be used: {why}", name::shown(self.id))))
    }
}

/// A label as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelRecord {
    /// What turned out to be true.
    pub value: LabelValue,
    /// When the label came.
    pub received: Micros,
    /// When it was true, if that is known.
    pub time: Option<Micros>,
}

/// The head of a segment of labels.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    format: u32,
    labels_of: String,
}

/// Appends the labels of a model.
#[derive(Debug)]
pub struct LabelLog {
    writer: FrameWriter,
}

impl LabelLog {
    pub(super) fn open(folder: PathBuf, model: &str, options: LogOptions) -> Result<Self> {
        let head = serde_json::to_vec(&Head { format: FORMAT, labels_of: model.to_owned() });
        let head = head.map_err(|e| Error::Invalid(format!("the head of labels cannot be written: {e}")))?;
        Ok(LabelLog { writer: FrameWriter::start(folder, head, options)? })
    }

    /// Appends labels that came at a time, and answers when all are on disk.
    ///
    /// # Errors
    /// If one of them can be no label; none is kept then. What the disk says comes with the answer.
    pub fn append(&self, labels: &[Label<'_>], received: Micros) -> Result<Durable> {
        check_time("the arrival of labels", received)?;
        labels.iter().try_for_each(Label::check)?;
        let frames: Vec<u8> = labels.chunks(ROWS).flat_map(|some| frame(&encode(some, received))).collect();
        Ok(self.writer.append_durable(frames, labels.len() as u64))
    }

    /// How it is doing.
    pub fn state(&self) -> LogState {
        self.writer.state()
    }

    /// Brings all to disk and closes the segment.
    ///
    /// # Errors
    /// [`Error::Log`] if something could not be written.
    pub fn close(self) -> Result<()> {
        self.writer.close()
    }
}

fn encode(labels: &[Label<'_>], received: Micros) -> Vec<u8> {
    let mut out = Vec::new();
    codec::put_number(&mut out, labels.len() as u64);
    codec::put_steps(&mut out, std::iter::once(received));
    codec::put_distinct(&mut out, &labels.iter().map(|l| l.id).collect::<Vec<_>>());
    let times = Column::Timestamp(labels.iter().map(|l| l.time.unwrap_or(MISSING_INTEGER)).collect());
    codec::put_column(&mut out, &times, Kind::Timestamp, 0..labels.len());
    let number = |label: &Label<'_>| match label.value {
        LabelValue::Number(number) => number,
        LabelValue::Text(_) => f64::NAN,
    };
    codec::put_floats(&mut out, labels.iter().map(number));
    let text = |label: &Label<'_>| match &label.value {
        LabelValue::Number(_) => None,
        LabelValue::Text(text) => Some(Arc::clone(text)),
    };
    let texts = Column::Category(Category::from_strings(labels.iter().map(text)));
    codec::put_column(&mut out, &texts, Kind::Categorical, 0..labels.len());
    out
}

/// The labels of a payload with their ids; nothing if it is none.
fn decode(payload: &[u8]) -> Option<Vec<(&str, LabelRecord)>> {
    let mut from = Cursor(payload);
    let n = from.count()?;
    let received = column(&mut from, Kind::Timestamp, 1)?;
    let Column::Timestamp(received) = received else { return None };
    let ids: Vec<&str> = (0..n).map(|_| from.text()).collect::<Option<_>>()?;
    let Column::Timestamp(times) = column(&mut from, Kind::Timestamp, n)? else { return None };
    let Column::Float(numbers) = column(&mut from, Kind::Float, n)? else { return None };
    let Column::Category(texts) = column(&mut from, Kind::Categorical, n)? else { return None };
    let levels: Vec<Arc<str>> = texts.levels.iter().map(Arc::from).collect();
    let record = |row: usize| LabelRecord {
        value: match levels.get(texts.codes[row] as usize) {
            Some(text) => LabelValue::Text(Arc::clone(text)),
            None => LabelValue::Number(numbers[row]),
        },
        received: received[0],
        time: Some(times[row]).filter(|at| *at != MISSING_INTEGER),
    };
    Some(ids.into_iter().enumerate().map(|(row, id)| (id, record(row))).collect())
}

fn column(from: &mut Cursor<'_>, kind: Kind, n: usize) -> Option<Column> {
    let mut column = ColumnBuilder::new(kind);
    column.read(from, n)?;
    Some(column.finish())
}

/// The last label of each prediction, as of a moment. Memory holds each of them.
#[derive(Debug, Default)]
pub struct Labels {
    by_id: HashMap<String, Held>,
    received: u64,
    repeated: u64,
    corrected: u64,
    damage: Vec<Damage>,
}

#[derive(Debug)]
struct Held {
    last: LabelRecord,
    is_corrected: bool,
}

impl Labels {
    pub(super) fn read(folder: &Path, until: Micros) -> Result<Self> {
        let mut labels = Labels::default();
        let mut all = Vec::new();
        labels.damage = for_each(folder, |id, record| {
            if record.received < until {
                all.push((id.to_owned(), record));
            }
        })?;
        // Several processes take labels in; of those that came at once, the order of the files decides.
        all.sort_by_key(|(_, record)| record.received);
        for (id, record) in all {
            labels.take_in(id, record);
        }
        Ok(labels)
    }

    fn take_in(&mut self, id: String, record: LabelRecord) {
        self.received += 1;
        match self.by_id.get_mut(&id) {
            None => {
                self.by_id.insert(id, Held { last: record, is_corrected: false });
            }
            Some(held) => {
                let is_same = held.last.value == record.value;
                self.repeated += u64::from(is_same);
                self.corrected += u64::from(!is_same);
                held.is_corrected |= !is_same;
                held.last = record;
            }
        }
    }

    /// The label of a prediction.
    pub fn get(&self, id: &str) -> Option<&LabelRecord> {
        self.by_id.get(id).map(|held| &held.last)
    }

    /// Whether it was another one before.
    pub fn is_corrected(&self, id: &str) -> bool {
        self.by_id.get(id).is_some_and(|held| held.is_corrected)
    }

    /// The predictions that have a label, in no order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.by_id.keys().map(String::as_str)
    }

    /// How many predictions have a label.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether none has.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// Labels that came, each time one did.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Those of them that said again what was known.
    pub fn repeated(&self) -> u64 {
        self.repeated
    }

    /// Those of them that said something else than the one before.
    pub fn corrected(&self) -> u64 {
        self.corrected
    }

    /// What could not be read and was passed over.
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }
}

/// Calls with every label, segment by segment.
fn for_each(folder: &Path, mut visit: impl FnMut(&str, LabelRecord)) -> Result<Vec<Damage>> {
    let mut damage = Vec::new();
    for segment in segment::list(folder)? {
        let bytes = segment.read(u64::MAX)?;
        let mut frames = match segment::open::<Head>(&segment.path, &bytes) {
            Ok(None) => continue,
            Ok(Some((_, frames))) => frames,
            Err(error) => {
                Damage::note(&mut damage, &segment.path, &error);
                continue;
            }
        };
        for payload in frames.by_ref() {
            match decode(payload) {
                Some(labels) => labels.into_iter().for_each(|(id, record)| visit(id, record)),
                None => {
                    let why = "a frame has another form than this version of Tabwright knows";
                    Damage::note(&mut damage, &segment.path, &why);
                }
            }
        }
        if frames.damaged() > 0 {
            let why = format!("{} bytes of the segment are damaged and were passed over", frames.damaged());
            Damage::note(&mut damage, &segment.path, &why);
        }
    }
    Ok(damage)
}

/// All labels of one prediction, as they came.
pub(super) fn history(folder: &Path, id: &str) -> Result<Vec<LabelRecord>> {
    let mut found = Vec::new();
    for_each(folder, |of, record| {
        if of == id {
            found.push(record);
        }
    })?;
    found.sort_by_key(|record| record.received);
    Ok(found)
}

/// Takes away the segments that nobody writes and all of whose labels came before a moment. Returns how many, and their bytes.
pub(super) fn older_than(folder: &Path, until: Micros, dry_run: bool) -> Result<(u64, u64)> {
    let (mut segments, mut total) = (0, 0);
    for segment in segment::list(folder)? {
        let bytes = segment.read(u64::MAX)?;
        let Ok(opened) = segment::open::<Head>(&segment.path, &bytes) else { continue };
        let last = opened.into_iter().flat_map(|(_, frames)| frames).filter_map(last_received).max();
        if last.is_some_and(|last| last >= until) {
            continue;
        }
        let Some(taken) = segment.take_over()? else { continue };
        // Its writer may have appended something before it ended.
        if taken.bytes.len() > bytes.len() {
            continue;
        }
        segments += 1;
        total += bytes.len() as u64;
        if !dry_run {
            taken.remove()?;
        }
    }
    Ok((segments, total))
}

fn last_received(payload: &[u8]) -> Option<Micros> {
    decode(payload)?.into_iter().map(|(_, record)| record.received).max()
}
