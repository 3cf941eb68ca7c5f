//! Rows as they are in the tables, and what they mean.

mod device_grants;
mod invitations;
mod oauth;
mod passkeys;
mod places;
mod proofs;
mod provisioning;
mod upstream;

use jiff::Timestamp;
use openframe_auth::domain::{
    ApiKey, Checkpoint, Claims, Device, EnrolmentToken, Entry, Event, Generation, HalfSignIn,
    MailKind, SealedMail, SealedTotp, Session, Terms, User, WaitingDevice,
};
use openframe_auth::store::{Answer, StoreError, StreamState};
use openframe_ids::{ApiKeyId, DeviceId, EnrolmentTokenId, SessionId, SignInId, TenantId, UserId};
use openframe_oauth::Amr;
use openframe_pki::{Seal, Withdrawn};
use openframe_tokens::opaque::SecretHash;
use uuid::Uuid;

pub(crate) use device_grants::*;
pub(crate) use invitations::*;
pub(crate) use oauth::*;
pub(crate) use passkeys::*;
pub(crate) use places::*;
pub(crate) use proofs::*;
pub(crate) use provisioning::*;
pub(crate) use upstream::*;

pub(crate) struct UserRow {
    pub(crate) id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) email: String,
    pub(crate) email_verified: bool,
    pub(crate) name: String,
    pub(crate) role: String,
    pub(crate) disabled: bool,
    pub(crate) password: Vec<u8>,
    pub(crate) created_ms: i64,
    pub(crate) invited_until_ms: Option<i64>,
}

pub(crate) struct SessionRow {
    pub(crate) id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) secret: Vec<u8>,
    pub(crate) created_ms: i64,
    pub(crate) last_seen_ms: i64,
    pub(crate) expires_ms: i64,
    pub(crate) remote_address: String,
    pub(crate) user_agent: String,
    pub(crate) auth_time_ms: i64,
    pub(crate) amr: String,
}

pub(crate) struct MailRow {
    pub(crate) id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) kind: String,
    pub(crate) sealed: Vec<u8>,
    pub(crate) created_ms: i64,
    pub(crate) ends_ms: i64,
    pub(crate) tries: i64,
}

pub(crate) struct TotpRow {
    pub(crate) sealed: Vec<u8>,
    pub(crate) created_ms: i64,
}

pub(crate) struct HalfRow {
    pub(crate) id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) secret: Vec<u8>,
    pub(crate) amr: String,
    pub(crate) expires_ms: i64,
}

pub(crate) struct KeyRow {
    pub(crate) id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) owner_id: Uuid,
    pub(crate) name: String,
    pub(crate) scopes: String,
    pub(crate) secret: Vec<u8>,
    pub(crate) created_ms: i64,
    pub(crate) expires_ms: i64,
    pub(crate) last_used_ms: Option<i64>,
}

pub(crate) struct TokenRow {
    pub(crate) id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) name: String,
    pub(crate) place: Vec<u8>,
    pub(crate) secret: Vec<u8>,
    pub(crate) uses_left: i64,
    pub(crate) uses: i64,
    pub(crate) created_ms: i64,
    pub(crate) expires_ms: i64,
    pub(crate) last_used_ms: Option<i64>,
    pub(crate) terms: String,
}

pub(crate) struct DeviceRow {
    pub(crate) id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) token_id: Uuid,
    pub(crate) spki: Vec<u8>,
    pub(crate) revoked: bool,
    pub(crate) quarantined_ms: Option<i64>,
    pub(crate) waits: bool,
    pub(crate) generation: i64,
    pub(crate) generation_shown: bool,
    pub(crate) last_request: Option<Vec<u8>>,
    pub(crate) certified_until_ms: i64,
    pub(crate) created_ms: i64,
}

pub(crate) struct WaitingRow {
    pub(crate) id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) place: Vec<u8>,
    pub(crate) spki: Vec<u8>,
    pub(crate) claims: String,
    pub(crate) since_ms: i64,
}

pub(crate) struct WithdrawnRow {
    pub(crate) serial: String,
    pub(crate) expires_ms: i64,
    pub(crate) revoked: bool,
}

pub(crate) struct HeadRow {
    pub(crate) seq: i64,
    pub(crate) hash: Vec<u8>,
}

