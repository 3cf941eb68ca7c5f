//! What a family is now, as text: whoever keeps families need not know what is in them.

use serde::{Deserialize, Deserializer, Serializer};

use super::Phase;

/// The text of a phase is none.
#[derive(Debug, thiserror::Error)]
#[error("what is kept of a token family cannot be read")]
pub struct DamagedPhase(#[source] serde_json::Error);

impl Phase {
    /// The text to keep: JSON, no secret in it.
    #[expect(clippy::expect_used, reason = "plain data can be written")]
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("plain data can be written")
    }

    /// What a text means that [`Phase::to_text`] has made.
    pub fn from_text(text: &str) -> Result<Self, DamagedPhase> {
        serde_json::from_str(text).map_err(DamagedPhase)
    }
}

/// 32 bytes.
pub(crate) mod bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde::de::Error as _;

    use super::{Deserialize as _, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&URL_SAFE_NO_PAD.encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(from)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.ok_or_else(|| D::Error::custom("not 32 bytes"))
    }
}

/// The hash of a secret.
pub(crate) mod hash {
    use openframe_tokens::opaque::SecretHash;

    use super::{Deserializer, Serializer, bytes};

    pub(crate) fn serialize<S: Serializer>(hash: &SecretHash, to: S) -> Result<S::Ok, S::Error> {
        bytes::serialize(&hash.0, to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SecretHash, D::Error> {
        bytes::deserialize(from).map(SecretHash)
    }
}
