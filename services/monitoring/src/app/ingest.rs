//! Taking samples: from devices, and by `remote_write`.

use bytes::Bytes;
use openframe_agent_api::link::{SeriesTable, Snapshot, TelemetryPush};
use openframe_agent_api::{MAX_SERIES, table};
use openframe_ids::{DeviceId, TenantId};
use openframe_tokens::{Caller, Permission};
use prost::Message as _;

use super::{Arrived, Live, Monitoring, need};
use crate::Error;
use crate::domain::head::Head;
use crate::domain::labels::{self, Labels};
use crate::domain::record::{Record, SeriesRef, Table};
use crate::remote_write::{self, WriteRequest};
use crate::store::LogError;

/// Stands in a table for a series that was refused: its values are dropped.
const REFUSED: SeriesRef = SeriesRef::MAX;

impl Monitoring {
    /// Stores what a device measured; returns once it is durable. The same push again is stored
    /// once, also while the first is on its way: a device that has connected again repeats what its
    /// old connection may still be handing on.
    pub async fn push(&self, caller: &Caller, body: &[u8]) -> Result<(), Error> {
        let device = caller.device().ok_or(Error::Forbidden("to be a device"))?;
        let push =
            TelemetryPush::decode(body).map_err(|_| Error::BadBody("not a TelemetryPush"))?;
        if push.snapshots.len() > self.0.config.max_snapshots {
            return Err(Error::BadBody("too many snapshots"));
        }
        let (this, tenant) = (self.clone(), caller.tenant);
        let newest = whole(async move {
            let _turn = this.0.turns.take(device).await;
            let record = this.read_push(tenant, device, &push.snapshots)?;
            let newest = record.samples.iter().map(|(_, t, _)| *t).max();
            this.store(record).await.map(|()| newest)
        })
        .await?;
        if let Some(at_ms) = newest {
            // Fails when nobody watches, which is fine.
            drop(self.0.live.send(Live::Telemetry(Arrived {
                tenant: caller.tenant,
                device,
                at_ms,
            })));
        }
        Ok(())
    }

    /// Stores samples that came by `remote_write` 1.0; returns once they are durable.
    pub async fn write(&self, caller: &Caller, body: &[u8]) -> Result<(), Error> {
        need(caller, Permission::TelemetryWrite)?;
        let request = remote_write::decode(body, self.0.config.max_decompressed_bytes)?;
        let record = self.read_request(caller.tenant, request)?;
        let this = self.clone();
        whole(async move { this.store(record).await }).await
    }

    fn read_request(&self, tenant: TenantId, request: WriteRequest) -> Result<Record, Error> {
        let mut all = Vec::with_capacity(request.timeseries.len());
        for series in request.timeseries {
            let pairs = series.labels.into_iter().map(|label| (label.name, label.value)).collect();
            all.push((Labels::new(pairs).map_err(Error::BadLabels)?, series.samples));
        }
        let limit = self.0.config.max_series;
        let mut record = self.empty_record();
        let future = self.future_ms(record.received_ms);
        let mut head = self.head_mut();
        for (labels, samples) in all {
            let number = head.resolve(tenant, &labels, limit);
            let number = number.map_err(|_| Error::TooManySeries(limit))?;
            for sample in samples {
                self.keep(&head, &mut record, future, (number, sample.timestamp, sample.value));
            }
        }
        drop(head);
        // The same instant stands together in the log: it is written once for all its samples.
        record.samples.sort_by_key(|(number, t, _)| (*t, *number));
        Ok(record)
    }

