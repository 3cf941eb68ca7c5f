//! Puts the service together.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use axum::Router;
use openframe_auth_api::AuthClient;
use openframe_clock::Clock;
use openframe_mesh::{Client, identity};
use openframe_tokens::internal::Verifier;
use prometheus_client::registry::Registry;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::{App, Parts, Pushes};
use crate::domain::index::Index;
use crate::links::Gateway;
use crate::metrics::Metrics;
use crate::siblings::Siblings;
use crate::{Config, Error, Stores, http, tasks};

/// What the service needs from outside.
#[derive(Debug)]
pub struct Deps<'a> {
    /// What is kept.
    pub stores: Stores,
    /// The time.
    pub clock: Clock,
    /// Reads the tokens that say who asks.
    pub verifier: Verifier,
    /// The gateway, with this service's credential.
    pub gateway: Client,
    /// This service's own replicas, with its credential; none when this process is the only one.
    pub siblings: Option<Client>,
    /// The auth service, with this service's credential: the audit trail, certificates and places.
    pub auth: AuthClient,
    /// Where metrics are registered.
    pub metrics: &'a mut Registry,
}

/// The service at work.
#[derive(Debug)]
pub struct Running {
    /// Answers requests.
    pub router: Router,
    /// The background loops: cancel `stop`, then close and wait.
    pub tasks: TaskTracker,
    /// Ends the loops.
    pub stop: CancellationToken,
    app: App,
}

impl Running {
    /// How many devices the search index holds.
    pub fn indexed(&self) -> u64 {
        let indexes = self.app.0.indexes.read().unwrap_or_else(PoisonError::into_inner);
        indexes.values().map(Index::len).sum()
    }
}

/// Loads the index and starts the loops. Binds nothing.
pub async fn start(config: Config, deps: Deps<'_>) -> Result<Running, Error> {
    let backlog = usize::try_from(config.event_backlog.clamp(1, 1 << 20)).unwrap_or(1);
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let app = App(Arc::new(Parts {
        stores: deps.stores,
        audit: Arc::new(deps.auth.clone()),
        certificates: Arc::new(deps.auth.clone()),
        places: Arc::new(deps.auth),
        links: Arc::new(Gateway(deps.gateway)),
        clock: deps.clock.clone(),
        config,
        metrics: Metrics::register(deps.metrics),
        indexes: RwLock::default(),
        present: Mutex::default(),
        events: broadcast::channel(backlog).0,
        pushes: Pushes::new(tasks.clone()),
        siblings: Siblings::new(deps.siblings),
    }));
    app.load().await?;
    tasks::spawn(&app, &tasks, &stop);
    let router = http::routes(app.clone());
    let router = identity::require(router, deps.verifier, deps.clock);
    Ok(Running { router: openframe_fault::layer(router), tasks, stop, app })
}
