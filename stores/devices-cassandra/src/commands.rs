//! Commands and their output.

use async_trait::async_trait;
use futures::future::try_join;
use jiff::Timestamp;
use openframe_devices::Error;
use openframe_devices::domain::{Chunk, Command, Stream};
use openframe_devices::store::{Commands, Created, Used, UsedKey, Whose};
use openframe_ids::{CommandId, DeviceId, TenantId};
use uuid::Uuid;

use crate::record::{self, CommandRecord};
use crate::turn::{Change, Key, Values};
use crate::{CassandraStore, failed};

/// The row of a command.
pub(crate) fn row(command: &Command) -> Result<(Key, Values), Error> {
    let body = Some(record::write(&CommandRecord::from(command))?);
    Ok((Key::of("command", command.id.0.to_string()), Values { body, ..Values::default() }))
}

impl CassandraStore {
    pub(crate) async fn bodies_of(
        &self,
        whose: Whose,
        kind: &str,
        name: &str,
    ) -> Result<Vec<(Option<String>,)>, Error> {
        let values = (whose.0.0, whose.1.0, kind, name);
        self.0.database.rows(&self.0.statements.rows.body, values).await.map_err(failed)
    }

    /// A command of a device.
    pub(crate) async fn command_of(
        &self,
        whose: Whose,
        name: &str,
    ) -> Result<Option<Command>, Error> {
        let rows = self.bodies_of(whose, "command", name).await?;
        let body = rows.into_iter().next().and_then(|(body,)| body);
        body.map(|body| record::command(&body)).transpose()
    }

    /// The device that a command may be of.
    async fn place(&self, (tenant, id): (TenantId, CommandId)) -> Result<Option<Whose>, Error> {
        let rows = self.0.database.rows(&self.0.statements.rows.place, (tenant.0, id.0)).await;
        let rows: Vec<(Uuid,)> = rows.map_err(failed)?;
        Ok(rows.first().map(|(device,)| (tenant, DeviceId(*device))))
    }

    async fn put_place(&self, command: &Command) -> Result<(), Error> {
        let values = (command.tenant.0, command.id.0, command.device.0);
        self.0.database.write(&self.0.statements.rows.put_place, values).await.map_err(failed)
    }

    /// Adds a command whose key, if it has one, is claimed.
    async fn make(&self, command: &Command, has_key: bool, most: u32) -> Result<Created, Error> {
        let whose = (command.tenant, command.device);
        try_join(self.put_place(command), self.enter_due(command)).await?;
        let mut turn = self.turn(whose).await;
        loop {
            let partition = turn.look().await?;
            if partition.device.is_none() {
                return Ok(Created::NoDevice);
            }
            if has_key && self.has(whose, "void", command.id).await? {
                return Ok(Created::KeyInUse);
            }
            if partition.unfinished.len() >= most as usize {
                return Ok(Created::TooMany);
            }
            let mut unfinished = partition.unfinished.clone();
            if !command.state.is_finished() {
                unfinished.insert(command.id);
            }
            let (unfinished, puts) = (Some(unfinished), vec![row(command)?]);
            if turn.write(&partition, Change { unfinished, puts, ..Change::default() }).await? {
                return Ok(Created::Made);
            }
        }
    }

    /// Why a command cannot be made, as far as can be seen before anything is written.
    async fn refusal(
        &self,
        command: &Command,
        key: Option<&UsedKey>,
        most: u32,
    ) -> Result<Option<Created>, Error> {
        let partition = self.partition((command.tenant, command.device)).await?;
        if partition.device.is_none() {
            return Ok(Some(Created::NoDevice));
        }
        if let Some(key) = key
            && let Some(claim) = self.claimed(command.tenant, (&key.caller, &key.key)).await?
            && claim.until_ms > command.created_at.as_millisecond()
            && self.is_made(command.tenant, &claim).await?
        {
            return Ok(Some(Created::KeyInUse));
        }
        let many = partition.unfinished.len() >= most as usize;
        Ok(many.then_some(Created::TooMany))
    }
}

#[async_trait]
impl Commands for CassandraStore {
    async fn used(
        &self,
        tenant: TenantId,
        caller_and_key: (&str, &str),
        now: Timestamp,
    ) -> Result<Option<Used>, Error> {
        let Some(claim) = self.claimed(tenant, caller_and_key).await? else { return Ok(None) };
        if claim.until_ms <= now.as_millisecond() || !self.is_made(tenant, &claim).await? {
            return Ok(None);
        }
        let wrong = |_| Error::Damaged("a hash has another length".into());
        let request = claim.request.try_into().map_err(wrong)?;
        Ok(Some(Used { request, command: claim.command }))
    }

