//! Passkeys (WebAuthn, Level 3): what a browser is asked for, and whether what it shows is right.
//!
//! A passkey is a key pair of one person for one site: the browser signs only for the site whose page asks
//! (no other page can pass the signature on), and the authenticator only after it has verified the person
//! by a PIN, a finger or a face. What is kept of one is its public key and its counter.
//!
//! Pure but for the challenges, which are random. Whoever asks keeps the challenge where nobody reads or
//! changes it, uses it once, and knows whose passkeys are whose: this crate knows neither people nor time.

mod shown;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use openframe_ids::UserId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;
use webauthn_rs::prelude::{
    DiscoverableAuthentication, Passkey, PasskeyRegistration, RegisterPublicKeyCredential,
    WebauthnError,
};
use webauthn_rs::{Webauthn, WebauthnBuilder};

pub use shown::Shown;

/// The longest name of a passkey, as authenticators make them (WebAuthn, 5.8.3), in bytes.
pub const ID_MAX: usize = 1023;
/// How long a person has to show a passkey.
pub const TIMEOUT: Duration = Duration::from_mins(5);

/// Why what a browser has shown is not right. The words are for the audit trail; strangers are told
/// nothing of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is not what the standard says.
    #[error("malformed")]
    Malformed,
    /// It answers another challenge, or was made to register where it should sign in.
    #[error("another challenge")]
    Challenge,
    /// The browser has signed for the page of another site.
    #[error("another site's page")]
    Origin,
    /// The authenticator has signed for another site.
    #[error("another site's passkey")]
    Site,
    /// The authenticator has not verified the person, or nobody was there.
    #[error("the person was not verified")]
    Unverified,
    /// The key is of a kind that was not asked for.
    #[error("an algorithm that was not asked for")]
    Algorithm,
    /// The signature is of another key, or of something else.
    #[error("a wrong signature")]
    Signature,
    /// The signature is right, but the counter has gone back: there may be a copy of the passkey.
    #[error("the passkey's counter went back: there may be a copy of it")]
    Copied,
}

/// What a browser is asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// For the browser, as `navigator.credentials` takes it: `{"publicKey": …}`.
    pub options: Value,
    /// For whoever checks what the browser shows: the challenge and what was wanted. A secret of the one
    /// who asks, in so far as nobody else may choose it.
    pub state: Vec<u8>,
}

/// A passkey that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The name that its authenticator has given it.
    pub id: Vec<u8>,
    /// What checks its signatures: its public key, and what was said of it.
    pub key: String,
    /// How often it has signed, if its authenticator counts.
    pub counter: u32,
}

/// The passkeys of one site. Cheap to clone.
#[derive(Clone)]
pub struct Passkeys(Arc<Webauthn>);

impl fmt::Debug for Passkeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passkeys")
    }
}

impl Passkeys {
    /// Those of the site at this address, and of no other: neither its subdomains nor other ports. `None`
    /// for an address whose host is no name, or without TLS unless it is this machine: browsers have no
    /// passkeys there (W3C Secure Contexts, 3.1).
    pub fn of(url: &str) -> Option<Self> {
        let url = Url::parse(url).ok()?;
        let name = url.domain()?;
        let secure = url.scheme() == "https" || (url.scheme() == "http" && name == "localhost");
        let builder = WebauthnBuilder::new(name, &url).ok().filter(|_| secure)?;
        let webauthn = builder.rp_name("OpenFrame").timeout(TIMEOUT).build().ok()?;
        Some(Self(Arc::new(webauthn)))
    }

    /// Asks for a new passkey of a person, who is called so, on none of the authenticators that `have` one.
    pub fn register(
        &self,
        user: UserId,
        called: (&str, &str),
        have: &[Vec<u8>],
    ) -> Result<Asked, Refusal> {
        let (name, display) = called;
        let started = self.0.start_passkey_registration(user.0, name, display, None);
        let (asked, state) = started.map_err(|error| refusal(&error))?;
        let mut options = value(&asked)?;
        let wanted = options.get_mut("publicKey").ok_or(Refusal::Malformed)?;
        // Found without a mail address: the passkey itself says whose it is.
        set(wanted, "/authenticatorSelection/residentKey", "required".into());
        set(wanted, "/authenticatorSelection/requireResidentKey", true.into());
        put(wanted, "excludeCredentials", named(have));
        Ok(Asked { options, state: bytes(&state)? })
    }

