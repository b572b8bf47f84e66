//! Who is let in when more is asked than can be answered.
//!
//! A request takes its place in the queue when its head has come, before its body is read: whoever finds the queue too long is
//! refused at once, which costs next to nothing. While a body is on its way its request stands outside, so that slow callers cannot
//! fill the queue. The length of the queue is known although small requests wait in no list: where connections are so many that
//! they could ask for too much, each lets the others of its moment arrive before it is computed.
//!
//! A queue that is there for a moment is a burst, and is waited for; one that stands does nothing but make everybody wait, so it is
//! kept short. Small requests, large ones and files of rows have queues of their own: what one of them costs says nothing about the
//! others. Files wait as long as a request may take, since nobody sits before them.
//!
//! # References
//! Nichols and Jacobson, "Controlling queue delay", ACM Queue 10 (2012), in the form that Maurer, "Fail at scale", ACM Queue 13 (2015),
//! gives it for servers: the longest wait depends on when the queue was last empty.

use std::ops::Deref;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use futures_util::FutureExt;

use crate::options::Limits;
use crate::refusal::{Answer, OVERLOADED, Refusal};

/// Weight of the newest request in the running mean of their cost: 1/16.
const MEMORY: u64 = 16;

/// The longest wait in a queue that stands is this part of the longest wait in a burst.
const STANDING: u32 = 10;

/// Requests that may wait for each processor whatever they cost: whoever asks for much at a time can wait for others who do.
const ALWAYS: u64 = 16;

/// Files of rows that may wait: each holds some megabytes.
const FILES: usize = 32;

/// Seconds after which a caller who was refused may come again.
const RETRY_AFTER: u32 = 1;

/// The queue before the processors.
#[derive(Debug)]
pub(crate) struct Admission {
    processors: u64,
    /// Whether it is of files of rows.
    is_patient: bool,
    waiting: AtomicUsize,
    /// Running mean of what a request costs, in nanoseconds.
    cost: AtomicU64,
    begun: Instant,
    /// When nobody had to wait for the last time, in nanoseconds since it began.
    calm: AtomicU64,
}

/// A place in the queue; it is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place<A: Deref<Target = Admission>> {
    admission: A,
    is_inside: bool,
    begun: Option<Instant>,
}

impl Admission {
    pub(crate) fn new(processors: usize) -> Self {
        Admission {
            processors: processors.max(1) as u64,
            is_patient: false,
            waiting: AtomicUsize::new(0),
            cost: AtomicU64::new(0),
            begun: Instant::now(),
            calm: AtomicU64::new(0),
        }
    }

    /// The queue of files of rows.
    pub(crate) fn of_files(processors: usize) -> Self {
        Admission { is_patient: true, ..Admission::new(processors) }
    }

    /// Whether so many connections can ask for more than is waited for: a queue is never longer than they are.
    pub(crate) fn may_be_crowded(&self, connections: u64, limits: &Limits) -> bool {
        let wait =
            Duration::from_nanos(connections.saturating_mul(self.cost.load(Ordering::Relaxed)) / self.processors);
        connections > ALWAYS * self.processors && wait > limits.wait / STANDING
    }

    /// Takes a place.
    pub(crate) fn enter(&self, limits: &Limits) -> Answer<Place<&Self>> {
        let mut place = Place { admission: self, is_inside: false, begun: None };
        place.enter(limits)?;
        Ok(place)
    }

    fn judge(&self, before: usize, limits: &Limits) -> Answer<()> {
        let now = u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        if (before as u64) < self.processors {
            self.calm.store(now, Ordering::Relaxed);
            return Ok(());
        }
        let (queue, longest) = match self.is_patient {
            true => (limits.queue.min(FILES), limits.request_time),
            false => (limits.queue, limits.wait),
        };
        let restless = Duration::from_nanos(now.saturating_sub(self.calm.load(Ordering::Relaxed)));
        let longest = if restless > longest { longest / STANDING } else { longest };
        let is_short = (before as u64) < ALWAYS * self.processors;
        let wait = Duration::from_nanos(before as u64 * self.cost.load(Ordering::Relaxed) / self.processors);
        if before >= queue || (wait > longest && !is_short) {
            let message = "more is asked than can be answered; come again later, with fewer requests at a time";
            let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, OVERLOADED, message);
            return Err(Box::new(Refusal { retry_after: Some(RETRY_AFTER), ..*refusal }));
        }
        Ok(())
    }
}

