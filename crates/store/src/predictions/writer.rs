//! Appends frames to segments: a queue that is bounded, and a thread that empties it. Whoever waits for the disk shares one sync with
//! all who wait at that moment.
//!
//! When the disk fails, those who wait are told, and what nobody waits for stays in the queue for as long as there is room; then
//! it is dropped and counted. The thread tries again with a new segment, at growing intervals.

mod queue;

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::frame::frame;
use super::segment::{Disk, FileSystem, SegmentFile, new_name};
use crate::error::{Error, Result};
use crate::time::{self, Micros};

use queue::{Item, Next, Shared};

/// Times that the interval between attempts doubles.
const DOUBLINGS: u32 = 6;

/// How long many rows wait for room in the queue: a disk that takes longer does not answer.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// How a log is written.
#[derive(Debug, Clone, Copy)]
pub struct LogOptions {
    /// Bytes after which a segment is closed, so that it can become a part.
    pub segment_bytes: u64,
    /// Age at which a segment is closed.
    pub segment_age: Duration,
    /// Bytes that may wait to be written.
    pub queue_bytes: usize,
    /// How long to wait after the disk has failed; after further failures longer, up to 64 times that.
    pub retry: Duration,
    /// Tells the time at which a segment is opened, by which segments are ordered.
    pub clock: fn() -> Micros,
}

impl Default for LogOptions {
    fn default() -> Self {
        LogOptions {
            segment_bytes: 64 << 20,
            segment_age: Duration::from_secs(3600),
            queue_bytes: 16 << 20,
            retry: Duration::from_millis(100),
            clock: time::now,
        }
    }
}

/// How a log is doing. Numbers are of rows and since it was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogState {
    /// Written; on disk where somebody waited for it.
    pub written: u64,
    /// Lost: there was no room in the queue, or somebody waited while the disk failed and was told.
    pub dropped: u64,
    /// Waiting to be written.
    pub waiting: u64,
    /// Times that the disk was waited for.
    pub syncs: u64,
    /// Why nothing can be written at present.
    pub failing: Option<String>,
    /// What last went wrong, even if it goes well again.
    pub last_error: Option<String>,
}

/// The answer to a durable append: comes when what was appended is on disk, together with what others appended at the time.
#[derive(Debug)]
#[must_use = "an append is durable only when its answer has come"]
pub struct Durable {
    answer: oneshot::Receiver<Result<(), String>>,
    place: String,
}

impl Durable {
    /// Waits, and lets other tasks go on.
    ///
    /// # Errors
    /// [`Error::Log`] if it could not be written; it is not in the log then, or not for sure.
    pub async fn done(self) -> Result<()> {
        told(self.place, self.answer.await)
    }

    /// Waits, and holds up the thread.
    ///
    /// # Errors
    /// As [`Durable::done`].
    ///
    /// # Panics
    /// Within an asynchronous task.
    pub fn wait(self) -> Result<()> {
        told(self.place, self.answer.blocking_recv())
    }
}

fn told(place: String, answer: Result<Result<(), String>, oneshot::error::RecvError>) -> Result<()> {
    match answer {
        Ok(Ok(())) => Ok(()),
        Ok(Err(why)) => Err(Error::Log { place, why }),
        Err(_) => Err(Error::Log { place, why: "the log was closed before it was written".into() }),
    }
}

/// Appends frames to the segments of a folder.
#[derive(Debug)]
pub(super) struct FrameWriter {
    shared: Arc<Shared>,
    place: String,
    thread: Option<JoinHandle<()>>,
}

impl FrameWriter {
    /// Starts the thread. Nothing is written before something is appended.
    pub(super) fn start(folder: PathBuf, head: Vec<u8>, options: LogOptions) -> Result<Self> {
        FrameWriter::on_disk(folder, head, options, Arc::new(FileSystem))
    }

    pub(super) fn on_disk(folder: PathBuf, head: Vec<u8>, options: LogOptions, disk: Arc<dyn Disk>) -> Result<Self> {
        let shared = Arc::new(Shared::new(options.queue_bytes));
        let place = folder.display().to_string();
        let (own, head) = (Arc::clone(&shared), frame(&head));
        let writer = Writer { shared: own, folder, head, options, disk, open: None, not_synced: None };
        let thread = std::thread::Builder::new().name("prediction-log".into()).spawn(move || writer.run());
        let thread =
            thread.map_err(|e| Error::Log { place: place.clone(), why: format!("no thread can be started: {e}") })?;
        Ok(FrameWriter { shared, place, thread: Some(thread) })
    }

    /// Appends without waiting. Says whether there was room; if not, it is counted.
    pub(super) fn append(&self, frame: Vec<u8>, rows: u64) -> bool {
        self.shared.push(Item { frame, rows, waiter: None }).is_ok()
    }

    /// Appends and answers when it is on disk.
    pub(super) fn append_durable(&self, frame: Vec<u8>, rows: u64) -> Durable {
        let (waiter, answer) = oneshot::channel();
        if let Err((item, why)) = self.shared.push(Item { frame, rows, waiter: Some(waiter) }) {
            item.answer(Err(why));
        }
        Durable { answer, place: self.place.clone() }
    }

