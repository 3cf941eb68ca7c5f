//! The audit trail.

use openframe_auth::domain::Entry;
use sqlx::Result;
use uuid::Uuid;

use super::ms;
use crate::engine::Connection;
use crate::rows::{EntryRow, HeadRow};

pub(crate) async fn head(db: &mut Connection, tenant: Uuid) -> Result<Option<HeadRow>> {
    sqlx::query_as!(
        HeadRow,
        r#"select seq as "seq!", hash as "hash!" from audit_heads where tenant_id = $1"#,
        tenant
    )
    .fetch_optional(db)
    .await
}

pub(crate) async fn set_head(
    db: &mut Connection,
    tenant: Uuid,
    seq: i64,
    hash: &[u8],
) -> Result<u64> {
    let done = sqlx::query!(
        r#"insert into audit_heads (tenant_id, seq, hash) values ($1, $2, $3)
           on conflict (tenant_id) do update set seq = excluded.seq, hash = excluded.hash"#,
        tenant,
        seq,
        hash
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn add_entry(
    db: &mut Connection,
    tenant: Uuid,
    seq: i64,
    entry: &Entry,
) -> Result<u64> {
    let (it, hash) = (&entry.event, entry.hash.as_slice());
    let at = ms(it.at);
    let done = sqlx::query!(
        r#"insert into audit (tenant_id, seq, at_ms, actor_kind, actor, action, target, outcome,
           detail, remote_address, request_id, hash)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"#,
        tenant,
        seq,
        at,
        it.actor_kind,
        it.actor,
        it.action,
        it.target,
        it.outcome,
        it.detail,
        it.remote_address,
        it.request_id,
        hash
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn entries_after(
    db: &mut Connection,
    tenant: Uuid,
    after: i64,
    limit: i64,
) -> Result<Vec<EntryRow>> {
    sqlx::query_as!(
        EntryRow,
        r#"select seq as "seq!", at_ms as "at_ms!", actor_kind as "actor_kind!", actor as "actor!",
           action as "action!", target as "target!", outcome as "outcome!", detail as "detail!",
           remote_address as "remote_address!", request_id as "request_id!", hash as "hash!"
           from audit where tenant_id = $1 and seq > $2 order by seq limit $3"#,
        tenant,
        after,
        limit
    )
    .fetch_all(db)
    .await
}
