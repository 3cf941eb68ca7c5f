//! The promises about invitations, and links that show that an address is read.

use async_trait::async_trait;
use openframe_auth::domain::{Accepted, EmailLink, Event, Invitation, SealedMail, User};
use openframe_auth::store::{Answer, EmailLinks, EmailUsed, Invitations};
use openframe_ids::{TenantId, UserId};
use openframe_tokens::opaque::SecretHash;

use super::{SqlStore, commit_if, end_links, is_taken, provisioning};
use crate::engine::{Connection, failed, reading, writing};
use crate::queries::{self as sql, ms};

async fn put_in(db: &mut Connection, letter: Option<&SealedMail>) -> Answer<()> {
    if let Some(letter) = letter {
        sql::add_mail(db, letter).await.map_err(failed)?;
    }
    Ok(())
}

#[async_trait]
impl Invitations for SqlStore {
    async fn invite(
        &self,
        user: &User,
        invitation: Invitation,
        letter: Option<&SealedMail>,
        event: &Event,
    ) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        let added = sql::add_user(&mut tx, user).await.map_err(failed)?;
        if added > 0 {
            sql::add_invitation(&mut tx, invitation).await.map_err(failed)?;
            put_in(&mut tx, letter).await?;
        }
        commit_if(tx, added, user.tenant, event).await
    }

    async fn invite_again(
        &self,
        tenant: TenantId,
        invitation: Invitation,
        letter: Option<&SealedMail>,
        event: &Event,
    ) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        let made = sql::renew_invitation(&mut tx, tenant.0, invitation).await.map_err(failed)?;
        if made > 0 {
            put_in(&mut tx, letter).await?;
        }
        commit_if(tx, made, tenant, event).await
    }

    async fn invitation(&self, tenant: TenantId, user: UserId) -> Answer<Option<Invitation>> {
        let mut db = reading(&self.0).await?;
        let row = sql::invitation(&mut db, tenant.0, user.0).await.map_err(failed)?;
        row.map(Invitation::try_from).transpose()
    }

    async fn withdraw(&self, tenant: TenantId, user: UserId, event: &Event) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        let removed = sql::remove_invitation(&mut tx, tenant.0, user.0).await.map_err(failed)?;
        if removed > 0 {
            end_links(&mut tx, user).await?;
            provisioning::forget(&mut tx, user).await?;
            sql::remove_user(&mut tx, tenant.0, user.0).await.map_err(failed)?;
        }
        commit_if(tx, removed, tenant, event).await
    }

    async fn accept(
        &self,
        (tenant, id): (TenantId, UserId),
        secret: SecretHash,
        accepted: &Accepted,
        event: &Event,
    ) -> Answer<Option<User>> {
        let mut tx = writing(&self.0).await?;
        let (whose, shown) = ((tenant.0, id.0), (secret.0.as_slice(), ms(event.at)));
        let set = sql::accept_invitation(&mut tx, whose, shown, accepted).await.map_err(failed)?;
        if set == 0 {
            return Ok(None);
        }
        sql::remove_invitation(&mut tx, tenant.0, id.0).await.map_err(failed)?;
        let row = sql::user(&mut tx, tenant.0, id.0).await.map_err(failed)?;
        commit_if(tx, set, tenant, event).await?;
        row.map(User::try_from).transpose()
    }
}

#[async_trait]
impl EmailLinks for SqlStore {
    async fn add_email_link(
        &self,
        tenant: TenantId,
        link: &EmailLink,
        letter: &SealedMail,
        event: &Event,
    ) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        let added = sql::add_email_link(&mut tx, tenant.0, link).await.map_err(failed)?;
        if added > 0 {
            put_in(&mut tx, Some(letter)).await?;
        }
        commit_if(tx, added, tenant, event).await
    }

    async fn use_email_link(
        &self,
        (tenant, id): (TenantId, UserId),
        secret: SecretHash,
        event: &Event,
    ) -> Answer<EmailUsed> {
        let mut tx = writing(&self.0).await?;
        let shown = (secret.0.as_slice(), ms(event.at));
        let before = sql::user(&mut tx, tenant.0, id.0).await.map_err(failed)?;
        let email = sql::email_of_link(&mut tx, id.0, shown).await.map_err(failed)?;
        let (Some(before), Some(email)) = (before, email) else { return Ok(EmailUsed::NotGood) };
        if is_taken(&mut tx, (tenant, &email), id).await? {
            return Ok(EmailUsed::Taken);
        }
        let whose = (tenant.0, id.0);
        let set = sql::use_email_link(&mut tx, whose, shown, &email).await.map_err(failed)?;
        if set == 0 {
            return Ok(EmailUsed::NotGood);
        }
        end_links(&mut tx, id).await?;
        let before = User::try_from(before)?;
        commit_if(tx, set, tenant, event).await?;
        let now = User { email, email_verified: true, ..before.clone() };
        Ok(EmailUsed::Done(Box::new((before, now))))
    }
}
