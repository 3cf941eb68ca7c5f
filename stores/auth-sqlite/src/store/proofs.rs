//! The promises about requests that were pushed ahead of a browser, and about what is good once.

use async_trait::async_trait;
use jiff::Timestamp;
use openframe_auth::store::{Answer, OneTimes, PushedRequests};
use openframe_ids::PushedId;
use openframe_oauth::{OPENED_LIFETIME, OneTime, Pushed};
use openframe_tokens::opaque::Presented;

use super::SqlStore;
use crate::engine::{changing, failed, reading};
use crate::queries::{self as sql, ms};

#[async_trait]
impl PushedRequests for SqlStore {
    async fn add(&self, pushed: &Pushed) -> Answer<bool> {
        let mut db = changing(&self.0).await?;
        Ok(sql::add_pushed(&mut db, pushed).await.map_err(failed)? > 0)
    }

    async fn open(&self, shown: &Presented, now: Timestamp) -> Answer<Option<Pushed>> {
        let (named, until) = ((shown.id, shown.hash.0.as_slice()), now + OPENED_LIFETIME);
        let mut db = changing(&self.0).await?;
        sql::open_pushed(&mut db, named, (ms(now), ms(until))).await.map_err(failed)?;
        drop(db);
        let mut db = reading(&self.0).await?;
        let row = sql::pushed(&mut db, named, ms(now)).await.map_err(failed)?;
        row.map(Pushed::try_from).transpose()
    }

    async fn close(&self, id: PushedId) -> Answer<bool> {
        let mut db = changing(&self.0).await?;
        Ok(sql::remove_pushed(&mut db, id.0).await.map_err(failed)? > 0)
    }

    async fn forget(&self, now: Timestamp) -> Answer<()> {
        let mut db = changing(&self.0).await?;
        sql::forget_pushed(&mut db, ms(now)).await.map_err(failed)?;
        Ok(())
    }
}

#[async_trait]
impl OneTimes for SqlStore {
    async fn spend(&self, it: &OneTime) -> Answer<bool> {
        let mut db = changing(&self.0).await?;
        Ok(sql::spend(&mut db, it).await.map_err(failed)? > 0)
    }

    async fn forget(&self, now: Timestamp) -> Answer<()> {
        let mut db = changing(&self.0).await?;
        sql::forget_spent(&mut db, ms(now)).await.map_err(failed)?;
        Ok(())
    }
}
