//! The clock that the program reads, as a value that tests can replace.
//!
//! Everything that judges expiry or stamps a record takes a [`Clock`]; nothing else asks the operating system for
//! the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

/// Where the time comes from: the system, or a test's own clock.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The operating system's clock.
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that stands still at `now` until [`Clock::advance`] moves it.
    pub fn fixed(now: Timestamp) -> Self {
        Self(Some(Arc::new(AtomicI64::new(now.as_second()))))
    }

    /// The time now; a fixed clock counts whole seconds.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the system")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            None => Timestamp::now(),
            Some(seconds) => Timestamp::from_second(seconds.load(Ordering::SeqCst)).unwrap_or(Timestamp::UNIX_EPOCH),
        }
    }

    /// Moves a fixed clock forward; the system's clock stays as it is.
    pub fn advance(&self, seconds: i64) {
        if let Some(clock) = &self.0 {
            clock.fetch_add(seconds, Ordering::SeqCst);
        }
    }
}
