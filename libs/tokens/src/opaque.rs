//! Opaque secrets: `of_<kind>_<id>_<secret><check>`.
//!
//! `id` is 32 hex digits and names the row; `secret` is 256 random bits in base64url; `check` is
//! the CRC-32C of all before it in eight hex digits, so that a secret scanner and a typing mistake
//! are both recognised without asking a database. Only the SHA-256 of the secret is stored: with
//! 256 random bits nothing slower is needed (OWASP ASVS 5.0, 6.5.2).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openframe_ids::random;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

/// What a secret is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A browser's session: the value of the cookie.
    Session,
    /// An API key.
    ApiKey,
    /// A token that enrols devices.
    Enrolment,
    /// The one-time link that makes the first owner.
    Setup,
}

impl Purpose {
    fn prefix(self) -> &'static str {
        match self {
            Self::Session => "of_sid_",
            Self::ApiKey => "of_ak_",
            Self::Enrolment => "of_et_",
            Self::Setup => "of_su_",
        }
    }
}

/// The SHA-256 of a secret: what is stored.
#[derive(Clone, Copy, Debug)]
pub struct SecretHash(pub [u8; 32]);

impl PartialEq for SecretHash {
    /// Takes the same time wherever the two differ.
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for SecretHash {}

/// A secret on its way to the one who shall hold it. Shown once, never stored, never printed by
/// `Debug`.
pub struct Minted {
    /// The full text.
    pub text: String,
    /// What to store.
    pub hash: SecretHash,
}

impl fmt::Debug for Minted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Minted(***)")
    }
}

/// What a presented secret claims to be. The claim holds once the stored hash is equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presented {
    /// The row that it names.
    pub id: Uuid,
    /// The hash of its secret part.
    pub hash: SecretHash,
}

/// Makes a new secret for the row `id`.
pub fn mint(purpose: Purpose, id: Uuid) -> Minted {
    let secret: [u8; 32] = random();
    let body = format!("{}{}_{}", purpose.prefix(), id.simple(), URL_SAFE_NO_PAD.encode(secret));
    let text = format!("{body}{:08x}", crc32c::crc32c(body.as_bytes()));
    Minted { text, hash: hash(&secret) }
}

/// Reads a secret. `None` when it is not one of this purpose, mistyped or cut short: nothing needs
/// to be looked up then.
pub fn read(purpose: Purpose, text: &str) -> Option<Presented> {
    if !text.is_ascii() || text.len() > 160 {
        return None;
    }
    let (body, check) = text.split_at_checked(text.len().checked_sub(8)?)?;
    if u32::from_str_radix(check, 16).ok()? != crc32c::crc32c(body.as_bytes()) {
        return None;
    }
    let (id, secret) = body.strip_prefix(purpose.prefix())?.split_once('_')?;
    let secret = URL_SAFE_NO_PAD.decode(secret).ok().filter(|secret| secret.len() == 32)?;
    Some(Presented { id: Uuid::try_parse(id).ok()?, hash: hash(&secret) })
}

/// The value that a page must send back with each change it asks for, made from the session's
/// secret so that nothing needs to be stored. A page of another origin cannot read it.
pub fn csrf_token(session: &Presented) -> String {
    let mut hasher = Sha256::new();
    hasher.update(b"openframe csrf v1");
    hasher.update(session.hash.0);
    URL_SAFE_NO_PAD.encode(hasher.finalize())
}

fn hash(secret: &[u8]) -> SecretHash {
    SecretHash(Sha256::digest(secret).into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_secret_reads_back_for_its_own_purpose_only() {
        let id = Uuid::from_u128(7);
        let minted = mint(Purpose::ApiKey, id);
        let read_back = read(Purpose::ApiKey, &minted.text);
        assert_eq!(read_back, Some(Presented { id, hash: minted.hash }));
        assert_eq!(read(Purpose::Enrolment, &minted.text), None);
    }

    #[test]
    fn any_changed_character_is_noticed() {
        let text = mint(Purpose::Session, Uuid::from_u128(7)).text;
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'a' { b'b' } else { b'a' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(read(Purpose::Session, &changed), None, "changed at {at}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let minted = mint(Purpose::Setup, Uuid::nil());
        assert_eq!(format!("{minted:?}"), "Minted(***)");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,200}") {
            prop_assert_eq!(read(Purpose::ApiKey, &text), None);
        }
    }
}