pub(crate) struct CheckpointRow {
    pub(crate) tenant_id: Uuid,
    pub(crate) seq: i64,
    pub(crate) hash: Vec<u8>,
    pub(crate) at_ms: i64,
    pub(crate) chain_pem: String,
    pub(crate) signature: Vec<u8>,
}

pub(crate) struct StreamRow {
    pub(crate) name: String,
    pub(crate) arrived: i64,
    pub(crate) arrived_ms: Option<i64>,
    pub(crate) error: String,
    pub(crate) failing_since_ms: Option<i64>,
}

#[derive(sqlx::FromRow)]
pub(crate) struct SpanRow {
    pub(crate) first: Option<i64>,
    pub(crate) last: Option<i64>,
}

#[derive(sqlx::FromRow)]
pub(crate) struct EntryRow {
    pub(crate) seq: i64,
    pub(crate) at_ms: i64,
    pub(crate) actor_kind: String,
    pub(crate) actor: String,
    pub(crate) action: String,
    pub(crate) target: String,
    pub(crate) outcome: String,
    pub(crate) detail: String,
    pub(crate) remote_address: String,
    pub(crate) request_id: String,
    pub(crate) hash: Vec<u8>,
}

pub(crate) fn damaged(what: impl Into<openframe_fault::BoxError>) -> StoreError {
    StoreError::Damaged(what.into())
}

fn at(ms: i64) -> Answer<Timestamp> {
    Timestamp::from_millisecond(ms).map_err(damaged)
}

pub(crate) fn bytes(bytes: &[u8]) -> Answer<[u8; 32]> {
    bytes.try_into().map_err(damaged)
}

fn amr(kept: &str) -> Answer<Amr> {
    Amr::read(kept).ok_or_else(|| damaged(format!("{kept:?} is no way to sign in")))
}

fn secret(kept: &[u8]) -> Answer<SecretHash> {
    bytes(kept).map(SecretHash)
}

impl TryFrom<UserRow> for User {
    type Error = StoreError;

    fn try_from(row: UserRow) -> Answer<Self> {
        Ok(Self {
            id: UserId(row.id),
            tenant: TenantId(row.tenant_id),
            email: row.email,
            email_verified: row.email_verified,
            name: row.name,
            role: row.role.parse().map_err(damaged)?,
            disabled: row.disabled,
            password: row.password,
            created: at(row.created_ms)?,
            invited: row.invited_until_ms.map(at).transpose()?,
        })
    }
}

impl TryFrom<SessionRow> for Session {
    type Error = StoreError;

    fn try_from(row: SessionRow) -> Answer<Self> {
        Ok(Self {
            id: SessionId(row.id),
            tenant: TenantId(row.tenant_id),
            user: UserId(row.user_id),
            secret: secret(&row.secret)?,
            created: at(row.created_ms)?,
            last_seen: at(row.last_seen_ms)?,
            expires: at(row.expires_ms)?,
            remote_address: row.remote_address,
            user_agent: row.user_agent,
            auth_time: at(row.auth_time_ms)?,
            amr: amr(&row.amr)?,
        })
    }
}

impl TryFrom<TotpRow> for SealedTotp {
    type Error = StoreError;

    fn try_from(row: TotpRow) -> Answer<Self> {
        Ok(Self { sealed: row.sealed, created: at(row.created_ms)? })
    }
}

impl TryFrom<HalfRow> for HalfSignIn {
    type Error = StoreError;

    fn try_from(row: HalfRow) -> Answer<Self> {
        Ok(Self {
            id: SignInId(row.id),
            tenant: TenantId(row.tenant_id),
            user: UserId(row.user_id),
            secret: secret(&row.secret)?,
            amr: amr(&row.amr)?,
            expires: at(row.expires_ms)?,
        })
    }
}

impl TryFrom<MailRow> for SealedMail {
    type Error = StoreError;

    fn try_from(row: MailRow) -> Answer<Self> {
        Ok(Self {
            id: row.id,
            tenant: TenantId(row.tenant_id),
            kind: MailKind::of(&row.kind).ok_or_else(|| damaged("a kind of mail is unknown"))?,
            sealed: row.sealed,
            created: at(row.created_ms)?,
            ends: at(row.ends_ms)?,
            tries: row.tries.try_into().map_err(damaged)?,
        })
    }
}

