//! The promises: each change is one transaction that is alone, with its audit line.

mod device_grants;
mod enrolment;
mod factors;
mod invitations;
mod mails;
mod oauth;
mod passkeys;
mod places;
mod proofs;
mod provisioning;
mod trail;
mod upstream;

use crate::engine::{Connection, Database, Writing, failed, reading, writing};
use crate::queries::{self as sql, ms};
use crate::rows::bytes;
use async_trait::async_trait;
use jiff::Timestamp;
use openframe_auth::domain::{
    ApiKey, Entry, Event, PasswordLink, SETUP_TOKENS, Session, SetupToken, User, link,
};
use openframe_auth::store::{
    Answer, Change, Changed, Keys, People, Renewal, Sessions, SetUp, StoreError,
};
use openframe_ids::{ApiKeyId, SessionId, TenantId, UserId};
use openframe_tokens::Role;
use openframe_tokens::opaque::SecretHash;

/// Keeps everything in one database. Clones share it.
#[derive(Debug, Clone)]
pub struct SqlStore(Database);

fn all<R, T: TryFrom<R, Error = StoreError>>(rows: Vec<R>) -> Answer<Vec<T>> {
    rows.into_iter().map(T::try_from).collect()
}

impl SqlStore {
    /// A store in `database`, whose tables are [`crate::MIGRATIONS`].
    pub fn new(database: Database) -> Self {
        Self(database)
    }
}

async fn commit(tx: Writing) -> Answer<()> {
    tx.commit().await.map_err(failed)
}

/// Adds an entry at the end of the tenant's chain. The transaction is alone, so nothing
/// comes between reading the end and moving it.
async fn record(db: &mut Connection, tenant: TenantId, event: &Event) -> Answer<()> {
    let head = sql::head(db, tenant.0).await.map_err(failed)?;
    let (last, previous) = match head {
        Some(head) => (head.seq, bytes(&head.hash)?),
        None => (0, [0; 32]),
    };
    let next = last + 1;
    let seq = next.unsigned_abs();
    let entry = Entry { seq, event: event.clone(), hash: link(&previous, tenant, seq, event) };
    sql::add_entry(db, tenant.0, next, &entry).await.map_err(failed)?;
    sql::set_head(db, tenant.0, next, &entry.hash).await.map_err(failed)?;
    Ok(())
}

/// Whether an owner other than `except` can sign in.
async fn owner_signs_in(
    db: &mut Connection,
    tenant: TenantId,
    except: Option<UserId>,
) -> Answer<bool> {
    let except = except.map(|id| id.0);
    Ok(sql::count_owners(db, tenant.0, except).await.map_err(failed)? > 0)
}

async fn has_setup_token(
    db: &mut Connection,
    tenant: TenantId,
    secret: SecretHash,
    now: Timestamp,
) -> Answer<bool> {
    let found = sql::count_setup_tokens(db, tenant.0, &secret.0, ms(now)).await;
    Ok(found.map_err(failed)? > 0)
}

/// Ends a person's sessions but one, what programs were allowed in them, and half sign-ins.
async fn end_sessions_of(
    db: &mut Connection,
    (user, keep): (UserId, Option<SessionId>),
    at: Timestamp,
) -> Answer<()> {
    let keep = keep.map(|keep| keep.0);
    sql::remove_sessions_of(db, user.0, keep).await.map_err(failed)?;
    sql::end_families_of(db, user.0, keep).await.map_err(failed)?;
    sql::end_logins_of(db, user.0, keep, ms(at)).await.map_err(failed)?;
    sql::end_halves_of(db, user.0).await.map_err(failed)?;
    Ok(())
}

/// Ends the links for a new password and for another address.
async fn end_links(db: &mut Connection, user: UserId) -> Answer<()> {
    sql::remove_password_link(db, user.0).await.map_err(failed)?;
    sql::remove_email_link(db, user.0).await.map_err(failed)?;
    Ok(())
}