    async fn create(
        &self,
        command: &Command,
        key: Option<&UsedKey>,
        most: u32,
    ) -> Result<Created, Error> {
        if let Some(refusal) = self.refusal(command, key, most).await? {
            return Ok(refusal);
        }
        let Some(key) = key else { return self.make(command, false, most).await };
        if !self.claim(key, command).await? {
            return Ok(Created::KeyInUse);
        }
        let created = self.make(command, true, most).await?;
        if matches!(created, Created::NoDevice | Created::TooMany) {
            self.release(key, command).await?;
        }
        Ok(created)
    }

    async fn command(&self, tenant: TenantId, id: CommandId) -> Result<Option<Command>, Error> {
        let Some(whose) = self.place((tenant, id)).await? else { return Ok(None) };
        self.command_of(whose, &id.0.to_string()).await
    }

    async fn commands(
        &self,
        whose: Whose,
        before: Option<CommandId>,
        limit: u32,
    ) -> Result<Vec<Command>, Error> {
        // Beyond every id's text.
        let before = before.map_or_else(|| "g".to_owned(), |id| id.0.to_string());
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        let values = (whose.0.0, whose.1.0, before, limit);
        let rows = self.0.database.rows(&self.0.statements.rows.bodies, values).await;
        let rows: Vec<(String,)> = rows.map_err(failed)?;
        rows.iter().map(|(body,)| record::command(body)).collect()
    }

    async fn unfinished(&self, whose: Whose, limit: u32) -> Result<Vec<Command>, Error> {
        let ids = self.partition(whose).await?.unfinished;
        let mut found = Vec::new();
        for id in ids.into_iter().take(limit as usize) {
            let command = self.command_of(whose, &id.0.to_string()).await?;
            // It may have finished since.
            found.extend(command.filter(|command| !command.state.is_finished()));
        }
        Ok(found)
    }

    async fn overdue(
        &self,
        now: Timestamp,
        after: Option<(Timestamp, CommandId)>,
        limit: u32,
    ) -> Result<Vec<(Timestamp, Command)>, Error> {
        self.all_overdue(now, after, limit).await
    }

    async fn output(
        &self,
        of: (TenantId, CommandId),
        after: u64,
        limit: u32,
    ) -> Result<Vec<Chunk>, Error> {
        let Some(whose) = self.place(of).await? else { return Ok(Vec::new()) };
        let Ok(after) = i64::try_from(after) else { return Ok(Vec::new()) };
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        let values = (whose.0.0, whose.1.0, of.1.0.to_string(), after, limit);
        let rows = self.0.database.rows(&self.0.statements.rows.chunks, values).await;
        let rows: Vec<(i64, String, Vec<u8>)> = rows.map_err(failed)?;
        let unknown = || Error::Damaged("a stream is unknown".into());
        let chunks = rows.into_iter().map(|(position, stream, data)| {
            let stream = Stream::of_text(&stream).ok_or_else(unknown)?;
            Ok(Chunk { stream, offset: position.unsigned_abs(), data })
        });
        chunks.collect()
    }

    async fn tail(
        &self,
        of: (TenantId, CommandId),
        stream: Stream,
        before: u64,
    ) -> Result<Vec<u8>, Error> {
        let Some(whose) = self.place(of).await? else { return Ok(Vec::new()) };
        let before = i64::try_from(before).unwrap_or(i64::MAX);
        let name = of.1.0.to_string();
        let values = (whose.0.0, whose.1.0, name, before, stream.as_str());
        let rows = self.0.database.rows(&self.0.statements.rows.tail, values).await;
        // No piece is empty: three have three bytes.
        let rows: Vec<(Vec<u8>,)> = rows.map_err(failed)?;
        let all: Vec<u8> = rows.into_iter().rev().flat_map(|(data,)| data).collect();
        Ok(all.get(all.len().saturating_sub(3)..).unwrap_or_default().to_vec())
    }

    // Keys end by themselves: each has its time to live.
    async fn forget_keys(&self, _now: Timestamp) -> Result<(), Error> {
        Ok(())
    }
}