impl TryFrom<KeyRow> for ApiKey {
    type Error = StoreError;

    fn try_from(row: KeyRow) -> Answer<Self> {
        Ok(Self {
            id: ApiKeyId(row.id),
            tenant: TenantId(row.tenant_id),
            owner: UserId(row.owner_id),
            name: row.name,
            scopes: row.scopes.split_whitespace().map(str::to_owned).collect(),
            secret: secret(&row.secret)?,
            created: at(row.created_ms)?,
            expires: at(row.expires_ms)?,
            last_used: row.last_used_ms.map(at).transpose()?,
        })
    }
}

impl TryFrom<TokenRow> for EnrolmentToken {
    type Error = StoreError;

    fn try_from(row: TokenRow) -> Answer<Self> {
        Ok(Self {
            id: EnrolmentTokenId(row.id),
            tenant: TenantId(row.tenant_id),
            name: row.name,
            place: place(&row.place)?,
            terms: Terms::of_text(&row.terms).map_err(damaged)?,
            secret: secret(&row.secret)?,
            uses_left: row.uses_left.try_into().map_err(damaged)?,
            uses: row.uses.try_into().map_err(damaged)?,
            created: at(row.created_ms)?,
            expires: at(row.expires_ms)?,
            last_used: row.last_used_ms.map(at).transpose()?,
        })
    }
}

impl TryFrom<DeviceRow> for Device {
    type Error = StoreError;

    fn try_from(row: DeviceRow) -> Answer<Self> {
        Ok(Self {
            id: DeviceId(row.id),
            tenant: TenantId(row.tenant_id),
            token: EnrolmentTokenId(row.token_id),
            spki: bytes(&row.spki)?,
            revoked: row.revoked,
            quarantined: row.quarantined_ms.map(at).transpose()?,
            waits: row.waits,
            generation: Generation {
                number: row.generation.try_into().map_err(damaged)?,
                shown: row.generation_shown,
                request: row.last_request.as_deref().map(bytes).transpose()?,
            },
            certified_until: at(row.certified_until_ms)?,
            created: at(row.created_ms)?,
        })
    }
}

impl TryFrom<WaitingRow> for WaitingDevice {
    type Error = StoreError;

    fn try_from(row: WaitingRow) -> Answer<Self> {
        Ok(Self {
            id: DeviceId(row.id),
            tenant: TenantId(row.tenant_id),
            place: place(&row.place)?,
            spki: bytes(&row.spki)?,
            claims: Claims::of_text(&row.claims).map_err(damaged)?,
            since: at(row.since_ms)?,
        })
    }
}

impl TryFrom<WithdrawnRow> for Withdrawn {
    type Error = StoreError;

    fn try_from(row: WithdrawnRow) -> Answer<Self> {
        Ok(Self { serial: row.serial, expires: at(row.expires_ms)?, held: !row.revoked })
    }
}

impl TryFrom<EntryRow> for Entry {
    type Error = StoreError;

    fn try_from(row: EntryRow) -> Answer<Self> {
        let event = Event {
            at: at(row.at_ms)?,
            actor_kind: row.actor_kind,
            actor: row.actor,
            action: row.action,
            target: row.target,
            outcome: row.outcome,
            detail: row.detail,
            remote_address: row.remote_address,
            request_id: row.request_id,
        };
        Ok(Self { seq: row.seq.try_into().map_err(damaged)?, event, hash: bytes(&row.hash)? })
    }
}

impl TryFrom<CheckpointRow> for Checkpoint {
    type Error = StoreError;

    fn try_from(row: CheckpointRow) -> Answer<Self> {
        Ok(Self {
            tenant: TenantId(row.tenant_id),
            seq: row.seq.try_into().map_err(damaged)?,
            hash: bytes(&row.hash)?,
            at: at(row.at_ms)?,
            seal: Seal { chain_pem: row.chain_pem, signature: row.signature },
        })
    }
}

impl TryFrom<StreamRow> for StreamState {
    type Error = StoreError;

    fn try_from(row: StreamRow) -> Answer<Self> {
        Ok(Self {
            name: row.name,
            arrived: row.arrived.try_into().map_err(damaged)?,
            arrived_at: row.arrived_ms.map(at).transpose()?,
            error: row.error,
            failing_since: row.failing_since_ms.map(at).transpose()?,
        })
    }
}
