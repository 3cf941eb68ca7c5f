//! Enrolment tokens and the certificates of devices.

use axum::extract::State;
use axum::response::IntoResponse;
use http::{StatusCode, header};
use openframe_agent_api::enrolment::{
    Certified, ENROL_PATH, EnrolRequest, RECOVER_PATH, RENEW_PATH, RecoverRequest, RenewRequest,
};
use openframe_auth_api::{
    EnrolmentToken, MadeEnrolmentToken, NewEnrolmentToken, Page, QuarantinedDevice, WaitingDevice,
};
use openframe_fault::{Fault, Json, Path};
use openframe_ids::{DeviceId, EnrolmentTokenId};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::views;
use crate::app::{Asked, NewToken, Origin};
use crate::domain::Terms;
use crate::{Auth, Error};

/// What a list of revoked certificates is (RFC 5280, section 4.2.1.13).
const REVOCATION_LIST: &str = "application/pkix-crl";
/// Certificates, PEM (RFC 8555, section 9.1).
const CHAIN: &str = "application/pem-certificate-chain";

pub(super) fn open() -> OpenApiRouter<Auth> {
    OpenApiRouter::new().routes(routes!(enrol)).routes(routes!(recover))
}

/// What anybody may know who checks devices' certificates.
pub(super) fn published() -> OpenApiRouter<Auth> {
    OpenApiRouter::new().routes(routes!(revocation_list)).routes(routes!(trust_bundle))
}

pub(super) fn renewal() -> OpenApiRouter<Auth> {
    OpenApiRouter::new().routes(routes!(renew))
}

pub(super) fn closed() -> OpenApiRouter<Auth> {
    OpenApiRouter::new()
        .routes(routes!(tokens, create_token))
        .routes(routes!(revoke_token))
        .routes(routes!(revoke_device))
        .routes(routes!(quarantined))
        .routes(routes!(readmit_device))
        .routes(routes!(waiting))
        .routes(routes!(admit_device, turn_away_device))
}

/// Enrols a device: an enrolment token and a certificate request for a certificate.
#[utoipa::path(post, path = ENROL_PATH, tag = "agents",
    request_body(content = Object, description = "Token, certificate request, host name"),
    responses((status = 200, description = "The device's certificate", content_type = "application/json")))]
async fn enrol(
    State(app): State<Auth>,
    origin: Origin,
    Json(asked): Json<EnrolRequest>,
) -> Result<Json<Certified>, Fault> {
    let machine = (asked.hostname.as_str(), asked.serial.as_deref());
    let certificate = app.enrol(&asked.token, &asked.csr_pem, machine, &origin).await?;
    Ok(Json(views::certified(certificate)))
}

/// Gives a device whose certificate has ended a new one.
#[utoipa::path(post, path = RECOVER_PATH, tag = "agents",
    request_body(content = Object, description = "Device, certificate request, proof of its key"),
    responses((status = 200, description = "The new certificate", content_type = "application/json")))]
async fn recover(
    State(app): State<Auth>,
    origin: Origin,
    Json(request): Json<RecoverRequest>,
) -> Result<Json<Certified>, Fault> {
    Ok(Json(views::certified(app.recover(&request, &origin).await?)))
}

/// Renews the certificate of the device that asks.
#[utoipa::path(post, path = RENEW_PATH, tag = "agents",
    request_body(content = Object, description = "A certificate request, and the old key's word for a new key"),
    responses((status = 200, description = "The new certificate", content_type = "application/json")))]
async fn renew(
    State(app): State<Auth>,
    asked: Asked,
    Json(request): Json<RenewRequest>,
) -> Result<Json<Certified>, Fault> {
    Ok(Json(views::certified(app.renew(&asked, &request).await?)))
}

/// The certificates of devices that do not count although their time is not over: a list that the
/// authority has signed, DER (RFC 5280). A device in quarantine is on hold.
#[utoipa::path(get, path = "/devices.crl", tag = "enrolment",
    responses((status = 200, body = Vec<u8>, content_type = REVOCATION_LIST)))]
async fn revocation_list(State(app): State<Auth>) -> Result<impl IntoResponse, Fault> {
    let list = app.revocation_list().await?;
    Ok(([(header::CONTENT_TYPE, REVOCATION_LIST)], list.to_vec()))
}

/// The authorities that devices' certificates come from, root first, PEM.
#[utoipa::path(get, path = "/trust-bundle.pem", tag = "enrolment",
    responses((status = 200, body = String, content_type = CHAIN)))]
async fn trust_bundle(State(app): State<Auth>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, CHAIN)], app.trust_bundle())
}

