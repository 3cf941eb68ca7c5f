//! Headers: what is dropped on the way in, and added on the way out.

use axum::extract::Request;
use axum::response::Response;
use http::header::{
    CACHE_CONTROL, CONNECTION, HOST, REFERRER_POLICY, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use openframe_fault::REQUEST_ID;
use openframe_ids::RequestId;

use crate::edge::Origin;

/// The header that carries the client's address to a service.
const REMOTE_ADDRESS: &str = "x-openframe-remote-address";

/// Names that only this gateway may say anything with (RFC 9440, Envoy's XFCC, and the like).
const OURS: [&str; 10] = [
    "x-request-id",
    REMOTE_ADDRESS,
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-client-cert",
    "client-cert",
    "client-cert-chain",
    "x-real-ip",
];

/// Drops what a client must not say, and says it ourselves.
pub(super) fn clean(request: &mut Request, id: RequestId, origin: &Origin) {
    // HTTP/2 names the host in the target; services look for the header.
    let authority = request.uri().authority().map(|authority| authority.as_str().to_owned());
    let keeps_upgrade = origin.agents && request.method() == Method::GET;
    let headers = request.headers_mut();
    for name in OURS {
        headers.remove(name);
    }
    let users: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with("x-user")).cloned().collect();
    for name in users {
        headers.remove(name);
    }
    if !keeps_upgrade {
        drop_hop_by_hop(headers);
    }
    if let Some(host) = authority.and_then(|host| HeaderValue::from_str(&host).ok()) {
        headers.entry(HOST).or_insert(host);
    }
    insert(headers, REQUEST_ID, &id.to_string());
    insert(headers, HeaderName::from_static(REMOTE_ADDRESS), &origin.remote_address);
}

/// Drops headers that are about one connection (RFC 9110, section 7.6.1).
pub(super) fn drop_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let always = [CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];
    for name in named.into_iter().chain(always) {
        headers.remove(name);
    }
    headers.remove("keep-alive");
    headers.remove("proxy-connection");
}

/// Adds what every answer has.
pub(super) fn finish(response: &mut Response, id: RequestId) {
    let headers = response.headers_mut();
    insert(headers, REQUEST_ID, &id.to_string());
    let fixed = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

fn insert(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}