/// Ends all of a person's sessions and links.
async fn sign_out(db: &mut Connection, user: UserId, at: Timestamp) -> Answer<()> {
    end_sessions_of(db, (user, None), at).await?;
    end_links(db, user).await
}

/// Whether somebody else than `except` has this address.
async fn is_taken(
    db: &mut Connection,
    (tenant, email): (TenantId, &str),
    except: UserId,
) -> Answer<bool> {
    let found = sql::user_by_email(db, tenant.0, email).await.map_err(failed)?;
    Ok(found.is_some_and(|row| row.id != except.0))
}

/// Changes a person; nothing is recorded or committed yet.
async fn change(
    db: &mut Connection,
    (tenant, id): (TenantId, UserId),
    to: &Change,
    at: Timestamp,
) -> Answer<Changed> {
    let Some(row) = sql::user(db, tenant.0, id.0).await.map_err(failed)? else {
        return Ok(Changed::Missing);
    };
    let user = User::try_from(row)?;
    let now = to.applied_to(&user);
    let stops = user.is_owner() && !now.is_owner();
    if stops && !owner_signs_in(db, tenant, Some(id)).await? {
        return Ok(Changed::LastOwner);
    }
    if now.role == Role::Owner
        && user.role != Role::Owner
        && places::is_denied(db, (tenant, id), at).await?
    {
        return Ok(Changed::Denied);
    }
    if is_taken(db, (tenant, &now.email), id).await? {
        return Ok(Changed::EmailTaken);
    }
    sql::change_user(db, tenant.0, id.0, to).await.map_err(failed)?;
    if to.moves(&user) {
        end_links(db, id).await?;
    }
    if now.disabled {
        sign_out(db, id, at).await?;
        sql::end_invitation(db, id.0, ms(at)).await.map_err(failed)?;
        sql::remove_keys_of(db, tenant.0, id.0).await.map_err(failed)?;
    }
    let row = sql::user(db, tenant.0, id.0).await.map_err(failed)?;
    Ok(Changed::Done(row.map_or(Ok(now), User::try_from)?))
}

/// Commits with an audit line if something was changed.
async fn commit_if(mut tx: Writing, changed: u64, tenant: TenantId, event: &Event) -> Answer<bool> {
    if changed == 0 {
        return Ok(false);
    }
    record(&mut tx, tenant, event).await?;
    commit(tx).await?;
    Ok(true)
}

#[async_trait]
impl People for SqlStore {
    async fn owner_signs_in(&self, tenant: TenantId) -> Answer<bool> {
        let mut db = reading(&self.0).await?;
        owner_signs_in(&mut db, tenant, None).await
    }

