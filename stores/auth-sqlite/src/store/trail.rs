//! The audit trail.

use async_trait::async_trait;
use jiff::Timestamp;
use openframe_auth::domain::{Checkpoint, Entry, Event, Filter};
use openframe_auth::store::{Answer, Place, StreamState, Trail, Whose};
use openframe_ids::TenantId;

use super::{SqlStore, all, commit, record};
use crate::engine::{failed, reading, writing};
use crate::queries::{self as sql, ms};
use crate::rows::bytes;

#[async_trait]
impl Trail for SqlStore {
    async fn append(&self, tenant: TenantId, event: &Event) -> Answer<()> {
        let mut tx = writing(&self.0).await?;
        record(&mut tx, tenant, event).await?;
        commit(tx).await
    }

    async fn search(
        &self,
        tenant: TenantId,
        filter: &Filter,
        from: Place,
        limit: u32,
    ) -> Answer<Vec<Entry>> {
        let mut db = reading(&self.0).await?;
        all(sql::found(&mut db, tenant.0, filter, from, limit.into()).await.map_err(failed)?)
    }

    async fn span(
        &self,
        tenant: TenantId,
        from_to: (Option<Timestamp>, Option<Timestamp>),
    ) -> Answer<Option<(u64, u64)>> {
        let mut db = reading(&self.0).await?;
        let span = sql::span(&mut db, tenant.0, from_to).await.map_err(failed)?;
        Ok(span
            .first
            .zip(span.last)
            .map(|(first, last)| (first.unsigned_abs(), last.unsigned_abs())))
    }

    async fn after(&self, tenant: TenantId, after: u64, limit: u32) -> Answer<Vec<Entry>> {
        let after = after.try_into().unwrap_or(i64::MAX);
        let mut db = reading(&self.0).await?;
        all(sql::entries_after(&mut db, tenant.0, after, limit.into()).await.map_err(failed)?)
    }

    async fn head(&self, tenant: TenantId) -> Answer<Option<(u64, [u8; 32])>> {
        let mut db = reading(&self.0).await?;
        let head = sql::head(&mut db, tenant.0).await.map_err(failed)?;
        head.map(|head| Ok((head.seq.unsigned_abs(), bytes(&head.hash)?))).transpose()
    }

    async fn add_checkpoint(&self, checkpoint: &Checkpoint, after: Option<u64>) -> Answer<bool> {
        let mut tx = writing(&self.0).await?;
        let last = sql::last_checkpoint(&mut tx, checkpoint.tenant.0).await.map_err(failed)?;
        if last.map(|last| last.seq.unsigned_abs()) != after {
            return Ok(false);
        }
        let seq = checkpoint.seq.try_into().unwrap_or(i64::MAX);
        sql::add_checkpoint(&mut tx, seq, checkpoint).await.map_err(failed)?;
        commit(tx).await?;
        Ok(true)
    }

    async fn checkpoints(
        &self,
        tenant: TenantId,
        after: u64,
        limit: u32,
    ) -> Answer<Vec<Checkpoint>> {
        let after = after.try_into().unwrap_or(i64::MAX);
        let mut db = reading(&self.0).await?;
        all(sql::checkpoints(&mut db, tenant.0, after, limit.into()).await.map_err(failed)?)
    }

    async fn last_checkpoint(&self, tenant: TenantId) -> Answer<Option<Checkpoint>> {
        let mut db = reading(&self.0).await?;
        let row = sql::last_checkpoint(&mut db, tenant.0).await.map_err(failed)?;
        row.map(Checkpoint::try_from).transpose()
    }

    async fn lead_stream(
        &self,
        (tenant, name, own): Whose<'_>,
        now: Timestamp,
        until: Timestamp,
    ) -> Answer<Option<u64>> {
        let (mut tx, whose) = (writing(&self.0).await?, (tenant.0, name, own));
        let led = sql::lead_stream(&mut tx, whose, ms(now), ms(until)).await.map_err(failed)?;
        let streams = sql::streams(&mut tx, tenant.0).await.map_err(failed)?;
        commit(tx).await?;
        let stream = streams.into_iter().find(|it| it.name == name && led > 0);
        Ok(stream.map(|it| it.arrived.unsigned_abs()))
    }

    async fn stream_arrived(
        &self,
        (tenant, name, own): Whose<'_>,
        place: u64,
        now: Timestamp,
    ) -> Answer<bool> {
        let (mut tx, whose) = (writing(&self.0).await?, (tenant.0, name, own));
        let place = place.try_into().unwrap_or(i64::MAX);
        let kept = sql::stream_arrived(&mut tx, whose, place, ms(now)).await.map_err(failed)?;
        commit(tx).await?;
        Ok(kept > 0)
    }

    async fn stream_failed(
        &self,
        (tenant, name, own): Whose<'_>,
        why: &str,
        now: Timestamp,
    ) -> Answer<()> {
        let (mut tx, whose) = (writing(&self.0).await?, (tenant.0, name, own));
        sql::stream_failed(&mut tx, whose, why, ms(now)).await.map_err(failed)?;
        commit(tx).await
    }

    async fn streams(&self, tenant: TenantId) -> Answer<Vec<StreamState>> {
        let mut db = reading(&self.0).await?;
        all(sql::streams(&mut db, tenant.0).await.map_err(failed)?)
    }
}
