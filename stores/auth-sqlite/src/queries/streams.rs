//! Where the audit trail is sent to.

use sqlx::Result;
use uuid::Uuid;

use crate::engine::Connection;
use crate::rows::StreamRow;

/// A destination and a replica: tenant, name, replica.
type Whose<'a> = (Uuid, &'a str, Uuid);

pub(crate) async fn lead_stream(
    db: &mut Connection,
    (tenant, name, holder): Whose<'_>,
    now: i64,
    until: i64,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"insert into audit_streams (tenant_id, name, holder, until_ms, arrived, error)
           values ($1, $2, $3, $4, 0, '')
           on conflict (tenant_id, name) do update
           set holder = excluded.holder, until_ms = excluded.until_ms
           where audit_streams.holder = excluded.holder or audit_streams.until_ms <= $5"#,
        tenant,
        name,
        holder,
        until,
        now
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn stream_arrived(
    db: &mut Connection,
    (tenant, name, holder): Whose<'_>,
    place: i64,
    now: i64,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"update audit_streams
           set arrived = $4, arrived_ms = $5, error = '', failing_since_ms = null
           where tenant_id = $1 and name = $2 and holder = $3"#,
        tenant,
        name,
        holder,
        place,
        now
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn stream_failed(
    db: &mut Connection,
    (tenant, name, holder): Whose<'_>,
    why: &str,
    now: i64,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"update audit_streams
           set error = $4, failing_since_ms = coalesce(failing_since_ms, $5)
           where tenant_id = $1 and name = $2 and holder = $3"#,
        tenant,
        name,
        holder,
        why,
        now
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn streams(db: &mut Connection, tenant: Uuid) -> Result<Vec<StreamRow>> {
    sqlx::query_as!(
        StreamRow,
        r#"select name as "name!", arrived as "arrived!", arrived_ms, error as "error!",
           failing_since_ms from audit_streams where tenant_id = $1 order by name"#,
        tenant
    )
    .fetch_all(db)
    .await
}
