//! How fast tries come back (generic cell rate algorithm).

use std::time::Duration;

/// How fast a budget comes back, and how much of it there is.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    every_ms: i64,
    burst: i64,
}

impl Rate {
    /// `burst` tries in a row, and one more each `every_ms` milliseconds.
    pub fn new(burst: u32, every_ms: i64) -> Self {
        Self { every_ms: every_ms.max(1), burst: i64::from(burst.max(1)) }
    }

    /// `burst` tries in a row, and `per_minute` more in each minute.
    pub fn per_minute(burst: u32, per_minute: u32) -> Self {
        Self::new(burst, 60_000 / i64::from(per_minute.max(1)))
    }

    /// Milliseconds until one try comes back.
    pub fn every_ms(self) -> i64 {
        self.every_ms
    }

    /// When a budget that is whole at `whole_at` will be whole after one more try; or how long
    /// there is none. Both times are Unix milliseconds.
    pub fn next(self, whole_at: i64, now: i64) -> Result<i64, Duration> {
        let next = whole_at.max(now) + self.every_ms;
        let wait = next - now - self.burst * self.every_ms;
        if wait > 0 { Err(Duration::from_millis(wait.unsigned_abs())) } else { Ok(next) }
    }
}