impl<A: Deref<Target = Admission>> Place<A> {
    /// Comes into the queue, or stays in it.
    pub(crate) fn enter(&mut self, limits: &Limits) -> Answer<()> {
        if !self.is_inside {
            let before = self.admission.waiting.fetch_add(1, Ordering::Relaxed);
            self.is_inside = true;
            self.admission.judge(before, limits)?;
        }
        Ok(())
    }

    /// The same place, held through another pointer to its queue.
    pub(crate) fn held_by<B: Deref<Target = Admission>>(mut self, admission: B) -> Place<B> {
        Place { admission, is_inside: std::mem::take(&mut self.is_inside), begun: self.begun.take() }
    }

    /// Waits for something that others are to do, such as to send a body: in the queue if it is there already, else outside.
    pub(crate) async fn outside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        if let Some(done) = work.as_mut().now_or_never() {
            return done;
        }
        self.leave();
        work.await
    }

    fn leave(&mut self) {
        if std::mem::take(&mut self.is_inside) {
            self.admission.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Begins to compute: what it costs from here on tells how long others will wait.
    pub(crate) fn begin(&mut self) {
        self.begun = Some(Instant::now());
    }
}

impl<A: Deref<Target = Admission>> Drop for Place<A> {
    fn drop(&mut self) {
        self.leave();
        if let Some(begun) = self.begun {
            let own = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
            let before = self.admission.cost.load(Ordering::Relaxed);
            // Two that end at once may lose one of them: it is a mean.
            let after = before - before / MEMORY + own / MEMORY;
            self.admission.cost.store(after, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_comes_too_many_is_refused_and_places_are_given_back() {
        let admission = Admission::new(1);
        let limits = Limits { queue: 2, ..Limits::default() };
        let first = admission.enter(&limits).unwrap();
        let second = admission.enter(&limits).unwrap();
        let refusal = admission.enter(&limits).unwrap_err();
        assert_eq!((refusal.status, refusal.retry_after), (StatusCode::TOO_MANY_REQUESTS, Some(1)));
        assert_eq!(admission.waiting.load(Ordering::Relaxed), 2);
        drop((first, second));
        assert_eq!(admission.waiting.load(Ordering::Relaxed), 0);
        admission.cost.store(8_000_000, Ordering::Relaxed);
        let limits = Limits { wait: Duration::from_millis(200), ..Limits::default() };
        let sixteen: Vec<_> = (0..16).map(|_| admission.enter(&limits).unwrap()).collect();
        drop(admission.enter(&limits).unwrap());
        let hurried = Limits { wait: Duration::from_millis(100), ..limits };
        assert!(admission.enter(&hurried).is_err(), "sixteen before cost 128 ms");
        admission.cost.store(8_000_000_000, Ordering::Relaxed);
        assert!(admission.enter(&hurried).is_err());
        drop(sixteen);
        let _fifteen: Vec<_> = (0..15).map(|_| admission.enter(&hurried).unwrap()).collect();
        assert!(admission.enter(&hurried).is_ok(), "a few may wait whatever they cost");
    }

    #[tokio::test]
    async fn a_burst_is_waited_for_and_a_queue_that_stands_is_kept_short() {
        let admission = Admission::new(1);
        let limits = Limits { wait: Duration::from_millis(200), ..Limits::default() };
        admission.cost.store(10_000_000, Ordering::Relaxed);
        let burst: Vec<_> = (0..19).map(|_| admission.enter(&limits).unwrap()).collect();
        assert!(admission.enter(&limits).is_ok(), "190 ms are waited for");
        tokio::time::sleep(Duration::from_millis(230)).await;
        assert!(admission.enter(&limits).is_err(), "nobody was served at once for longer than the longest wait");
        drop(burst);
        assert!(admission.enter(&limits).is_ok(), "the queue is empty again");
    }

    #[tokio::test]
    async fn who_waits_for_a_body_stands_outside() {
        let admission = Admission::new(1);
        let limits = Limits { queue: 1, ..Limits::default() };
        let mut slow = admission.enter(&limits).unwrap();
        assert!(admission.enter(&limits).is_err());
        slow.outside(std::future::ready(())).await;
        assert_eq!(admission.waiting.load(Ordering::Relaxed), 1, "it has not waited");
        slow.outside(async {
            tokio::task::yield_now().await;
            assert_eq!(admission.waiting.load(Ordering::Relaxed), 0);
        })
        .await;
        let other = admission.enter(&limits).unwrap();
        assert!(slow.enter(&limits).is_err(), "another has come meanwhile");
        drop((slow, other));
        assert_eq!(admission.waiting.load(Ordering::Relaxed), 0);
    }
}