    /// Appends, and holds up the thread until there is room, but not longer than [`LONGEST_WAIT`].
    pub(super) fn append_with_room(&self, frame: Vec<u8>, rows: u64) -> Result<()> {
        let pushed = self.shared.push_with_room(Item { frame, rows, waiter: None }, LONGEST_WAIT);
        pushed.map_err(|(_, why)| Error::Log { place: self.place.clone(), why })
    }

    pub(super) fn state(&self) -> LogState {
        self.shared.state()
    }

    /// Writes what waits, brings it to disk and ends the thread.
    pub(super) fn close(mut self) -> Result<()> {
        let last = self.append_durable(Vec::new(), 0);
        self.end();
        last.wait()
    }

    fn end(&mut self) {
        self.shared.close();
        if let Some(thread) = self.thread.take() {
            // A thread that broke off has answered nobody, which those who wait are told.
            let _ = thread.join();
        }
    }
}

impl Drop for FrameWriter {
    fn drop(&mut self) {
        self.end();
    }
}

/// What the thread has.
struct Writer {
    shared: Arc<Shared>,
    folder: PathBuf,
    head: Vec<u8>,
    options: LogOptions,
    disk: Arc<dyn Disk>,
    open: Option<OpenSegment>,
    /// Why a segment that was closed may not be on disk: the next who waits is told.
    not_synced: Option<String>,
}

/// A segment that is being written.
struct OpenSegment {
    file: Box<dyn SegmentFile>,
    length: u64,
    since: Instant,
    is_synced: bool,
}

impl Writer {
    fn run(mut self) {
        let mut failures = 0_u32;
        loop {
            let until = self.open.as_ref().map(|open| open.since + self.options.segment_age);
            match self.shared.next(until) {
                Next::Items(items) => match self.write(&items) {
                    Ok(synced) => {
                        failures = 0;
                        self.shared.written(items, synced);
                        self.close_if_due();
                    }
                    Err(why) => {
                        let interval = self.options.retry * (1 << failures.min(DOUBLINGS));
                        failures += 1;
                        self.shared.failed(items, &why, Instant::now() + interval);
                    }
                },
                Next::Due => self.close_if_due(),
                Next::End => {
                    self.close_segment();
                    return;
                }
            }
        }
    }

    /// Writes a group of frames. Says whether it was brought to disk. What is written of a group that fails is taken away again.
    fn write(&mut self, items: &[Item]) -> Result<bool, String> {
        let is_waited_for = items.iter().any(|item| item.waiter.is_some());
        if let Some(why) = self.not_synced.take_if(|_| is_waited_for) {
            return Err(why);
        }
        if self.open.is_none() && items.iter().all(|item| item.frame.is_empty()) {
            return Ok(false);
        }
        let open = match &mut self.open {
            Some(open) => open,
            none => {
                let name = new_name((self.options.clock)()).map_err(|e| e.to_string())?;
                let mut file = self.disk.create(&self.folder, &name).map_err(|e| e.to_string())?;
                if let Err(e) = file.append(&self.head) {
                    let _ = file.remove();
                    return Err(e.to_string());
                }
                let length = self.head.len() as u64;
                none.insert(OpenSegment { file, length, since: Instant::now(), is_synced: false })
            }
        };
        let (before, was_synced) = (open.length, open.is_synced);
        let written = open.append(items).and_then(|()| if is_waited_for { open.file.sync() } else { Ok(()) });
        match written {
            Ok(()) => {
                open.is_synced = is_waited_for;
                Ok(is_waited_for)
            }
            Err(e) => {
                // If this fails too, frames may be there twice: an id that is there twice is read once.
                let _ = match before == self.head.len() as u64 {
                    true => open.file.remove(),
                    false => open.file.cut(before),
                };
                if before > self.head.len() as u64 && !was_synced {
                    self.not_synced = Some(format!("a segment could not be brought to disk: {e}"));
                }
                self.open = None;
                Err(e.to_string())
            }
        }
    }

    fn close_if_due(&mut self) {
        let is_due = |open: &OpenSegment| {
            open.length >= self.options.segment_bytes || open.since.elapsed() >= self.options.segment_age
        };
        if self.open.as_ref().is_some_and(is_due) {
            self.close_segment();
        }
    }

    fn close_segment(&mut self) {
        if let Some(mut open) = self.open.take()
            && !open.is_synced
            && let Err(e) = open.file.sync()
        {
            let why = format!("a segment could not be brought to disk: {e}");
            self.shared.note(why.clone());
            self.not_synced = Some(why);
        }
    }
}

impl OpenSegment {
    /// Appends frames in one write, but for large ones.
    fn append(&mut self, items: &[Item]) -> std::io::Result<()> {
        /// Bytes that are worth a write of their own.
        const LARGE: usize = 1 << 18;
        let mut small = Vec::new();
        for item in items {
            self.length += item.frame.len() as u64;
            if item.frame.len() >= LARGE {
                self.file.append(&small)?;
                small.clear();
                self.file.append(&item.frame)?;
            } else {
                small.extend_from_slice(&item.frame);
            }
        }
        self.file.append(&small)
    }
}
