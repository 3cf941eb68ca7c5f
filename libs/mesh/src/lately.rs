//! How calls to other services went in the last minute: what the edges of a picture of the platform are
//! shown by, also where nothing scrapes metrics.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::metrics::BUCKETS;

/// A minute is counted in so many parts of so long; what is older is forgotten a part at a time.
const PARTS: usize = 6;
const PART: Duration = Duration::from_secs(10);

/// The calls from one service to another, lately. Those of several replicas can be added up.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Calls {
    /// The service that asks.
    pub from: String,
    /// The service that is asked.
    pub to: String,
    /// How long they were counted, seconds.
    pub seconds: f64,
    /// Calls that have ended.
    pub requests: u64,
    /// Those among them without an answer, or with one of status 500 and above.
    pub failed: u64,
    /// Calls that were made once more.
    pub retries: u64,
    /// How many took how long, by [`BUCKETS`] and one more for what is slower than all of them.
    took: Vec<u64>,
}

impl Calls {
    /// No calls yet.
    pub fn none(from: &str, to: &str) -> Self {
        Self { from: from.to_owned(), to: to.to_owned(), ..Self::default() }
    }

    /// Adds those of another replica of the same service.
    pub fn add(&mut self, other: &Self) {
        self.seconds = self.seconds.max(other.seconds);
        self.requests += other.requests;
        self.failed += other.failed;
        self.retries += other.retries;
        // What comes from another process may have any length.
        self.took.resize(BUCKETS.len() + 1, 0);
        for (sum, count) in self.took.iter_mut().zip(&other.took) {
            *sum = sum.saturating_add(*count);
        }
    }

    /// The time within which the share `q` of the answers came, seconds, as Prometheus'
    /// `histogram_quantile` has it; none without calls.
    pub fn quantile_s(&self, q: f64) -> Option<f64> {
        let all: u64 = self.took.iter().sum();
        if all == 0 {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "counts of a minute")]
        let (rank, count) = (q * all as f64, |n: u64| n as f64);
        let (mut below, mut from) = (0.0, 0.0);
        for (bound, within) in BUCKETS.iter().zip(&self.took) {
            let within = count(*within);
            if within > 0.0 && below + within >= rank {
                return Some(from + (bound - from) * (rank - below) / within);
            }
            (below, from) = (below + within, *bound);
        }
        Some(from)
    }
}

/// One part of the last minute.
#[derive(Debug, Clone, Copy, Default)]
struct Part {
    /// Which part since the start.
    number: u64,
    requests: u64,
    failed: u64,
    retries: u64,
    took: [u64; BUCKETS.len() + 1],
}

/// Counts the calls of one process, by the service that is asked.
#[derive(Debug)]
pub(crate) struct Lately {
    since: Instant,
    parts: Mutex<BTreeMap<String, [Part; PARTS]>>,
}

impl Lately {
    /// Counts from now on.
    pub(crate) fn new(now: Instant) -> Self {
        Self { since: now, parts: Mutex::default() }
    }

    fn number(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.since).as_secs() / PART.as_secs()
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<String, [Part; PARTS]>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, to: &str, now: Instant, add: impl FnOnce(&mut Part)) {
        let number = self.number(now);
        let mut all = self.locked();
        if !all.contains_key(to) {
            all.insert(to.to_owned(), <[Part; PARTS]>::default());
        }
        // Both are there: it was put in above, and the rest of a division is below the divisor.
        let at = usize::try_from(number).unwrap_or_default() % PARTS;
        let Some(part) = all.get_mut(to).and_then(|parts| parts.get_mut(at)) else { return };
        if part.number != number {
            *part = Part { number, ..Part::default() };
        }
        add(part);
    }

    /// A call has ended.
    pub(crate) fn called(&self, to: &str, failed: bool, (took, now): (Duration, Instant)) {
        let took = took.as_secs_f64();
        let bucket = BUCKETS.iter().position(|bound| took <= *bound).unwrap_or(BUCKETS.len());
        self.count(to, now, |part| {
            part.requests += 1;
            part.failed += u64::from(failed);
            if let Some(count) = part.took.get_mut(bucket) {
                *count += 1;
            }
        });
    }

    /// A call is made once more.
    pub(crate) fn retried(&self, to: &str, now: Instant) {
        self.count(to, now, |part| part.retries += 1);
    }

    /// What was counted in the last minute, of the service `from`.
    pub(crate) fn calls(&self, from: &str, now: Instant) -> Vec<Calls> {
        let (number, up) = (self.number(now), now.saturating_duration_since(self.since));
        let kept = PART * u32::try_from(PARTS - 1).unwrap_or(u32::MAX);
        let begun = up.saturating_sub(PART * u32::try_from(number).unwrap_or(u32::MAX));
        let seconds = up.min(kept + begun).as_secs_f64();
        let sum = |(to, parts): (&String, &[Part; PARTS])| {
            let mut calls = Calls { seconds, ..Calls::none(from, to) };
            let oldest = (number + 1).saturating_sub(PARTS as u64);
            for part in parts.iter().filter(|part| (oldest..=number).contains(&part.number)) {
                let Part { requests, failed, retries, took, .. } = *part;
                let took = took.to_vec();
                calls.add(&Calls { requests, failed, retries, took, ..Calls::default() });
            }
            calls
        };
        self.locked().iter().map(sum).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_minute_is_counted_and_then_forgotten() {
        let start = openframe_clock::monotonic();
        let lately = Lately::new(start);
        for second in 0..30 {
            lately.called("auth", second % 10 == 0, (2 * MS, start + second * 1000 * MS));
        }
        lately.retried("auth", start);
        let of = |second: u32| lately.calls("gateway", start + second * 1000 * MS).remove(0);
        let calls = of(29);
        assert_eq!((calls.requests, calls.failed, calls.retries), (30, 3, 1));
        assert_eq!((calls.from.as_str(), calls.to.as_str()), ("gateway", "auth"));
        assert!((calls.seconds - 29.0).abs() < 1e-9, "{calls:?}");
        // The first ten seconds are forgotten, the time they took as well.
        let calls = of(65);
        assert_eq!((calls.requests, calls.failed, calls.retries), (20, 2, 0));
        assert!((calls.seconds - 55.0).abs() < 1e-9, "{calls:?}");
        assert_eq!(of(90).requests, 0);
        // The same place again, a minute later.
        lately.called("auth", false, (MS, start + 60_000 * MS));
        assert_eq!(of(60).requests, 21);
    }

    #[test]
    fn quantiles_are_those_of_prometheus() {
        let now = openframe_clock::monotonic();
        let lately = Lately::new(now);
        assert_eq!(Calls::default().quantile_s(0.5), None);
        for took in [1, 1, 4, 4, 4, 4, 4, 4, 90, 20_000] {
            lately.called("auth", false, (took * MS, now));
        }
        let one = lately.calls("gateway", now).remove(0);
        let mut both = one.clone();
        both.add(&one);
        assert_eq!((both.requests, both.seconds), (20, one.seconds));
        for calls in [one, both] {
            let at = |q| calls.quantile_s(q).unwrap();
            // Six of ten are between 2.5 and 5 ms.
            assert!((at(0.5) - 0.00375).abs() < 1e-9, "{}", at(0.5));
            assert!((at(0.9) - 0.1).abs() < 1e-9);
            assert!(
                (at(0.99) - 10.0).abs() < 1e-9,
                "what is slower than all bounds is at the last"
            );
        }
    }
}
