//! How the platform is, gathered from its parts: for `/readyz` and the console.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use futures::future::{BoxFuture, join_all};
use openframe_fault::{BoxError, chain};
use openframe_gateway::{Asked, Health};
use openframe_mesh::{Client, Metrics};
use openframe_platform_api::Part;
use openframe_platform_api::internal::{REPORT, Report};
use tokio_util::sync::CancellationToken;

/// How often the stores are asked.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long one of them may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long another replica may take to say how it is.
const REPORT_PATIENCE: Duration = Duration::from_secs(1);
/// How often something that is missing at start is tried again.
const TRY_EVERY: Duration = Duration::from_secs(1);

/// Asks a store whether it works.
pub(crate) type Probe = Arc<dyn Fn() -> BoxFuture<'static, Result<(), BoxError>> + Send + Sync>;

/// Says how a part is, each time it is asked.
type Source = Box<dyn Fn() -> Vec<Part> + Send + Sync>;

/// The parts of this process.
pub(crate) struct PlatformHealth {
    /// What the process is as a whole.
    name: &'static str,
    started: Instant,
    stopping: AtomicBool,
    /// What start-up waits for, and stores as they were last seen.
    parts: Mutex<BTreeMap<&'static str, Part>>,
    sources: Mutex<Vec<Source>>,
    mesh: OnceLock<Mesh>,
    stop: CancellationToken,
}

/// Where services are processes of their own.
struct Mesh {
    /// Every service, by its name.
    services: Vec<(&'static str, Client)>,
    calls: Metrics,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl PlatformHealth {
    /// A process that starts. It is not ready before [`PlatformHealth::is_up`] was called.
    pub(crate) fn starting(name: &'static str) -> Arc<Self> {
        let own = Self {
            name,
            started: openframe_clock::monotonic(),
            stopping: AtomicBool::new(false),
            parts: Mutex::default(),
            sources: Mutex::default(),
            mesh: OnceLock::new(),
            stop: CancellationToken::new(),
        };
        own.note(name, Some("the start of everything else".to_owned()));
        Arc::new(own)
    }

    /// Everything has started.
    pub(crate) fn is_up(&self) {
        self.note(self.name, None);
    }

    /// Makes the platform not ready from now on, so that nothing new is sent to it.
    pub(crate) fn stopping(&self) {
        self.stopping.store(true, Ordering::Release);
        self.stop.cancel();
    }

    /// Whether [`PlatformHealth::stopping`] was called.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    fn note(&self, name: &'static str, waiting_for: Option<String>) {
        locked(&self.parts).insert(name, part(name, waiting_for, String::new()));
    }

    /// Tries again and again until it succeeds; says meanwhile what `name` waits for.
    pub(crate) async fn until<T>(
        &self,
        name: &'static str,
        mut attempt: impl AsyncFnMut() -> anyhow::Result<T>,
    ) -> T {
        let mut told = String::new();
        loop {
            match attempt().await {
                Ok(done) => {
                    self.note(name, None);
                    return done;
                }
                Err(error) => {
                    let why = chain(error.as_ref());
                    if told != why {
                        tracing::warn!("{name} is not there yet: {why}");
                        told.clone_from(&why);
                    }
                    self.note(name, Some(why));
                }
            }
            tokio::time::sleep(TRY_EVERY).await;
        }
    }

    /// Asks `source` each time somebody wants to know.
    pub(crate) fn watch(&self, source: impl Fn() -> Vec<Part> + Send + Sync + 'static) {
        locked(&self.sources).push(Box::new(source));
    }

    /// Services are processes of their own, and this one calls them as `calls` counts.
    pub(crate) fn join(&self, services: Vec<(&'static str, Client)>, calls: Metrics) {
        // Once, at start.
        drop(self.mesh.set(Mesh { services, calls }));
    }

    /// Something that listens until `gone`.
    pub(crate) fn watch_door(&self, name: &'static str, gone: CancellationToken) {
        self.watch(move || {
            let waiting_for = gone.is_cancelled().then(|| "a restart: it has stopped".to_owned());
            vec![part(name, waiting_for, String::new())]
        });
    }

    /// Asks a store now, and again and again until the process stops.
    pub(crate) async fn watch_store(self: &Arc<Self>, name: &'static str, probe: Probe) {
        self.look(name, &probe).await;
        let own = Arc::clone(self);
        tokio::spawn(async move {
            let stop = own.stop.clone();
            while stop.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_some() {
                own.look(name, &probe).await;
            }
        });
    }

    async fn look(&self, name: &'static str, probe: &Probe) {
        let waiting_for = match tokio::time::timeout(PATIENCE, probe()).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => {
                tracing::error!("{name} does not work: {}", chain(error.as_ref()));
                Some("its store; see the server's log".to_owned())
            }
            Err(_) => Some(format!("an answer, for {} s", PATIENCE.as_secs())),
        };
        self.note(name, waiting_for);
    }
}

/// A part of a process; ready when it waits for nothing.
pub(crate) fn part(name: &str, waiting_for: Option<String>, detail: String) -> Part {
    Part { name: name.to_owned(), ready: waiting_for.is_none(), waiting_for, detail }
}

impl PlatformHealth {
    /// Every part, as it is now.
    pub(crate) fn parts(&self) -> Vec<Part> {
        let mut known = locked(&self.parts).clone();
        if self.is_stopping() {
            let end = Some("the end: the server stops".to_owned());
            known.insert(self.name, part(self.name, end, String::new()));
        }
        let mut parts: Vec<Part> = known.into_values().collect();
        parts.extend(locked(&self.sources).iter().flat_map(|source| source()));
        parts.sort_by(|a, b| a.name.cmp(&b.name));
        parts
    }

