//! ID tokens (OpenID Connect Core, section 2): signed with ES256, the one algorithm beside RS256 that
//! every client library knows.

use std::fmt;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use openframe_ids::{ClientId, SessionId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::family::Issued;
use crate::{Form, Refusal};

/// How long an ID token is good: a client reads it at once.
pub const ID_LIFETIME: SignedDuration = SignedDuration::from_mins(5);
/// The algorithm, by its name (RFC 7518, 3.1).
pub const ALGORITHM: &str = "ES256";

/// A key that signs ID tokens, or has signed some that are still good.
pub struct SigningKey {
    pkcs8: Vec<u8>,
    point: Vec<u8>,
    kid: String,
    jwk: Value,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.kid)
    }
}

/// The bytes of a signing key are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signing key is damaged")]
pub struct DamagedKey;

/// The kind of an ID token: no other thing that the same keys sign passes for one (RFC 8725, 3.11).
const KIND: &str = "JWT";

/// What an ID token has said that we have signed: to whom, and of which session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Said {
    /// The client that it was given to.
    #[serde(rename = "aud")]
    pub client: ClientId,
    /// The session that it was given in.
    #[serde(rename = "sid")]
    pub session: SessionId,
    /// Who it says the person is.
    #[serde(rename = "sub")]
    pub user: UserId,
}

impl Said {
    /// What the `id_token_hint` of a request says, if it has one (OpenID Connect Core, 3.1.2.1). One that
    /// none of `keys` has signed for `issuer` is refused; its age does not matter.
    pub fn hinted<'a>(
        form: &Form,
        issuer: &str,
        keys: impl IntoIterator<Item = &'a SigningKey>,
    ) -> Result<Option<Self>, Refusal> {
        let Some(text) = form.get("id_token_hint") else { return Ok(None) };
        let mut keys = keys.into_iter().filter(|_| text.len() <= LONGEST_HINT);
        keys.find_map(|key| key.verify(text, issuer)).map(Some).ok_or(FOREIGN)
    }
}

/// The longest ID token, in bytes. Ours have less than one kilobyte.
pub(crate) const LONGEST_HINT: usize = 4 << 10;
/// What is said of a hint that is not good.
pub(crate) const FOREIGN: Refusal =
    Refusal::invalid("the id_token_hint is none of ours, or was changed");

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: String,
    aud: String,
    azp: String,
    iat: i64,
    exp: i64,
    auth_time: i64,
    amr: &'static [&'static str],
    acr: &'static str,
    sid: String,
    at_hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_verified: Option<bool>,
}

/// What an ID token may say of a person.
#[derive(Debug, Clone, Copy)]
pub struct Who<'a> {
    /// The name.
    pub name: &'a str,
    /// The mail address.
    pub email: &'a str,
    /// Whether the person has shown to read the mail that goes there.
    pub email_verified: bool,
}

impl SigningKey {
    /// A new key.
    #[expect(clippy::expect_used, reason = "a key just made can be read")]
    pub fn generate() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .expect("P-256 keys can be made");
        let pkcs8 = pair.to_pkcs8v1().expect("a new key can be written");
        Self::read(pkcs8.as_ref()).expect("a key just made can be read")
    }

    /// Reads a key back, PKCS #8.
    pub fn read(pkcs8: &[u8]) -> Result<Self, DamagedKey> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8)
            .map_err(|_| DamagedKey)?;
        let point = pair.public_key().as_ref();
        // SEC 1, 2.3.3: a mark for "uncompressed", then both coordinates.
        let (x, y) = point
            .strip_prefix(&[4])
            .and_then(|point| point.split_at_checked(32))
            .filter(|(_, y)| y.len() == 32)
            .ok_or(DamagedKey)?;
        let spki = pair.public_key().as_der().map_err(|_| DamagedKey)?;
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let kid = encode(&Sha256::digest(spki.as_ref()));
        let jwk = json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": ALGORITHM,
            "kid": kid, "x": encode(x), "y": encode(y),
        });
        Ok(Self { pkcs8: pkcs8.to_vec(), point: point.to_vec(), kid, jwk })
    }

    /// The key as it is kept: secret.
    pub fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// Its name.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The ID token that goes with `issued`; none where none is wanted. `who` is the person, of whom it
    /// says what the scopes allow.
    pub fn sign(
        &self,
        (issuer, client): (&str, ClientId),
        issued: &Issued,
        who: Who<'_>,
        now: Timestamp,
    ) -> Option<String> {
        let about = issued.about.as_ref()?;
        let (name, email) = shown(issued, (who.name, who.email));
        let claims = Claims {
            iss: issuer,
            sub: about.holder.user.to_string(),
            aud: client.to_string(),
            azp: client.to_string(),
            iat: now.as_second(),
            exp: (now + ID_LIFETIME).as_second(),
            auth_time: about.holder.auth_time.as_second(),
            amr: about.holder.amr.words(),
            acr: about.holder.amr.acr(),
            sid: about.holder.session.to_string(),
            at_hash: half_hash(&issued.access),
            nonce: about.nonce.as_deref(),
            name,
            email,
            email_verified: email.map(|_| who.email_verified),
        };
        Some(self.signed(KIND, &claims))
    }

    /// What an ID token says that this key has signed for `issuer`, however old it is; none of any other
    /// text.
    pub fn verify(&self, text: &str, issuer: &str) -> Option<Said> {
        let header = jsonwebtoken::decode_header(text).ok()?;
        if header.kid.as_ref() != Some(&self.kid) || header.typ.as_deref() != Some(KIND) {
            return None;
        }
        let mut wanted = Validation::new(Algorithm::ES256);
        wanted.set_issuer(&[issuer]);
        wanted.set_required_spec_claims(&["iss", "aud", "sub"]);
        wanted.validate_exp = false;
        // It is read, and compared by whoever asks.
        wanted.validate_aud = false;
        let key = DecodingKey::from_ec_der(&self.point);
        jsonwebtoken::decode(text, &key, &wanted).ok().map(|read| read.claims)
    }

    /// These claims, signed as a token of a kind.
    #[expect(clippy::expect_used, reason = "claims are plain data and the key was read before")]
    pub(crate) fn signed(&self, kind: &str, claims: &impl Serialize) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some(kind.to_owned());
        header.kid = Some(self.kid.clone());
        let key = EncodingKey::from_ec_der(&self.pkcs8);
        jsonwebtoken::encode(&header, claims, &key).expect("claims can be signed")
    }
}

fn shown<'a>(
    issued: &Issued,
    (name, email): (&'a str, &'a str),
) -> (Option<&'a str>, Option<&'a str>) {
    let allowed = |scope| issued.scopes.has(scope);
    (allowed(crate::scope::PROFILE).then_some(name), allowed(crate::scope::EMAIL).then_some(email))
}

/// The first half of the SHA-256 (OpenID Connect Core, 3.1.3.6).
fn half_hash(text: &str) -> String {
    let hash = Sha256::digest(text);
    URL_SAFE_NO_PAD.encode(hash.split_at(16).0)
}

/// The public parts of `keys`: a JSON Web Key Set (RFC 7517).
pub fn key_set<'a>(keys: impl IntoIterator<Item = &'a SigningKey>) -> Value {
    json!({ "keys": keys.into_iter().map(|key| key.jwk.clone()).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests;