    /// The passkey that a browser has made for what was asked by `state`.
    pub fn registered(&self, state: &[u8], shown: &Value) -> Result<Made, Refusal> {
        let state: PasskeyRegistration = read(state)?;
        let shown: RegisterPublicKeyCredential = from(shown)?;
        if shown.type_ != "public-key" {
            return Err(Refusal::Malformed);
        }
        let made = self.0.finish_passkey_registration(&shown, &state);
        let made = made.map_err(|error| refusal(&error))?;
        let id = made.cred_id().clone();
        if id.is_empty() || id.len() > ID_MAX {
            return Err(Refusal::Malformed);
        }
        let kept = value(&made)?;
        let counter = kept.pointer("/cred/counter").and_then(Value::as_u64);
        let counter = counter.and_then(|it| u32::try_from(it).ok()).ok_or(Refusal::Malformed)?;
        Ok(Made { id, key: kept.to_string(), counter })
    }

    /// Asks for a passkey: one of these, or any of this site where there are none.
    pub fn ask(&self, of: &[Vec<u8>]) -> Result<Asked, Refusal> {
        let started = self.0.start_discoverable_authentication();
        let (asked, state) = started.map_err(|error| refusal(&error))?;
        let mut options = value(&asked)?;
        let all = options.as_object_mut().ok_or(Refusal::Malformed)?;
        // By a button, and not while a mail address is typed.
        all.remove("mediation");
        let wanted = all.get_mut("publicKey").ok_or(Refusal::Malformed)?;
        put(wanted, "allowCredentials", named(of));
        Ok(Asked { options, state: bytes(&state)? })
    }

    /// Checks what a browser has shown for what was asked by `state`, by the key that is kept of the
    /// passkey; gives the key as it is to be kept now, and its counter. Without a key the same work is
    /// done, and it is refused: whoever waits for the answer does not learn which passkeys there are.
    pub fn check(
        &self,
        state: &[u8],
        shown: &Shown,
        kept: Option<&str>,
    ) -> Result<(String, u32), Refusal> {
        let state: DiscoverableAuthentication = read(state)?;
        let nobodys = kept.is_none();
        let mut key: Passkey = match kept {
            Some(key) => read(key.as_bytes())?,
            None => from(&shown.nobodys_key())?,
        };
        let checked = self.0.finish_discoverable_authentication_v2(&shown.0, state, &key);
        let checked = checked.map_err(|error| refusal(&error))?;
        if nobodys || key.update_credential(&checked).is_none() {
            return Err(Refusal::Signature);
        }
        Ok((value(&key)?.to_string(), checked.counter()))
    }
}

fn value(of: &impl Serialize) -> Result<Value, Refusal> {
    serde_json::to_value(of).map_err(|_| Refusal::Malformed)
}

fn bytes(of: &impl Serialize) -> Result<Vec<u8>, Refusal> {
    serde_json::to_vec(of).map_err(|_| Refusal::Malformed)
}

fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(text).map_err(|_| Refusal::Malformed)
}

fn from<T: DeserializeOwned>(value: &Value) -> Result<T, Refusal> {
    T::deserialize(value).map_err(|_| Refusal::Malformed)
}

fn set(of: &mut Value, place: &str, to: Value) {
    if let Some(there) = of.pointer_mut(place) {
        *there = to;
    }
}

fn put(of: &mut Value, name: &str, to: Value) {
    if let Some(members) = of.as_object_mut() {
        members.insert(name.to_owned(), to);
    }
}

/// Passkeys as browsers are told of them (WebAuthn, 5.8.3).
fn named(ids: &[Vec<u8>]) -> Value {
    let one = |id: &Vec<u8>| serde_json::json!({ "type": "public-key", "id": shown::text(id) });
    ids.iter().map(one).collect()
}

/// What a failure of the library means here.
#[expect(clippy::wildcard_enum_match_arm, reason = "of another crate, and most are one to us")]
fn refusal(error: &WebauthnError) -> Refusal {
    match error {
        WebauthnError::MismatchedChallenge | WebauthnError::InvalidClientDataType => {
            Refusal::Challenge
        }
        WebauthnError::InvalidRPOrigin | WebauthnError::CredentialCrossOrigin => Refusal::Origin,
        WebauthnError::InvalidRPIDHash => Refusal::Site,
        WebauthnError::UserNotPresent | WebauthnError::UserNotVerified => Refusal::Unverified,
        WebauthnError::CredentialAlteredAlgFromRequest
        | WebauthnError::COSEKeyInvalidAlgorithm
        | WebauthnError::COSEKeyInvalidType => Refusal::Algorithm,
        WebauthnError::CredentialPossibleCompromise => Refusal::Copied,
        WebauthnError::AuthenticationFailure
        | WebauthnError::CredentialNotFound
        | WebauthnError::CredentialBackupEligibilityInconsistent
        | WebauthnError::CredentialMayNotBeHardwareBound => Refusal::Signature,
        _ => Refusal::Malformed,
    }
}
