//! Sessions and API keys.

use openframe_auth::domain::{ApiKey, Session};
use openframe_auth::store::Renewal;
use sqlx::Result;
use uuid::Uuid;

use super::ms;
use crate::engine::Connection;
use crate::rows::{KeyRow, SessionRow};

pub(crate) async fn add_session(db: &mut Connection, it: &Session) -> Result<u64> {
    let (secret, created) = (it.secret.0.as_slice(), ms(it.created));
    let (last_seen, expires) = (ms(it.last_seen), ms(it.expires));
    let (auth_time, amr) = (ms(it.auth_time), it.amr.as_str());
    let done = sqlx::query!(
        r#"insert into sessions (id, tenant_id, user_id, secret, created_ms, last_seen_ms,
           expires_ms, remote_address, user_agent, auth_time_ms, amr)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"#,
        it.id.0,
        it.tenant.0,
        it.user.0,
        secret,
        created,
        last_seen,
        expires,
        it.remote_address,
        it.user_agent,
        auth_time,
        amr
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn session(db: &mut Connection, id: Uuid) -> Result<Option<SessionRow>> {
    sqlx::query_as!(
        SessionRow,
        r#"select id as "id!: Uuid", tenant_id as "tenant_id!: Uuid", user_id as "user_id!: Uuid",
           secret as "secret!", created_ms as "created_ms!", last_seen_ms as "last_seen_ms!",
           expires_ms as "expires_ms!", remote_address as "remote_address!",
           user_agent as "user_agent!", auth_time_ms as "auth_time_ms!", amr as "amr!"
           from sessions where id = $1"#,
        id
    )
    .fetch_optional(db)
    .await
}

pub(crate) async fn sessions(db: &mut Connection, tenant: Uuid) -> Result<Vec<SessionRow>> {
    sqlx::query_as!(
        SessionRow,
        r#"select id as "id!: Uuid", tenant_id as "tenant_id!: Uuid", user_id as "user_id!: Uuid",
           secret as "secret!", created_ms as "created_ms!", last_seen_ms as "last_seen_ms!",
           expires_ms as "expires_ms!", remote_address as "remote_address!",
           user_agent as "user_agent!", auth_time_ms as "auth_time_ms!", amr as "amr!"
           from sessions where tenant_id = $1 order by id"#,
        tenant
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn sessions_of(
    db: &mut Connection,
    tenant: Uuid,
    user: Uuid,
) -> Result<Vec<SessionRow>> {
    sqlx::query_as!(
        SessionRow,
        r#"select id as "id!: Uuid", tenant_id as "tenant_id!: Uuid", user_id as "user_id!: Uuid",
           secret as "secret!", created_ms as "created_ms!", last_seen_ms as "last_seen_ms!",
           expires_ms as "expires_ms!", remote_address as "remote_address!",
           user_agent as "user_agent!", auth_time_ms as "auth_time_ms!", amr as "amr!"
           from sessions where tenant_id = $1 and user_id = $2 order by id"#,
        tenant,
        user
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn touch_session(
    db: &mut Connection,
    id: Uuid,
    at: i64,
    remote_address: &str,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"update sessions set last_seen_ms = $2, remote_address = $3 where id = $1"#,
        id,
        at,
        remote_address
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Gives a session another secret.
pub(crate) async fn renew_session(
    db: &mut Connection,
    id: Uuid,
    from: &[u8],
    to: &Renewal,
) -> Result<u64> {
    let (secret, auth_time) = (to.secret.0.as_slice(), ms(to.auth_time));
    let amr = to.amr.as_str();
    let done = sqlx::query!(
        r#"update sessions set secret = $3, auth_time_ms = $4, amr = $5
           where id = $1 and secret = $2"#,
        id,
        from,
        secret,
        auth_time,
        amr
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn remove_session(db: &mut Connection, tenant: Uuid, id: Uuid) -> Result<u64> {
    let done = sqlx::query!(r#"delete from sessions where tenant_id = $1 and id = $2"#, tenant, id)
        .execute(db)
        .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn remove_session_of(
    db: &mut Connection,
    tenant: Uuid,
    id: Uuid,
    user: Uuid,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"delete from sessions where tenant_id = $1 and id = $2 and user_id = $3"#,
        tenant,
        id,
        user
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn remove_ended_sessions(
    db: &mut Connection,
    now: i64,
    idle_since: i64,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"delete from sessions where expires_ms <= $1 or last_seen_ms < $2"#,
        now,
        idle_since
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn add_key(db: &mut Connection, key: &ApiKey) -> Result<u64> {
    let (scopes, secret) = (key.scopes.join(" "), key.secret.0.as_slice());
    let (created, expires) = (ms(key.created), ms(key.expires));
    let last_used = key.last_used.map(ms);
    let done = sqlx::query!(
        r#"insert into api_keys (id, tenant_id, owner_id, name, scopes, secret, created_ms,
           expires_ms, last_used_ms) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"#,
        key.id.0,
        key.tenant.0,
        key.owner.0,
        key.name,
        scopes,
        secret,
        created,
        expires,
        last_used
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn key(db: &mut Connection, id: Uuid) -> Result<Option<KeyRow>> {
    sqlx::query_as!(
        KeyRow,
        r#"select id as "id!: Uuid", tenant_id as "tenant_id!: Uuid", owner_id as "owner_id!: Uuid",
           name as "name!", scopes as "scopes!", secret as "secret!", created_ms as "created_ms!",
           expires_ms as "expires_ms!", last_used_ms as "last_used_ms?"
           from api_keys where id = $1"#,
        id
    )
    .fetch_optional(db)
    .await
}

pub(crate) async fn keys(
    db: &mut Connection,
    tenant: Uuid,
    owner: Option<Uuid>,
) -> Result<Vec<KeyRow>> {
    sqlx::query_as!(
        KeyRow,
        r#"select id as "id!: Uuid", tenant_id as "tenant_id!: Uuid", owner_id as "owner_id!: Uuid",
           name as "name!", scopes as "scopes!", secret as "secret!", created_ms as "created_ms!",
           expires_ms as "expires_ms!", last_used_ms as "last_used_ms?"
           from api_keys where tenant_id = $1 and (owner_id = $2 or $2 is null) order by id"#,
        tenant,
        owner
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn touch_key(db: &mut Connection, id: Uuid, at: i64) -> Result<u64> {
    let done = sqlx::query!(r#"update api_keys set last_used_ms = $2 where id = $1"#, id, at)
        .execute(db)
        .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn remove_key(
    db: &mut Connection,
    tenant: Uuid,
    owner: Option<Uuid>,
    id: Uuid,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"delete from api_keys
           where tenant_id = $1 and (owner_id = $2 or $2 is null) and id = $3"#,
        tenant,
        owner,
        id
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}