    async fn add_setup_token(
        &self,
        tenant: TenantId,
        token: SetupToken,
        event: &Event,
    ) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        if owner_signs_in(&mut tx, tenant, None).await? {
            return Ok(false);
        }
        let (secret, until) = (&token.secret.0, ms(token.expires));
        let added = sql::add_setup_token(&mut tx, tenant.0, secret, until).await.map_err(failed)?;
        let most = i64::try_from(SETUP_TOKENS).unwrap_or(i64::MAX);
        sql::remove_setup_tokens(&mut tx, tenant.0, most).await.map_err(failed)?;
        commit_if(tx, added, tenant, event).await
    }

    async fn has_setup_token(
        &self,
        tenant: TenantId,
        secret: SecretHash,
        now: Timestamp,
    ) -> Answer<bool> {
        let mut db = reading(&self.0).await?;
        has_setup_token(&mut db, tenant, secret, now).await
    }

    async fn set_up(&self, user: &User, setup: SecretHash, event: &Event) -> Answer<SetUp> {
        let tenant = user.tenant;
        let mut tx = writing(&self.0).await?;
        let good = has_setup_token(&mut tx, tenant, setup, event.at).await?;
        if !good || owner_signs_in(&mut tx, tenant, None).await? {
            return Ok(SetUp::Refused);
        }
        sql::remove_setup_tokens(&mut tx, tenant.0, 0).await.map_err(failed)?;
        let added = sql::add_user(&mut tx, user).await.map_err(failed)?;
        let done = commit_if(tx, added, tenant, event).await?;
        Ok(if done { SetUp::Done } else { SetUp::EmailTaken })
    }

    async fn bootstrap(&self, user: &User, key: &ApiKey, event: &Event) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        if sql::count_users(&mut tx, user.tenant.0).await.map_err(failed)? > 0 {
            return Ok(false);
        }
        sql::add_user(&mut tx, user).await.map_err(failed)?;
        let added = sql::add_key(&mut tx, key).await.map_err(failed)?;
        commit_if(tx, added, user.tenant, event).await
    }

    async fn add(&self, user: &User, event: &Event) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        let added = sql::add_user(&mut tx, user).await.map_err(failed)?;
        commit_if(tx, added, user.tenant, event).await
    }

    async fn get(&self, tenant: TenantId, id: UserId) -> Answer<Option<User>> {
        let mut db = reading(&self.0).await?;
        let row = sql::user(&mut db, tenant.0, id.0).await.map_err(failed)?;
        row.map(User::try_from).transpose()
    }

    async fn by_email(&self, tenant: TenantId, email: &str) -> Answer<Option<User>> {
        let mut db = reading(&self.0).await?;
        let row = sql::user_by_email(&mut db, tenant.0, email).await.map_err(failed)?;
        row.map(User::try_from).transpose()
    }

    async fn list(&self, tenant: TenantId) -> Answer<Vec<User>> {
        let mut db = reading(&self.0).await?;
        all(sql::users(&mut db, tenant.0).await.map_err(failed)?)
    }

    async fn change(
        &self,
        tenant: TenantId,
        id: UserId,
        to: &Change,
        event: &Event,
    ) -> Answer<Changed> {
        let mut tx = writing(&self.0).await?;
        let changed = change(&mut tx, (tenant, id), to, event.at).await?;
        if let Changed::Done(_) = &changed {
            commit_if(tx, 1, tenant, event).await?;
        }
        Ok(changed)
    }

    async fn add_password_link(
        &self,
        tenant: TenantId,
        link: PasswordLink,
        event: &Event,
    ) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        let added = sql::add_password_link(&mut tx, tenant.0, link).await.map_err(failed)?;
        commit_if(tx, added, tenant, event).await
    }

    async fn use_password_link(
        &self,
        (tenant, id): (TenantId, UserId),
        secret: SecretHash,
        to: &[u8],
        event: &Event,
    ) -> Answer<Option<User>> {
        let mut tx = writing(&self.0).await?;
        let (whose, shown) = ((tenant.0, id.0), (secret.0.as_slice(), ms(event.at)));
        let set = sql::use_password_link(&mut tx, whose, shown, to).await.map_err(failed)?;
        if set == 0 {
            return Ok(None);
        }
        sign_out(&mut tx, id, event.at).await?;
        let row = sql::user(&mut tx, tenant.0, id.0).await.map_err(failed)?;
        commit_if(tx, set, tenant, event).await?;
        row.map(User::try_from).transpose()
    }

    async fn set_password(
        &self,
        (tenant, id): (TenantId, UserId),
        from_to: (&[u8], &[u8]),
        event: &Event,
    ) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        let set = sql::set_password(&mut tx, (tenant.0, id.0), from_to).await.map_err(failed)?;
        if set > 0 {
            sign_out(&mut tx, id, event.at).await?;
        }
        commit_if(tx, set, tenant, event).await
    }
}

#[async_trait]
impl Sessions for SqlStore {
    async fn add(&self, session: &Session, event: &Event) -> Answer<()> {
        let mut tx = writing(&self.0).await?;
        let added = sql::add_session(&mut tx, session).await.map_err(failed)?;
        commit_if(tx, added, session.tenant, event).await.map(drop)
    }

