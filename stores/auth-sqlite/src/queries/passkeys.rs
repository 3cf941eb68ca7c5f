//! Passkeys.

use openframe_auth::domain::Passkey;
use sqlx::Result;
use uuid::Uuid;

use super::ms;
use crate::engine::Connection;
use crate::rows::PasskeyRow;

pub(crate) async fn passkeys(db: &mut Connection, user: Uuid) -> Result<Vec<PasskeyRow>> {
    sqlx::query_as!(
        PasskeyRow,
        r#"select id as "id!: Uuid", tenant_id as "tenant_id!: Uuid", user_id as "user_id!: Uuid",
           name as "name!", credential as "credential!", key as "key!", counter as "counter!",
           created_ms as "created_ms!", last_used_ms
           from passkeys where user_id = $1 order by created_ms, id"#,
        user
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn passkey_by_credential(
    db: &mut Connection,
    tenant: Uuid,
    credential: &[u8],
) -> Result<Option<PasskeyRow>> {
    sqlx::query_as!(
        PasskeyRow,
        r#"select id as "id!: Uuid", tenant_id as "tenant_id!: Uuid", user_id as "user_id!: Uuid",
           name as "name!", credential as "credential!", key as "key!", counter as "counter!",
           created_ms as "created_ms!", last_used_ms
           from passkeys where tenant_id = $1 and credential = $2"#,
        tenant,
        credential
    )
    .fetch_optional(db)
    .await
}

pub(crate) async fn count_passkeys(db: &mut Connection, user: Uuid) -> Result<i64> {
    sqlx::query_scalar!(r#"select count(*) as "n!: i64" from passkeys where user_id = $1"#, user)
        .fetch_one(db)
        .await
}

/// Adds one, unless somebody has registered it before.
pub(crate) async fn add_passkey(db: &mut Connection, it: &Passkey) -> Result<u64> {
    let (counter, created) = (i64::from(it.counter), ms(it.created));
    let used = it.last_used.map(ms);
    let done = sqlx::query!(
        r#"insert into passkeys
           (id, tenant_id, user_id, name, credential, key, counter, created_ms, last_used_ms)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
           on conflict (tenant_id, credential) do nothing"#,
        it.id.0,
        it.tenant.0,
        it.user.0,
        it.name,
        it.credential,
        it.key,
        counter,
        created,
        used
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Writes a use down, whose counter is later than the one before, or both are 0.
pub(crate) async fn use_passkey(
    db: &mut Connection,
    id: Uuid,
    (key, counter): (&str, i64),
    at_ms: i64,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"update passkeys set key = $2, counter = $3, last_used_ms = $4
           where id = $1 and (counter < $3 or (counter = 0 and $3 = 0))"#,
        id,
        key,
        counter,
        at_ms
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn rename_passkey(
    db: &mut Connection,
    (tenant, user): (Uuid, Uuid),
    id: Uuid,
    name: &str,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"update passkeys set name = $4 where id = $1 and user_id = $2 and tenant_id = $3"#,
        id,
        user,
        tenant,
        name
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn remove_passkey(
    db: &mut Connection,
    (tenant, user): (Uuid, Uuid),
    id: Uuid,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"delete from passkeys where id = $1 and user_id = $2 and tenant_id = $3"#,
        id,
        user,
        tenant
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn remove_passkeys_of(db: &mut Connection, user: Uuid) -> Result<u64> {
    let done = sqlx::query!(r#"delete from passkeys where user_id = $1"#, user).execute(db).await?;
    Ok(done.rows_affected())
}
