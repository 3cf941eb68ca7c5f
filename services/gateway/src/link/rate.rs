//! How fast one link may send: past it the link is not read, which its device feels.

use std::time::Duration;

use tokio::time::Instant;

/// The time that each frame costs. A device that returns after a day away has some 8,640 snapshots.
const EACH: Duration = Duration::from_millis(2);
/// Frames that may come at once after a quiet while.
const BURST: u32 = 1_024;

/// When the next frame may be read.
#[derive(Debug)]
pub(super) struct Rate {
    /// When all frames so far are paid for.
    paid: Instant,
}

impl Rate {
    pub(super) fn new(now: Instant) -> Self {
        Self { paid: now }
    }

    /// A frame was read.
    pub(super) fn took(&mut self, now: Instant) {
        self.paid = self.paid.max(now) + EACH;
    }

    /// From when on the next frame may be read.
    pub(super) fn ready(&self) -> Instant {
        self.paid.checked_sub(EACH * BURST).unwrap_or(self.paid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_free_and_what_follows_is_paid_for() {
        let start = Instant::now() + Duration::from_mins(1);
        let mut rate = Rate::new(start);
        for _ in 0..BURST {
            assert!(rate.ready() <= start);
            rate.took(start);
        }
        rate.took(start);
        assert_eq!(rate.ready(), start + EACH);
        let later = start + EACH * BURST * 2;
        rate.took(later);
        assert!(rate.ready() < later, "a quiet while makes room again");
    }
}
