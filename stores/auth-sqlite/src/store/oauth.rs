//! The promises about clients, token families and signing keys.

use async_trait::async_trait;
use jiff::Timestamp;
use openframe_auth::domain::{Consent, Event, LogoutNotice, SealedKey};
use openframe_auth::store::{Answer, Clients, Families, Logouts, SigningKeys};
use openframe_ids::{ClientId, FamilyId, TenantId, UserId};
use openframe_oauth::family::Holder;
use openframe_oauth::{Client, Family, Scopes, scope};

use super::{SqlStore, all, commit, commit_if, record};
use crate::engine::{Connection, changing, failed, reading, writing};
use crate::queries::{self as sql, ms};

#[async_trait]
impl Clients for SqlStore {
    async fn add(&self, client: &Client, event: &Event) -> Answer<()> {
        let mut tx = writing(&self.0).await?;
        let added = sql::add_client(&mut tx, client).await.map_err(failed)?;
        commit_if(tx, added, client.tenant, event).await.map(drop)
    }

    async fn get(&self, id: ClientId) -> Answer<Option<Client>> {
        let mut db = reading(&self.0).await?;
        let row = sql::client(&mut db, id.0).await.map_err(failed)?;
        row.map(Client::try_from).transpose()
    }

    async fn list(&self, tenant: TenantId) -> Answer<Vec<Client>> {
        let mut db = reading(&self.0).await?;
        all(sql::clients(&mut db, tenant.0).await.map_err(failed)?)
    }

    async fn remove(&self, tenant: TenantId, id: ClientId, event: &Event) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        let removed = sql::remove_client(&mut tx, tenant.0, id.0).await.map_err(failed)?;
        commit_if(tx, removed, tenant, event).await
    }
}

/// What a person has allowed a client, those scopes and those before; and the sign-in to it.
async fn remember(db: &mut Connection, family: &Family, holder: Holder) -> Answer<()> {
    let (user, client) = (holder.user.0, family.client.0);
    let row = sql::consent(db, user, client).await.map_err(failed)?;
    let before = row.map(Consent::try_from).transpose()?.map(|consent| consent.scopes);
    let scopes = family.scopes.and(&before.unwrap_or_default()).to_string();
    let whose = (family.tenant.0, user, client);
    sql::set_consent(db, whose, &scopes, ms(family.created)).await.map_err(failed)?;
    if family.scopes.has(scope::OPENID) {
        sql::add_login(db, whose, holder.session.0).await.map_err(failed)?;
    }
    Ok(())
}

/// Adds a family that a person has allowed, if its session and its client are there.
pub(super) async fn add_held(db: &mut Connection, family: &Family, holder: Holder) -> Answer<bool> {
    let session = sql::session(db, holder.session.0).await.map_err(failed)?;
    if session.is_none() || sql::add_family(db, family).await.map_err(failed)? == 0 {
        return Ok(false);
    }
    remember(db, family, holder).await?;
    Ok(true)
}

#[async_trait]
impl Families for SqlStore {
    async fn add(&self, family: &Family, event: Option<&Event>) -> Answer<bool> {
        let Some(holder) = family.holder else {
            // One statement: a client that acts for itself does not wait for anybody.
            let mut db = changing(&self.0).await?;
            return Ok(sql::add_family(&mut db, family).await.map_err(failed)? > 0);
        };
        let mut tx = writing(&self.0).await?;
        if !add_held(&mut tx, family, holder).await? {
            return Ok(false);
        }
        if let Some(event) = event {
            record(&mut tx, family.tenant, event).await?;
        }
        commit(tx).await?;
        Ok(true)
    }

    async fn get(&self, id: FamilyId) -> Answer<Option<Family>> {
        let mut db = reading(&self.0).await?;
        let row = sql::family(&mut db, id.0).await.map_err(failed)?;
        row.map(Family::try_from).transpose()
    }

    async fn replace(&self, next: &Family, event: Option<&Event>) -> Answer<bool> {
        let Some(event) = event else {
            // One statement and one commit: the hot path of refreshes.
            let mut db = changing(&self.0).await?;
            return Ok(sql::replace_family(&mut db, next).await.map_err(failed)? > 0);
        };
        let mut tx = writing(&self.0).await?;
        let replaced = sql::replace_family(&mut tx, next).await.map_err(failed)?;
        commit_if(tx, replaced, next.tenant, event).await
    }

