//! The admin port: probes for an orchestrator and metrics for the monitoring stack. Never exposed
//! outside; it asks nobody who they are.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use openframe_observe::EXPOSITION_TYPE;
use openframe_platform_api::Part;
use prometheus_client::registry::Registry;

use crate::health::PlatformHealth;

/// What the admin port reads.
#[derive(Clone)]
pub(crate) struct Admin {
    /// Empty until every service has started.
    pub(crate) registry: Arc<OnceLock<Registry>>,
    pub(crate) health: Arc<PlatformHealth>,
}

/// The routes of the admin port.
pub(crate) fn router(admin: Admin) -> Router {
    let alive = get(async || "alive\n");
    openframe_fault::layer(
        Router::new()
            .route("/livez", alive.clone())
            .route("/startupz", alive)
            .route("/readyz", get(ready))
            .route("/metrics", get(metrics))
            .with_state(admin),
    )
}

/// 200 when every part is ready, else 503; names each part and what it waits for. 404 when the process
/// stops in good order: `HAProxy` tells by it (`disable-on-404`) whose connections may end by themselves
/// from whose are cut off.
async fn ready(State(admin): State<Admin>) -> Response {
    let parts = admin.health.parts();
    let all = parts.iter().all(|part| part.ready);
    let line = |part: &Part| {
        let state = if part.ready { "ready" } else { "not ready" };
        let waits = part.waiting_for.as_deref().unwrap_or_default();
        format!("{}: {state} {waits} {}", part.name, part.detail).trim_end().to_owned() + "\n"
    };
    let text: String = parts.iter().map(line).collect();
    let status = match (admin.health.is_stopping(), all) {
        (true, _) => StatusCode::NOT_FOUND,
        (false, true) => StatusCode::OK,
        (false, false) => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, text).into_response()
}

async fn metrics(State(admin): State<Admin>) -> Response {
    let text = admin.registry.get().map(openframe_observe::exposition).unwrap_or_default();
    ([(header::CONTENT_TYPE, EXPOSITION_TYPE)], text).into_response()
}