/// Lists the enrolment tokens that can still be used.
#[utoipa::path(get, path = "/enrolment-tokens", tag = "enrolment",
    responses((status = 200, body = Page<EnrolmentToken>)))]
async fn tokens(
    State(app): State<Auth>,
    asked: Asked,
) -> Result<Json<Page<EnrolmentToken>>, Fault> {
    let tokens = app.enrolment_tokens(&asked).await?;
    Ok(Json(views::page(tokens.into_iter().map(views::token).collect())))
}

/// Makes an enrolment token.
#[utoipa::path(post, path = "/enrolment-tokens", tag = "enrolment",
    request_body = NewEnrolmentToken, responses((status = 201, body = MadeEnrolmentToken)))]
async fn create_token(
    State(app): State<Auth>,
    asked: Asked,
    Json(new): Json<NewEnrolmentToken>,
) -> Result<(StatusCode, Json<MadeEnrolmentToken>), Fault> {
    let (networks, serials) = (new.networks.unwrap_or_default(), new.serials.unwrap_or_default());
    let terms = Terms::read(&networks, &serials, new.approval.unwrap_or(false));
    let terms = terms.map_err(Error::Invalid)?;
    let (uses, minutes, place) = (new.uses, new.expires_in_minutes, new.place);
    let new = NewToken { name: new.name.as_deref(), uses, minutes, place, terms };
    let made = app.create_enrolment_token(&asked, new).await?;
    let (secret, command) = (made.secret, made.command);
    let made = MadeEnrolmentToken { token: views::token(made.token), secret, command };
    Ok((StatusCode::CREATED, Json(made)))
}

/// Revokes an enrolment token.
#[utoipa::path(delete, path = "/enrolment-tokens/{id}", tag = "enrolment",
    params(("id" = EnrolmentTokenId, Path)), responses((status = 204)))]
async fn revoke_token(
    State(app): State<Auth>,
    asked: Asked,
    Path(id): Path<EnrolmentTokenId>,
) -> Result<StatusCode, Fault> {
    app.revoke_enrolment_token(&asked, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes the certificates of a device count no more.
#[utoipa::path(delete, path = "/devices/{id}", tag = "enrolment",
    params(("id" = DeviceId, Path)), responses((status = 204)))]
async fn revoke_device(
    State(app): State<Auth>,
    asked: Asked,
    Path(id): Path<DeviceId>,
) -> Result<StatusCode, Fault> {
    app.revoke_device(&asked, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the devices that are in quarantine, because two copies of one identity were in use. The latest
/// thousand at most.
#[utoipa::path(get, path = "/quarantine", tag = "enrolment",
    responses((status = 200, body = Page<QuarantinedDevice>)))]
async fn quarantined(
    State(app): State<Auth>,
    asked: Asked,
) -> Result<Json<Page<QuarantinedDevice>>, Fault> {
    let devices = app.quarantined(&asked).await?;
    Ok(Json(views::page(devices.iter().filter_map(views::quarantined).collect())))
}

/// Takes a device out of quarantine.
#[utoipa::path(post, path = "/devices/{id}/readmit", tag = "enrolment",
    params(("id" = DeviceId, Path)), responses((status = 204)))]
async fn readmit_device(
    State(app): State<Auth>,
    asked: Asked,
    Path(id): Path<DeviceId>,
) -> Result<StatusCode, Fault> {
    app.readmit_device(&asked, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the devices that have enrolled and wait to be let in, the first thousand at most.
#[utoipa::path(get, path = "/waiting-devices", tag = "enrolment",
    responses((status = 200, body = Page<WaitingDevice>)))]
async fn waiting(
    State(app): State<Auth>,
    asked: Asked,
) -> Result<Json<Page<WaitingDevice>>, Fault> {
    let devices = app.waiting_devices(&asked).await?;
    Ok(Json(views::page(devices.into_iter().map(views::waiting).collect())))
}

/// Lets a device in that waits.
#[utoipa::path(post, path = "/waiting-devices/{id}", tag = "enrolment",
    params(("id" = DeviceId, Path)), responses((status = 204)))]
async fn admit_device(
    State(app): State<Auth>,
    asked: Asked,
    Path(id): Path<DeviceId>,
) -> Result<StatusCode, Fault> {
    app.admit_device(&asked, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Turns a device away that waits.
#[utoipa::path(delete, path = "/waiting-devices/{id}", tag = "enrolment",
    params(("id" = DeviceId, Path)), responses((status = 204)))]
async fn turn_away_device(
    State(app): State<Auth>,
    asked: Asked,
    Path(id): Path<DeviceId>,
) -> Result<StatusCode, Fault> {
    app.turn_away_device(&asked, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
