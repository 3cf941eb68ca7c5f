//! One try to sign in: what the browser takes to the provider, and what must come back with it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openframe_ids::{IdentityProviderId, random};
use openidconnect::{PkceCodeChallenge, PkceCodeVerifier};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use crate::{Document, Refusal};

/// The longest code, state or error that a browser brings back, in bytes.
const BACK_MAX: usize = 4 << 10;

/// What was made up for one try. Secret: only the browser that tries holds it, sealed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    state: String,
    nonce: String,
    verifier: String,
}

impl std::fmt::Debug for Attempt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Attempt(***)")
    }
}

/// A try as the browser holds it, once it is sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// When it is good no more, in Unix milliseconds.
    pub until_ms: i64,
    /// Where the person signs in.
    pub provider: IdentityProviderId,
    /// What was made up for it.
    pub attempt: Attempt,
    /// Where the person goes on afterwards.
    pub next: String,
}

impl Held {
    /// What is sealed.
    #[expect(clippy::expect_used, reason = "it is plain data")]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers can be written")
    }

    /// Reads back what [`Held::to_bytes`] has written.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// As what one is known to a provider.
#[derive(Debug, Clone, Copy)]
pub struct Client<'a> {
    /// The id.
    pub id: &'a str,
    /// Where it sends browsers back to.
    pub redirect_uri: &'a str,
}

/// What a browser brings back.
#[derive(Debug, Clone, Copy, Default)]
pub struct Back<'a> {
    /// What was sent with it.
    pub state: Option<&'a str>,
    /// The code.
    pub code: Option<&'a str>,
    /// Why there is none.
    pub error: Option<&'a str>,
    /// The provider that sends it (RFC 9207).
    pub issuer: Option<&'a str>,
}

fn unguessable() -> String {
    URL_SAFE_NO_PAD.encode(random::<32>())
}

impl Attempt {
    /// A new one.
    #[expect(clippy::new_without_default, reason = "each call gives another value")]
    pub fn new() -> Self {
        Self { state: unguessable(), nonce: unguessable(), verifier: unguessable() }
    }

    /// What the ID token must hold.
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// What only who has begun can show.
    pub fn verifier(&self) -> &str {
        &self.verifier
    }

    /// Where the browser is sent to.
    pub fn address(&self, document: &Document, client: Client<'_>, scopes: &[String]) -> String {
        let verifier = PkceCodeVerifier::new(self.verifier.clone());
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
        let mut url = document.authorization.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", client.id)
            .append_pair("redirect_uri", client.redirect_uri)
            .append_pair("scope", &scopes.join(" "))
            .append_pair("state", &self.state)
            .append_pair("nonce", &self.nonce)
            .append_pair("code_challenge", challenge.as_str())
            .append_pair("code_challenge_method", "S256");
        url.into()
    }

    /// The code that has come back, if this is the try that it belongs to and it comes from where the
    /// browser was sent to.
    pub fn code<'a>(&self, document: &Document, back: &Back<'a>) -> Result<&'a str, Refusal> {
        let short = |text: Option<&'a str>| text.filter(|text| text.len() <= BACK_MAX);
        let state = short(back.state).unwrap_or_default();
        if !bool::from(state.as_bytes().ct_eq(self.state.as_bytes())) {
            return Err(Refusal::Malformed("another state"));
        }
        document.sent_by(back.issuer)?;
        if let Some(error) = short(back.error) {
            // RFC 6749, 4.1.2.1; no more of it than a word: strangers could write on the trail.
            let plain = |it: &char| it.is_ascii_alphanumeric() || *it == '_';
            return Err(Refusal::Denied(error.chars().filter(plain).take(40).collect()));
        }
        short(back.code).filter(|code| !code.is_empty()).ok_or(Refusal::Malformed("no code"))
    }
}
