//! Who is let in when more is asked than can be answered.
//!
//! A request that has arrived is counted and then lets the others of its moment arrive too, before any of them is computed: so the
//! length of the queue is known although no thread waits in it. Beyond its limits, or where the wait would be too long at the
//! speed of late, a request is refused at once, which costs little.
//!
//! A queue that is there for a moment is a burst, and is waited for; one that stands does nothing but make everybody wait, so it is
//! kept short.
//!
//! # References
//! Nichols and Jacobson, "Controlling queue delay", ACM Queue 10 (2012), in the form that Maurer, "Fail at scale", ACM Queue 13 (2015),
//! gives it for servers: the longest wait depends on when the queue was last empty.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::http::StatusCode;

use crate::options::Limits;
use crate::refusal::{Answer, Refusal};

/// Weight of the newest request in the running mean of their cost: 1/16.
const MEMORY: u64 = 16;

/// The longest wait in a queue that stands is this part of the longest wait in a burst.
const STANDING: u32 = 20;

/// Seconds after which a caller who was refused may come again.
const RETRY_AFTER: u32 = 1;

/// The queue before the processors.
#[derive(Debug)]
pub(crate) struct Admission {
    processors: u64,
    waiting: AtomicUsize,
    /// Running mean of what a request costs, in nanoseconds.
    cost: AtomicU64,
    begun: Instant,
    /// When nobody had to wait for the last time, in nanoseconds since it began.
    calm: AtomicU64,
}

/// A place in the queue; it is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    admission: &'a Admission,
    begun: Option<Instant>,
}

impl Admission {
    pub(crate) fn new(processors: usize) -> Self {
        Admission {
            processors: processors.max(1) as u64,
            waiting: AtomicUsize::new(0),
            cost: AtomicU64::new(0),
            begun: Instant::now(),
            calm: AtomicU64::new(0),
        }
    }

    /// Requests that are in the queue or at a processor.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Refuses a request before its body is read, where the queue is full.
    pub(crate) fn check(&self, limits: &Limits) -> Answer<()> {
        self.judge(self.waiting(), limits)
    }

    /// Takes a place. Whoever gets one computes next, after the others of this moment had their chance to arrive.
    pub(crate) async fn enter(&self, limits: &Limits) -> Answer<Place<'_>> {
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let place = Place { admission: self, begun: None };
        self.judge(before, limits)?;
        tokio::task::yield_now().await;
        Ok(place)
    }

    fn judge(&self, before: usize, limits: &Limits) -> Answer<()> {
        let now = u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        if (before as u64) < self.processors {
            self.calm.store(now, Ordering::Relaxed);
            return Ok(());
        }
        let restless = Duration::from_nanos(now.saturating_sub(self.calm.load(Ordering::Relaxed)));
        let longest = if restless > limits.wait { limits.wait / STANDING } else { limits.wait };
        let wait = Duration::from_nanos(before as u64 * self.cost.load(Ordering::Relaxed) / self.processors);
        if before >= limits.queue || wait > longest {
            let message = "more is asked than can be answered; come again later, with fewer requests at a time";
            let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "overloaded", message);
            return Err(Box::new(Refusal { retry_after: Some(RETRY_AFTER), ..*refusal }));
        }
        Ok(())
    }
}

impl Place<'_> {
    /// Begins to compute: what it costs from here on tells how long others will wait.
    pub(crate) fn begin(&mut self) {
        self.begun = Some(Instant::now());
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.admission.waiting.fetch_sub(1, Ordering::Relaxed);
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
        let first = admission.enter(&limits).await.unwrap();
        let second = admission.enter(&limits).await.unwrap();
        let refusal = admission.enter(&limits).await.unwrap_err();
        assert_eq!((refusal.status, refusal.retry_after), (StatusCode::TOO_MANY_REQUESTS, Some(1)));
        assert_eq!(admission.waiting(), 2);
        drop((first, second));
        assert_eq!(admission.waiting(), 0);
        admission.cost.store(80_000_000, Ordering::Relaxed);
        let _one = admission.enter(&limits).await.unwrap();
        assert!(admission.check(&limits).is_ok());
        let hurried = Limits { wait: Duration::from_millis(50), ..limits };
        assert!(admission.check(&hurried).is_err(), "one before costs 80 ms");
    }

    #[tokio::test]
    async fn a_burst_is_waited_for_and_a_queue_that_stands_is_kept_short() {
        let admission = Admission::new(1);
        let limits = Limits { wait: Duration::from_millis(100), ..Limits::default() };
        admission.cost.store(10_000_000, Ordering::Relaxed);
        let burst = [admission.enter(&limits).await.unwrap(), admission.enter(&limits).await.unwrap()];
        assert!(admission.check(&limits).is_ok(), "20 ms are waited for");
        tokio::time::sleep(Duration::from_millis(120)).await;
        assert!(admission.check(&limits).is_err(), "nobody was served at once for longer than the longest wait");
        drop(burst);
        assert!(admission.check(&limits).is_ok(), "the queue is empty again");
    }
}
