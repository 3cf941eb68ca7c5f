//! Taking samples: from devices, and by `remote_write`.

use std::sync::Arc;

use bytes::Bytes;
use openframe_agent_api::link::{SeriesTable, Snapshot, TelemetryPush};
use openframe_agent_api::{MAX_SERIES, table};
use openframe_ids::{DeviceId, TenantId};
use openframe_tokens::{Caller, Permission};
use prost::Message as _;

use super::intake::Intake;
use super::{Arrived, Live, Monitoring, need};
use crate::Error;
use crate::domain::head::Head;
use crate::domain::labels;
use crate::domain::record::{REFUSED, Record, SeriesRef, Table};
use crate::domain::refused::Refused;
use crate::otlp::{self, Take as _};
use crate::remote_write;
use crate::store::LogError;

/// Bytes of one record of the log at most, about.
const MAX_RECORD_BYTES: usize = 4 << 20;

impl Monitoring {
    /// Stores what a device measured; returns once it is durable. The same push again is stored
    /// once, also while the first is on its way: a device that has connected again repeats what its
    /// old connection may still be handing on. What cannot be taken is dropped and counted: a refusal
    /// would make the agent send the same for ever.
    pub async fn push(&self, caller: &Caller, body: Bytes) -> Result<(), Error> {
        let device = caller.device().ok_or(Error::Forbidden("to be a device"))?;
        let (app, tenant) = (self.clone(), caller.tenant);
        let newest = whole(async move {
            let _turn = app.0.turns.take(device).await;
            let intake = app.decode({
                let app = app.clone();
                move || app.read_body((tenant, device), body)
            });
            let intake = intake.await?;
            app.0.metrics.refuse(&intake.refused);
            let newest = intake.record.samples.iter().map(|(_, t, _)| *t).max();
            app.store(intake.record).await.map(|()| newest)
        });
        let newest = newest.await?;
        if let Some(at_ms) = newest {
            // Fails when nobody watches, which is fine.
            drop(self.0.live.send(Live::Telemetry(Arrived { tenant, device, at_ms })));
        }
        Ok(())
    }

    /// Stores samples that came by `remote_write` 1.0; returns once they are durable. What is wrong
    /// with some of them does not keep the others out, and is told.
    pub async fn write(&self, caller: &Caller, body: Bytes) -> Result<(), Error> {
        need(caller, Permission::TelemetryWrite)?;
        let limit = self.0.config.max_decompressed_bytes;
        let taken = self.accept(caller.tenant, move |intake| {
            remote_write::each(&body, limit, |series| {
                let labels = series.labels.into_iter().map(|it| (it.name, it.value)).collect();
                let samples = series.samples.into_iter().map(|it| (it.timestamp, it.value));
                intake.add(labels, samples.collect());
            })
        });
        let ((), refused) = taken.await?;
        if refused.total() == 0 { Ok(()) } else { Err(Error::Partial(refused)) }
    }

    /// Stores samples that came by OTLP/HTTP, as gzip or plain; returns once they are durable, with
    /// the answer's body: it tells what was refused.
    pub async fn write_otlp(
        &self,
        caller: &Caller,
        body: Bytes,
        gzip: bool,
    ) -> Result<Vec<u8>, Error> {
        need(caller, Permission::TelemetryWrite)?;
        let limit = self.0.config.max_decompressed_bytes;
        let taken = self.accept(caller.tenant, move |intake| {
            let body = if gzip { Bytes::from(otlp::inflate(&body, limit)?) } else { body };
            otlp::each(&body, intake)
        });
        let (points, refused) = taken.await?;
        Ok(otlp::answer(&refused, points))
    }

