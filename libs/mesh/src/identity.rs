//! How a service learns who asks: `Authorization: Bearer <internal token>`, in both shapes.

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use openframe_clock::Clock;
use openframe_fault::{Fault, Kind};
use openframe_ids::TenantId;
use openframe_tokens::internal::{Minter, Verifier};
use openframe_tokens::{Caller, Subject};

use crate::Credential;

/// Who asks, as the internal token says. A handler takes it as an argument.
#[derive(Debug, Clone)]
pub struct Asking(pub Caller);

impl<S: Send + Sync> FromRequestParts<S> for Asking {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Fault> {
        parts.extensions.get::<Self>().cloned().ok_or_else(unauthenticated)
    }
}

/// The service that asks, as its certificate says: the connection's, or the token's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerService(pub Arc<str>);

/// Requires a good internal token on every route of `router`.
pub fn require(router: Router, verifier: Verifier, clock: Clock) -> Router {
    router.layer(from_fn_with_state((verifier, clock), check))
}

async fn check(
    State((verifier, clock)): State<(Verifier, Clock)>,
    mut request: Request,
    next: Next,
) -> Response {
    let token = bearer(request.headers()).map(str::to_owned);
    request.headers_mut().remove(AUTHORIZATION);
    let Some(token) = token else { return unauthenticated().into_response() };
    let presenter = request.extensions().get::<PeerService>().map(|peer| Arc::clone(&peer.0));
    match verifier.verify(&token, presenter.as_deref(), clock.now()) {
        Ok(caller) => {
            request.extensions_mut().insert(Asking(caller));
            next.run(request).await
        }
        Err(refused) => unauthenticated().because(refused).into_response(),
    }
}

/// The token that a request carries.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

fn unauthenticated() -> Fault {
    Fault::new(Kind::Unauthenticated, "not_signed_in", "sign in, or send an API key")
}

/// The credential of the service `name` for calls of its own to the service `audience`.
pub fn service_credential(
    minter: Minter,
    clock: Clock,
    (name, audience): (&'static str, &'static str),
    tenant: TenantId,
) -> Credential {
    Arc::new(move |headers: &mut HeaderMap| {
        let subject = Subject::Service { name: name.to_owned() };
        insert(headers, &minter.mint(&Caller { tenant, subject }, audience, clock.now()));
    })
}

/// Puts `token` into the header that [`require`] reads.
pub fn insert(headers: &mut HeaderMap, token: &str) {
    // A token is base64url and dots; it always fits a header.
    if let Ok(value) = HeaderValue::from_str(&format!("Bearer {token}")) {
        headers.insert(AUTHORIZATION, value);
    }
}
