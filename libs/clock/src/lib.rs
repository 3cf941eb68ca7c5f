//! The only place that reads the clock. Domain code takes a [`Timestamp`]; `app` and `tasks` hold a
//! [`Clock`]; tests pass one that they move by hand.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

pub use jiff::{SignedDuration, Timestamp};

/// A reading of the clock that never goes back: for measuring and for deadlines inside this process,
/// never for what is shown or kept.
#[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
pub fn monotonic() -> Instant {
    Instant::now()
}

/// Tells the time. Cheap to clone.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}

impl Clock {
    /// The system's clock.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
    pub fn system() -> Self {
        Self(Arc::new(Timestamp::now))
    }

    /// The system's clock, `offset` ahead: what a machine with a wrong clock sees.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
    pub fn skewed(offset: SignedDuration) -> Self {
        Self(Arc::new(move || Timestamp::now().saturating_add(offset).unwrap_or(Timestamp::MAX)))
    }

    /// A clock that tells what `tell` tells: for time that comes from elsewhere than the system.
    pub fn by(tell: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

/// A clock that stands still until it is moved. Clones share the hand.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<Mutex<Timestamp>>);

impl ManualClock {
    /// A clock that shows `start`.
    pub fn new(start: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(start)))
    }

    /// Moves the hand by `step`.
    pub fn advance(&self, step: SignedDuration) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now = now.saturating_add(step).unwrap_or(Timestamp::MAX);
    }

    /// The clock to pass to what is under test.
    pub fn clock(&self) -> Clock {
        let hand = Arc::clone(&self.0);
        Clock(Arc::new(move || *hand.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let manual = ManualClock::new(Timestamp::UNIX_EPOCH);
        let clock = manual.clock();
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH);
        manual.advance(SignedDuration::from_secs(3));
        assert_eq!(clock.now().as_second(), 3);
    }
}