    async fn get(&self, id: SessionId) -> Answer<Option<Session>> {
        let mut db = reading(&self.0).await?;
        let row = sql::session(&mut db, id.0).await.map_err(failed)?;
        row.map(Session::try_from).transpose()
    }

    async fn list(&self, tenant: TenantId, user: Option<UserId>) -> Answer<Vec<Session>> {
        let mut db = reading(&self.0).await?;
        let rows = match user {
            Some(user) => sql::sessions_of(&mut db, tenant.0, user.0).await,
            None => sql::sessions(&mut db, tenant.0).await,
        };
        all(rows.map_err(failed)?)
    }

    async fn touch(&self, id: SessionId, at: Timestamp, remote_address: &str) -> Answer<()> {
        let mut tx = writing(&self.0).await?;
        sql::touch_session(&mut tx, id.0, ms(at), remote_address).await.map_err(failed)?;
        commit(tx).await
    }

    async fn renew(&self, id: SessionId, to: &Renewal, event: &Event) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        let Some(row) = sql::session(&mut tx, id.0).await.map_err(failed)? else {
            return Ok(false);
        };
        let renewed = sql::renew_session(&mut tx, id.0, &to.from.0, to).await.map_err(failed)?;
        commit_if(tx, renewed, TenantId(row.tenant_id), event).await
    }

    async fn remove(
        &self,
        tenant: TenantId,
        id: SessionId,
        user: Option<UserId>,
        event: &Event,
    ) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        let removed = match user {
            Some(user) => sql::remove_session_of(&mut tx, tenant.0, id.0, user.0).await,
            None => sql::remove_session(&mut tx, tenant.0, id.0).await,
        };
        let removed = removed.map_err(failed)?;
        if removed > 0 {
            sql::end_families_of_session(&mut tx, id.0).await.map_err(failed)?;
            sql::end_logins_of_session(&mut tx, id.0, ms(event.at)).await.map_err(failed)?;
        }
        commit_if(tx, removed, tenant, event).await
    }

    async fn remove_ended(&self, now: Timestamp, idle_since: Timestamp) -> Answer<u64> {
        let mut tx = writing(&self.0).await?;
        let removed = sql::remove_ended_sessions(&mut tx, ms(now), ms(idle_since)).await;
        let removed = removed.map_err(failed)?;
        sql::end_logins_without_session(&mut tx, ms(now)).await.map_err(failed)?;
        commit(tx).await?;
        Ok(removed)
    }
}

#[async_trait]
impl Keys for SqlStore {
    async fn add(&self, key: &ApiKey, event: &Event) -> Answer<()> {
        let mut tx = writing(&self.0).await?;
        let added = sql::add_key(&mut tx, key).await.map_err(failed)?;
        commit_if(tx, added, key.tenant, event).await.map(drop)
    }

    async fn get(&self, id: ApiKeyId) -> Answer<Option<ApiKey>> {
        let mut db = reading(&self.0).await?;
        let row = sql::key(&mut db, id.0).await.map_err(failed)?;
        row.map(ApiKey::try_from).transpose()
    }

    async fn list(&self, tenant: TenantId, owner: Option<UserId>) -> Answer<Vec<ApiKey>> {
        let (mut db, owner) = (reading(&self.0).await?, owner.map(|owner| owner.0));
        all(sql::keys(&mut db, tenant.0, owner).await.map_err(failed)?)
    }

    async fn touch(&self, id: ApiKeyId, at: Timestamp) -> Answer<()> {
        let mut tx = writing(&self.0).await?;
        sql::touch_key(&mut tx, id.0, ms(at)).await.map_err(failed)?;
        commit(tx).await
    }

    async fn remove(
        &self,
        tenant: TenantId,
        owner: Option<UserId>,
        id: ApiKeyId,
        event: &Event,
    ) -> Answer<bool> {
        let (mut tx, owner) = (writing(&self.0).await?, owner.map(|owner| owner.0));
        let removed = sql::remove_key(&mut tx, tenant.0, owner, id.0).await.map_err(failed)?;
        commit_if(tx, removed, tenant, event).await
    }
}
