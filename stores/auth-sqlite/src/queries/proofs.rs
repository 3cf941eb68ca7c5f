//! Requests that were pushed ahead of a browser, and what is good once.

use openframe_oauth::{OneTime, Pushed};
use sqlx::Result;
use uuid::Uuid;

use super::ms;
use crate::engine::Connection;
use crate::rows::PushedRow;

pub(crate) async fn add_pushed(db: &mut Connection, it: &Pushed) -> Result<u64> {
    let expires = ms(it.expires);
    let done = sqlx::query!(
        r#"insert into pushed_requests (id, tenant_id, client_id, secret, query, expires_ms)
           select $1, $2, id, $4, $5, $6 from oauth_clients where id = $3 and tenant_id = $2"#,
        it.id.0,
        it.tenant.0,
        it.client.0,
        it.secret.0.as_slice(),
        it.query,
        expires
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// The first time sets when it was opened, and with it when it ends.
pub(crate) async fn open_pushed(
    db: &mut Connection,
    (id, secret): (Uuid, &[u8]),
    (now, expires): (i64, i64),
) -> Result<u64> {
    let done = sqlx::query!(
        r#"update pushed_requests set opened_ms = $3, expires_ms = $4
           where id = $1 and secret = $2 and opened_ms is null and expires_ms > $3"#,
        id,
        secret,
        now,
        expires
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn pushed(
    db: &mut Connection,
    (id, secret): (Uuid, &[u8]),
    now: i64,
) -> Result<Option<PushedRow>> {
    sqlx::query_as!(
        PushedRow,
        r#"select id as "id!: Uuid", tenant_id as "tenant_id!: Uuid",
           client_id as "client_id!: Uuid", secret as "secret!", query as "query!",
           expires_ms as "expires_ms!", opened_ms
           from pushed_requests where id = $1 and secret = $2 and expires_ms > $3"#,
        id,
        secret,
        now
    )
    .fetch_optional(db)
    .await
}

pub(crate) async fn remove_pushed(db: &mut Connection, id: Uuid) -> Result<u64> {
    let done = sqlx::query!(r#"delete from pushed_requests where id = $1"#, id).execute(db).await?;
    Ok(done.rows_affected())
}

pub(crate) async fn forget_pushed(db: &mut Connection, now: i64) -> Result<u64> {
    let done = sqlx::query!(r#"delete from pushed_requests where expires_ms <= $1"#, now)
        .execute(db)
        .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn spend(db: &mut Connection, it: &OneTime) -> Result<u64> {
    let until = ms(it.until);
    let done = sqlx::query!(
        r#"insert into spent_proofs (hash, until_ms) values ($1, $2) on conflict (hash) do nothing"#,
        it.hash.0.as_slice(),
        until
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn forget_spent(db: &mut Connection, now: i64) -> Result<u64> {
    let done =
        sqlx::query!(r#"delete from spent_proofs where until_ms <= $1"#, now).execute(db).await?;
    Ok(done.rows_affected())
}
