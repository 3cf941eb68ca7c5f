//! Second factors, the second step of a sign-in, and step-up.

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use openframe_auth_api::{
    FactorCode, Factors, Me, RecoveryCodes, SecondStep, Settings, StepUp, TotpConfirmed,
    TotpEnrolment,
};
use openframe_fault::{Fault, Json, Path};
use openframe_ids::UserId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::passkeys::shown;
use super::sign_in::{confirmed, half_cookie, signed_in};
use crate::app::{Asked, Enrolment, Origin, PasskeyShown, Shown};
use crate::domain::TenantSettings;
use crate::{Auth, Error};

/// The second step of a sign-in: who takes it shows the cookie of the first.
pub(super) fn open() -> OpenApiRouter<Auth> {
    OpenApiRouter::new()
        .routes(routes!(finish_sign_in))
        .routes(routes!(enrol_totp_first))
        .routes(routes!(confirm_totp_first))
}

pub(super) fn closed() -> OpenApiRouter<Auth> {
    OpenApiRouter::new()
        .routes(routes!(factors))
        .routes(routes!(enrol_totp, remove_totp))
        .routes(routes!(confirm_totp))
        .routes(routes!(new_recovery_codes))
        .routes(routes!(step_up))
        .routes(routes!(reset_factors))
        .routes(routes!(settings, change_settings))
}

fn enrolment(it: Enrolment) -> (StatusCode, Json<TotpEnrolment>) {
    let Enrolment { secret, uri, qr_svg } = it;
    (StatusCode::CREATED, Json(TotpEnrolment { secret, uri, qr_svg }))
}

/// Ends a sign-in with a code of the authenticator app, a recovery code, or a passkey.
#[utoipa::path(post, path = "/login/code", tag = "sign-in", request_body = SecondStep,
    responses((status = 200, body = Me)))]
async fn finish_sign_in(
    State(app): State<Auth>,
    origin: Origin,
    headers: HeaderMap,
    Json(typed): Json<SecondStep>,
) -> Result<Response, Fault> {
    let half = half_cookie(&headers);
    let opened = match (&typed.code, &typed.passkey) {
        (Some(code), None) => app.finish_sign_in(half, code, &origin).await?,
        (None, Some(passkey)) => {
            app.finish_by_passkey(half, shown(passkey, &headers), &origin).await?
        }
        (Some(_), Some(_)) | (None, None) => {
            return Err(Error::Invalid("send a code or a passkey".to_owned()).into());
        }
    };
    Ok(signed_in(opened))
}

/// Begins to enrol an authenticator app in a sign-in that needs one.
#[utoipa::path(post, path = "/login/totp", tag = "sign-in",
    responses((status = 201, body = TotpEnrolment)))]
async fn enrol_totp_first(
    State(app): State<Auth>,
    origin: Origin,
    headers: HeaderMap,
) -> Result<(StatusCode, Json<TotpEnrolment>), Fault> {
    Ok(enrolment(app.enrol_totp_first(half_cookie(&headers), &origin).await?))
}

/// Confirms that app with a code of it, and ends the sign-in.
#[utoipa::path(post, path = "/login/totp/confirm", tag = "sign-in", request_body = FactorCode,
    responses((status = 200, body = TotpConfirmed)))]
async fn confirm_totp_first(
    State(app): State<Auth>,
    origin: Origin,
    headers: HeaderMap,
    Json(typed): Json<FactorCode>,
) -> Result<Response, Fault> {
    let done = app.confirm_totp_first(half_cookie(&headers), &typed.code, &origin).await?;
    Ok(confirmed(done))
}

/// One's own second factors.
#[utoipa::path(get, path = "/me/factors", tag = "factors",
    responses((status = 200, body = Factors)))]
async fn factors(State(app): State<Auth>, asked: Asked) -> Result<Json<Factors>, Fault> {
    let own = app.factors(&asked).await?;
    Ok(Json(Factors {
        totp_since: own.totp_since,
        passkeys: own.passkeys as u64,
        recovery_codes: own.recovery_codes,
        required: own.required,
    }))
}

