//! Bodies of the paths about programs that ask for access.

use jiff::Timestamp;
use openframe_ids::ClientId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// A program that may ask people for access (OAuth).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OAuthClient {
    /// Its id: the `client_id`.
    pub id: ClientId,
    /// What people are shown.
    pub name: String,
    /// Where browsers may be sent back to.
    pub redirect_uris: Vec<String>,
    /// Where browsers may be sent after a logout.
    pub post_logout_redirect_uris: Vec<String>,
    /// Where it is told that a session has ended, if it wants to be.
    pub backchannel_logout_uri: Option<String>,
    /// How else it may come to tokens.
    pub more_grants: Vec<String>,
    /// The keys that it signs with to show who it is, in the place of a secret.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub jwks: Option<Value>,
    /// What it has to do that others may leave: `pushed_requests` (RFC 9126), `bound_tokens` (RFC 9449).
    #[serde(default)]
    pub demands: Vec<String>,
    /// What it may be given at most.
    pub scopes: Vec<String>,
    /// Whether it cannot keep a secret.
    pub public: bool,
    /// Whether it may act for itself.
    pub own_behalf: bool,
    /// Whether it must prove that who shows a code is who asked for it (PKCE).
    pub pkce_required: bool,
    /// When it was registered.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// `POST /oauth-clients`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOAuthClient {
    /// What people are shown.
    pub name: String,
    /// Where browsers may be sent back to: `https`, `http` on `127.0.0.1` or `[::1]`, or a scheme of the
    /// program's own. None for a program that only acts for itself.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// Where browsers may be sent after a logout: addresses as above, compared letter by letter.
    #[serde(default)]
    pub post_logout_redirect_uris: Vec<String>,
    /// Where it is told, by a signed token, that a session has ended in which a person was signed in to
    /// it: `https`, or `http` on loopback.
    #[serde(default)]
    pub backchannel_logout_uri: Option<String>,
    /// How else it may come to tokens: `urn:ietf:params:oauth:grant-type:device_code` for a program
    /// without a browser, which people allow on another device.
    #[serde(default)]
    pub more_grants: Vec<String>,
    /// The public keys that it signs with to show who it is (`private_key_jwt`), in the place of a secret:
    /// a set of keys (RFC 7517), P-256, Ed25519, or RSA with 2048 bits at least.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub jwks: Option<Value>,
    /// What it has to do that others may leave: `pushed_requests`, send its requests ahead of the browser
    /// (RFC 9126); `bound_tokens`, show proof of a key with each token (`DPoP`, RFC 9449).
    #[serde(default)]
    pub demands: Vec<String>,
    /// What it may be given at most: `openid`, `profile`, `email`, `offline_access`, and permissions
    /// such as `devices:read`, none that the maker lacks.
    pub scopes: Vec<String>,
    /// Whether it cannot keep a secret, because it runs on people's own machines.
    #[serde(default)]
    pub public: bool,
    /// Whether it may act for itself, with nobody behind it (`client_credentials`).
    #[serde(default)]
    pub own_behalf: bool,
    /// Lets it do without PKCE if it sends a nonce: only for programs that cannot do better.
    #[serde(default)]
    pub waive_pkce: bool,
}

/// The answer to `POST /oauth-clients`: the only time the secret is shown.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct MadeOAuthClient {
    /// The client.
    pub client: OAuthClient,
    /// The secret, `of_cs_…`; none for a public client.
    pub secret: Option<String>,
    /// What the provider calls itself; programs find all else out from it.
    pub issuer: String,
}

/// What a person has allowed a program.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Consent {
    /// The program.
    pub client_id: ClientId,
    /// What it is called.
    pub client_name: String,
    /// What it may.
    pub scopes: Vec<String>,
    /// When the person last said so.
    #[schema(value_type = String, format = DateTime)]
    pub given_at: Timestamp,
}
