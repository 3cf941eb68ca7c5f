//! What devices report: all of one report, or nothing.

use async_trait::async_trait;
use openframe_devices::Error;
use openframe_devices::domain::{Chunk, Command, Version};
use openframe_devices::store::{Batch, Keep, Reports, Whose};
use openframe_ids::{CommandId, TenantId};
use sqlx::SqliteConnection;

use crate::commands::put;
use crate::devices::exists;
use crate::{SqliteStore, commit, failed};

#[async_trait]
impl Reports for SqliteStore {
    async fn commit(&self, whose: Whose, batch: &Batch, keep: Keep) -> Result<bool, Error> {
        let mut tx = self.begin().await?;
        if !exists(&mut tx, whose).await? {
            return Ok(false);
        }
        for (version, command) in &batch.commands {
            if !is_at(&mut tx, whose, command, *version).await? {
                return Ok(false);
            }
            put(&mut tx, command).await?;
        }
        for (id, chunk) in &batch.chunks {
            add_chunk(&mut tx, (whose.0, *id), chunk).await.map_err(failed)?;
        }
        for version in &batch.sections {
            add_version(&mut tx, whose, version, keep).await.map_err(failed)?;
        }
        commit(tx).await?;
        Ok(true)
    }
}

/// Whether the command is the device's and still has this version.
async fn is_at(
    db: &mut SqliteConnection,
    whose: Whose,
    command: &Command,
    version: u64,
) -> Result<bool, Error> {
    let (tenant, device, id) = (whose.0.0, whose.1.0, command.id.0);
    let version = i64::try_from(version).unwrap_or(i64::MAX);
    let row = sqlx::query!(
        r#"select count(*) as "n!: i64" from command
           where tenant = $1 and command = $2 and device = $3 and version = $4"#,
        tenant,
        id,
        device,
        version
    )
    .fetch_one(db)
    .await
    .map_err(failed)?;
    Ok(row.n > 0)
}

async fn add_chunk(
    db: &mut SqliteConnection,
    of: (TenantId, CommandId),
    chunk: &Chunk,
) -> sqlx::Result<()> {
    let (tenant, id) = (of.0.0, of.1.0);
    let start = i64::try_from(chunk.offset).unwrap_or(i64::MAX);
    let (stream, data) = (chunk.stream.as_str(), chunk.data.as_slice());
    sqlx::query!(
        "insert into chunk (tenant, command, start, stream, data) values ($1, $2, $3, $4, $5)
         on conflict (tenant, command, start) do nothing",
        tenant,
        id,
        start,
        stream,
        data
    )
    .execute(db)
    .await
    .map(drop)
}

/// Adds a version of a section and forgets the oldest versions beyond `keep`.
async fn add_version(
    db: &mut SqliteConnection,
    whose: Whose,
    version: &Version,
    keep: Keep,
) -> sqlx::Result<()> {
    let (tenant, device) = (whose.0.0, whose.1.0);
    let (at_ms, seen) = (version.at.as_millisecond(), &version.seen);
    let reported_at_ms = seen.reported_at.as_millisecond();
    let (hash, body) = (&seen.hash[..], seen.body.as_slice());
    sqlx::query!(
        "insert into section (tenant, device, section, at_ms, reported_at_ms, hash, body)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (tenant, device, section, at_ms) do nothing",
        tenant,
        device,
        seen.section,
        at_ms,
        reported_at_ms,
        hash,
        body
    )
    .execute(&mut *db)
    .await?;
    let bytes = i64::try_from(keep.bytes).unwrap_or(i64::MAX);
    sqlx::query!(
        "delete from section where tenant = $1 and device = $2 and (section, at_ms) in (
             select section, at_ms from (
                 select section, at_ms,
                        row_number() over (partition by section order by at_ms desc) as nth,
                        sum(length(body)) over (order by at_ms desc, section) as bytes
                 from section where tenant = $1 and device = $2)
             where nth > $3 or (nth > 1 and bytes > $4))",
        tenant,
        device,
        keep.versions,
        bytes
    )
    .execute(db)
    .await
    .map(drop)
}
