//! Checkpoints of the audit trail.

use openframe_auth::domain::Checkpoint;
use sqlx::Result;
use uuid::Uuid;

use super::ms;
use crate::engine::Connection;
use crate::rows::CheckpointRow;

pub(crate) async fn add_checkpoint(
    db: &mut Connection,
    seq: i64,
    checkpoint: &Checkpoint,
) -> Result<u64> {
    let (tenant, hash) = (checkpoint.tenant.0, checkpoint.hash.as_slice());
    let (at, seal) = (ms(checkpoint.at), &checkpoint.seal);
    let done = sqlx::query!(
        r#"insert into audit_checkpoints (tenant_id, seq, hash, at_ms, chain_pem, signature)
           values ($1, $2, $3, $4, $5, $6)"#,
        tenant,
        seq,
        hash,
        at,
        seal.chain_pem,
        seal.signature
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn checkpoints(
    db: &mut Connection,
    tenant: Uuid,
    after: i64,
    limit: i64,
) -> Result<Vec<CheckpointRow>> {
    sqlx::query_as!(
        CheckpointRow,
        r#"select tenant_id as "tenant_id!: Uuid", seq as "seq!", hash as "hash!",
           at_ms as "at_ms!", chain_pem as "chain_pem!", signature as "signature!"
           from audit_checkpoints where tenant_id = $1 and seq > $2 order by seq limit $3"#,
        tenant,
        after,
        limit
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn last_checkpoint(
    db: &mut Connection,
    tenant: Uuid,
) -> Result<Option<CheckpointRow>> {
    sqlx::query_as!(
        CheckpointRow,
        r#"select tenant_id as "tenant_id!: Uuid", seq as "seq!", hash as "hash!",
           at_ms as "at_ms!", chain_pem as "chain_pem!", signature as "signature!"
           from audit_checkpoints where tenant_id = $1 order by seq desc limit 1"#,
        tenant
    )
    .fetch_optional(db)
    .await
}
