//! How many tries strangers get before any work is done for them (generic cell rate algorithm): of
//! one network, of everybody together, and for one account from one network.
//!
//! An attacker elsewhere cannot lock the owner of an account out, and cannot push anybody's used
//! budget out of memory: a network keeps its place while it has used some of its budget, and when
//! there is no place left, newcomers share one budget.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::Config;
use crate::domain::Rate;

/// Networks with a budget of their own at most.
const NETWORKS: usize = 1 << 16;
/// Accounts that one network has a budget of its own for at most.
const ACCOUNTS: usize = 256;

/// Which budgets a try takes from.
#[derive(Debug, Clone, Copy)]
struct Rates {
    account: Rate,
    network: Rate,
    total: Rate,
}

/// One network's budgets: each the instant, in Unix milliseconds, when it will be whole again.
#[derive(Debug, Default)]
struct Network {
    whole_at: i64,
    accounts: HashMap<String, i64>,
}

impl Network {
    fn forget_whole(&mut self, now: i64) {
        self.accounts.retain(|_, whole_at| *whole_at > now);
    }

    /// The budget for an account. Of too many at once the last ones share one.
    fn account(&mut self, account: &str, now: i64) -> &mut i64 {
        if self.accounts.len() >= ACCOUNTS && !self.accounts.contains_key(account) {
            self.forget_whole(now);
        }
        let full = self.accounts.len() >= ACCOUNTS && !self.accounts.contains_key(account);
        self.accounts.entry(if full { String::new() } else { account.to_owned() }).or_default()
    }
}

#[derive(Debug, Default)]
struct Budgets {
    total: i64,
    networks: HashMap<String, Network>,
    newcomers: Network,
}

impl Budgets {
    fn forget_whole(&mut self, now: i64) {
        self.networks.retain(|_, network| {
            network.forget_whole(now);
            network.whole_at > now || !network.accounts.is_empty()
        });
        self.newcomers.forget_whole(now);
    }

    fn place(&mut self, network: &str, now: i64) -> &mut Network {
        let full =
            |all: &Self| all.networks.len() >= NETWORKS && !all.networks.contains_key(network);
        if full(self) {
            self.forget_whole(now);
        }
        if full(self) {
            return &mut self.newcomers;
        }
        self.networks.entry(network.to_owned()).or_default()
    }
}

/// The budgets of one door. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    budgets: Arc<Mutex<Budgets>>,
    rates: Rates,
}

impl Limits {
    /// For signing in and setting up, and for programs that ask without a browser.
    pub(super) fn of_sign_ins(config: &Config) -> Self {
        let refill_ms = i64::from(config.login_refill_seconds) * 1000;
        Self::new(Rates {
            account: Rate::new(config.login_burst, refill_ms),
            network: Rate::per_minute(config.login_network_burst, config.login_network_per_minute),
            total: Rate::per_minute(config.login_total_burst, config.login_total_per_minute),
        })
    }

    /// For devices that enrol or recover.
    pub(super) fn of_enrolments(config: &Config) -> Self {
        let network = Rate::per_minute(config.enrol_network_burst, config.enrol_network_per_minute);
        let total = Rate::per_minute(config.enrol_total_burst, config.enrol_total_per_minute);
        Self::new(Rates { account: network, network, total })
    }

    /// For links that are asked for by mail, of one network.
    pub(super) fn of_mail_asked() -> Self {
        Self::new(Rates {
            account: Rate::new(3, 300_000),
            network: Rate::per_minute(20, 10),
            total: Rate::per_minute(200, 100),
        })
    }

    /// The same for one account, from wherever: its mailbox must not be flooded. The accounts stand
    /// where networks do.
    pub(super) fn of_mail_accounts() -> Self {
        let account = Rate::new(5, 600_000);
        Self::new(Rates { account, network: account, total: Rate::per_minute(200, 100) })
    }

    fn new(rates: Rates) -> Self {
        Self { budgets: Arc::default(), rates }
    }

