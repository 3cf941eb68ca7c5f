//! How the platform is, gathered from its parts: for `/readyz` and the console.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use openframe_gateway::{Health, Part};
use openframe_sqlite::Database;
use tokio_util::sync::CancellationToken;

/// How often the databases are asked.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long one of them may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Something that listens: cancelled when it no longer does.
pub(crate) type Door = (&'static str, CancellationToken);

/// The parts of this process.
pub(crate) struct PlatformHealth {
    started: Instant,
    monitoring: Arc<openframe_monitoring::Running>,
    stopping: AtomicBool,
    devices: Arc<openframe_devices::Running>,
    doors: Vec<Door>,
    databases: ArcSwap<Vec<Part>>,
}

impl PlatformHealth {
    /// Makes the platform not ready from now on, so that nothing new is sent to it.
    pub(crate) fn stopping(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Watches `databases` until `stop`.
    pub(crate) async fn watch(
        (devices, monitoring): (
            Arc<openframe_devices::Running>,
            Arc<openframe_monitoring::Running>,
        ),
        (doors, databases): (&[Door], Vec<(&'static str, Database)>),
        stop: CancellationToken,
    ) -> Arc<Self> {
        let seen = ArcSwap::from_pointee(look(&databases).await);
        let started = openframe_clock::monotonic();
        let doors = doors.to_vec();
        let own = Arc::new(Self {
            started,
            monitoring,
            devices,
            doors,
            databases: seen,
            stopping: AtomicBool::new(false),
        });
        let watched = Arc::clone(&own);
        tokio::spawn(async move {
            while stop.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_some() {
                watched.databases.store(Arc::new(look(&databases).await));
            }
        });
        own
    }
}

async fn look(databases: &[(&'static str, Database)]) -> Vec<Part> {
    let mut parts = Vec::new();
    for (name, database) in databases {
        let waiting_for = match tokio::time::timeout(PATIENCE, database.probe()).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => {
                tracing::error!("{name} does not work: {error}");
                Some("its file; see the server's log".to_owned())
            }
            Err(_) => Some(format!("an answer, for {} s", PATIENCE.as_secs())),
        };
        parts.push(part(name, waiting_for, String::new()));
    }
    parts
}

fn part(name: &str, waiting_for: Option<String>, detail: String) -> Part {
    Part { name: name.to_owned(), ready: waiting_for.is_none(), waiting_for, detail }
}

impl Health for PlatformHealth {
    fn parts(&self) -> Vec<Part> {
        let door = |(name, gone): &Door| {
            let waiting_for = gone.is_cancelled().then(|| "a restart: it has stopped".to_owned());
            part(name, waiting_for, String::new())
        };
        let stopping = self.stopping.load(Ordering::Acquire);
        let end = stopping.then(|| "the end: the server stops".to_owned());
        let monitoring = |part_of: openframe_monitoring::Part| {
            part(&format!("monitoring.{}", part_of.name), part_of.waiting_for, part_of.detail)
        };
        let mut parts: Vec<Part> = self.doors.iter().map(door).collect();
        parts.extend(self.databases.load().iter().cloned());
        parts.push(part("gateway", end, String::new()));
        parts.push(part("devices.index", None, format!("{} devices", self.devices.indexed())));
        parts.extend(self.monitoring.ready().into_iter().map(monitoring));
        parts.sort_by(|a, b| a.name.cmp(&b.name));
        parts
    }

    fn uptime_s(&self) -> u64 {
        openframe_clock::monotonic().duration_since(self.started).as_secs()
    }

    fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_database_that_is_gone_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("auth.db");
        let database = Database::open(&path, &openframe_auth_sqlite::MIGRATIONS).await.unwrap();
        let databases = [("auth.database", database.clone())];
        assert!(look(&databases).await[0].ready);
        database.close().await;
        let part = &look(&databases).await[0];
        assert_eq!((part.name.as_str(), part.ready), ("auth.database", false));
        assert!(part.waiting_for.is_some());
    }
}
