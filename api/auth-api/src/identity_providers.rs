//! Bodies of the paths about other providers that people may sign in at.

use jiff::Timestamp;
use openframe_ids::IdentityProviderId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What `creates_people` says when nobody is made.
pub const NOBODY: &str = "nobody";

/// Another provider (OpenID Connect) that people may sign in at.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct IdentityProvider {
    /// The id.
    pub id: IdentityProviderId,
    /// What people are shown.
    pub name: String,
    /// What it calls itself.
    pub issuer: String,
    /// What the platform is called there.
    pub client_id: String,
    /// What is asked for there.
    pub scopes: Vec<String>,
    /// The domains of the mail addresses by which people are known here, or are made. Without any, only
    /// people get in who are linked already.
    pub allowed_domains: Vec<String>,
    /// The role of people who are made when they first sign in; `nobody` when none are.
    pub creates_people: String,
    /// Whether several factors that were shown there count here.
    pub trusts_mfa: bool,
    /// Whether people may sign in there.
    pub enabled: bool,
    /// Where it has to send browsers back to.
    pub redirect_uri: String,
    /// When it was added.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// `POST /identity-providers`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewIdentityProvider {
    /// What people are shown.
    pub name: String,
    /// What it calls itself, letter by letter: `https`, or `http` on loopback.
    pub issuer: String,
    /// What the platform is called there.
    pub client_id: String,
    /// The secret that the platform was given there; never shown again.
    pub client_secret: String,
    /// What is asked for there: `openid`, `profile` and `email` when it is not said.
    #[serde(default)]
    pub scopes: Option<Vec<String>>,
    /// The domains of the mail addresses by which people are known here, or are made.
    #[serde(default)]
    pub allowed_domains: Vec<String>,
    /// The role of people who are made when they first sign in, never `owner`; `nobody` when it is not
    /// said.
    #[serde(default = "nobody")]
    pub creates_people: String,
    /// Whether several factors that were shown there count here.
    #[serde(default)]
    pub trusts_mfa: bool,
    /// Whether people may sign in there.
    #[serde(default = "yes")]
    pub enabled: bool,
}

/// `PATCH /identity-providers/{id}`: what is not named stays. What it and the platform are called there
/// stays in any case: another name would be another person's.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentityProviderChange {
    /// What people are shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Another secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
    /// What is asked for there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// The domains of the mail addresses by which people are known here, or are made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_domains: Option<Vec<String>>,
    /// The role of people who are made, or `nobody`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creates_people: Option<String>,
    /// Whether several factors that were shown there count here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusts_mfa: Option<bool>,
    /// Whether people may sign in there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// Where people may sign in, as the sign-in page shows it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SignInProvider {
    /// What people are shown.
    pub name: String,
    /// Where the browser goes.
    pub href: String,
}

fn nobody() -> String {
    NOBODY.to_owned()
}

fn yes() -> bool {
    true
}
