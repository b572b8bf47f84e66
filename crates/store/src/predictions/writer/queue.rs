//! What waits to be written, and what has become of what was.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::LogState;

/// How long what nobody waits for may lie in the queue, so that a thread is not woken and the disk not asked for each row of its own.
const GATHERING: Duration = Duration::from_millis(5);

/// A frame on its way.
#[derive(Debug)]
pub(super) struct Item {
    /// Its bytes; none where somebody waits for all before it.
    pub(super) frame: Vec<u8>,
    pub(super) rows: u64,
    /// Who waits until it is on disk.
    pub(super) waiter: Option<oneshot::Sender<Result<(), String>>>,
}

impl Item {
    pub(super) fn answer(self, answer: Result<(), String>) {
        if let Some(waiter) = self.waiter {
            // Whoever no longer waits needs no answer.
            let _ = waiter.send(answer);
        }
    }
}

/// What the thread does next.
pub(super) enum Next {
    Items(Vec<Item>),
    /// The moment that it asked for has come.
    Due,
    /// All is written, and nothing more comes.
    End,
}

/// What appenders and the thread share.
#[derive(Debug)]
pub(super) struct Shared {
    queue: Mutex<Queue>,
    most_bytes: usize,
    /// Told when there is something to do.
    work: Condvar,
    /// Told when there is room, or there will be none.
    room: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<Item>,
    bytes: usize,
    /// Items that somebody waits for.
    waited_for: usize,
    /// When the first of the items came.
    since: Option<Instant>,
    is_closed: bool,
    /// When to try again.
    retry_at: Option<Instant>,
    state: LogState,
}

impl Queue {
    fn push(&mut self, item: Item) {
        self.bytes += item.frame.len();
        self.waited_for += usize::from(item.waiter.is_some());
        self.since.get_or_insert_with(Instant::now);
        self.items.push_back(item);
    }

    /// Whether an item finds room; one finds it in an empty queue, however large it is.
    fn has_room(&self, item: &Item, most_bytes: usize) -> bool {
        self.bytes == 0 || self.bytes + item.frame.len() <= most_bytes
    }

    fn take(&mut self) -> Vec<Item> {
        (self.bytes, self.waited_for, self.since) = (0, 0, None);
        std::mem::take(&mut self.items).into()
    }

    /// Notes rows that are lost.
    fn drop_rows(&mut self, rows: u64, why: &str) {
        self.state.dropped += rows;
        self.state.last_error = Some(why.to_owned());
    }
}

impl Shared {
    pub(super) fn new(most_bytes: usize) -> Self {
        Shared { queue: Mutex::default(), most_bytes, work: Condvar::new(), room: Condvar::new() }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an item in, or says why not. Whoever waits for the disk is refused at once while it fails.
    pub(super) fn push(&self, item: Item) -> Result<(), (Item, String)> {
        self.push_to(self.queue(), item)
    }

    /// Takes an item in when there is room, and waits for that as long as may be. Where nothing can be written, or the time is up, it is
    /// lost and counted.
    pub(super) fn push_with_room(&self, item: Item, longest: Duration) -> Result<(), (Item, String)> {
        let mut queue = self.queue();
        let until = Instant::now() + longest;
        while queue.retry_at.is_none() && !queue.is_closed && !queue.has_room(&item, self.most_bytes) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            queue = self.room.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        self.push_to(queue, item)
    }

    fn push_to(&self, mut queue: MutexGuard<'_, Queue>, item: Item) -> Result<(), (Item, String)> {
        let refused = if queue.is_closed {
            Some("the log is closed".to_owned())
        } else if let (Some(_), true, Some(why)) = (queue.retry_at, item.waiter.is_some(), &queue.state.failing) {
            Some(why.clone())
        } else if !queue.has_room(&item, self.most_bytes) {
            Some(match &queue.state.failing {
                Some(why) => format!("{why} (and as much waits to be written as may)"),
                None => "as much waits to be written as may: the disk is too slow for what is logged".to_owned(),
            })
        } else {
            None
        };
        if let Some(why) = refused {
            queue.drop_rows(item.rows, &why);
            return Err((item, why));
        }
        queue.state.waiting += item.rows;
        let (was_empty, was_much) = (queue.items.is_empty(), self.is_much(queue.bytes));
        let is_waited_for = item.waiter.is_some();
        queue.push(item);
        let is_due = is_waited_for || was_empty || (!was_much && self.is_much(queue.bytes));
        drop(queue);
        if is_due {
            self.work.notify_one();
        }
        Ok(())
    }

    /// Whether so much waits that it is time to write, so that the rest of the queue holds what comes in the meantime.
    fn is_much(&self, bytes: usize) -> bool {
        bytes >= self.most_bytes / 4
    }

    /// Waits for something to do, or until a moment.
    pub(super) fn next(&self, until: Option<Instant>) -> Next {
        let mut queue = self.queue();
        loop {
            let now = Instant::now();
            // Whoever closes a log does not wait for a disk to recover: there is one last attempt.
            if queue.retry_at.is_some_and(|at| at <= now || queue.is_closed) {
                queue.retry_at = None;
            }
            let gathered = queue.since.map(|since| since + GATHERING);
            let is_due = queue.waited_for > 0
                || queue.is_closed
                || self.is_much(queue.bytes)
                || gathered.is_some_and(|at| at <= now);
            if queue.retry_at.is_none() && !queue.items.is_empty() && is_due {
                return Next::Items(queue.take());
            }
            if queue.is_closed {
                return Next::End;
            }
            if until.is_some_and(|until| until <= now) {
                return Next::Due;
            }
            let soonest = [queue.retry_at.or(gathered), until].into_iter().flatten().min();
            queue = match soonest {
                Some(at) => {
                    let waited = self.work.wait_timeout(queue, at.saturating_duration_since(now));
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.work.wait(queue).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Items were written.
    pub(super) fn written(&self, items: Vec<Item>, is_synced: bool) {
        let mut queue = self.queue();
        let rows: u64 = items.iter().map(|item| item.rows).sum();
        queue.state.written += rows;
        queue.state.waiting -= rows;
        queue.state.syncs += u64::from(is_synced);
        queue.state.failing = None;
        drop(queue);
        self.room.notify_all();
        items.into_iter().for_each(|item| item.answer(Ok(())));
    }

    /// Items could not be written: those that somebody waits for are given up, the others wait for another attempt.
    pub(super) fn failed(&self, items: Vec<Item>, why: &str, retry_at: Instant) {
        let mut queue = self.queue();
        queue.state.failing = Some(why.to_owned());
        queue.state.last_error = Some(why.to_owned());
        queue.retry_at = Some(retry_at);
        let mut told = Vec::new();
        // Those who came while the disk began to fail would wait for nothing, like those who came before.
        let came_since = queue.take();
        for item in items.into_iter().chain(came_since) {
            let is_full = !queue.has_room(&item, self.most_bytes);
            if item.waiter.is_some() || queue.is_closed || is_full {
                queue.state.waiting -= item.rows;
                queue.drop_rows(item.rows, why);
                told.push(item);
            } else {
                queue.push(item);
            }
        }
        drop(queue);
        self.room.notify_all();
        told.into_iter().for_each(|item| item.answer(Err(why.to_owned())));
    }

    /// Notes an error that loses nothing by itself.
    pub(super) fn note(&self, why: String) {
        self.queue().state.last_error = Some(why);
    }

    pub(super) fn state(&self) -> LogState {
        self.queue().state.clone()
    }

    /// Takes nothing more in.
    pub(super) fn close(&self) {
        self.queue().is_closed = true;
        self.work.notify_all();
        self.room.notify_all();
    }
}
