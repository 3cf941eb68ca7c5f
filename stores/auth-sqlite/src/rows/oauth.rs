//! Rows of clients, consents, token families and signing keys.

use openframe_auth::domain::{Consent, LogoutNotice, SealedKey};
use openframe_auth::store::{Answer, StoreError};
use openframe_ids::{ClientId, FamilyId, SessionId, TenantId, UserId};
use openframe_oauth::family::{Holder, Phase};
use openframe_oauth::keys::Times;
use openframe_oauth::{
    Amr, Client, ClientKeys, Demand, Ended, Family, GrantType, Pkce, RedirectUri, Scopes,
};
use uuid::Uuid;

use super::{amr, at, damaged, secret};

pub(crate) struct ClientRow {
    pub(crate) id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) name: String,
    pub(crate) secret: Option<Vec<u8>>,
    pub(crate) redirect_uris: String,
    pub(crate) post_logout_uris: String,
    pub(crate) backchannel_logout_uri: Option<String>,
    pub(crate) grants: String,
    pub(crate) scopes: String,
    pub(crate) pkce_waived: bool,
    pub(crate) keys: Option<String>,
    pub(crate) demands: String,
    pub(crate) created_ms: i64,
}

pub(crate) struct FamilyRow {
    pub(crate) id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) client_id: Uuid,
    pub(crate) user_id: Option<Uuid>,
    pub(crate) session_id: Option<Uuid>,
    pub(crate) auth_time_ms: Option<i64>,
    pub(crate) amr: Option<String>,
    pub(crate) scopes: String,
    pub(crate) created_ms: i64,
    pub(crate) expires_ms: i64,
    pub(crate) version: i64,
    pub(crate) code: Option<Vec<u8>>,
    pub(crate) phase: String,
}

pub(crate) struct ConsentRow {
    pub(crate) client_id: Uuid,
    pub(crate) scopes: String,
    pub(crate) given_ms: i64,
}

pub(crate) struct LoginRow {
    pub(crate) session_id: Uuid,
    pub(crate) client_id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) uri: String,
    pub(crate) tries: i64,
}

pub(crate) struct SigningKeyRow {
    pub(crate) kid: String,
    pub(crate) sealed: Vec<u8>,
    pub(crate) created_ms: i64,
    pub(crate) signs_ms: i64,
}

/// Addresses have no spaces.
pub(crate) fn uris_text(uris: &[RedirectUri]) -> String {
    let uris: Vec<&str> = uris.iter().map(RedirectUri::as_str).collect();
    uris.join(" ")
}

pub(crate) fn grants_text(client: &Client) -> String {
    let grants: Vec<&str> = client.grants.iter().map(|grant| grant.as_str()).collect();
    grants.join(" ")
}

pub(crate) fn demands_text(client: &Client) -> String {
    let demands: Vec<&str> = client.demands.iter().map(|demand| demand.as_str()).collect();
    demands.join(" ")
}

fn demand(word: &str) -> Answer<Demand> {
    let unknown = || StoreError::Damaged(format!("{word:?} is no demand").into());
    Demand::read(word).ok_or_else(unknown)
}

fn keys(text: &str) -> Answer<ClientKeys> {
    ClientKeys::read(text).ok_or_else(|| StoreError::Damaged("the keys of a client".into()))
}

fn uris(text: &str) -> Vec<RedirectUri> {
    text.split_whitespace().map(|uri| RedirectUri::kept(uri.to_owned())).collect()
}

fn grant(word: &str) -> Answer<GrantType> {
    let unknown = || StoreError::Damaged(format!("{word:?} is no grant").into());
    GrantType::read(word).ok_or_else(unknown)
}

impl TryFrom<ClientRow> for Client {
    type Error = StoreError;

    fn try_from(row: ClientRow) -> Answer<Self> {
        Ok(Self {
            id: ClientId(row.id),
            tenant: TenantId(row.tenant_id),
            name: row.name,
            secret: row.secret.as_deref().map(secret).transpose()?,
            redirect_uris: uris(&row.redirect_uris),
            post_logout_uris: uris(&row.post_logout_uris),
            backchannel_logout_uri: row.backchannel_logout_uri,
            grants: row.grants.split_whitespace().map(grant).collect::<Answer<_>>()?,
            scopes: Scopes::read(&row.scopes).map_err(damaged)?,
            pkce: if row.pkce_waived { Pkce::Waived } else { Pkce::Required },
            keys: row.keys.as_deref().map(keys).transpose()?,
            demands: row.demands.split_whitespace().map(demand).collect::<Answer<_>>()?,
            created: at(row.created_ms)?,
        })
    }
}

impl TryFrom<FamilyRow> for Family {
    type Error = StoreError;

    fn try_from(row: FamilyRow) -> Answer<Self> {
        let holder = match (row.user_id, row.session_id, row.auth_time_ms) {
            (Some(user), Some(session), Some(auth_time)) => Some(Holder {
                user: UserId(user),
                session: SessionId(session),
                auth_time: at(auth_time)?,
                // What was allowed before second factors were there was allowed by a password.
                amr: row.amr.as_deref().map_or(Ok(Amr::Password), amr)?,
            }),
            _ => None,
        };
        Ok(Self {
            id: FamilyId(row.id),
            tenant: TenantId(row.tenant_id),
            client: ClientId(row.client_id),
            holder,
            scopes: Scopes::read(&row.scopes).map_err(damaged)?,
            created: at(row.created_ms)?,
            expires: at(row.expires_ms)?,
            version: row.version.try_into().map_err(damaged)?,
            code: row.code.as_deref().map(secret).transpose()?,
            phase: Phase::from_text(&row.phase).map_err(damaged)?,
        })
    }
}

impl TryFrom<ConsentRow> for Consent {
    type Error = StoreError;

    fn try_from(row: ConsentRow) -> Answer<Self> {
        Ok(Self {
            client: ClientId(row.client_id),
            scopes: Scopes::read(&row.scopes).map_err(damaged)?,
            given: at(row.given_ms)?,
        })
    }
}

impl TryFrom<LoginRow> for LogoutNotice {
    type Error = StoreError;

    /// Of a row as it was before it was taken.
    fn try_from(row: LoginRow) -> Answer<Self> {
        let ended = Ended {
            client: ClientId(row.client_id),
            user: UserId(row.user_id),
            session: SessionId(row.session_id),
        };
        let tries = row.tries.saturating_add(1).try_into().map_err(damaged)?;
        Ok(Self { ended, uri: row.uri, tries })
    }
}

impl TryFrom<SigningKeyRow> for SealedKey {
    type Error = StoreError;

    fn try_from(row: SigningKeyRow) -> Answer<Self> {
        let times = Times { made: at(row.created_ms)?, signs_from: at(row.signs_ms)? };
        Ok(Self { kid: row.kid, sealed: row.sealed, times })
    }
}
