//! Commands, their output, and idempotency keys.

use async_trait::async_trait;
use jiff::Timestamp;
use openframe_devices::Error;
use openframe_devices::domain::{Chunk, Command, Stream, due};
use openframe_devices::store::{Commands, Created, Used, UsedKey, Whose};
use openframe_ids::{CommandId, TenantId};
use sqlx::SqliteConnection;
use uuid::Uuid;

use crate::devices::exists;
use crate::record::{self, CommandRecord};
use crate::{SqliteStore, commit, failed};

/// Writes a command, new or not.
pub(crate) async fn put(db: &mut SqliteConnection, command: &Command) -> Result<(), Error> {
    let (tenant, id, device) = (command.tenant.0, command.id.0, command.device.0);
    let version = i64::try_from(command.version).unwrap_or(i64::MAX);
    let (state, finished) = (command.state.as_str(), command.state.is_finished());
    let due_at_ms = due(command).map_or(i64::MAX, Timestamp::as_millisecond);
    let body = record::write(&CommandRecord::from(command))?;
    sqlx::query!(
        "insert into command (tenant, command, device, version, state, finished, due_at_ms, body)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (tenant, command) do update set version = excluded.version,
             state = excluded.state, finished = excluded.finished,
             due_at_ms = excluded.due_at_ms, body = excluded.body",
        tenant,
        id,
        device,
        version,
        state,
        finished,
        due_at_ms,
        body
    )
    .execute(db)
    .await
    .map(drop)
    .map_err(failed)
}

/// How many commands of the device have not finished.
async fn unfinished(db: &mut SqliteConnection, whose: Whose) -> Result<i64, Error> {
    let (tenant, device) = (whose.0.0, whose.1.0);
    let row = sqlx::query!(
        r#"select count(*) as "n!: i64" from command
           where tenant = $1 and device = $2 and not finished"#,
        tenant,
        device
    )
    .fetch_one(db)
    .await
    .map_err(failed)?;
    Ok(row.n)
}

#[async_trait]
impl Commands for SqliteStore {
    async fn used(
        &self,
        tenant: TenantId,
        (caller, key): (&str, &str),
        now: Timestamp,
    ) -> Result<Option<Used>, Error> {
        let (tenant, now) = (tenant.0, now.as_millisecond());
        let row = sqlx::query!(
            r#"select request as "request!", command as "command!: Uuid" from used_key
               where tenant = $1 and caller = $2 and name = $3 and until_ms > $4"#,
            tenant,
            caller,
            key,
            now
        )
        .fetch_optional(self.0.reader())
        .await
        .map_err(failed)?;
        let Some(row) = row else { return Ok(None) };
        let wrong = |_| Error::Damaged("a hash has another length".into());
        let request = row.request.try_into().map_err(wrong)?;
        Ok(Some(Used { request, command: CommandId(row.command) }))
    }

    async fn create(
        &self,
        command: &Command,
        key: Option<&UsedKey>,
        most: u32,
    ) -> Result<Created, Error> {
        let mut tx = self.begin().await?;
        let whose = (command.tenant, command.device);
        if !exists(&mut tx, whose).await? {
            return Ok(Created::NoDevice);
        }
        if let Some(key) = key {
            let (tenant, id, now) =
                (command.tenant.0, command.id.0, command.created_at.as_millisecond());
            let (request, until_ms) = (&key.request[..], key.until.as_millisecond());
            let taken = sqlx::query!(
                "insert into used_key (tenant, caller, name, request, command, until_ms)
                 values ($1, $2, $3, $4, $5, $6)
                 on conflict (tenant, caller, name) do update set request = excluded.request,
                     command = excluded.command, until_ms = excluded.until_ms
                 where used_key.until_ms <= $7",
                tenant,
                key.caller,
                key.key,
                request,
                id,
                until_ms,
                now
            )
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
            if taken.rows_affected() == 0 {
                return Ok(Created::KeyInUse);
            }
        }
        if unfinished(&mut tx, whose).await? >= i64::from(most) {
            return Ok(Created::TooMany);
        }
        put(&mut tx, command).await?;
        commit(tx).await?;
        Ok(Created::Made)
    }

    async fn command(&self, tenant: TenantId, id: CommandId) -> Result<Option<Command>, Error> {
        let (tenant, id) = (tenant.0, id.0);
        let row = sqlx::query!(
            r#"select body as "body!: String" from command where tenant = $1 and command = $2"#,
            tenant,
            id
        )
        .fetch_optional(self.0.reader())
        .await
        .map_err(failed)?;
        row.map(|row| record::command(&row.body)).transpose()
    }

