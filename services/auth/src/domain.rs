//! What people, sessions, keys, tokens and the audit trail are. Pure: no I/O, no clock.

mod checkpoint;
mod factor;
mod generation;
mod invitation;
mod mail;
mod passkey;
mod password;
mod place;
mod provisioning;
mod rate;
mod search;
mod terms;
mod upstream;

use jiff::{SignedDuration, Timestamp};
use openframe_ids::{
    ApiKeyId, ClientId, DeviceId, EnrolmentTokenId, SessionId, SignInId, TenantId, UserId,
};
use openframe_oauth::keys::Times;
use openframe_oauth::{Amr, Ended, Scopes};
use openframe_tokens::opaque::SecretHash;
use openframe_tokens::{Place, Role};
use sha2::{Digest as _, Sha256};

pub use checkpoint::{Checkpoint, Pace};
pub use factor::{CODES, SealedTotp, Totp, hash_recovery_code, recovery_code};
pub use generation::{Generation, Showing, request_hash};
pub use invitation::{Accepted, EmailLink, Invitation};
pub use mail::{Letter, MailKind, SealedMail};
pub use passkey::{PASSKEYS_MAX, Passkey};
pub use password::{
    CONTEXT, OWN_WORD_MIN, PASSWORD_MAX, PASSWORD_MIN, own_password_fault, password_fault,
};
pub use place::{KeptGrant, MOST_PLACES, NamedPlace, PlaceKind};
pub use provisioning::{Group, MOST_GROUPS, MOST_MEMBERS, Membership, Provisioned, ended_address};
pub use rate::Rate;
pub use search::{Action, Filter, within};
pub use terms::{Claims, Judged, Terms};
pub use upstream::{IdentityProvider, UpstreamLink};

/// How exact "last seen" and "last used" are: a use is written down at most this often.
pub const SEEN_STEP: SignedDuration = SignedDuration::from_secs(60);
/// The longest name of anything, in characters.
pub const NAME_MAX: usize = 200;

/// How many set-up tokens are good at once.
pub const SETUP_TOKENS: usize = 16;

/// What lets the first owner be made.
#[derive(Debug, Clone, Copy)]
pub struct SetupToken {
    /// The hash of its secret.
    pub secret: SecretHash,
    /// When it is good no more.
    pub expires: Timestamp,
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The id.
    pub id: UserId,
    /// The tenant.
    pub tenant: TenantId,
    /// The mail address, as [`email`] writes it.
    pub email: String,
    /// Whether the person has shown to read the mail that goes there.
    pub email_verified: bool,
    /// The name.
    pub name: String,
    /// What the person may do.
    pub role: Role,
    /// Whether sign-in is refused.
    pub disabled: bool,
    /// The hash of the password; empty when there is none to sign in with.
    pub password: Vec<u8>,
    /// When the person was added.
    pub created: Timestamp,
    /// Until when the person may accept an invitation, or might have; `None` once it was accepted, and for
    /// whoever was added otherwise.
    pub invited: Option<Timestamp>,
}

impl User {
    /// Whether the person is an owner who is let in.
    pub fn is_owner(&self) -> bool {
        self.role == Role::Owner && !self.disabled
    }

    /// Whether there is a password to sign in with.
    pub fn has_password(&self) -> bool {
        !self.password.is_empty()
    }
}

/// What lets a person choose a new password, once.
#[derive(Debug, Clone, Copy)]
pub struct PasswordLink {
    /// Whose it is.
    pub user: UserId,
    /// The hash of its secret.
    pub secret: SecretHash,
    /// Whether it went to the person's mail address.
    pub mailed: bool,
    /// When it is good no more.
    pub expires: Timestamp,
}

/// A sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The id.
    pub id: SessionId,
    /// The tenant.
    pub tenant: TenantId,
    /// Whose it is.
    pub user: UserId,
    /// The hash of the cookie's secret.
    pub secret: SecretHash,
    /// When it began.
    pub created: Timestamp,
    /// When it was last used, to the minute.
    pub last_seen: Timestamp,
    /// When it ends in any case.
    pub expires: Timestamp,
    /// The address it was last used from.
    pub remote_address: String,
    /// What the browser calls itself.
    pub user_agent: String,
    /// When the person last showed to be that person.
    pub auth_time: Timestamp,
    /// How.
    pub amr: Amr,
}

