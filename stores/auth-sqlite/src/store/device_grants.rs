//! The promises about programs that wait for a person's answer.

use async_trait::async_trait;
use jiff::Timestamp;
use openframe_auth::domain::{DEVICE_CODE_MISSES, Event};
use openframe_auth::store::{Answer, DeviceGrants, Typed};
use openframe_ids::{FamilyId, UserId};
use openframe_oauth::{DeviceGrant, Family};
use openframe_tokens::opaque::SecretHash;

use super::oauth::add_held;
use super::{SqlStore, commit, commit_if};
use crate::engine::{changing, failed, reading, writing};
use crate::queries::{self as sql, ms};

#[async_trait]
impl DeviceGrants for SqlStore {
    async fn add(&self, grant: &DeviceGrant, event: &Event) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        let added = sql::add_device_grant(&mut tx, grant).await.map_err(failed)?;
        commit_if(tx, added, grant.tenant, event).await
    }

    async fn get(&self, id: FamilyId) -> Answer<Option<DeviceGrant>> {
        let mut db = reading(&self.0).await?;
        let row = sql::device_grant(&mut db, id.0).await.map_err(failed)?;
        row.map(DeviceGrant::try_from).transpose()
    }

    async fn typed(
        &self,
        who: UserId,
        code: Option<SecretHash>,
        (since, now): (Timestamp, Timestamp),
    ) -> Answer<Typed> {
        let mut tx = writing(&self.0).await?;
        let misses = sql::count_misses(&mut tx, who.0, ms(since)).await.map_err(failed)?;
        if usize::try_from(misses).unwrap_or(usize::MAX) >= DEVICE_CODE_MISSES {
            return Ok(Typed::TooMany);
        }
        if let Some(code) = code {
            let row = sql::device_grant_of(&mut tx, &code.0, ms(now)).await.map_err(failed)?;
            if let Some(row) = row {
                return Ok(Typed::Right(Box::new(row.try_into()?)));
            }
        }
        // Any name will do that no other miss has.
        sql::add_miss(&mut tx, FamilyId::new().0, who.0, ms(now)).await.map_err(failed)?;
        commit(tx).await?;
        Ok(Typed::Wrong)
    }

    async fn polled(&self, next: &DeviceGrant) -> Answer<()> {
        let mut db = changing(&self.0).await?;
        sql::poll_device_grant(&mut db, next).await.map_err(failed)?;
        Ok(())
    }

    async fn deny(&self, id: FamilyId, event: &Event) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        let Some(row) = sql::device_grant(&mut tx, id.0).await.map_err(failed)? else {
            return Ok(false);
        };
        let tenant = DeviceGrant::try_from(row)?.tenant;
        let denied = sql::deny_device_grant(&mut tx, id.0, ms(event.at)).await.map_err(failed)?;
        commit_if(tx, denied, tenant, event).await
    }

    async fn allow(&self, family: &Family, event: &Event) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        let ended = sql::end_device_grant(&mut tx, family, ms(event.at)).await.map_err(failed)?;
        let Some(holder) = family.holder else { return Ok(false) };
        if ended == 0 || !add_held(&mut tx, family, holder).await? {
            return Ok(false);
        }
        commit_if(tx, ended, family.tenant, event).await
    }

    async fn forget(&self, before: Timestamp) -> Answer<()> {
        let mut tx = writing(&self.0).await?;
        sql::forget_device_grants(&mut tx, ms(before)).await.map_err(failed)?;
        commit(tx).await
    }
}
