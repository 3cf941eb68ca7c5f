//! Opaque secrets: `of_<kind>_<id>_<secret><check>`.
//!
//! `id` is 32 hex digits and names the row; `secret` is 256 random bits in base64url; `check` is
//! the CRC-32C of all before it in eight hex digits, so that a secret scanner and a typing mistake
//! are both recognised without asking a database. Only the SHA-256 of the secret is stored: with
//! 256 random bits nothing slower is needed (OWASP ASVS 5.0, 6.5.2).

use std::fmt;

use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
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
    /// A sign-in that waits for its second factor: the value of another cookie.
    HalfSignIn,
    /// An API key.
    ApiKey,
    /// A token that enrols devices.
    Enrolment,
    /// The one-time link that makes the first owner.
    Setup,
    /// The one-time link by which a person chooses a new password.
    PasswordLink,
    /// The one-time link by which an invited person joins.
    Invitation,
    /// The one-time link that shows that its person reads the mail of an address.
    EmailLink,
    /// What an OAuth client shows for itself.
    ClientSecret,
    /// The code that a browser brings an OAuth client.
    AuthorizationCode,
    /// What an OAuth client's request is called that it has pushed.
    PushedRequest,
    /// What an OAuth client on a device without a browser waits with.
    DeviceCode,
    /// What an OAuth client reaches the platform with.
    AccessToken,
    /// What an OAuth client gets the next access token with.
    RefreshToken,
}

impl Purpose {
    /// What the text of such a secret begins with.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Session => "of_sid_",
            Self::HalfSignIn => "of_hs_",
            Self::ApiKey => "of_ak_",
            Self::Enrolment => "of_et_",
            Self::Setup => "of_su_",
            Self::PasswordLink => "of_pl_",
            Self::Invitation => "of_in_",
            Self::EmailLink => "of_el_",
            Self::ClientSecret => "of_cs_",
            Self::AuthorizationCode => "of_ac_",
            Self::PushedRequest => "of_pr_",
            Self::DeviceCode => "of_dc_",
            Self::AccessToken => "of_at_",
            Self::RefreshToken => "of_rt_",
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

/// The secret part of a text: 256 bits that nobody can guess.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret([u8; 32]);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl Secret {
    /// A secret of these random bytes.
    pub fn new(random: [u8; 32]) -> Self {
        Self(random)
    }

    /// What is stored of it.
    pub fn hash(&self) -> SecretHash {
        SecretHash(Sha256::digest(self.0).into())
    }

    /// The full text that names the row `id`.
    pub fn text(&self, purpose: Purpose, id: Uuid) -> String {
        let secret = URL_SAFE_NO_PAD.encode(self.0);
        let body = format!("{}{}_{secret}", purpose.prefix(), id.simple());
        format!("{body}{:08x}", crc32c::crc32c(body.as_bytes()))
    }

    /// Another secret that who holds this one and `salt` can make again, and nobody else (HKDF with
    /// SHA-256, RFC 5869). `what` keeps several of the same two apart.
    #[must_use]
    #[expect(clippy::expect_used, reason = "32 bytes are fewer than HKDF can give")]
    pub fn successor(&self, salt: &[u8; 32], what: &str) -> Self {
        let key = Salt::new(HKDF_SHA256, salt).extract(&self.0);
        let (mut next, what) = ([0; 32], [what.as_bytes()]);
        let filled = key.expand(&what, HKDF_SHA256).and_then(|okm| okm.fill(&mut next));
        filled.expect("HKDF gives 32 bytes");
        Self(next)
    }
}

/// Makes a new secret for the row `id`.
pub fn mint(purpose: Purpose, id: Uuid) -> Minted {
    let secret = Secret::new(random());
    Minted { text: secret.text(purpose, id), hash: secret.hash() }
}

/// Reads a secret's claim. `None` when it is not one of this purpose, mistyped or cut short: nothing
/// needs to be looked up then.
pub fn read(purpose: Purpose, text: &str) -> Option<Presented> {
    open(purpose, text).map(|(id, secret)| Presented { id, hash: secret.hash() })
}

/// Reads the row that a secret names, and the secret. `None` as with [`read`].
pub fn open(purpose: Purpose, text: &str) -> Option<(Uuid, Secret)> {
    if !text.is_ascii() || text.len() > 160 {
        return None;
    }
    let (body, check) = text.split_at_checked(text.len().checked_sub(8)?)?;
    if u32::from_str_radix(check, 16).ok()? != crc32c::crc32c(body.as_bytes()) {
        return None;
    }
    let (id, secret) = body.strip_prefix(purpose.prefix())?.split_once('_')?;
    let secret = URL_SAFE_NO_PAD.decode(secret).ok()?.try_into().ok()?;
    Some((Uuid::try_parse(id).ok()?, Secret(secret)))
}

/// The value that a page must send back with each change it asks for, made from the session's
/// secret so that nothing needs to be stored. A page of another origin cannot read it.
pub fn csrf_token(session: &Presented) -> String {
    let mut hasher = Sha256::new();
    hasher.update(b"openframe csrf v1");
    hasher.update(session.hash.0);
    URL_SAFE_NO_PAD.encode(hasher.finalize())
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
        assert_eq!(format!("{:?}", Secret::new([7; 32])), "Secret(***)");
    }

    #[test]
    fn a_successor_takes_both_secret_and_salt() {
        let secret = Secret::new([1; 32]);
        let next = secret.successor(&[2; 32], "a");
        assert_eq!(next, secret.successor(&[2; 32], "a"));
        assert_ne!(next, secret.successor(&[2; 32], "b"));
        assert_ne!(next, secret.successor(&[3; 32], "a"));
        assert_ne!(next, Secret::new([4; 32]).successor(&[2; 32], "a"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,200}") {
            prop_assert_eq!(read(Purpose::ApiKey, &text), None);
        }
    }
}
