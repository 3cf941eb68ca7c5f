//! What a client finds out by itself (RFC 8414; OpenID Connect Discovery, section 3).

use serde_json::{Value, json};

use crate::id_token::ALGORITHM;
use crate::jose::ALGORITHMS;
use crate::{Amr, GrantType, scope};

/// How clients show who they are.
const AUTH_METHODS: [&str; 4] =
    ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"];
/// The same, where they have to.
const CONFIDENTIAL_METHODS: [&str; 3] =
    ["client_secret_basic", "client_secret_post", "private_key_jwt"];

/// The document of the provider called `issuer`, whose endpoints are below it. `permissions` are the
/// scopes beside those about a person.
pub fn metadata<'a>(issuer: &str, permissions: impl Iterator<Item = &'a str>) -> Value {
    let at = |path: &str| format!("{issuer}/{path}");
    let scopes: Vec<&str> = scope::PERSONAL.into_iter().chain(permissions).collect();
    let signed = ALGORITHMS.map(|(_, name)| name);
    json!({
        "issuer": issuer,
        "authorization_endpoint": at("authorize"),
        "token_endpoint": at("token"),
        "userinfo_endpoint": at("userinfo"),
        "introspection_endpoint": at("introspect"),
        "revocation_endpoint": at("revoke"),
        "end_session_endpoint": at("logout"),
        "device_authorization_endpoint": at("device_authorization"),
        "pushed_authorization_request_endpoint": at("par"),
        "require_pushed_authorization_requests": false,
        "dpop_signing_alg_values_supported": signed,
        "jwks_uri": at("jwks"),
        "scopes_supported": scopes,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": GrantType::ALL.map(GrantType::as_str),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "token_endpoint_auth_methods_supported": AUTH_METHODS,
        "token_endpoint_auth_signing_alg_values_supported": signed,
        "introspection_endpoint_auth_methods_supported": CONFIDENTIAL_METHODS,
        "introspection_endpoint_auth_signing_alg_values_supported": signed,
        "revocation_endpoint_auth_methods_supported": AUTH_METHODS,
        "revocation_endpoint_auth_signing_alg_values_supported": signed,
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "acr_values_supported": Amr::WORTH,
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "claims_supported": [
            "iss", "sub", "aud", "azp", "iat", "exp", "auth_time", "amr", "acr", "sid", "at_hash",
            "nonce", "name", "email", "email_verified",
        ],
    })
}