    /// Reads a request into samples, and stores those that can be; returns once they are durable,
    /// with what `read` returned and what was refused.
    async fn accept<T: Send + 'static>(
        &self,
        tenant: TenantId,
        read: impl FnOnce(&mut Intake) -> Result<T, Error> + Send + 'static,
    ) -> Result<(T, Refused), Error> {
        let app = self.clone();
        let intake = self.decode(move || {
            let mut intake = Intake::new(&app, tenant);
            let read = read(&mut intake)?;
            intake.look_up();
            Ok((read, intake))
        });
        let (read, intake) = intake.await?;
        self.0.metrics.refuse(&intake.refused);
        let app = self.clone();
        whole(async move { app.store(intake.record).await }).await?;
        Ok((read, intake.refused))
    }

    /// Decodes where it keeps nobody waiting, a few at a time: a body can be many times as large in
    /// memory as on the wire.
    async fn decode<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let permit = Arc::clone(&self.0.decoding).acquire_owned().await;
        let done = tokio::task::spawn_blocking(move || {
            // Whoever waits may go away; the place is free only when the work is done.
            let _permit = permit;
            work()
        });
        done.await.map_err(|error| Error::Encode(error.into()))?
    }

    fn read_body(&self, whose: (TenantId, DeviceId), body: Bytes) -> Result<Intake, Error> {
        let push = TelemetryPush::decode(body);
        let push = push.map_err(|_| Error::BadBody("not a TelemetryPush"))?;
        if push.snapshots.len() > self.0.config.max_snapshots {
            return Err(Error::BadBody("too many snapshots"));
        }
        self.read_push(whose, &push.snapshots)
    }

    fn read_push(
        &self,
        (tenant, device): (TenantId, DeviceId),
        snapshots: &[Snapshot],
    ) -> Result<Intake, Error> {
        let mut intake = Intake::new(self, tenant);
        for snapshot in snapshots {
            let values = table::unpack(&snapshot.values);
            let values = values.map_err(|_| Error::BadBody("the values cannot be unpacked"))?;
            let (hash, now_ms) = (snapshot.table_hash, intake.record.received_ms);
            let mut head = self.head_mut();
            let sent = intake.record.tables.iter().find(|table| table.hash == hash);
            let known = head.use_table((tenant, device), hash, now_ms);
            let series = match (sent, known, &snapshot.table) {
                (Some(table), _, _) => table.series.clone(),
                (None, Some(known), _) => known.to_vec(),
                (None, None, Some(table)) => {
                    check_table(hash, table)?;
                    let series = self.read_table(&mut head, (tenant, device), table, now_ms);
                    let table = Table { tenant, device, hash, series: series.clone() };
                    intake.record.tables.push(table);
                    series
                }
                (None, None, None) => return Err(Error::UnknownTable(hash)),
            };
            if series.len() != values.len() {
                return Err(Error::BadBody("not one value per series of the table"));
            }
            for (number, value) in series.into_iter().zip(values) {
                let t = snapshot.time_ms;
                if number != REFUSED && !value.is_nan() && intake.timely(t) {
                    intake.keep(&head, number, [(t, value)]);
                }
            }
        }
        Ok(intake)
    }

    /// The series of a new table. Those that cannot be taken are left out and counted.
    fn read_table(
        &self,
        head: &mut Head,
        (tenant, device): (TenantId, DeviceId),
        sent: &SeriesTable,
        now_ms: i64,
    ) -> Vec<SeriesRef> {
        let (id, limit) = (device.to_string(), self.0.config.max_series);
        let numbers = sent.series.iter().map(|series| {
            let pairs = series.labels.iter().map(|label| (label.name.clone(), label.value.clone()));
            let labels = labels::of_device(&series.name, pairs, &id).ok();
            let number = labels.and_then(|it| head.resolve(tenant, &it, limit, now_ms).ok());
            number.unwrap_or_else(|| {
                self.0.metrics.refused_series.inc();
                tracing::warn!(device.id = id, series = series.name, "dropped a series of {id}");
                REFUSED
            })
        });
        numbers.collect()
    }

    /// Makes a record durable, then visible: in parts when it is large.
    async fn store(&self, mut record: Record) -> Result<(), Error> {
        // The same instant stands together in the log: it is written once for all its samples.
        record.samples.sort_by_key(|(number, t, _)| (*t, *number));
        let before = record.samples.len();
        record.samples.dedup_by_key(|(number, t, _)| (*t, *number));
        self.0.metrics.repeated.inc_by((before - record.samples.len()) as u64);
        if record.samples.is_empty() && record.tables.is_empty() {
            return Ok(());
        }
        let mut used: Vec<SeriesRef> =
            record.samples.iter().map(|(number, _, _)| *number).collect();
        used.extend(record.tables.iter().flat_map(|table| &table.series));
        used.sort_unstable();
        used.dedup();
        // Described in every record until one is durable: another record may reach the disk first.
        let chapter = self.0.log.chapter(record.received_ms);
        record.series = self.head().describe(&used, chapter);
        for part in record.split(MAX_RECORD_BYTES) {
            let appended = self.0.log.append(chapter, Bytes::from(part.encode())).await;
            let number = appended.map_err(Error::Log)?;
            self.note(part.received_ms, number);
            let new = self.head_mut().apply(&part, chapter);
            self.0.metrics.stored.inc_by(new as u64);
        }
        self.0.hints.tell();
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

fn check_table(hash: u64, sent: &SeriesTable) -> Result<(), Error> {
    if sent.series.len() > MAX_SERIES {
        return Err(Error::BadBody("the table has too many series"));
    }
    if table::hash(sent) != hash {
        return Err(Error::BadBody("the table does not have the hash it claims"));
    }
    Ok(())
}