    async fn commands(
        &self,
        whose: Whose,
        before: Option<CommandId>,
        limit: u32,
    ) -> Result<Vec<Command>, Error> {
        let (tenant, device) = (whose.0.0, whose.1.0);
        let before = before.map_or(Uuid::max(), |id| id.0);
        let rows = sqlx::query!(
            r#"select body as "body!: String" from command
               where tenant = $1 and device = $2 and command < $3
               order by command desc limit $4"#,
            tenant,
            device,
            before,
            limit
        )
        .fetch_all(self.0.reader())
        .await
        .map_err(failed)?;
        rows.iter().map(|row| record::command(&row.body)).collect()
    }

    async fn unfinished(&self, whose: Whose, limit: u32) -> Result<Vec<Command>, Error> {
        let (tenant, device) = (whose.0.0, whose.1.0);
        let rows = sqlx::query!(
            r#"select body as "body!: String" from command
               where tenant = $1 and device = $2 and not finished
               order by command limit $3"#,
            tenant,
            device,
            limit
        )
        .fetch_all(self.0.reader())
        .await
        .map_err(failed)?;
        rows.iter().map(|row| record::command(&row.body)).collect()
    }

    async fn overdue(
        &self,
        now: Timestamp,
        after: Option<(Timestamp, CommandId)>,
        limit: u32,
    ) -> Result<Vec<(Timestamp, Command)>, Error> {
        let now = now.as_millisecond();
        let (after_ms, after_id) =
            after.map_or((i64::MIN, Uuid::nil()), |(due, id)| (due.as_millisecond(), id.0));
        let rows = sqlx::query!(
            r#"select due_at_ms as "due_at_ms!", body as "body!: String" from command
               where not finished and due_at_ms <= $1
                 and (due_at_ms > $2 or (due_at_ms = $2 and command > $3))
               order by due_at_ms, command limit $4"#,
            now,
            after_ms,
            after_id,
            limit
        )
        .fetch_all(self.0.reader())
        .await
        .map_err(failed)?;
        let due = |ms| Timestamp::from_millisecond(ms).map_err(|it| Error::Damaged(it.into()));
        rows.iter().map(|row| Ok((due(row.due_at_ms)?, record::command(&row.body)?))).collect()
    }

    async fn output(
        &self,
        of: (TenantId, CommandId),
        after: u64,
        limit: u32,
    ) -> Result<Vec<Chunk>, Error> {
        let (tenant, id) = (of.0.0, of.1.0);
        let Ok(after) = i64::try_from(after) else { return Ok(Vec::new()) };
        let rows = sqlx::query!(
            r#"select start as "start!", stream as "stream!", data as "data!" from chunk
               where tenant = $1 and command = $2 and start >= $3 order by start limit $4"#,
            tenant,
            id,
            after,
            limit
        )
        .fetch_all(self.0.reader())
        .await
        .map_err(failed)?;
        let unknown = || Error::Damaged("a stream is unknown".into());
        let chunks = rows.into_iter().map(|row| {
            let stream = Stream::of_text(&row.stream).ok_or_else(unknown)?;
            Ok(Chunk { stream, offset: row.start.unsigned_abs(), data: row.data })
        });
        chunks.collect()
    }

    async fn tail(
        &self,
        of: (TenantId, CommandId),
        stream: Stream,
        before: u64,
    ) -> Result<Vec<u8>, Error> {
        let (tenant, id, stream) = (of.0.0, of.1.0, stream.as_str());
        let before = i64::try_from(before).unwrap_or(i64::MAX);
        // No piece is empty: three have three bytes.
        let rows = sqlx::query!(
            r#"select substr(data, -3) as "data!: Vec<u8>" from chunk
               where tenant = $1 and command = $2 and start < $3 and stream = $4
               order by start desc limit 3"#,
            tenant,
            id,
            before,
            stream
        )
        .fetch_all(self.0.reader())
        .await
        .map_err(failed)?;
        let all: Vec<u8> = rows.into_iter().rev().flat_map(|row| row.data).collect();
        Ok(all.get(all.len().saturating_sub(3)..).unwrap_or_default().to_vec())
    }

    async fn forget_keys(&self, now: Timestamp) -> Result<(), Error> {
        let now = now.as_millisecond();
        sqlx::query!("delete from used_key where until_ms <= $1", now)
            .execute(self.0.writer())
            .await
            .map(drop)
            .map_err(failed)
    }
}