/// Begins to enrol an authenticator app; one that is there stays until the new one is confirmed.
#[utoipa::path(post, path = "/me/factors/totp", tag = "factors",
    responses((status = 201, body = TotpEnrolment)))]
async fn enrol_totp(
    State(app): State<Auth>,
    asked: Asked,
) -> Result<(StatusCode, Json<TotpEnrolment>), Fault> {
    Ok(enrolment(app.enrol_totp(&asked).await?))
}

/// Puts the app in force with a code of it. All other sessions of the person end.
#[utoipa::path(post, path = "/me/factors/totp/confirm", tag = "factors", request_body = FactorCode,
    responses((status = 200, body = TotpConfirmed)))]
async fn confirm_totp(
    State(app): State<Auth>,
    asked: Asked,
    Json(typed): Json<FactorCode>,
) -> Result<Response, Fault> {
    Ok(confirmed(app.confirm_totp(&asked, &typed.code).await?))
}

/// Removes one's authenticator app and recovery codes. All other sessions of the person end.
#[utoipa::path(delete, path = "/me/factors/totp", tag = "factors", responses((status = 204)))]
async fn remove_totp(State(app): State<Auth>, asked: Asked) -> Result<StatusCode, Fault> {
    app.remove_totp(&asked).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes new recovery codes; those before are dead.
#[utoipa::path(post, path = "/me/factors/recovery-codes", tag = "factors",
    responses((status = 201, body = RecoveryCodes)))]
async fn new_recovery_codes(
    State(app): State<Auth>,
    asked: Asked,
) -> Result<(StatusCode, Json<RecoveryCodes>), Fault> {
    let codes = app.new_recovery_codes(&asked).await?;
    Ok((StatusCode::CREATED, Json(RecoveryCodes { codes })))
}

/// Shows anew that one is who one is. The session has another secret afterwards.
#[utoipa::path(post, path = "/me/step-up", tag = "sign-in", request_body = StepUp,
    responses((status = 200, body = Me)))]
async fn step_up(
    State(app): State<Auth>,
    asked: Asked,
    Json(typed): Json<StepUp>,
) -> Result<Response, Fault> {
    let shown = match (&typed.code, &typed.password, &typed.passkey) {
        (Some(code), None, None) => Shown::Code(code),
        (None, Some(password), None) => Shown::Password(password),
        (None, None, Some(credential)) => {
            Shown::Passkey(PasskeyShown { credential, held: typed.held.as_deref() })
        }
        _ => {
            return Err(Error::Invalid("send a code, a passkey or a password".to_owned()).into());
        }
    };
    Ok(signed_in(app.step_up(&asked, shown).await?))
}

/// Removes the second factors of a person who has lost them. All of that person's sessions end.
#[utoipa::path(delete, path = "/users/{id}/factors", tag = "people",
    params(("id" = UserId, Path)), responses((status = 204)))]
async fn reset_factors(
    State(app): State<Auth>,
    asked: Asked,
    Path(id): Path<UserId>,
) -> Result<StatusCode, Fault> {
    app.reset_factors(&asked, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn told(it: TenantSettings) -> Json<Settings> {
    Json(Settings { second_factor_required: it.second_factor_required })
}

/// What owners have decided for everybody.
#[utoipa::path(get, path = "/settings", tag = "people", responses((status = 200, body = Settings)))]
async fn settings(State(app): State<Auth>, asked: Asked) -> Result<Json<Settings>, Fault> {
    Ok(told(app.settings(&asked).await?))
}

/// Decides for everybody. Counts from the next request of each person on.
#[utoipa::path(put, path = "/settings", tag = "people", request_body = Settings,
    responses((status = 200, body = Settings)))]
async fn change_settings(
    State(app): State<Auth>,
    asked: Asked,
    Json(to): Json<Settings>,
) -> Result<Json<Settings>, Fault> {
    let to = TenantSettings { second_factor_required: to.second_factor_required };
    Ok(told(app.change_settings(&asked, to).await?))
}
