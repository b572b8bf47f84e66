//! What waits to be written, and what has become of what was.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::oneshot;

use super::LogState;

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
    is_closed: bool,
    /// When to try again.
    retry_at: Option<Instant>,
    state: LogState,
}

impl Queue {
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
        let mut queue = self.queue();
        let refused = if queue.is_closed {
            Some("the log is closed".to_owned())
        } else if let (Some(_), true, Some(why)) = (queue.retry_at, item.waiter.is_some(), &queue.state.failing) {
            Some(why.clone())
        } else if queue.bytes > 0 && queue.bytes + item.frame.len() > self.most_bytes {
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
        queue.bytes += item.frame.len();
        queue.state.waiting += item.rows;
        queue.items.push_back(item);
        drop(queue);
        self.work.notify_one();
        Ok(())
    }

    /// Waits until there is room for some bytes.
    pub(super) fn wait_for_room(&self, bytes: usize) -> Result<(), String> {
        let mut queue = self.queue();
        loop {
            if let (Some(_), Some(why)) = (queue.retry_at, &queue.state.failing) {
                return Err(why.clone());
            }
            if queue.bytes == 0 || queue.bytes + bytes <= self.most_bytes {
                return Ok(());
            }
            queue = self.room.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
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
            if queue.retry_at.is_none() && !queue.items.is_empty() {
                queue.bytes = 0;
                return Next::Items(std::mem::take(&mut queue.items).into());
            }
            if queue.is_closed {
                return Next::End;
            }
            if until.is_some_and(|until| until <= now) {
                return Next::Due;
            }
            let soonest = [queue.retry_at, until].into_iter().flatten().min();
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
        for item in items.into_iter().rev() {
            // What came in the meantime may have filled the queue.
            let is_full = queue.bytes > 0 && queue.bytes + item.frame.len() > self.most_bytes;
            if item.waiter.is_some() || queue.is_closed || is_full {
                queue.state.waiting -= item.rows;
                queue.drop_rows(item.rows, why);
                told.push(item);
            } else {
                queue.bytes += item.frame.len();
                queue.items.push_front(item);
            }
        }
        // Those who waited for others to be written while the disk began to fail would wait for nothing.
        let (waited, others): (Vec<Item>, Vec<Item>) =
            std::mem::take(&mut queue.items).into_iter().partition(|item| item.waiter.is_some());
        queue.items = others.into();
        for item in waited {
            queue.bytes -= item.frame.len();
            queue.state.waiting -= item.rows;
            queue.drop_rows(item.rows, why);
            told.push(item);
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
