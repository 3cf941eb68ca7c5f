//! How long to wait before what has failed is tried again.

use std::time::Duration;

use openframe_ids::random;

/// The first wait at most; it doubles with each failure, up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// The wait after one failure, with so many before it: longer each time, and not as long as the others.
pub(super) fn wait(failures: u32) -> Duration {
    let doubled = FIRST_WAIT.saturating_mul(1 << failures.min(10)).min(LONGEST_WAIT);
    let [chance] = random();
    doubled.mul_f64(0.5 + f64::from(chance) / 510.0)
}