impl Session {
    /// When it ends unless it is used: `idle` after the last use, and not after its absolute end.
    pub fn ends(&self, idle: SignedDuration) -> Timestamp {
        self.expires.min(self.last_seen.saturating_add(idle).unwrap_or(self.expires))
    }
}

/// A sign-in whose first factor was right, and whose second is to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HalfSignIn {
    /// The id.
    pub id: SignInId,
    /// The tenant.
    pub tenant: TenantId,
    /// Who signs in.
    pub user: UserId,
    /// The hash of the secret that the browser holds.
    pub secret: SecretHash,
    /// What the first factor was.
    pub amr: Amr,
    /// When it is good no more.
    pub expires: Timestamp,
}

/// What a tenant's owners have decided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TenantSettings {
    /// Whether everybody who signs in needs a second factor.
    pub second_factor_required: bool,
}

/// An API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// The id.
    pub id: ApiKeyId,
    /// The tenant.
    pub tenant: TenantId,
    /// Who made it.
    pub owner: UserId,
    /// What it is for.
    pub name: String,
    /// The permissions it has at most.
    pub scopes: Vec<String>,
    /// The hash of its secret.
    pub secret: SecretHash,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
    /// When it was last used, to the minute.
    pub last_used: Option<Timestamp>,
}

/// What a person has allowed a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// The client.
    pub client: ClientId,
    /// What it may.
    pub scopes: Scopes,
    /// When the person last said so.
    pub given: Timestamp,
}

/// How many wrong codes of devices a person may type in within [`DEVICE_LIFETIME`].
///
/// [`DEVICE_LIFETIME`]: openframe_oauth::DEVICE_LIFETIME
pub const DEVICE_CODE_MISSES: usize = 5;

/// A client that is to be told that a session has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogoutNotice {
    /// Who is told, and what.
    pub ended: Ended,
    /// Where.
    pub uri: String,
    /// How often it was tried, this time included.
    pub tries: u32,
}

/// A key that signs ID tokens, encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedKey {
    /// Its name.
    pub kid: String,
    /// The key, as only the auth service can read it.
    pub sealed: Vec<u8>,
    /// When it was made, and from when on it signs.
    pub times: Times,
}

/// An enrolment token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolmentToken {
    /// The id.
    pub id: EnrolmentTokenId,
    /// The tenant that devices join.
    pub tenant: TenantId,
    /// What it is for.
    pub name: String,
    /// Where devices that enrol with it are.
    pub place: Place,
    /// What devices must meet beside.
    pub terms: Terms,
    /// The hash of its secret.
    pub secret: SecretHash,
    /// How many devices may still enrol.
    pub uses_left: u32,
    /// How many have enrolled.
    pub uses: u32,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
    /// When a device last enrolled with it.
    pub last_used: Option<Timestamp>,
}

/// A device, as far as its credentials go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The id.
    pub id: DeviceId,
    /// The tenant.
    pub tenant: TenantId,
    /// The token it enrolled with.
    pub token: EnrolmentTokenId,
    /// The SHA-256 of the key it is bound to.
    pub spki: [u8; 32],
    /// Whether its certificates no longer count.
    pub revoked: bool,
    /// Since when they do not count: there were two of it, and nobody has re-admitted it, or it waits.
    pub quarantined: Option<Timestamp>,
    /// Whether it has enrolled and waits to be let in.
    pub waits: bool,
    /// Which of its certificates is the latest.
    pub generation: Generation,
    /// When the last of its certificates ends, or ended.
    pub certified_until: Timestamp,
    /// When it enrolled.
    pub created: Timestamp,
}

impl Device {
    /// Whether it is neither revoked nor in quarantine.
    pub fn is_in(&self) -> bool {
        !self.revoked && self.quarantined.is_none()
    }
}

