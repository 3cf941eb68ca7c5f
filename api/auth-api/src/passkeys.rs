//! Bodies of the paths about passkeys (WebAuthn, Level 3).

use jiff::Timestamp;
use openframe_ids::PasskeyId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::Me;

/// What a browser is to be asked. Its answer is good once, for five minutes: before somebody is signed in
/// the browser holds a cookie for it, and in a session what is `held`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PasskeyOptions {
    /// For `navigator.credentials.create()` or `.get()`, as
    /// `PublicKeyCredential.parseCreationOptionsFromJSON()` or `.parseRequestOptionsFromJSON()` reads what
    /// is in `publicKey`.
    #[schema(value_type = Object)]
    pub options: Value,
    /// In a session: what goes back with the answer, as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
}

/// `POST /login/passkey`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasskeySignIn {
    /// What `navigator.credentials.get()` has given, by its `toJSON()`.
    #[schema(value_type = Object)]
    pub credential: Value,
}

/// `POST /me/passkeys`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPasskey {
    /// What its person calls it.
    pub name: String,
    /// What `navigator.credentials.create()` has given, by its `toJSON()`.
    #[schema(value_type = Object)]
    pub credential: Value,
    /// What came with the options.
    pub held: String,
}

/// `PATCH /me/passkeys/{id}`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasskeyName {
    /// What its person calls it from now on.
    pub name: String,
}

/// A passkey of a person. Its keys are told to nobody.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Passkey {
    /// The id.
    pub id: PasskeyId,
    /// What its person calls it.
    pub name: String,
    /// When it was registered.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last used.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<Timestamp>,
}

/// The answer to a new passkey.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct PasskeyAdded {
    /// It.
    pub passkey: Passkey,
    /// Who is signed in now, with another CSRF token.
    pub me: Me,
    /// Recovery codes, if it is the first factor; none otherwise. The only time they are shown.
    pub recovery_codes: Vec<String>,
}
