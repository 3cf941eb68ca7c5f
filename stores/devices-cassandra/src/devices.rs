//! Records of devices.

use async_trait::async_trait;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use openframe_cassandra::Failure;
use openframe_devices::Error;
use openframe_devices::domain::{self, Device, Hello};
use openframe_devices::store::{Devices, LastSeen, Whose};
use openframe_ids::{DeviceId, TenantId};
use openframe_tokens::Place;
use uuid::Uuid;

use crate::turn::Change;
use crate::{CassandraStore, failed, record};

/// Devices that are read or written for one request at the same time.
const AT_ONCE: usize = 32;
/// How often a page of all devices is asked for. Unlike a device's, its replicas are not asked again
/// elsewhere by the server: until a node's death is noticed, questions that need it end by time.
const SCAN_TRIES: u32 = 4;

impl CassandraStore {
    async fn note_seen(&self, seen: LastSeen) -> Result<(), Error> {
        let mut turn = self.turn(seen.whose).await;
        loop {
            let partition = turn.look().await?;
            let Some(mut device) = partition.device.clone() else { return Ok(()) };
            if !device.seen(seen.at, seen.goodbye) {
                return Ok(());
            }
            let change = Change { device: Some(device), ..Change::default() };
            if turn.write(&partition, change).await? {
                return Ok(());
            }
        }
    }
}

#[async_trait]
impl Devices for CassandraStore {
    async fn connect(
        &self,
        whose: Whose,
        first: (&Hello, &Place),
        now: Timestamp,
    ) -> Result<Option<Device>, Error> {
        let mut turn = self.turn(whose).await;
        loop {
            let partition = turn.look().await?;
            if partition.retired {
                return Ok(None);
            }
            let device = Device::connected(partition.device.clone(), whose, first, now);
            let change = Change { device: Some(device.clone()), ..Change::default() };
            if turn.write(&partition, change).await? {
                return Ok(Some(device));
            }
        }
    }

    async fn change(&self, whose: Whose, change: &domain::Change) -> Result<Option<Device>, Error> {
        let mut turn = self.turn(whose).await;
        loop {
            let partition = turn.look().await?;
            let Some(device) = partition.device.clone() else { return Ok(None) };
            let device = device.changed(change);
            let change = Change { device: Some(device.clone()), ..Change::default() };
            if turn.write(&partition, change).await? {
                return Ok(Some(device));
            }
        }
    }

    // What is left behind names only commands that are not there: `command_device`, `due` and
    // `used_key` are checked against them.
    async fn retire(&self, whose: Whose) -> Result<bool, Error> {
        let mut turn = self.turn(whose).await;
        loop {
            let partition = turn.look().await?;
            if partition.device.is_none() {
                return Ok(false);
            }
            let change = Change { retire: true, ..Change::default() };
            if turn.write(&partition, change).await? {
                return Ok(true);
            }
        }
    }

    async fn seen(&self, seen: &[LastSeen]) -> Result<(), Error> {
        let notes = stream::iter(seen.to_vec()).map(|seen| self.note_seen(seen));
        notes.buffer_unordered(AT_ONCE).try_collect().await
    }

    async fn get(&self, tenant: TenantId, ids: &[DeviceId]) -> Result<Vec<Device>, Error> {
        let reads = stream::iter(ids.to_vec()).map(|id| self.partition((tenant, id)));
        let found: Vec<_> = reads.buffered(AT_ONCE).try_collect().await?;
        Ok(found.into_iter().filter_map(|partition| partition.device).collect())
    }

    async fn all(&self, after: Option<Whose>, limit: u32) -> Result<Vec<Device>, Error> {
        let (mut after, mut found) = (after, Vec::new());
        while found.len() < limit as usize {
            let rows = self.records(after, limit).await?;
            let last = rows.len() < limit as usize;
            for (tenant, device, text) in rows {
                if found.len() == limit as usize {
                    return Ok(found);
                }
                after = Some((TenantId(tenant), DeviceId(device)));
                // A retired device keeps its partition.
                found.extend(text.map(|text| record::device(&text)).transpose()?);
            }
            if last {
                break;
            }
        }
        Ok(found)
    }
}

type RecordRow = (Uuid, Uuid, Option<String>);

impl CassandraStore {
    async fn records(&self, after: Option<Whose>, limit: u32) -> Result<Vec<RecordRow>, Error> {
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        let (database, statements) = (&self.0.database, &self.0.statements);
        let mut tries = 0;
        loop {
            let rows = match after {
                None => database.rows(&statements.partitions.first, (limit,)).await,
                Some((tenant, device)) => {
                    database.rows(&statements.partitions.all, (tenant.0, device.0, limit)).await
                }
            };
            tries += 1;
            match rows {
                Err(Failure::Unavailable(_)) if tries < SCAN_TRIES => {}
                rows => return rows.map_err(failed),
            }
        }
    }
}