/// A device that has enrolled and waits to be let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingDevice {
    /// Its id.
    pub id: DeviceId,
    /// Its tenant.
    pub tenant: TenantId,
    /// Where it will be.
    pub place: Place,
    /// The SHA-256 of its key.
    pub spki: [u8; 32],
    /// What it says of itself.
    pub claims: Claims,
    /// Since when it waits.
    pub since: Timestamp,
}

/// A certificate of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceCertificate {
    /// The serial number, hex.
    pub serial: String,
    /// The device's tenant.
    pub tenant: TenantId,
    /// The device.
    pub device: DeviceId,
    /// The SHA-256 of the key it is for.
    pub spki: [u8; 32],
    /// When it ends.
    pub expires: Timestamp,
}

/// One thing that happened, for the audit trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// `user`, `api_key`, `device`, `service` or `nobody`.
    pub actor_kind: String,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what.
    pub target: String,
    /// `done`, `refused` or `failed`.
    pub outcome: String,
    /// More.
    pub detail: String,
    /// From where.
    pub remote_address: String,
    /// In which request.
    pub request_id: String,
}

/// An event in its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The place, from 1.
    pub seq: u64,
    /// What happened.
    pub event: Event,
    /// [`link`] of the entry before and this one.
    pub hash: [u8; 32],
}

/// The hash that ties an event to all before it. Each field is preceded by its length, so that no
/// text can be moved from one field to the next.
pub fn link(previous: &[u8; 32], tenant: TenantId, seq: u64, event: &Event) -> [u8; 32] {
    let at = event.at.as_millisecond().to_be_bytes();
    let texts = [
        &event.actor_kind,
        &event.actor,
        &event.action,
        &event.target,
        &event.outcome,
        &event.detail,
        &event.remote_address,
        &event.request_id,
    ];
    let seq = seq.to_be_bytes();
    let fixed: [&[u8]; 4] = [previous, tenant.0.as_bytes(), &seq, &at];
    let mut hasher = Sha256::new();
    for field in fixed.into_iter().chain(texts.into_iter().map(String::as_bytes)) {
        hasher.update((field.len() as u64).to_be_bytes());
        hasher.update(field);
    }
    hasher.finalize().into()
}

/// The mail address as it is kept and compared: trimmed, lower case. `None` when it is none.
pub fn email(text: &str) -> Option<String> {
    let text = text.trim().to_lowercase();
    let (name, domain) = text.split_once('@')?;
    let plain = !text.chars().any(|c| c.is_whitespace() || c.is_control());
    (plain && !name.is_empty() && !domain.is_empty() && text.len() <= 254).then_some(text)
}

/// A name of a person or thing, trimmed. `None` when it is empty, too long or holds control
/// characters.
pub fn name(text: &str) -> Option<String> {
    let text = text.trim();
    let fits = !text.is_empty() && text.chars().count() <= NAME_MAX;
    (fits && !text.chars().any(char::is_control)).then(|| text.to_owned())
}

/// The network that a remote address counts as, for limits: /24 of IPv4, /56 of IPv6.
pub fn network(address: &str) -> String {
    use std::net::IpAddr;
    match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(v4)) => {
            let [a, b, c, _] = v4.octets();
            format!("{a}.{b}.{c}")
        }
        Ok(IpAddr::V6(v6)) => format!("{:x}", u128::from(v6) >> 72),
        Err(_) => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_share_a_network() {
        assert_eq!(network("192.0.2.1"), network("::ffff:192.0.2.200"));
        assert_ne!(network("192.0.2.1"), network("192.0.3.1"));
        assert_eq!(network("2001:db8:0:1::1"), network("2001:db8:0:ff::2"));
        assert_ne!(network("2001:db8:0:100::1"), network("2001:db8:0:ff::1"));
    }

    #[test]
    fn mail_addresses_are_compared_in_one_form() {
        assert_eq!(email(" Ann@Example.ORG ").as_deref(), Some("ann@example.org"));
        assert_eq!(email("ann"), None);
        assert_eq!(email("a b@c"), None);
    }
}
