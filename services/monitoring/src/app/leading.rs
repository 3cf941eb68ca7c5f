//! Which replica decides about alerts.
//!
//! All of them look at the rules, so that each shows the same and can take over at once; what the
//! leader finds is kept and told. Two that both believe to lead do no harm: what one has decided
//! makes the other's decision stale (`store::alerts`).

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use openframe_ids::random;
use uuid::Uuid;

use super::Monitoring;
use crate::Error;

/// How long a replica leads after it was last heard of.
const LEASE: Duration = Duration::from_secs(5);
/// Whoever is further behind the other replicas' samples than this does not decide on them.
const FRESH: Duration = Duration::from_secs(3);

/// This replica's part in leading.
#[derive(Debug)]
pub(super) struct Lease {
    own: Uuid,
    /// Until when this replica leads.
    until: Mutex<Option<Instant>>,
}

impl Default for Lease {
    fn default() -> Self {
        Self { own: Uuid::from_bytes(random()), until: Mutex::default() }
    }
}

impl Lease {
    /// Whether it changed.
    fn set(&self, until: Option<Instant>) -> bool {
        let mut known = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = known.is_some() != until.is_some();
        *known = until;
        changed
    }

    fn until(&self) -> Option<Instant> {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Monitoring {
    /// Whether what this replica finds is what counts.
    pub(super) fn leads(&self) -> bool {
        let until = self.0.lease.until();
        !self.0.shared || until.is_some_and(|until| openframe_clock::monotonic() < until)
    }

    /// Leads from now on, or goes on leading, if nobody else does and this replica has read what the
    /// others have stored; then takes in what others have changed.
    pub(crate) async fn agree(&self) -> Result<(), Error> {
        let now = openframe_clock::monotonic();
        let read = self.followed_at();
        let mut until = None;
        if read.is_some_and(|read| now.duration_since(read) < FRESH) && self.lead(LEASE).await? {
            until = Some(now + LEASE);
        }
        if self.0.lease.set(until) {
            let what = if until.is_some() { "decides" } else { "does not decide" };
            tracing::info!("this replica {what} about alerts");
        }
        self.meet_board().await
    }

    /// Lets another replica lead.
    pub(crate) async fn resign(&self) -> Result<(), Error> {
        if self.leads() {
            self.0.lease.set(None);
            self.lead(Duration::ZERO).await?;
        }
        Ok(())
    }

    async fn lead(&self, lease: Duration) -> Result<bool, Error> {
        let now_ms = self.now_ms();
        let lease_ms = i64::try_from(lease.as_millis()).unwrap_or(0);
        // The last instant at which it holds has passed when nothing is left of it.
        let until_ms = now_ms.saturating_add(lease_ms).saturating_sub(1);
        Ok(self.0.alerts.lead(self.0.lease.own, now_ms, until_ms).await?)
    }
}
