//! What a connection is doing, as its stream, its requests and its answers see it; and how long it may do so.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What a connection is doing. Times are counted in looks: the clock is read when the connection is looked at, not for each request.
#[derive(Debug)]
pub(super) struct Activity {
    /// The number of the present look, from 1 on.
    now: AtomicU32,
    /// Requests whose bodies are not read, and answers that are not sent.
    under_way: AtomicU32,
    /// The look when the first byte of a head came; 0 where none has come.
    head: AtomicU32,
    /// The look when the last request was over.
    last: AtomicU32,
    /// The look since which the caller takes no bytes; 0 where it does.
    stalled: AtomicU32,
    /// Looks that a head may take.
    head_looks: u32,
    /// Looks that may pass without a request, or without a byte that the caller takes.
    idle_looks: u32,
}

/// What is to be done with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Fine,
    /// A head is not complete in time.
    TooSlow,
    /// There was no request for too long.
    Idle,
    /// An answer is not read.
    Stuck,
}

impl Activity {
    pub(super) fn new(watch: Duration, header_time: Duration, idle_time: Duration) -> Self {
        let looks = |time: Duration| (time.as_secs_f64() / watch.as_secs_f64()).ceil().max(1.0) as u32;
        Activity {
            now: AtomicU32::new(1),
            under_way: AtomicU32::new(0),
            head: AtomicU32::new(0),
            last: AtomicU32::new(1),
            stalled: AtomicU32::new(0),
            head_looks: looks(header_time),
            idle_looks: looks(idle_time),
        }
    }

    /// A head is complete: from now until its request is read and its answer is sent, the connection is busy.
    pub(super) fn begin(self: &Arc<Self>) -> Busy {
        self.head.store(0, Ordering::Relaxed);
        self.under_way.fetch_add(1, Ordering::Relaxed);
        Busy(Arc::clone(self))
    }

    /// Looks at the connection, and at the clock.
    pub(super) fn look(&self) -> Verdict {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        let is_over = |since: u32, looks: u32| since > 0 && now.saturating_sub(since) > looks;
        if is_over(self.stalled.load(Ordering::Relaxed), self.idle_looks) {
            return Verdict::Stuck;
        }
        if self.under_way.load(Ordering::Relaxed) > 0 || self.stalled.load(Ordering::Relaxed) > 0 {
            return Verdict::Fine;
        }
        match self.head.load(Ordering::Relaxed) {
            0 if is_over(self.last.load(Ordering::Relaxed), self.idle_looks) => Verdict::Idle,
            head if is_over(head, self.head_looks) => Verdict::TooSlow,
            _ => Verdict::Fine,
        }
    }

    fn now(&self) -> u32 {
        self.now.load(Ordering::Relaxed)
    }

    /// Bytes have come.
    fn read(&self) {
        if self.under_way.load(Ordering::Relaxed) == 0 && self.head.load(Ordering::Relaxed) == 0 {
            self.head.store(self.now(), Ordering::Relaxed);
        }
    }

    /// The caller takes bytes, or does not.
    fn wrote(&self, is_taken: bool) {
        if is_taken {
            self.stalled.store(0, Ordering::Relaxed);
        } else if self.stalled.load(Ordering::Relaxed) == 0 {
            self.stalled.store(self.now(), Ordering::Relaxed);
        }
    }
}

/// A part of a request or an answer that is under way, as long as this is there.
#[derive(Debug)]
pub(crate) struct Busy(Arc<Activity>);

impl Clone for Busy {
    fn clone(&self) -> Self {
        self.0.under_way.fetch_add(1, Ordering::Relaxed);
        Busy(Arc::clone(&self.0))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.last.store(self.0.now(), Ordering::Relaxed);
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The body of an answer, under way until it is sent.
#[derive(Debug)]
pub(super) struct Sent {
    body: Body,
    _busy: Busy,
}

impl Sent {
    pub(super) fn new(body: Body, busy: Busy) -> Self {
        Sent { body, _busy: busy }
    }
}

impl hyper::body::Body for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The stream of a connection, watched.
#[derive(Debug)]
pub(super) struct Watched<T> {
    stream: T,
    activity: Arc<Activity>,
}

impl<T> Watched<T> {
    pub(super) fn new(stream: T, activity: Arc<Activity>) -> Self {
        Watched { stream, activity }
    }

    pub(super) fn into_inner(self) -> T {
        self.stream
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.activity.read();
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.activity.wrote(wrote.is_ready());
        wrote
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.activity.wrote(wrote.is_ready());
        wrote
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_busy_until_its_answer_is_sent_and_its_request_is_read() {
        let activity = Arc::new(Activity::new(Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)));
        let looks = |n: usize| (0..n).map(|_| activity.look()).collect::<Vec<_>>();
        assert_eq!(looks(4), [Verdict::Fine; 4]);
        activity.read();
        let request = activity.begin();
        let answer = request.clone();
        drop(request);
        // What comes while an answer goes is no head that is late.
        activity.read();
        assert_eq!(looks(9), [Verdict::Fine; 9]);
        drop(answer);
        assert_eq!(looks(5).pop(), Some(Verdict::Idle));
        activity.read();
        assert_eq!(looks(3), [Verdict::Fine, Verdict::Fine, Verdict::TooSlow]);
        activity.wrote(false);
        assert_eq!(looks(5), [Verdict::Fine, Verdict::Fine, Verdict::Fine, Verdict::Fine, Verdict::Stuck]);
        activity.wrote(true);
        assert_ne!(activity.look(), Verdict::Stuck);
    }
}