    fn read_push(
        &self,
        tenant: TenantId,
        device: DeviceId,
        snapshots: &[Snapshot],
    ) -> Result<Record, Error> {
        let mut record = self.empty_record();
        let future = self.future_ms(record.received_ms);
        for snapshot in snapshots {
            let values = table::unpack(&snapshot.values);
            let values = values.map_err(|_| Error::BadBody("the values cannot be unpacked"))?;
            let hash = snapshot.table_hash;
            let mut head = self.head_mut();
            let sent = record.tables.iter().find(|table| table.hash == hash);
            let series = match (sent, head.table(tenant, device, hash), &snapshot.table) {
                (Some(table), _, _) => table.series.clone(),
                (None, Some(known), _) => known.to_vec(),
                (None, None, Some(table)) => {
                    let series = self.read_table(&mut head, (tenant, device), hash, table)?;
                    record.tables.push(Table { tenant, device, hash, series: series.clone() });
                    series
                }
                (None, None, None) => return Err(Error::UnknownTable(hash)),
            };
            if series.len() != values.len() {
                return Err(Error::BadBody("not one value per series of the table"));
            }
            for (number, value) in series.into_iter().zip(values) {
                if number != REFUSED && !value.is_nan() {
                    self.keep(&head, &mut record, future, (number, snapshot.time_ms, value));
                }
            }
        }
        Ok(record)
    }

    /// The series of a new table. Those that cannot be taken are left out and counted: a refusal
    /// would make the agent send the same for ever.
    fn read_table(
        &self,
        head: &mut Head,
        (tenant, device): (TenantId, DeviceId),
        hash: u64,
        sent: &SeriesTable,
    ) -> Result<Vec<SeriesRef>, Error> {
        if sent.series.len() > MAX_SERIES {
            return Err(Error::BadBody("the table has too many series"));
        }
        if table::hash(sent) != hash {
            return Err(Error::BadBody("the table does not have the hash it claims"));
        }
        let id = device.to_string();
        let numbers = sent.series.iter().map(|series| {
            let pairs = series.labels.iter().map(|label| (label.name.clone(), label.value.clone()));
            let labels = labels::of_device(&series.name, pairs, &id).ok();
            let number =
                labels.and_then(|l| head.resolve(tenant, &l, self.0.config.max_series).ok());
            number.unwrap_or_else(|| {
                self.0.metrics.refused_series.inc();
                tracing::warn!(device.id = id, series = series.name, "dropped a series of {id}");
                REFUSED
            })
        });
        Ok(numbers.collect())
    }

    /// Adds a sample to the record unless it is there already or lies in the future.
    fn keep(
        &self,
        head: &Head,
        record: &mut Record,
        future_ms: i64,
        (number, t, value): (SeriesRef, i64, f64),
    ) {
        if t > future_ms {
            self.0.metrics.future.inc();
        } else if head.has(number, t) {
            self.0.metrics.repeated.inc();
        } else {
            record.samples.push((number, t, value));
        }
    }

    fn empty_record(&self) -> Record {
        Record { received_ms: self.0.clock.now().as_millisecond(), ..Record::default() }
    }

    fn future_ms(&self, now_ms: i64) -> i64 {
        now_ms.saturating_add(i64::from(self.0.config.max_future_s) * 1_000)
    }

    /// Makes a record durable, then visible.
    async fn store(&self, mut record: Record) -> Result<(), Error> {
        if record.samples.is_empty() && record.tables.is_empty() {
            return Ok(());
        }
        let mut used: Vec<SeriesRef> =
            record.samples.iter().map(|(number, _, _)| *number).collect();
        used.extend(record.tables.iter().flat_map(|table| &table.series));
        used.sort_unstable();
        used.dedup();
        // Described in every record until one is durable: another record may reach the disk first.
        record.series = self.head().describe(&used);
        let appended = self.0.log.append(Bytes::from(record.encode())).await;
        let number = appended.map_err(Error::Log)?;
        self.note(record.received_ms, number);
        let new = self.head_mut().apply(&record);
        self.0.metrics.stored.inc_by(new as u64);
        Ok(())
    }
}

/// Runs to its end also when whoever asked has hung up: else a record could become durable and not
/// visible, and the same samples, sent again, would be stored twice.
async fn whole<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    tokio::spawn(work).await.map_err(|cause| Error::Log(LogError(cause.into())))?
}
