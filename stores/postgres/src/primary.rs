//! Which node takes writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use sqlx::{PgPool, Row as _};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::OpenError;

/// How often it is asked who is primary.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a node may take to say so.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);
/// Whether a node is a standby, and the timeline that a primary writes to. One that was replaced while
/// nobody could tell it still believes in itself, but on an older timeline. (Not that of the last
/// checkpoint: a node that has become primary makes one only minutes later.)
const ASK: &str = "select pg_is_in_recovery(), case when pg_is_in_recovery() then 0 else \
    ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint end";

/// The nodes of a cluster, and which of them is the primary.
#[derive(Debug)]
pub(crate) struct Nodes {
    hosts: Vec<String>,
    pools: Vec<PgPool>,
    primary: AtomicUsize,
    /// The newest timeline that a primary was found on: whoever is on an older one was replaced.
    newest: AtomicI64,
    lost: Notify,
}

impl Nodes {
    /// # Panics
    /// Never with at least one node; with none, when the primary is asked for.
    pub(crate) fn new(hosts: Vec<String>, pools: Vec<PgPool>) -> Self {
        let (primary, newest) = (AtomicUsize::new(0), AtomicI64::new(0));
        Self { hosts, pools, primary, newest, lost: Notify::new() }
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "only `look` writes the number, from the same list"
    )]
    pub(crate) fn primary(&self) -> &PgPool {
        &self.pools[self.primary.load(Ordering::Acquire)]
    }

    pub(crate) fn lost(&self) {
        self.lost.notify_one();
    }

    /// Asks every node at the same time who it is, and waits for `patience`.
    pub(crate) async fn look(&self, patience: Duration) -> Result<(), OpenError> {
        let answers = join_all(self.pools.iter().map(|pool| timeline(pool, patience))).await;
        let (mut found, mut cause) = (None, None);
        for (number, answer) in answers.into_iter().enumerate() {
            match answer {
                Ok(Some(timeline)) => found = found.max(Some((timeline, number))),
                Ok(None) => {}
                Err(error) => cause = Some(error),
            }
        }
        let current = found.filter(|(timeline, _)| {
            self.newest.fetch_max(*timeline, Ordering::AcqRel) <= *timeline
        });
        let Some((_, number)) = current else {
            return Err(OpenError::NoPrimary { hosts: self.hosts.join(", "), cause });
        };
        if self.primary.swap(number, Ordering::AcqRel) != number {
            let host = self.hosts.get(number).map(String::as_str).unwrap_or_default();
            tracing::info!(server.address = host, "PostgreSQL's primary is {host}");
        }
        Ok(())
    }

    pub(crate) async fn close(&self) {
        join_all(self.pools.iter().map(PgPool::close)).await;
    }
}

/// The timeline of a primary; `None` of a standby.
async fn timeline(pool: &PgPool, patience: Duration) -> Result<Option<i64>, sqlx::Error> {
    let asked = tokio::time::timeout(patience, sqlx::query(ASK).fetch_one(pool)).await;
    let row = asked.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
    Ok(if row.get(0) { None } else { Some(row.get(1)) })
}

/// Looks for the primary, often enough, until `stop`.
pub(crate) async fn follow(nodes: Arc<Nodes>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = nodes.lost.notified() => {}
        }
        if let Err(error) = nodes.look(PATIENCE).await {
            tracing::warn!("{}", openframe_fault::chain(&error));
            // Asked by everybody who fails: once in a while is enough.
            tokio::time::sleep(LOOK_EVERY / 4).await;
        }
    }
}
