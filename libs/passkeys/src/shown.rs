//! What a browser shows of a passkey, before anybody has checked it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openframe_ids::UserId;
use serde_json::{Value, json};
use webauthn_rs::prelude::{PublicKeyCredential, Uuid};

use crate::{ID_MAX, Refusal, from};

/// Where the flags are in what an authenticator signs (WebAuthn, 6.1), and which of them says that the
/// passkey may be copied to other devices of its person.
const FLAGS: (usize, u8) = (32, 1 << 3);

/// What a browser has shown: a passkey's name, whose it says it is, and its signature.
#[derive(Clone)]
pub struct Shown(pub(crate) PublicKeyCredential);

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shown(***)")
    }
}

impl Shown {
    /// What `PublicKeyCredential.toJSON()` has made of an assertion (WebAuthn, 5.1).
    pub fn read(shown: &Value) -> Result<Self, Refusal> {
        let shown: PublicKeyCredential = from(shown)?;
        let named = !shown.raw_id.is_empty() && shown.raw_id.len() <= ID_MAX;
        if named && shown.type_ == "public-key" { Ok(Self(shown)) } else { Err(Refusal::Malformed) }
    }

    /// The name of the passkey.
    pub fn id(&self) -> &[u8] {
        self.0.get_credential_id()
    }

    /// Whose the authenticator says it is. Some say nothing where they were asked for one of several.
    pub fn user(&self) -> Result<Option<UserId>, Refusal> {
        let Some(handle) = self.0.get_user_unique_id() else { return Ok(None) };
        Uuid::from_slice(handle).map(|id| Some(UserId(id))).map_err(|_| Refusal::Signature)
    }

    /// A key for this passkey that nobody has: its private half was never kept.
    pub(crate) fn nobodys_key(&self) -> Value {
        let (place, copied) = FLAGS;
        let flags = self.0.response.authenticator_data.get(place).copied().unwrap_or_default();
        let point = json!({
            "curve": "SECP256R1",
            "x": "v74qBRLEG7OPgWc2izgvCWKXLcIiuQOgnyL3FkSWTqk",
            "y": "whUIJ54JB3QP49Gdt38I0rW0SmjVDIqGnJhGkvZDS84",
        });
        json!({ "cred": {
            "cred_id": text(self.id()),
            "cred": { "type_": "ES256", "key": { "EC_EC2": point } },
            "counter": 0,
            "transports": null,
            "user_verified": true,
            // As is said of it, so that the signature is looked at.
            "backup_eligible": flags & copied != 0,
            "backup_state": false,
            "registration_policy": "required",
            "extensions": {},
            "attestation": { "data": "None", "metadata": "None" },
            "attestation_format": "none",
        } })
    }
}

/// Bytes as WebAuthn writes them.
pub(crate) fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
