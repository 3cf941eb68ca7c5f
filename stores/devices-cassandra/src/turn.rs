//! How a device's partition is changed: read it, decide, and write all of the change if the partition
//! has still the version that was read.

use std::collections::BTreeSet;
use std::iter;

use openframe_cassandra::Failure;
use openframe_devices::Error;
use openframe_devices::domain::Device;
use openframe_devices::store::Whose;
use openframe_fault::BoxError;
use openframe_ids::CommandId;
use scylla::serialize::row::SerializeRow;
use scylla::statement::batch::{Batch, BatchType};
use scylla::value::MaybeUnset;
use tokio::sync::SemaphorePermit;
use uuid::Uuid;

use crate::record::{self, DeviceRecord};
use crate::{CassandraStore, PLACES, failed};

/// How often a change that others outran is tried at most.
const TRIES: u32 = 64;
/// How many writers a partition remembers.
const WRITERS: usize = 16;
/// How often a writer that was not answered asks what came of its change.
pub(crate) const QUESTIONS: u32 = 3;

/// A device as it stood, and the version of its partition.
#[derive(Debug, Clone, Default)]
pub(crate) struct Partition {
    version: Option<i64>,
    /// Who wrote it last, newest first.
    writers: Vec<Uuid>,
    /// None: not there, or retired.
    pub(crate) device: Option<Device>,
    pub(crate) retired: bool,
    /// Ids of commands that have not finished.
    pub(crate) unfinished: BTreeSet<CommandId>,
}

/// The key of a row within its partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) position: i64,
}

impl Key {
    /// The only row of `name`.
    pub(crate) fn of(kind: &'static str, name: String) -> Self {
        Self { kind, name, position: 0 }
    }
}

/// A row to be written.
#[derive(Debug, Default)]
pub(crate) struct Values {
    pub(crate) body: Option<String>,
    pub(crate) data: Option<Vec<u8>>,
    pub(crate) hash: Option<Vec<u8>>,
    pub(crate) reported_at_ms: Option<i64>,
    pub(crate) bytes: Option<i64>,
}

/// One change of a partition. What it does not name stays.
#[derive(Debug, Default)]
pub(crate) struct Change {
    pub(crate) device: Option<Device>,
    pub(crate) unfinished: Option<BTreeSet<CommandId>>,
    pub(crate) puts: Vec<(Key, Values)>,
    pub(crate) removes: Vec<Key>,
    /// Everything goes, for ever.
    pub(crate) retire: bool,
}

/// The right to change one device: of this process' tasks, one has it at a time.
pub(crate) struct Turn<'a> {
    store: &'a CassandraStore,
    whose: Whose,
    tries: u32,
    _place: Option<SemaphorePermit<'a>>,
}

impl CassandraStore {
    /// Waits for the right to change a device. Nobody may wait for a second one.
    pub(crate) async fn turn(&self, whose: Whose) -> Turn<'_> {
        let number = usize::try_from(whose.1.0.as_u128() % PLACES as u128).unwrap_or(0);
        let place = match self.0.places.get(number) {
            // It is never closed.
            Some(place) => place.acquire().await.ok(),
            None => None,
        };
        Turn { store: self, whose, tries: 0, _place: place }
    }

    /// A device as it stands.
    pub(crate) async fn partition(&self, whose: Whose) -> Result<Partition, Error> {
        self.read_partition(whose, false).await.map_err(failed)?
    }

    async fn read_partition(
        &self,
        whose: Whose,
        settle: bool,
    ) -> Result<Result<Partition, Error>, Failure> {
        let statements = &self.0.statements;
        let question =
            if settle { &statements.partitions.settle } else { &statements.partitions.partition };
        let rows = self.0.database.rows::<PartitionRow>(question, (whose.0.0, whose.1.0)).await?;
        let Some((version, writers, record, retired, unfinished)) = rows.into_iter().next() else {
            return Ok(Ok(Partition::default()));
        };
        let device = record.map(|record| record::device(&record)).transpose();
        Ok(device.map(|device| Partition {
            version,
            writers: writers.unwrap_or_default(),
            device,
            retired: retired.unwrap_or_default(),
            unfinished: unfinished.unwrap_or_default().into_iter().map(CommandId).collect(),
        }))
    }
}

type PartitionRow =
    (Option<i64>, Option<Vec<Uuid>>, Option<String>, Option<bool>, Option<BTreeSet<Uuid>>);

