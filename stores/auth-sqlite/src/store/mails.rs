//! The promises about mail that waits to be sent.

use async_trait::async_trait;
use jiff::Timestamp;
use openframe_auth::domain::{Event, PasswordLink, SealedMail};
use openframe_auth::store::{Answer, Mails, Turn};
use openframe_ids::TenantId;
use uuid::Uuid;

use super::{SqlStore, commit, commit_if, record};
use crate::engine::{changing, failed, reading, writing};
use crate::queries::{self as sql, ms};

#[async_trait]
impl Mails for SqlStore {
    async fn add(&self, mail: &SealedMail, event: Option<&Event>) -> Answer<()> {
        let mut tx = writing(&self.0).await?;
        sql::add_mail(&mut tx, mail).await.map_err(failed)?;
        if let Some(event) = event {
            record(&mut tx, mail.tenant, event).await?;
        }
        commit(tx).await
    }

    async fn take(
        &self,
        tenant: TenantId,
        replica: Uuid,
        (now, until): (Timestamp, Timestamp),
    ) -> Answer<Option<SealedMail>> {
        let mut db = reading(&self.0).await?;
        if sql::count_due_mails(&mut db, tenant.0, ms(now)).await.map_err(failed)? == 0 {
            return Ok(None);
        }
        drop(db);
        let mut db = changing(&self.0).await?;
        let times = (ms(now), ms(until));
        let row = sql::take_mail(&mut db, (tenant.0, replica), times).await.map_err(failed)?;
        row.map(SealedMail::try_from).transpose()
    }

    async fn put_off(&self, turn: Turn, due: Timestamp) -> Answer<bool> {
        let mut db = changing(&self.0).await?;
        Ok(sql::put_mail_off(&mut db, turn, ms(due)).await.map_err(failed)? > 0)
    }

    async fn remove(&self, turn: Turn, tenant: TenantId, event: Option<&Event>) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        let removed = sql::remove_mail(&mut tx, turn).await.map_err(failed)?;
        if removed == 0 {
            return Ok(false);
        }
        if let Some(event) = event {
            record(&mut tx, tenant, event).await?;
        }
        commit(tx).await?;
        Ok(true)
    }

    async fn answer_wish(
        &self,
        turn: Turn,
        link: PasswordLink,
        letter: &SealedMail,
        event: &Event,
    ) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        let added = sql::add_password_link(&mut tx, letter.tenant.0, link).await.map_err(failed)?;
        let removed = sql::remove_mail(&mut tx, turn).await.map_err(failed)?;
        // What was done is undone where the rest is not: nothing is committed then.
        if removed == 0 {
            return Ok(false);
        }
        sql::add_mail(&mut tx, letter).await.map_err(failed)?;
        commit_if(tx, added, letter.tenant, event).await
    }
}
