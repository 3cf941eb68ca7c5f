//! Every promise on the real clusters of the lab, also while a node dies.
//!
//! `cargo xtask test` starts the lab and runs these; by hand: `cargo xtask lab up`, then
//! `cargo test -p openframe-conformance --test clusters -- --ignored`. See [`Cluster`] for what a test
//! says of the nodes that it needs or takes down.

#![expect(clippy::unwrap_used, reason = "a test fails by it, in its helpers as well")]

mod cassandra;
mod directories;
mod factors;
mod hints;
mod postgres;
mod refreshes;
mod samples;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use openframe_ids::TenantId;
use openframe_lab::{Lab, Node};
use proptest::strategy::{Strategy, ValueTree as _};
use proptest::test_runner::TestRunner;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;

/// A cluster of the lab. The tests run at the same time; whoever takes nodes of it down has it alone.
struct Cluster(Semaphore);

/// More than there are tests.
const SHARES: u32 = 64;

static CASSANDRA: Cluster = Cluster(Semaphore::const_new(SHARES as usize));
static POSTGRES: Cluster = Cluster(Semaphore::const_new(SHARES as usize));
static REDIS: Cluster = Cluster(Semaphore::const_new(SHARES as usize));

impl Cluster {
    /// Held by whoever needs every node.
    async fn shared(&self) -> SemaphorePermit<'_> {
        self.0.acquire().await.unwrap()
    }

    /// The same, outside of a runtime.
    fn shared_blocking(&self) -> SemaphorePermit<'_> {
        tokio::runtime::Runtime::new().unwrap().block_on(self.shared())
    }

    /// Held by whoever takes nodes down.
    async fn alone(&self) -> SemaphorePermit<'_> {
        self.0.acquire_many(SHARES).await.unwrap()
    }
}

fn lab() -> Lab {
    Lab::usual().unwrap()
}

/// A schema or keyspace of its own for each test, so that all can run at the same time.
fn schema(name: &str) -> String {
    let unique = TenantId::new().0.simple().to_string();
    format!("{name}_{unique}")
}

/// Runs `round` on values again and again while a node dies and comes back: some times before,
/// meanwhile and after.
async fn while_it_dies<T, F>(
    node: Node,
    values: impl Strategy<Value = T> + Send + 'static,
    round: impl Fn(T) -> F + Send + 'static,
) where
    T: std::fmt::Debug + Send,
    F: Future<Output = ()> + Send,
{
    let (lab, rounds, stop) = (lab(), Arc::<AtomicU64>::default(), CancellationToken::new());
    let going_on = {
        let (rounds, stop) = (Arc::clone(&rounds), stop.clone());
        tokio::spawn(async move {
            let mut runner = TestRunner::deterministic();
            while !stop.is_cancelled() {
                let value = values.new_tree(&mut runner).unwrap().current();
                round(value).await;
                rounds.fetch_add(1, Ordering::SeqCst);
            }
        })
    };
    let more = async || {
        let from = rounds.load(Ordering::SeqCst);
        let enough = || rounds.load(Ordering::SeqCst) >= from + 3;
        lab.until(async || going_on.is_finished() || enough()).await.unwrap();
    };
    more().await;
    lab.kill(node).await.unwrap();
    more().await;
    lab.start(node).await.unwrap();
    more().await;
    stop.cancel();
    going_on.await.unwrap();
}
