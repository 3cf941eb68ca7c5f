//! The promises about other providers that people may sign in at.

use async_trait::async_trait;
use openframe_auth::domain::{Event, IdentityProvider, UpstreamLink, User};
use openframe_auth::store::{Answer, IdentityProviders, Known, LinkKept, ProviderKept};
use openframe_ids::{IdentityProviderId, TenantId, UserId};

use super::{SqlStore, all, commit_if};
use crate::engine::{Connection, failed, reading, writing};
use crate::queries::{self as sql, ms};

/// Whether a person is known so, and let in; who is to be made is made, and who is invited joins.
async fn is_known(
    db: &mut Connection,
    link: &UpstreamLink,
    known: Known<'_>,
    event: &Event,
) -> Answer<bool> {
    let whose = (link.tenant.0, link.user.0);
    match known {
        Known::ByAddress(email) => {
            let row = sql::user(db, whose.0, whose.1).await.map_err(failed)?;
            Ok(row.is_some_and(|it| it.email == email && it.email_verified && !it.disabled))
        }
        Known::Invited(email, name) => {
            let joined = sql::join_by_address(db, whose, (email, name), ms(event.at)).await;
            if joined.map_err(failed)? == 0 {
                return Ok(false);
            }
            sql::remove_invitation(db, whose.0, whose.1).await.map_err(failed)?;
            Ok(true)
        }
        Known::New(user) => Ok(sql::add_user(db, user).await.map_err(failed)? > 0),
    }
}

#[async_trait]
impl IdentityProviders for SqlStore {
    async fn add(&self, provider: &IdentityProvider, event: &Event) -> Answer<ProviderKept> {
        let mut tx = writing(&self.0).await?;
        let has = sql::count_providers(&mut tx, provider.tenant.0).await.map_err(failed)?;
        if usize::try_from(has).unwrap_or(usize::MAX) >= IdentityProvider::MOST {
            return Ok(ProviderKept::TooMany);
        }
        let added = sql::add_provider(&mut tx, provider).await.map_err(failed)?;
        let done = commit_if(tx, added, provider.tenant, event).await?;
        Ok(if done { ProviderKept::Done } else { ProviderKept::Taken })
    }

    async fn get(
        &self,
        tenant: TenantId,
        id: IdentityProviderId,
    ) -> Answer<Option<IdentityProvider>> {
        let mut db = reading(&self.0).await?;
        let row = sql::provider(&mut db, tenant.0, id.0).await.map_err(failed)?;
        row.map(IdentityProvider::try_from).transpose()
    }

    async fn list(&self, tenant: TenantId) -> Answer<Vec<IdentityProvider>> {
        let mut db = reading(&self.0).await?;
        all(sql::providers(&mut db, tenant.0).await.map_err(failed)?)
    }

    async fn change(&self, provider: &IdentityProvider, event: &Event) -> Answer<ProviderKept> {
        let (tenant, id) = (provider.tenant, provider.id);
        let mut tx = writing(&self.0).await?;
        if sql::provider(&mut tx, tenant.0, id.0).await.map_err(failed)?.is_none() {
            return Ok(ProviderKept::Missing);
        }
        let changed = sql::change_provider(&mut tx, provider).await.map_err(failed)?;
        let done = commit_if(tx, changed, tenant, event).await?;
        Ok(if done { ProviderKept::Done } else { ProviderKept::Taken })
    }

    async fn remove(
        &self,
        tenant: TenantId,
        id: IdentityProviderId,
        event: &Event,
    ) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        let removed = sql::remove_provider(&mut tx, tenant.0, id.0).await.map_err(failed)?;
        commit_if(tx, removed, tenant, event).await
    }

    async fn linked(
        &self,
        tenant: TenantId,
        provider: IdentityProviderId,
        subject: &str,
    ) -> Answer<Option<UserId>> {
        let mut db = reading(&self.0).await?;
        let user = sql::linked(&mut db, (tenant.0, provider.0), subject).await.map_err(failed)?;
        Ok(user.map(UserId))
    }

    async fn link(&self, link: &UpstreamLink, known: Known<'_>, event: &Event) -> Answer<LinkKept> {
        let tenant = link.tenant;
        let mut tx = writing(&self.0).await?;
        let kept = sql::provider(&mut tx, tenant.0, link.provider.0).await.map_err(failed)?;
        if kept.is_none_or(|it| !it.enabled) || !is_known(&mut tx, link, known, event).await? {
            return Ok(LinkKept::NotGood);
        }
        // What was done is undone where the name or the person is linked: nothing is committed then.
        let added = sql::add_link(&mut tx, link).await.map_err(failed)?;
        if added == 0 {
            return Ok(LinkKept::Taken);
        }
        let row = sql::user(&mut tx, tenant.0, link.user.0).await.map_err(failed)?;
        let Some(user) = row.map(User::try_from).transpose()? else {
            return Ok(LinkKept::NotGood);
        };
        commit_if(tx, added, tenant, event).await?;
        Ok(LinkKept::Done(Box::new(user)))
    }
}
