//! What only the platform's own services ask. Not in the API's document.

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use http::StatusCode;
use jiff::Timestamp;
use openframe_auth_api::internal::{
    AUDIT, AuditRecord, CHECK_DEVICE, DEVICES_AT_ONCE, DEVICES_WITHIN, DeviceCheck, DeviceMove,
    DeviceNonce, DevicesFound, DevicesWithin, ENDED, Ended, EndedSince, FIND_PLACE, JOIN,
    JoinAnswer, JoinRequest, MOVE_DEVICE, PlaceAsked, PlaceFound, RESOLVE, ResolveRequest,
    Resolved, SERVER_CERTIFICATE, SPEND_NONCE, ServerAnswer, ServerRequest, Shown,
};
use openframe_fault::{Fault, Json, Kind};
use openframe_tokens::{NotAPlace, Place};

use crate::app::{Asked, Joined, Origin, Secret};
use crate::domain::Event;
use crate::{Auth, Error};

/// Routes that need no internal token: who joins has none yet.
pub(super) fn open() -> Router<Auth> {
    Router::new().route(JOIN, post(join))
}

pub(super) fn routes() -> Router<Auth> {
    Router::new()
        .route(SERVER_CERTIFICATE, post(server_certificate))
        .route(RESOLVE, post(resolve))
        .route(AUDIT, post(record))
        .route(CHECK_DEVICE, post(check_device))
        .route(SPEND_NONCE, post(spend_nonce))
        .route(ENDED, post(ended))
        .route(FIND_PLACE, post(find_place))
        .route(DEVICES_WITHIN, post(devices_within))
        .route(MOVE_DEVICE, post(move_device))
}

async fn join(
    State(app): State<Auth>,
    origin: Origin,
    Json(request): Json<JoinRequest>,
) -> Result<Json<JoinAnswer>, Fault> {
    match app.join(&request.service, &request.key, &request.csr_pem) {
        Ok(Joined { chain_pem, not_after, tenant }) => {
            Ok(Json(JoinAnswer { chain_pem, not_after, tenant_id: tenant }))
        }
        Err(error) => {
            app.join_refused(&request.service, &origin).await;
            Err(error.into())
        }
    }
}

async fn server_certificate(
    State(app): State<Auth>,
    asked: Asked,
    Json(request): Json<ServerRequest>,
) -> Result<Json<ServerAnswer>, Fault> {
    let chain_pem = app.certify_server(&asked.caller, &request.csr_pem, request.names)?;
    Ok(Json(ServerAnswer { chain_pem }))
}

async fn resolve(
    State(app): State<Auth>,
    asked: Asked,
    Json(request): Json<ResolveRequest>,
) -> Result<Json<Resolved>, Fault> {
    let secret = match request.shown {
        Shown::Session(text) => Secret::Session(text),
        Shown::ApiKey(text) => Secret::ApiKey(text),
        Shown::AccessToken(text) => Secret::AccessToken(text),
        Shown::BoundToken { token, proof, method, path } => {
            Secret::BoundToken { token, proof, method, path }
        }
        Shown::ProvenToken(text) => Secret::ProvenToken(text),
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

async fn spend_nonce(
    State(app): State<Auth>,
    asked: Asked,
    Json(shown): Json<DeviceNonce>,
) -> Result<StatusCode, Fault> {
    app.spend_nonce(&asked.caller, (shown.device_id, &shown.nonce), shown.until).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn ended(
    State(app): State<Auth>,
    asked: Asked,
    Json(since): Json<EndedSince>,
) -> Result<Json<Ended>, Fault> {
    let crate::app::Ended { place, people, devices } =
        app.ended(&asked.caller, since.place).await?;
    Ok(Json(Ended { place, people, devices }))
}

async fn find_place(
    State(app): State<Auth>,
    asked: Asked,
    Json(of): Json<PlaceAsked>,
) -> Result<Json<PlaceFound>, Fault> {
    let place = match of {
        PlaceAsked::Place(id) => app.find_place(&asked.caller, id).await?,
        PlaceAsked::Device(id) => app.place_of_device(&asked.caller, id).await?,
    };
    Ok(Json(PlaceFound { place: place.to_string() }))
}

async fn devices_within(
    State(app): State<Auth>,
    asked: Asked,
    Json(of): Json<DevicesWithin>,
) -> Result<Json<DevicesFound>, Fault> {
    let page = (of.after, DEVICES_AT_ONCE);
    let items = app.devices_within(&asked.caller, &place(&of.place)?, page).await?;
    Ok(Json(DevicesFound { items }))
}

async fn move_device(
    State(app): State<Auth>,
    asked: Asked,
    Json(wanted): Json<DeviceMove>,
) -> Result<StatusCode, Fault> {
    app.move_device(&asked.caller, wanted.device_id, &place(&wanted.to)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn place(text: &str) -> Result<Place, Error> {
    text.parse().map_err(|error: NotAPlace| Error::Invalid(error.to_string()))
}