    async fn end(&self, tenant: TenantId, id: FamilyId, event: &Event) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        let ended = sql::end_family(&mut tx, tenant.0, id.0).await.map_err(failed)?;
        commit_if(tx, ended, tenant, event).await
    }

    async fn allowed(&self, user: UserId, client: ClientId) -> Answer<Scopes> {
        let mut db = reading(&self.0).await?;
        let row = sql::consent(&mut db, user.0, client.0).await.map_err(failed)?;
        let consent = row.map(Consent::try_from).transpose()?;
        Ok(consent.map(|consent| consent.scopes).unwrap_or_default())
    }

    async fn consents(&self, tenant: TenantId, user: UserId) -> Answer<Vec<Consent>> {
        let mut db = reading(&self.0).await?;
        all(sql::consents(&mut db, tenant.0, user.0).await.map_err(failed)?)
    }

    async fn withdraw(
        &self,
        tenant: TenantId,
        user: UserId,
        client: ClientId,
        event: &Event,
    ) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        let whose = (tenant.0, user.0, client.0);
        let withdrawn = sql::withdraw(&mut tx, whose).await.map_err(failed)?;
        commit_if(tx, withdrawn, tenant, event).await
    }

    async fn forget_ended(&self, now: Timestamp) -> Answer<()> {
        let mut db = changing(&self.0).await?;
        sql::forget_ended_families(&mut db, ms(now)).await.map_err(failed)?;
        Ok(())
    }
}

#[async_trait]
impl Logouts for SqlStore {
    async fn take(&self, now: Timestamp, until: Timestamp, most: u32) -> Answer<Vec<LogoutNotice>> {
        // Most often there is nothing: then nobody who writes waits for it.
        let mut db = reading(&self.0).await?;
        let none = sql::due_logins(&mut db, ms(now), 1).await.map_err(failed)?.is_empty();
        drop(db);
        if none {
            return Ok(Vec::new());
        }
        let mut tx = writing(&self.0).await?;
        let due = sql::due_logins(&mut tx, ms(now), most.into()).await.map_err(failed)?;
        for row in &due {
            sql::take_login(&mut tx, row, ms(until)).await.map_err(failed)?;
        }
        commit(tx).await?;
        all(due)
    }

    async fn put_off(&self, notice: &LogoutNotice, until: Option<Timestamp>) -> Answer<bool> {
        let mut db = changing(&self.0).await?;
        let done = match until {
            Some(until) => sql::put_off_login(&mut db, notice, ms(until)).await,
            None => sql::forget_login(&mut db, notice).await,
        };
        Ok(done.map_err(failed)? > 0)
    }
}

#[async_trait]
impl SigningKeys for SqlStore {
    async fn keys(&self) -> Answer<Vec<SealedKey>> {
        let mut db = reading(&self.0).await?;
        all(sql::signing_keys(&mut db).await.map_err(failed)?)
    }

    async fn add_key(&self, key: &SealedKey, unless_since: Timestamp) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        let added = sql::add_signing_key(&mut tx, key, ms(unless_since)).await.map_err(failed)?;
        commit(tx).await?;
        Ok(added > 0)
    }

    async fn rotate(
        &self,
        tenant: TenantId,
        key: &SealedKey,
        alone: bool,
        event: &Event,
    ) -> Answer<()> {
        let mut tx = writing(&self.0).await?;
        if alone {
            sql::forget_signing_keys(&mut tx, i64::MAX).await.map_err(failed)?;
        }
        let added = sql::add_signing_key(&mut tx, key, i64::MAX).await.map_err(failed)?;
        commit_if(tx, added, tenant, event).await.map(drop)
    }

    async fn forget_keys(&self, since: Timestamp) -> Answer<()> {
        let mut db = changing(&self.0).await?;
        sql::forget_signing_keys(&mut db, ms(since)).await.map_err(failed)?;
        Ok(())
    }
}
