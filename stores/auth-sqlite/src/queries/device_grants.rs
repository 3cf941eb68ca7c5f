//! Programs that wait for a person's answer.

use openframe_oauth::{DeviceGrant, Family};
use sqlx::Result;
use uuid::Uuid;

use super::ms;
use crate::engine::Connection;
use crate::rows::DeviceGrantRow;

pub(crate) async fn add_device_grant(db: &mut Connection, it: &DeviceGrant) -> Result<u64> {
    let scopes = it.scopes.to_string();
    let (device_code, user_code) = (it.device_code.0.as_slice(), it.user_code.0.as_slice());
    let (address, agent) = (it.asked_from.0.as_str(), it.asked_from.1.as_str());
    let (created, expires) = (ms(it.created), ms(it.expires));
    let (polled, interval) = (it.polled.map(ms), interval_ms(it));
    let done = sqlx::query!(
        r#"insert into device_grants (id, tenant_id, client_id, scopes, device_code, user_code,
           remote_address, user_agent, created_ms, expires_ms, denied, polled_ms, interval_ms)
           select $1, $2, id, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13
           from oauth_clients where id = $3 and tenant_id = $2
           on conflict (user_code) do nothing"#,
        it.id.0,
        it.tenant.0,
        it.client.0,
        scopes,
        device_code,
        user_code,
        address,
        agent,
        created,
        expires,
        it.denied,
        polled,
        interval
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

fn interval_ms(it: &DeviceGrant) -> i64 {
    it.interval.as_millis().try_into().unwrap_or(i64::MAX)
}

pub(crate) async fn device_grant(db: &mut Connection, id: Uuid) -> Result<Option<DeviceGrantRow>> {
    sqlx::query_as!(
        DeviceGrantRow,
        r#"select id as "id!: Uuid", tenant_id as "tenant_id!: Uuid",
           client_id as "client_id!: Uuid", scopes as "scopes!", device_code as "device_code!",
           user_code as "user_code!", remote_address as "remote_address!",
           user_agent as "user_agent!", created_ms as "created_ms!", expires_ms as "expires_ms!",
           denied as "denied!: bool", polled_ms, interval_ms as "interval_ms!"
           from device_grants where id = $1"#,
        id
    )
    .fetch_optional(db)
    .await
}

pub(crate) async fn device_grant_of(
    db: &mut Connection,
    user_code: &[u8],
    now: i64,
) -> Result<Option<DeviceGrantRow>> {
    sqlx::query_as!(
        DeviceGrantRow,
        r#"select id as "id!: Uuid", tenant_id as "tenant_id!: Uuid",
           client_id as "client_id!: Uuid", scopes as "scopes!", device_code as "device_code!",
           user_code as "user_code!", remote_address as "remote_address!",
           user_agent as "user_agent!", created_ms as "created_ms!", expires_ms as "expires_ms!",
           denied as "denied!: bool", polled_ms, interval_ms as "interval_ms!"
           from device_grants where user_code = $1 and not denied and expires_ms > $2"#,
        user_code,
        now
    )
    .fetch_optional(db)
    .await
}

pub(crate) async fn count_misses(db: &mut Connection, user: Uuid, since: i64) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from device_code_misses where user_id = $1 and at_ms > $2"#,
        user,
        since
    )
    .fetch_one(db)
    .await
}

pub(crate) async fn add_miss(db: &mut Connection, id: Uuid, user: Uuid, now: i64) -> Result<u64> {
    let done = sqlx::query!(
        r#"insert into device_code_misses (id, user_id, at_ms) values ($1, $2, $3)"#,
        id,
        user,
        now
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn poll_device_grant(db: &mut Connection, it: &DeviceGrant) -> Result<u64> {
    let (polled, interval) = (it.polled.map(ms), interval_ms(it));
    let done = sqlx::query!(
        r#"update device_grants set polled_ms = $2, interval_ms = $3 where id = $1"#,
        it.id.0,
        polled,
        interval
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn deny_device_grant(db: &mut Connection, id: Uuid, now: i64) -> Result<u64> {
    let done = sqlx::query!(
        r#"update device_grants set denied = true
           where id = $1 and not denied and expires_ms > $2"#,
        id,
        now
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn end_device_grant(
    db: &mut Connection,
    family: &Family,
    now: i64,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"delete from device_grants where id = $1 and not denied and expires_ms > $2"#,
        family.id.0,
        now
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn forget_device_grants(db: &mut Connection, before: i64) -> Result<u64> {
    sqlx::query!(r#"delete from device_code_misses where at_ms <= $1"#, before)
        .execute(&mut *db)
        .await?;
    let done = sqlx::query!(r#"delete from device_grants where expires_ms <= $1"#, before)
        .execute(db)
        .await?;
    Ok(done.rows_affected())
}
