//! Bodies of the public paths.

use jiff::Timestamp;
use openframe_ids::{ApiKeyId, EnrolmentTokenId, PlaceId, SessionId, TenantId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Grant, SignInProvider};

/// `GET /setup`: whether the first owner is still to be made.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SetupState {
    /// True until the first owner exists.
    pub needed: bool,
    /// Whether the platform sends mail: who has forgotten a password can ask for a link then.
    pub mail: bool,
    /// Whether people can have passkeys: the platform is reached by a name, over TLS.
    pub passkeys: bool,
    /// Other providers that people may sign in at.
    #[serde(default)]
    pub providers: Vec<SignInProvider>,
}

/// `POST /setup`: makes the first owner and signs in.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetupRequest {
    /// The one-time token from the link that was printed.
    pub token: String,
    /// The owner's mail address: the name to sign in with.
    pub email: String,
    /// The owner's name.
    pub name: String,
    /// 8 to 256 characters.
    pub password: String,
}

/// `POST /login`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    /// The mail address.
    pub email: String,
    /// The password.
    pub password: String,
}

/// `POST /me/password`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The password of now.
    pub current: String,
    /// The new one: 8 to 256 characters.
    pub new: String,
}

/// `GET /me`, and the answer to setup, login and a change of the password: who is signed in.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// The person.
    pub user: User,
    /// The tenant.
    pub tenant_id: TenantId,
    /// What the person, or the key, may do in the whole tenant, no place left out: `devices:read`, ….
    pub permissions: Vec<String>,
    /// What the person, or the key, may do at some place at least; `permissions` are among them.
    #[serde(default)]
    pub permissions_somewhere: Vec<String>,
    /// What the person is granted at places.
    #[serde(default)]
    pub grants: Vec<Grant>,
    /// To be sent back in `x-csrf-token` with every change. Absent for API keys.
    pub csrf_token: Option<String>,
    /// The session in use. Absent for API keys.
    pub session_id: Option<SessionId>,
}

/// A person.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct User {
    /// The person's id.
    pub id: UserId,
    /// The mail address.
    pub email: String,
    /// Whether the person has shown to read the mail that goes there.
    #[serde(default)]
    pub email_verified: bool,
    /// The name.
    pub name: String,
    /// `owner`, `technician`, `read_only`, `provisioner` or `none`: the role in the whole tenant.
    pub role: String,
    /// Whether sign-in is refused.
    pub disabled: bool,
    /// When the person was added.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Until when the person may accept an invitation, or might have. Absent once it was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub invited_until: Option<Timestamp>,
}

/// `POST /users`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// The mail address.
    pub email: String,
    /// The name.
    pub name: String,
    /// `owner`, `technician`, `read_only`, `provisioner` or `none`.
    pub role: String,
    /// 8 to 256 characters.
    pub password: String,
}

/// The answer to `POST /users/{id}/password-link`: the only time the link is shown.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct PasswordLink {
    /// Where the person chooses a new password, once.
    pub url: String,
    /// When it is good no more.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// `POST /password/forgot`: asks for a link by mail, by which one chooses a new password.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordForgotten {
    /// One's mail address.
    pub email: String,
}

/// `POST /password`: a new password, by a link.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChoice {
    /// The link's token, `of_pl_…`.
    pub token: String,
    /// 8 to 256 characters.
    pub password: String,
}

/// `PATCH /users/{id}`: absent fields stay as they are.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserChange {
    /// A new name.
    pub name: Option<String>,
    /// A new mail address, of somebody else; it is not verified then.
    pub email: Option<String>,
    /// A new role.
    pub role: Option<String>,
    /// Whether sign-in is refused. Disabling ends every session and key of the person.
    pub disabled: Option<bool>,
}

/// One page of a list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A sign-in in one browser. `GET /sessions` lists one's own, `GET /sessions?all=true` everybody's
/// (owners only).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// Whose it is, to read.
    pub user_email: String,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    #[schema(value_type = String, format = DateTime)]
    pub last_seen_at: Timestamp,
    /// When it ends at the latest.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// The address it was last used from.
    pub remote_address: String,
    /// What the browser calls itself.
    pub user_agent: String,
    /// When the person last showed to be that person.
    #[schema(value_type = String, format = DateTime)]
    pub authenticated_at: Timestamp,
    /// How (RFC 8176): `pwd`, and `otp` and `mfa` where a second factor was shown.
    pub amr: Vec<String>,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// An API key, without its secret.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// What it is for, in its maker's words.
    pub name: String,
    /// Who made it.
    pub owner_id: UserId,
    /// The permissions it has at most.
    pub scopes: Vec<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it ends.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// When it was last used, to the minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<Timestamp>,
}

/// `POST /api-keys`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApiKey {
    /// What it is for.
    pub name: String,
    /// Permissions such as `devices:read`; at least one, none that the maker lacks.
    pub scopes: Vec<String>,
    /// Days until it ends, 1 to 365; 90 when absent.
    pub expires_in_days: Option<u32>,
}

/// The answer to `POST /api-keys`: the only time the secret is shown.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct MadeApiKey {
    /// The key.
    pub key: ApiKey,
    /// The secret: `of_ak_…`.
    pub secret: String,
}

/// A key that signs ID tokens; the key itself is never told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SigningKey {
    /// Its name, in tokens and in the key set.
    pub kid: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub made_at: Timestamp,
    /// From when on it signs, until a younger one does.
    #[schema(value_type = String, format = DateTime)]
    pub signs_from: Timestamp,
    /// `staged`: clients get to know it; `signing`; or `retiring`: what it has signed may still be good.
    pub stage: String,
}

