//! The auth API on the wire. Handlers decode, ask [`Auth`], encode; they decide nothing.

mod audit;
mod clients;
mod devices;
mod factors;
mod identity_providers;
mod internal;
mod invitations;
mod manage;
mod oauth;
mod pages;
mod passkeys;
mod places;
mod scim;
mod sign_in;
mod sign_in_page;
mod signing_keys;
#[cfg(test)]
mod tests;
mod upstream;
mod views;

use std::convert::Infallible;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequestParts};
use http::request::Parts;
use http::{HeaderMap, HeaderName, header};
use openframe_auth_api::{PREFIX, REMOTE_ADDRESS};
use openframe_clock::Clock;
use openframe_fault::{Fault, Query, REQUEST_ID};
use openframe_ids::{DeviceId, GrantId, IdentityProviderId};
use openframe_mesh::identity::{Asking, require};
use openframe_tokens::internal::Verifier;
use serde::Deserialize;
use utoipa::{PartialSchema as _, ToSchema as _};
use utoipa_axum::router::OpenApiRouter;

use crate::Auth;
use crate::app::{Asked, Origin};

/// The largest body, in bytes: a certificate request is the largest thing sent here.
const BODY_LIMIT: usize = 64 << 10;

#[derive(Deserialize)]
struct Which {
    /// Everybody's, not only one's own.
    #[serde(default)]
    all: bool,
}

/// Named, so that `utoipa` takes the parameters from the attribute only.
type WhichQuery = Query<Which>;

impl<S: Send + Sync> FromRequestParts<S> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let text = |name| header_text(&parts.headers, name);
        Ok(Self {
            remote_address: text(&REMOTE_ADDRESS),
            user_agent: text(&header::USER_AGENT),
            request_id: text(&REQUEST_ID),
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        let Asking(caller) = Asking::from_request_parts(parts, state).await?;
        let Ok(origin) = Origin::from_request_parts(parts, state).await;
        Ok(Self { caller, origin })
    }
}

fn header_text(headers: &HeaderMap, name: &HeaderName) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

/// Routes that anybody may ask: they are how one becomes somebody.
fn open() -> OpenApiRouter<Auth> {
    let sign_in = sign_in::open().merge(factors::open()).merge(passkeys::open());
    let sign_in = sign_in.merge(invitations::open()).merge(devices::published());
    OpenApiRouter::new().nest(PREFIX, sign_in).merge(devices::open())
}

/// Routes that need an internal token.
fn closed() -> OpenApiRouter<Auth> {
    let api = sign_in::closed().merge(factors::closed()).merge(passkeys::closed());
    let api = api.merge(manage::routes()).merge(invitations::closed()).merge(places::routes());
    let api = api.merge(audit::routes()).merge(identity_providers::routes());
    let api = api.merge(clients::routes()).merge(signing_keys::routes()).merge(devices::closed());
    OpenApiRouter::new().nest(PREFIX, api).merge(devices::renewal())
}

/// The API's document.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let mut document = open().merge(closed()).into_openapi();
    // Named by a path's parameters only, which utoipa does not collect.
    let named = document.components.get_or_insert_default();
    named.schemas.insert(DeviceId::name().into_owned(), DeviceId::schema());
    let provider = IdentityProviderId::name().into_owned();
    named.schemas.insert(provider, IdentityProviderId::schema());
    named.schemas.insert(GrantId::name().into_owned(), GrantId::schema());
    document
}

pub(crate) fn router(app: Auth, verifier: Verifier, clock: Clock) -> Router {
    let (closed, _) = closed().split_for_parts();
    let closed = closed.merge(internal::routes()).merge(scim::routes()).with_state(app.clone());
    let (open, _) = open().split_for_parts();
    let open = open.merge(internal::open()).merge(oauth::routes(&app)).merge(upstream::routes());
    let router = open.with_state(app).merge(require(closed, verifier, clock));
    let router = router.layer(DefaultBodyLimit::max(BODY_LIMIT));
    openframe_fault::layer(router)
}
