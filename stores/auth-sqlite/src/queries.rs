//! The SQL. Every statement is valid for PostgreSQL and SQLite alike: times and ids are bound, never
//! made by the database, and nothing is an array.

use openframe_auth::domain::{ApiKey, EnrolmentToken, Entry, Session, User};
use openframe_auth::store::{Change, Joining};
use sqlx::{Result, SqliteConnection as Connection};
use uuid::Uuid;

use crate::rows::{DeviceRow, EntryRow, HeadRow, KeyRow, SessionRow, TokenRow, UserRow};

/// A time as it is kept.
pub(crate) fn ms(at: jiff::Timestamp) -> i64 {
    at.as_millisecond()
}

pub(crate) async fn count_users(db: &mut Connection, tenant: Uuid) -> Result<i64> {
    sqlx::query_scalar!(r#"select count(*) as "n!: i64" from users where tenant_id = $1"#, tenant)
        .fetch_one(db)
        .await
}

pub(crate) async fn count_other_owners(db: &mut Connection, tenant: Uuid, id: Uuid) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "n!: i64" from users
           where tenant_id = $1 and role = 'owner' and not disabled and id <> $2"#,
        tenant,
        id
    )
    .fetch_one(db)
    .await
}

pub(crate) async fn set_setup(db: &mut Connection, tenant: Uuid, secret: &[u8]) -> Result<u64> {
    let done = sqlx::query!(
        r#"insert into setup (tenant_id, secret) values ($1, $2)
           on conflict (tenant_id) do update set secret = excluded.secret"#,
        tenant,
        secret
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn setup(db: &mut Connection, tenant: Uuid) -> Result<Option<Vec<u8>>> {
    sqlx::query_scalar!(r#"select secret as "secret!" from setup where tenant_id = $1"#, tenant)
        .fetch_optional(db)
        .await
}

pub(crate) async fn remove_setup(db: &mut Connection, tenant: Uuid) -> Result<u64> {
    let done =
        sqlx::query!(r#"delete from setup where tenant_id = $1"#, tenant).execute(db).await?;
    Ok(done.rows_affected())
}

pub(crate) async fn add_user(db: &mut Connection, user: &User) -> Result<u64> {
    let (role, created) = (user.role.as_str(), ms(user.created));
    let done = sqlx::query!(
        r#"insert into users (id, tenant_id, email, name, role, disabled, password, created_ms)
           values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (tenant_id, email) do nothing"#,
        user.id.0,
        user.tenant.0,
        user.email,
        user.name,
        role,
        user.disabled,
        user.password,
        created
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn user(db: &mut Connection, tenant: Uuid, id: Uuid) -> Result<Option<UserRow>> {
    sqlx::query_as!(
        UserRow,
        r#"select id as "id!: Uuid", tenant_id as "tenant_id!: Uuid", email as "email!", name as "name!",
           role as "role!", disabled as "disabled!: bool", password as "password!",
           created_ms as "created_ms!"
           from users where tenant_id = $1 and id = $2"#,
        tenant,
        id
    )
    .fetch_optional(db)
    .await
}

pub(crate) async fn user_by_email(
    db: &mut Connection,
    tenant: Uuid,
    email: &str,
) -> Result<Option<UserRow>> {
    sqlx::query_as!(
        UserRow,
        r#"select id as "id!: Uuid", tenant_id as "tenant_id!: Uuid", email as "email!", name as "name!",
           role as "role!", disabled as "disabled!: bool", password as "password!",
           created_ms as "created_ms!"
           from users where tenant_id = $1 and email = $2"#,
        tenant,
        email
    )
    .fetch_optional(db)
    .await
}

pub(crate) async fn users(db: &mut Connection, tenant: Uuid) -> Result<Vec<UserRow>> {
    sqlx::query_as!(
        UserRow,
        r#"select id as "id!: Uuid", tenant_id as "tenant_id!: Uuid", email as "email!", name as "name!",
           role as "role!", disabled as "disabled!: bool", password as "password!",
           created_ms as "created_ms!"
           from users where tenant_id = $1 order by id"#,
        tenant
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn change_user(
    db: &mut Connection,
    tenant: Uuid,
    id: Uuid,
    to: &Change,
) -> Result<u64> {
    let role = to.role.as_str();
    let done = sqlx::query!(
        r#"update users set name = $3, role = $4, disabled = $5 where tenant_id = $1 and id = $2"#,
        tenant,
        id,
        to.name,
        role,
        to.disabled
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn remove_sessions_of(
    db: &mut Connection,
    tenant: Uuid,
    user: Uuid,
) -> Result<u64> {
    let done =
        sqlx::query!(r#"delete from sessions where tenant_id = $1 and user_id = $2"#, tenant, user)
            .execute(db)
            .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn remove_keys_of(db: &mut Connection, tenant: Uuid, user: Uuid) -> Result<u64> {
    let done = sqlx::query!(
        r#"delete from api_keys where tenant_id = $1 and owner_id = $2"#,
        tenant,
        user
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn add_session(db: &mut Connection, it: &Session) -> Result<u64> {
    let (secret, created) = (it.secret.0.as_slice(), ms(it.created));
    let (last_seen, expires) = (ms(it.last_seen), ms(it.expires));
    let done = sqlx::query!(
        r#"insert into sessions (id, tenant_id, user_id, secret, created_ms, last_seen_ms,
           expires_ms, remote_address, user_agent) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"#,
        it.id.0,
        it.tenant.0,
        it.user.0,
        secret,
        created,
        last_seen,
        expires,
        it.remote_address,
        it.user_agent
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
           user_agent as "user_agent!"
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
           user_agent as "user_agent!"
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
           user_agent as "user_agent!"
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

pub(crate) async fn keys_of(db: &mut Connection, tenant: Uuid, owner: Uuid) -> Result<Vec<KeyRow>> {
    sqlx::query_as!(
        KeyRow,
        r#"select id as "id!: Uuid", tenant_id as "tenant_id!: Uuid", owner_id as "owner_id!: Uuid",
           name as "name!", scopes as "scopes!", secret as "secret!", created_ms as "created_ms!",
           expires_ms as "expires_ms!", last_used_ms as "last_used_ms?"
           from api_keys where tenant_id = $1 and owner_id = $2 order by id"#,
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
    owner: Uuid,
    id: Uuid,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"delete from api_keys where tenant_id = $1 and owner_id = $2 and id = $3"#,
        tenant,
        owner,
        id
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn add_token(db: &mut Connection, it: &EnrolmentToken) -> Result<u64> {
    let (left, uses) = (i64::from(it.uses_left), i64::from(it.uses));
    let (created, expires) = (ms(it.created), ms(it.expires));
    let (secret, last_used) = (it.secret.0.as_slice(), it.last_used.map(ms));
    let done = sqlx::query!(
        r#"insert into enrolment_tokens (id, tenant_id, name, secret, uses_left, uses, created_ms,
           expires_ms, last_used_ms) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"#,
        it.id.0,
        it.tenant.0,
        it.name,
        secret,
        left,
        uses,
        created,
        expires,
        last_used
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn tokens(db: &mut Connection, tenant: Uuid, now: i64) -> Result<Vec<TokenRow>> {
    sqlx::query_as!(
        TokenRow,
        r#"select id as "id!: Uuid", tenant_id as "tenant_id!: Uuid", name as "name!", secret as "secret!",
           uses_left as "uses_left!", uses as "uses!", created_ms as "created_ms!",
           expires_ms as "expires_ms!", last_used_ms as "last_used_ms?"
           from enrolment_tokens
           where tenant_id = $1 and uses_left > 0 and expires_ms > $2 order by id"#,
        tenant,
        now
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn remove_token(db: &mut Connection, tenant: Uuid, id: Uuid) -> Result<u64> {
    let done = sqlx::query!(
        r#"delete from enrolment_tokens where tenant_id = $1 and id = $2"#,
        tenant,
        id
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// The tenant of a token that holds now, whether or not it has uses left.
pub(crate) async fn good_token(
    db: &mut Connection,
    joining: &Joining,
    now: i64,
) -> Result<Option<Uuid>> {
    let secret = joining.secret.0.as_slice();
    sqlx::query_scalar!(
        r#"select tenant_id as "tenant_id!: Uuid" from enrolment_tokens
           where id = $1 and secret = $2 and expires_ms > $3"#,
        joining.token.0,
        secret,
        now
    )
    .fetch_optional(db)
    .await
}

pub(crate) async fn use_token(db: &mut Connection, joining: &Joining, now: i64) -> Result<u64> {
    let done = sqlx::query!(
        r#"update enrolment_tokens
           set uses_left = uses_left - 1, uses = uses + 1, last_used_ms = $2
           where id = $1 and uses_left > 0"#,
        joining.token.0,
        now
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn device_of_key(
    db: &mut Connection,
    joining: &Joining,
) -> Result<Option<DeviceRow>> {
    let spki = joining.spki.as_slice();
    sqlx::query_as!(
        DeviceRow,
        r#"select id as "id!: Uuid", tenant_id as "tenant_id!: Uuid", token_id as "token_id!: Uuid",
           spki as "spki!", revoked as "revoked!: bool", created_ms as "created_ms!"
           from devices where token_id = $1 and spki = $2"#,
        joining.token.0,
        spki
    )
    .fetch_optional(db)
    .await
}

pub(crate) async fn add_device(
    db: &mut Connection,
    joining: &Joining,
    tenant: Uuid,
    now: i64,
) -> Result<u64> {
    let spki = joining.spki.as_slice();
    let done = sqlx::query!(
        r#"insert into devices (id, tenant_id, token_id, spki, revoked, created_ms)
           values ($1, $2, $3, $4, false, $5)"#,
        joining.device.0,
        tenant,
        joining.token.0,
        spki,
        now
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn device(
    db: &mut Connection,
    tenant: Uuid,
    id: Uuid,
) -> Result<Option<DeviceRow>> {
    sqlx::query_as!(
        DeviceRow,
        r#"select id as "id!: Uuid", tenant_id as "tenant_id!: Uuid", token_id as "token_id!: Uuid",
           spki as "spki!", revoked as "revoked!: bool", created_ms as "created_ms!"
           from devices where tenant_id = $1 and id = $2"#,
        tenant,
        id
    )
    .fetch_optional(db)
    .await
}

pub(crate) async fn revoke_device(db: &mut Connection, tenant: Uuid, id: Uuid) -> Result<u64> {
    let done = sqlx::query!(
        r#"update devices set revoked = true where tenant_id = $1 and id = $2 and not revoked"#,
        tenant,
        id
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

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

pub(crate) async fn entries_before(
    db: &mut Connection,
    tenant: Uuid,
    before: i64,
    limit: i64,
) -> Result<Vec<EntryRow>> {
    sqlx::query_as!(
        EntryRow,
        r#"select seq as "seq!", at_ms as "at_ms!", actor_kind as "actor_kind!", actor as "actor!",
           action as "action!", target as "target!", outcome as "outcome!", detail as "detail!",
           remote_address as "remote_address!", request_id as "request_id!", hash as "hash!"
           from audit where tenant_id = $1 and seq < $2 order by seq desc limit $3"#,
        tenant,
        before,
        limit
    )
    .fetch_all(db)
    .await
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
