//! Starting the service.

use std::sync::Arc;

use axum::Router;
use openframe_auth_api::Audit;
use openframe_clock::Clock;
use openframe_tokens::internal::Verifier;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::{Monitoring, Parts};
use crate::metrics::Metrics;
use crate::notify::Sender;
use crate::places::Places;
use crate::store::Stores;
use crate::{Config, Error, http, tasks};

/// What the service needs from outside.
pub struct Deps<'a> {
    /// Where it keeps things.
    pub stores: Stores,
    /// The time.
    pub clock: Clock,
    /// Who asks.
    pub verifier: Verifier,
    /// The audit trail, with this service's credential.
    pub audit: Arc<dyn Audit>,
    /// Where devices are, with this service's credential.
    pub places: Arc<dyn Places>,
    /// Sends notifications.
    pub sender: Arc<dyn Sender>,
    /// Where its own metrics are registered.
    pub metrics: &'a mut Registry,
}

/// The service, started.
pub struct Running {
    /// Every path that it serves.
    pub router: Router,
    /// Its background loops.
    pub tasks: TaskTracker,
    /// Ends them.
    pub stop: CancellationToken,
    pub(crate) app: Monitoring,
}

/// One part of readiness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its name.
    pub name: &'static str,
    /// What it waits for; `None` when it is ready.
    pub waiting_for: Option<String>,
    /// What an operator should know though it is ready; empty when there is nothing.
    pub detail: String,
}

impl Running {
    /// Each part, and what it waits for.
    pub fn ready(&self) -> Vec<Part> {
        let detail = self.app.kept_less().unwrap_or_default();
        let log = Part { name: "telemetry_log", waiting_for: self.app.failure(), detail };
        // Without hints it works all the same.
        let detail = self.app.hint_failure().unwrap_or_default();
        vec![log, Part { name: "hints", waiting_for: None, detail }]
    }
}

/// Reads the log back and starts. Binds nothing.
pub async fn start(config: Config, deps: Deps<'_>) -> Result<Running, Error> {
    let metrics = Metrics::register(deps.metrics);
    let interval = config.upkeep_interval();
    let shared = deps.stores.shared;
    let Deps { stores, audit, places, sender, .. } = deps;
    let parts = Parts { stores, audit, places, sender, metrics };
    let app = Monitoring::new(config, deps.clock.clone(), parts);
    let replayed = app.load().await.map_err(Error::Log)?;
    app.load_alerts().await?;
    for line in &replayed.damage {
        tracing::error!("the telemetry log is damaged: {line}");
    }
    tracing::info!(records = replayed.records, "read {} records of telemetry", replayed.records);
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    tasks.spawn(tasks::upkeep(app.clone(), interval, stop.clone()));
    tasks.spawn(tasks::evaluate(app.clone(), stop.clone()));
    tasks.spawn(tasks::deliver(app.clone(), stop.clone()));
    if shared {
        tasks.spawn(tasks::follow(app.clone(), stop.clone()));
        tasks.spawn(tasks::agree(app.clone(), stop.clone()));
    }
    let router = http::router(app.clone(), deps.verifier, deps.clock);
    Ok(Running { router, tasks, stop, app })
}