    fn lock(&self) -> MutexGuard<'_, Budgets> {
        // Poisoned by a panicking test at most: no budget is left half written.
        self.budgets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one try before it is made, so that many at once count too. Fails with the time to
    /// wait, and takes nothing then.
    pub(super) fn take(
        &self,
        network: &str,
        account: Option<&str>,
        now: Timestamp,
    ) -> Result<(), Duration> {
        let (now, mut budgets) = (now.as_millisecond(), self.lock());
        let total = self.rates.total.next(budgets.total, now)?;
        let network = budgets.place(network, now);
        let next = self.rates.network.next(network.whole_at, now)?;
        if let Some(account) = account {
            let whole_at = network.account(account, now);
            *whole_at = self.rates.account.next(*whole_at, now)?;
        }
        network.whole_at = next;
        budgets.total = total;
        Ok(())
    }

    /// Gives a try back that was not made after all.
    pub(super) fn give_back(&self, network: &str, account: Option<&str>, now: Timestamp) {
        let (now, mut budgets) = (now.as_millisecond(), self.lock());
        budgets.total -= self.rates.total.every_ms();
        let network = budgets.place(network, now);
        network.whole_at -= self.rates.network.every_ms();
        if let Some(account) = account {
            *network.account(account, now) -= self.rates.account.every_ms();
        }
    }

    /// Gives a try back that was right; all earlier ones for its account are forgiven.
    pub(super) fn forgive(&self, network: &str, account: Option<&str>, now: Timestamp) {
        self.give_back(network, account, now);
        if let Some(account) = account {
            self.lock().place(network, now.as_millisecond()).accounts.remove(account);
        }
    }

    /// Forgets budgets that are whole again.
    pub(super) fn forget_whole(&self, now: Timestamp) {
        self.lock().forget_whole(now.as_millisecond());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    // B22.account
    #[test]
    fn tries_run_out_and_come_back_one_by_one() {
        let limits = Limits::of_sign_ins(&Config::default());
        let take = |network, second| limits.take(network, Some("ann"), at(second));
        for _ in 0..5 {
            take("net", 1000).unwrap();
        }
        assert_eq!(take("net", 1000), Err(Duration::from_secs(30)));
        take("other net", 1000).unwrap();
        take("net", 1030).unwrap();
        assert!(take("net", 1030).is_err());
        limits.forgive("net", Some("ann"), at(1030));
        take("net", 1030).unwrap();
    }

    #[test]
    fn a_try_that_was_not_made_costs_nothing() {
        let limits = Limits::of_sign_ins(&Config { login_burst: 1, ..Config::default() });
        for _ in 0..1000 {
            limits.take("net", Some("ann"), at(1000)).unwrap();
            limits.give_back("net", Some("ann"), at(1000));
        }
    }

    // B22.network
    #[test]
    fn spraying_accounts_ends_with_the_networks_budget_and_hurts_no_other() {
        let config = Config { login_network_burst: 20, ..Config::default() };
        let limits = Limits::of_sign_ins(&config);
        let spray = |network: &str| {
            let tries = (0..1000).map(|n| limits.take(network, Some(&n.to_string()), at(1000)));
            tries.flatten().count()
        };
        assert_eq!(spray("net"), 20);
        assert_eq!(spray("other net"), 20);
    }

    // B22.all
    #[test]
    fn many_networks_end_with_the_budget_of_all() {
        let config = Config { login_total_burst: 30, ..Config::default() };
        let limits = Limits::of_sign_ins(&config);
        let tries = (0..1000).map(|n| limits.take(&n.to_string(), None, at(1000)));
        assert_eq!(tries.flatten().count(), 30);
        limits.take("one more", None, at(1001)).unwrap();
    }

    #[test]
    fn no_flood_pushes_a_used_budget_out() {
        let rate = Rate::new(1, 3_600_000);
        let total = Rate::new(u32::MAX, 1);
        let limits = Limits::new(Rates { account: rate, network: rate, total });
        limits.take("victim", None, at(1000)).unwrap();
        for n in 0..NETWORKS + 1000 {
            // The last ones find no place and share one budget.
            limits.take(&n.to_string(), None, at(1000)).ok();
        }
        assert!(limits.take("victim", None, at(1000)).is_err());
        assert!(limits.take("newcomer", None, at(1000)).is_err());
        assert!(limits.lock().networks.len() <= NETWORKS);
        limits.forget_whole(at(10_000));
        assert_eq!(limits.lock().networks.len(), 0);
    }
}