/// `POST /signing-keys`.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateKeys {
    /// The new key signs at once, and not in a day, when clients know it.
    #[serde(default)]
    pub now: bool,
    /// All others are forgotten: whatever they have signed is good no more. Only with `now`.
    #[serde(default)]
    pub revoke: bool,
}

/// An enrolment token, without its secret.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EnrolmentToken {
    /// Its id.
    pub id: EnrolmentTokenId,
    /// What it is for, in its maker's words.
    pub name: String,
    /// Where devices that enrol with it are: the ids on the way there; none is the whole tenant.
    #[serde(default)]
    pub place: Vec<PlaceId>,
    /// The networks that devices must enrol from; none for any.
    #[serde(default)]
    pub networks: Vec<String>,
    /// The serial numbers, or their beginnings with `*`, that machines must have; none for any.
    #[serde(default)]
    pub serials: Vec<String>,
    /// Whether each device waits until somebody lets it in.
    #[serde(default)]
    pub approval: bool,
    /// How many devices may still enrol with it.
    pub uses_left: u32,
    /// How many devices have enrolled with it.
    pub uses: u32,
    /// When it ends.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When a device last enrolled with it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<Timestamp>,
}

/// `POST /enrolment-tokens`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEnrolmentToken {
    /// What it is for.
    pub name: Option<String>,
    /// How many devices may enrol, 1 to 10,000; 1 when absent.
    pub uses: Option<u32>,
    /// Minutes until it ends, 1 to 10,080 (7 days); 60 when absent.
    pub expires_in_minutes: Option<u32>,
    /// Where devices that enrol with it are. Absent for the whole tenant.
    pub place: Option<PlaceId>,
    /// The networks that devices must enrol from, such as `192.0.2.0/24`, at most 1,000. Absent or empty
    /// for any. A token that is shown from elsewhere is revoked.
    pub networks: Option<Vec<String>>,
    /// The serial numbers that machines must have, at most 1,000; one that ends with `*` is the beginning
    /// of some. Absent or empty for any.
    pub serials: Option<Vec<String>>,
    /// Whether each device waits until somebody lets it in.
    pub approval: Option<bool>,
}

/// The answer to `POST /enrolment-tokens`: the only time the secret is shown.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct MadeEnrolmentToken {
    /// The token.
    pub token: EnrolmentToken,
    /// The secret with the pin of the platform's root key: `of_et_….<pin>`.
    pub secret: String,
    /// The line to run on the device.
    pub command: String,
}

/// What is looked for in the audit trail; everything by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// What was done: `session.create`, or `session.` for all that begin so.
    pub action: Option<String>,
    /// By whom.
    pub actor: Option<String>,
    /// To what.
    pub target: Option<String>,
    /// `done`, `refused` or `failed`.
    pub outcome: Option<String>,
    /// At this time or later, RFC 3339.
    pub from: Option<String>,
    /// Before this time, RFC 3339.
    pub to: Option<String>,
}

impl AuditFilter {
    /// As it is written in an address.
    pub fn pairs(&self) -> [(&'static str, Option<&str>); 6] {
        [
            ("action", self.action.as_deref()),
            ("actor", self.actor.as_deref()),
            ("target", self.target.as_deref()),
            ("outcome", self.outcome.as_deref()),
            ("from", self.from.as_deref()),
            ("to", self.to.as_deref()),
        ]
    }
}

/// One line of the audit trail.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Its place in the tenant's chain, from 1.
    pub seq: u64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// `user`, `api_key`, `device`, `service` or `nobody`.
    pub actor_kind: String,
    /// Who: an id, or what was typed at a failed sign-in.
    pub actor: String,
    /// What: `session.create`, `command.create`, ….
    pub action: String,
    /// To what: an id, or empty.
    pub target: String,
    /// `done`, `refused` or `failed`.
    pub outcome: String,
    /// More, as short text.
    pub detail: String,
    /// From where.
    pub remote_address: String,
    /// In which request.
    pub request_id: String,
    /// SHA-256 over the entry before and this one, hex.
    pub hash: String,
}

/// `GET /audit/verify`: whether the trail is what was written.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditVerdict {
    /// How many entries hold.
    pub entries: u64,
    /// How many checkpoints do.
    pub checkpoints: u64,
    /// The last of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_checkpoint: Option<AuditCheckpoint>,
    /// The first entry that does not hold.
    pub broken_at: Option<u64>,
    /// What is wrong there: `chain`, `end`, `added`, `cut`, `rewritten` or `forged`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<String>,
    /// The same in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<String>,
}

/// Where the audit trail ended at a time, as the platform has sealed it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditCheckpoint {
    /// The last entry then.
    pub seq: u64,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The hash of that entry, hex.
    pub hash: String,
}

/// Where the audit trail is sent to as it grows.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditStream {
    /// `syslog` or `webhook`.
    pub name: String,
    /// Where that is.
    pub to: String,
    /// The last entry that has arrived there; 0 for none.
    pub arrived: u64,
    /// When that was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub arrived_at: Option<Timestamp>,
    /// How many entries have not, as far as is known. Syslog has no answers: what it was sent counts
    /// after a quarter of a minute.
    pub behind: u64,
    /// Why sending fails; absent when it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Since when it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub failing_since: Option<Timestamp>,
}

/// What is posted to a webhook of the audit trail: entries in their order, none left out. Some may come
/// again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AuditBatch {
    /// Whose trail.
    pub tenant_id: TenantId,
    /// The entries.
    pub entries: Vec<AuditEntry>,
}
