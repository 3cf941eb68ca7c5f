//! The keys that sign ID tokens, and their rotation.

use axum::extract::State;
use http::StatusCode;
use openframe_auth_api::{Page, RotateKeys, SigningKey};
use openframe_fault::{Fault, Json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::views;
use crate::Auth;
use crate::app::{Asked, KeyShown, Rotation};

pub(super) fn routes() -> OpenApiRouter<Auth> {
    OpenApiRouter::new().routes(routes!(signing_keys, rotate_keys))
}

fn view(key: KeyShown) -> SigningKey {
    SigningKey {
        kid: key.kid,
        made_at: key.times.made,
        signs_from: key.times.signs_from,
        stage: key.stage.as_str().to_owned(),
    }
}

/// Lists the keys that sign ID tokens, oldest first.
#[utoipa::path(get, path = "/signing-keys", tag = "clients",
    responses((status = 200, body = Page<SigningKey>)))]
async fn signing_keys(
    State(app): State<Auth>,
    asked: Asked,
) -> Result<Json<Page<SigningKey>>, Fault> {
    let keys = app.keys_shown(&asked).await?;
    Ok(Json(views::page(keys.into_iter().map(view).collect())))
}

/// Makes a new key that signs ID tokens.
#[utoipa::path(post, path = "/signing-keys", tag = "clients", request_body = RotateKeys,
    responses((status = 201, body = SigningKey)))]
async fn rotate_keys(
    State(app): State<Auth>,
    asked: Asked,
    Json(wanted): Json<RotateKeys>,
) -> Result<(StatusCode, Json<SigningKey>), Fault> {
    let rotation = match (wanted.now, wanted.revoke) {
        (false, false) => Rotation::Staged,
        (true, false) => Rotation::Now,
        (true, true) => Rotation::Revoke,
        (false, true) => {
            let message = "a new key has to sign now when all others are revoked: say `now` too";
            return Err(Fault::invalid("invalid", message));
        }
    };
    Ok((StatusCode::CREATED, Json(view(app.rotate_keys(&asked, rotation).await?))))
}
