//! The audit trail.

use std::ops::RangeInclusive;

use async_trait::async_trait;
use jiff::Timestamp;
use openframe_ids::TenantId;

use super::{MemoryStore, Stream};
use crate::domain::{Checkpoint, Entry, Event, Filter, within};
use crate::store::{Answer, Place, StreamState, Trail, Whose};

#[async_trait]
impl Trail for MemoryStore {
    async fn append(&self, tenant: TenantId, event: &Event) -> Answer<()> {
        self.lock().record(tenant, event);
        Ok(())
    }

    async fn search(
        &self,
        tenant: TenantId,
        filter: &Filter,
        from: Place,
        limit: u32,
    ) -> Answer<Vec<Entry>> {
        let (all, limit) = (self.lock(), limit as usize);
        let found = all.trails.get(&tenant).into_iter().flatten().filter(|it| filter.finds(it));
        Ok(match from {
            Place::Before(seq) => {
                found.rev().filter(|it| it.seq < seq).take(limit).cloned().collect()
            }
            Place::After(seq) => found.filter(|it| it.seq > seq).take(limit).cloned().collect(),
        })
    }

    async fn span(
        &self,
        tenant: TenantId,
        from_to: (Option<Timestamp>, Option<Timestamp>),
    ) -> Answer<Option<(u64, u64)>> {
        let all = self.lock();
        let entries = all.trails.get(&tenant).into_iter().flatten();
        let mut found = entries.filter(|entry| within(from_to, entry.event.at));
        let first = found.next().map(|entry| entry.seq);
        Ok(first.map(|first| (first, found.next_back().map_or(first, |last| last.seq))))
    }

    async fn after(&self, tenant: TenantId, after: u64, limit: u32) -> Answer<Vec<Entry>> {
        let all = self.lock();
        let entries = all.trails.get(&tenant).into_iter().flatten();
        Ok(entries.filter(|entry| entry.seq > after).take(limit as usize).cloned().collect())
    }

    async fn head(&self, tenant: TenantId) -> Answer<Option<(u64, [u8; 32])>> {
        let all = self.lock();
        let last = all.trails.get(&tenant).and_then(|trail| trail.last());
        Ok(last.map(|entry| (entry.seq, entry.hash)))
    }

    async fn add_checkpoint(&self, checkpoint: &Checkpoint, after: Option<u64>) -> Answer<bool> {
        let mut all = self.lock();
        let mut kept = all.checkpoints.range(of(checkpoint.tenant, 0));
        if kept.next_back().map(|(_, last)| last.seq) != after {
            return Ok(false);
        }
        all.checkpoints.insert((checkpoint.tenant, checkpoint.seq), checkpoint.clone());
        Ok(true)
    }

    async fn checkpoints(
        &self,
        tenant: TenantId,
        after: u64,
        limit: u32,
    ) -> Answer<Vec<Checkpoint>> {
        let all = self.lock();
        let kept = all.checkpoints.range(of(tenant, after.saturating_add(1)));
        Ok(kept.map(|(_, it)| it.clone()).take(limit as usize).collect())
    }

    async fn last_checkpoint(&self, tenant: TenantId) -> Answer<Option<Checkpoint>> {
        let all = self.lock();
        Ok(all.checkpoints.range(of(tenant, 0)).next_back().map(|(_, it)| it.clone()))
    }

    async fn lead_stream(
        &self,
        (tenant, name, own): Whose<'_>,
        now: Timestamp,
        until: Timestamp,
    ) -> Answer<Option<u64>> {
        let mut all = self.lock();
        let stream = all.streams.entry((tenant, name.to_owned())).or_insert_with(|| {
            let name = name.to_owned();
            let (arrived_at, error, failing_since) = Default::default();
            let state = StreamState { name, arrived: 0, arrived_at, error, failing_since };
            Stream { holder: own, until: now, state }
        });
        if stream.holder != own && stream.until > now {
            return Ok(None);
        }
        (stream.holder, stream.until) = (own, until);
        Ok(Some(stream.state.arrived))
    }

    async fn stream_arrived(
        &self,
        (tenant, name, own): Whose<'_>,
        place: u64,
        now: Timestamp,
    ) -> Answer<bool> {
        let mut all = self.lock();
        let stream = all.streams.get_mut(&(tenant, name.to_owned()));
        let Some(stream) = stream.filter(|it| it.holder == own) else { return Ok(false) };
        let (name, error) = (name.to_owned(), String::new());
        stream.state =
            StreamState { name, arrived: place, arrived_at: Some(now), error, failing_since: None };
        Ok(true)
    }

    async fn stream_failed(
        &self,
        (tenant, name, own): Whose<'_>,
        why: &str,
        now: Timestamp,
    ) -> Answer<()> {
        let mut all = self.lock();
        let stream = all.streams.get_mut(&(tenant, name.to_owned()));
        if let Some(stream) = stream.filter(|it| it.holder == own) {
            why.clone_into(&mut stream.state.error);
            stream.state.failing_since.get_or_insert(now);
        }
        Ok(())
    }

    async fn streams(&self, tenant: TenantId) -> Answer<Vec<StreamState>> {
        let all = self.lock();
        let own = all.streams.iter().filter(|((of, _), _)| *of == tenant);
        Ok(own.map(|(_, stream)| stream.state.clone()).collect())
    }
}

/// The keys of a tenant's checkpoints from a place on.
fn of(tenant: TenantId, from: u64) -> RangeInclusive<(TenantId, u64)> {
    (tenant, from)..=(tenant, u64::MAX)
}