    /// What this process says of itself.
    pub(crate) fn report(&self) -> Report {
        Report {
            version: self.version().to_owned(),
            uptime_s: openframe_clock::monotonic().duration_since(self.started).as_secs(),
            parts: self.parts(),
            calls: self.mesh.get().map(|mesh| mesh.calls.lately()).unwrap_or_default(),
        }
    }
}

async fn ask(service: &'static str, (address, replica): (String, Client)) -> Asked {
    let answer = tokio::time::timeout(REPORT_PATIENCE, replica.get(REPORT)).await;
    Asked { service, address, report: answer.ok().and_then(Result::ok) }
}

impl Health for PlatformHealth {
    fn replicas(&self) -> BoxFuture<'_, Vec<Asked>> {
        Box::pin(async {
            let Some(mesh) = self.mesh.get() else {
                let (service, address) = ("openframe", String::new());
                return vec![Asked { service, address, report: Some(self.report()) }];
            };
            let each = mesh.services.iter().flat_map(|(service, client)| {
                client.each().into_iter().map(|replica| ask(service, replica))
            });
            join_all(each).await
        })
    }

    fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }
}

#[cfg(test)]
mod tests {
    use openframe_sqlite::Database;

    use super::*;

    #[tokio::test]
    async fn a_store_that_is_gone_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("auth.db");
        let database = Database::open(&path, &openframe_auth_sqlite::MIGRATIONS).await.unwrap();
        let health = PlatformHealth::starting("gateway");
        let watched = database.clone();
        let probe: Probe = Arc::new(move || {
            let database = watched.clone();
            Box::pin(async move { database.probe().await.map_err(BoxError::from) })
        });
        health.watch_store("auth.database", Arc::clone(&probe)).await;
        let of = |name: &str| health.parts().into_iter().find(|part| part.name == name).unwrap();
        assert!(of("auth.database").ready && !of("gateway").ready);
        health.is_up();
        assert!(of("gateway").ready);
        database.close().await;
        health.look("auth.database", &probe).await;
        let part = of("auth.database");
        assert!(!part.ready && part.waiting_for.is_some());
        health.stopping();
        assert!(!of("gateway").ready);
    }
}
