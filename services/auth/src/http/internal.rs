//! What only the platform's own services ask. Not in the API's document.

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use http::StatusCode;
use jiff::Timestamp;
use openframe_auth_api::internal::{
    AUDIT, AuditRecord, CHECK_DEVICE, DeviceCheck, RESOLVE, ResolveRequest, Resolved, Shown,
};
use openframe_fault::{Fault, Json, Kind};

use crate::Auth;
use crate::app::{Asked, Secret};
use crate::domain::Event;

pub(super) fn routes() -> Router<Auth> {
    Router::new()
        .route(RESOLVE, post(resolve))
        .route(AUDIT, post(record))
        .route(CHECK_DEVICE, post(check_device))
}

async fn resolve(
    State(app): State<Auth>,
    asked: Asked,
    Json(request): Json<ResolveRequest>,
) -> Result<Json<Resolved>, Fault> {
    let secret = match request.shown {
        Shown::Session(text) => Secret::Session(text),
        Shown::ApiKey(text) => Secret::ApiKey(text),
    };
    let found = app.resolve(&asked.caller, &secret, &request.remote_address).await?;
    let caller = serde_json::to_value(&found.caller).map_err(|error| {
        Fault::new(Kind::Internal, "internal", "something went wrong on our side").because(error)
    })?;
    Ok(Json(Resolved { caller, csrf_token: found.csrf_token, expires_at: found.expires }))
}

async fn record(
    State(app): State<Auth>,
    asked: Asked,
    Json(record): Json<AuditRecord>,
) -> Result<StatusCode, Fault> {
    let tenant = record.tenant_id;
    let event = Event {
        // Set by the service: the trail has one clock.
        at: Timestamp::UNIX_EPOCH,
        actor_kind: record.actor_kind,
        actor: record.actor,
        action: record.action,
        target: record.target,
        outcome: record.outcome.as_str().to_owned(),
        detail: record.detail,
        remote_address: record.remote_address,
        request_id: record.request_id,
    };
    app.record(&asked.caller, tenant, event).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn check_device(
    State(app): State<Auth>,
    asked: Asked,
    Json(check): Json<DeviceCheck>,
) -> Result<StatusCode, Fault> {
    app.check_device(&asked.caller, (check.tenant_id, check.device_id), &check.serial).await?;
    Ok(StatusCode::NO_CONTENT)
}
