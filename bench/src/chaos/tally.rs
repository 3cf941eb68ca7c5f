//! Counts of one kind of operation while something is broken.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Operations since the last beginning.
#[derive(Debug)]
pub(super) struct Tally(Mutex<Counts>);

/// What was counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counts {
    pub(super) done: u64,
    pub(super) failed: u64,
    /// The longest time without one that was done.
    pub(super) longest: Duration,
    last: Instant,
}

impl Counts {
    fn new() -> Self {
        let last = openframe_clock::monotonic();
        Self { done: 0, failed: 0, longest: Duration::ZERO, last }
    }

    fn gap(&mut self) {
        self.longest = self.longest.max(self.last.elapsed());
    }
}

impl Tally {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Counts::new()))
    }

    pub(super) fn begin(&self) {
        *self.counts() = Counts::new();
    }

    pub(super) fn count(&self, done: bool) {
        let mut counts = self.counts();
        if done {
            counts.gap();
            (counts.done, counts.last) = (counts.done + 1, openframe_clock::monotonic());
        } else {
            counts.failed += 1;
        }
    }

    pub(super) fn end(&self) -> Counts {
        let mut counts = self.counts();
        counts.gap();
        *counts
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
