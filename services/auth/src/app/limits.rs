//! How many wrong passwords are taken (generic cell rate algorithm), per account and network: an
//! attacker elsewhere cannot lock the owner of an account out.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::Config;

/// How many budgets are kept; two accounts that fall on the same one share it.
const SLOTS: usize = 1 << 16;

/// The budgets: each the instant, in Unix milliseconds, when it will be whole again.
#[derive(Clone)]
pub(super) struct Limits {
    slots: Arc<Mutex<Vec<i64>>>,
    seed: RandomState,
    refill_ms: i64,
    burst: i64,
}

impl Limits {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            slots: Arc::new(Mutex::new(vec![0; SLOTS])),
            // Which accounts share a budget cannot be worked out from outside.
            seed: RandomState::new(),
            refill_ms: i64::from(config.login_refill_seconds) * 1000,
            burst: i64::from(config.login_burst.max(1)),
        }
    }

    /// Takes one try before it is made, so that many at once count too. Fails with the time to wait.
    pub(super) fn take(
        &self,
        account: &str,
        network: &str,
        now: Timestamp,
    ) -> Result<(), Duration> {
        let now = now.as_millisecond();
        self.with_slot(account, network, |whole_at| {
            let next = (*whole_at).max(now) + self.refill_ms;
            let wait = next - now - self.burst * self.refill_ms;
            if wait > 0 {
                return Err(Duration::from_millis(wait.unsigned_abs()));
            }
            *whole_at = next;
            Ok(())
        })
    }

    /// Gives the budget back after a right password.
    pub(super) fn restore(&self, account: &str, network: &str) {
        self.with_slot(account, network, |whole_at| *whole_at = 0);
    }

    fn with_slot<T>(&self, account: &str, network: &str, change: impl FnOnce(&mut i64) -> T) -> T {
        let at = self.seed.hash_one((account, network)) % SLOTS as u64;
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let mut none = 0;
        let slot = usize::try_from(at).ok().and_then(|at| slots.get_mut(at));
        // The remainder is always in range.
        change(slot.unwrap_or(&mut none))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_run_out_and_come_back_one_by_one() {
        let limits = Limits::new(&Config::default());
        let at = |second| Timestamp::from_second(second).unwrap();
        for _ in 0..5 {
            limits.take("ann", "net", at(1000)).unwrap();
        }
        assert_eq!(limits.take("ann", "net", at(1000)), Err(Duration::from_secs(30)));
        limits.take("ann", "other net", at(1000)).unwrap();
        limits.take("ann", "net", at(1030)).unwrap();
        assert!(limits.take("ann", "net", at(1030)).is_err());
        limits.restore("ann", "net");
        limits.take("ann", "net", at(1030)).unwrap();
    }
}