impl Turn<'_> {
    /// The device as it stands now. Fails when others outran this change too often.
    pub(crate) async fn look(&mut self) -> Result<Partition, Error> {
        if self.tries == TRIES {
            return Err(Error::Busy("its partition changes too often".into()));
        }
        self.tries += 1;
        self.store.partition(self.whose).await
    }

    /// Writes all of `change` if the device is still as it was `seen`. False when it is not: look
    /// and decide again.
    pub(crate) async fn write(&self, seen: &Partition, change: Change) -> Result<bool, Error> {
        let writer = Uuid::from_bytes(openframe_ids::random());
        let (batch, values) = self.batch(seen, writer, change)?;
        match self.store.0.database.apply_batch(&batch, values).await {
            Ok(applied) => Ok(applied),
            Err(Failure::Unavailable(cause)) => self.outcome(seen, writer, cause).await,
            Err(failure @ Failure::Other(_)) => Err(failed(failure)),
        }
    }

    /// What came of a change whose writer was not answered. A settling read ends whatever was under
    /// way: what is not there then has not happened, and will only if nothing else changes the
    /// device before. Others may have changed it since; so many that this one is not remembered, never
    /// in practice.
    async fn outcome(
        &self,
        seen: &Partition,
        writer: Uuid,
        cause: BoxError,
    ) -> Result<bool, Error> {
        for _ in 0..QUESTIONS {
            let Ok(now) = self.store.read_partition(self.whose, true).await else { continue };
            let now = now?;
            if now.writers.contains(&writer) {
                return Ok(true);
            }
            let since = now.version.unwrap_or(0) - seen.version.unwrap_or(0);
            if usize::try_from(since).is_ok_and(|since| since <= WRITERS) {
                return Ok(false);
            }
            break;
        }
        Err(Error::Store(cause))
    }

    fn batch(
        &self,
        seen: &Partition,
        writer: Uuid,
        change: Change,
    ) -> Result<(Batch, Vec<Row>), Error> {
        let (tenant, device) = (self.whose.0.0, self.whose.1.0);
        let statements = &self.store.0.statements;
        let mut batch = Batch::new(BatchType::Unlogged);
        let mut values: Vec<Row> = Vec::new();
        let record = match &change.device {
            Some(device) => MaybeUnset::Set(Some(record::write(&DeviceRecord::from(device))?)),
            None if change.retire => MaybeUnset::Set(None),
            None => MaybeUnset::Unset,
        };
        let ids = change.unfinished.map(|ids| ids.into_iter().map(|id| id.0).collect());
        let unfinished: MaybeUnset<Option<BTreeSet<Uuid>>> = match ids {
            None if !change.retire => MaybeUnset::Unset,
            ids => MaybeUnset::Set(ids),
        };
        let retired = if change.retire { MaybeUnset::Set(true) } else { MaybeUnset::Unset };
        batch.append_statement(statements.partitions.change.clone());
        let version = seen.version.unwrap_or(0) + 1;
        let others = seen.writers.iter().copied();
        let writers: Vec<Uuid> = iter::once(writer).chain(others).take(WRITERS).collect();
        values.push(Box::new((
            version,
            writers,
            record,
            retired,
            unfinished,
            tenant,
            device,
            seen.version,
        )));
        if change.retire {
            batch.append_statement(statements.partitions.clear.clone());
            values.push(Box::new((tenant, device, "")));
        }
        for Key { kind, name, position } in change.removes {
            batch.append_statement(statements.partitions.remove.clone());
            values.push(Box::new((tenant, device, kind, name, position)));
        }
        for (Key { kind, name, position }, row) in change.puts {
            let Values { body, data, hash, reported_at_ms, bytes } = row;
            batch.append_statement(statements.partitions.put.clone());
            // Nulls would be written as tombstones.
            let row = (
                MaybeUnset::from_option(body),
                MaybeUnset::from_option(data),
                MaybeUnset::from_option(hash),
                MaybeUnset::from_option(reported_at_ms),
                MaybeUnset::from_option(bytes),
            );
            let (body, data, hash, reported_at_ms, bytes) = row;
            values.push(Box::new((
                tenant,
                device,
                kind,
                name,
                position,
                body,
                data,
                hash,
                reported_at_ms,
                bytes,
            )));
        }
        Ok((batch, values))
    }
}

type Row = Box<dyn SerializeRow + Send + Sync>;
