//! Time as channels see it: what the clock says, and waiting.

use std::fmt;
use std::pin::Pin;
use std::time::{Duration, Instant, SystemTime};

/// A wait.
pub type Pausing<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// A clock, and who waits by it. Tests have one of their own.
pub trait Pace: fmt::Debug + Send + Sync {
    /// Seconds since 1970, UTC.
    fn unix_seconds(&self) -> u64;
    /// Time since some moment; it never goes back.
    fn elapsed(&self) -> Duration;
    /// Waits.
    fn pause(&self, length: Duration) -> Pausing<'_>;
}

/// The clock of the system.
#[derive(Debug, Clone, Copy)]
pub struct SystemPace(Instant);

impl Default for SystemPace {
    fn default() -> Self {
        SystemPace(Instant::now())
    }
}

impl Pace for SystemPace {
    fn unix_seconds(&self) -> u64 {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn pause(&self, length: Duration) -> Pausing<'_> {
        Box::pin(tokio::time::sleep(length))
    }
}
