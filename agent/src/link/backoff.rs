//! How long to wait before connecting again: full jitter, so that a fleet that lost its platform
//! does not come back in one wave.

use std::time::Duration;

/// The first wait is at most so long.
pub const FIRST: Duration = Duration::from_secs(1);
/// No wait is longer.
pub const LONGEST: Duration = Duration::from_mins(5);

/// A random part of `limit`.
pub fn spread(limit: Duration) -> Duration {
    let part = u32::from_le_bytes(openframe_ids::random());
    limit.mul_f64(f64::from(part) / f64::from(u32::MAX))
}

/// Counts failures in a row.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// A connection worked: the next wait is short again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// The wait after one more failure.
    pub fn next_wait(&mut self) -> Duration {
        let limit = FIRST.saturating_mul(2_u32.saturating_pow(self.failures)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        spread(limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_limit_and_start_over() {
        let mut backoff = Backoff::default();
        for n in 0..100 {
            let limit = FIRST.saturating_mul(2_u32.saturating_pow(n)).min(LONGEST);
            assert!(backoff.next_wait() <= limit);
        }
        backoff.reset();
        assert!(backoff.next_wait() <= FIRST);
    }
}
