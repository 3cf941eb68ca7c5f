//! Second factors: secrets of authenticator apps, recovery codes, and wrong tries.

use sqlx::Result;
use uuid::Uuid;

use crate::engine::Connection;
use crate::rows::TotpRow;

pub(crate) async fn totp(
    db: &mut Connection,
    user: Uuid,
    confirmed: bool,
) -> Result<Option<TotpRow>> {
    sqlx::query_as!(
        TotpRow,
        r#"select sealed as "sealed!", created_ms as "created_ms!"
           from totp_credentials where user_id = $1 and confirmed = $2"#,
        user,
        confirmed
    )
    .fetch_optional(db)
    .await
}

/// Keeps a secret to be confirmed, in the place of the one before, for a person who is let in.
pub(crate) async fn enrol_totp(
    db: &mut Connection,
    (tenant, user): (Uuid, Uuid),
    sealed: &[u8],
    created_ms: i64,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"insert into totp_credentials (user_id, confirmed, sealed, last_step, created_ms)
           select id, false, $3, 0, $4 from users where id = $1 and tenant_id = $2 and not disabled
           on conflict (user_id, confirmed) do update set sealed = $3, created_ms = $4"#,
        user,
        tenant,
        sealed,
        created_ms
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Puts the secret that waits in force.
pub(crate) async fn confirm_totp(
    db: &mut Connection,
    user: Uuid,
    sealed: &[u8],
    step: i64,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"update totp_credentials set confirmed = true, last_step = $3
           where user_id = $1 and sealed = $2 and not confirmed"#,
        user,
        sealed,
        step
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Uses a step, once.
pub(crate) async fn use_totp(db: &mut Connection, user: Uuid, step: i64) -> Result<u64> {
    let done = sqlx::query!(
        r#"update totp_credentials set last_step = $2
           where user_id = $1 and confirmed and last_step < $2"#,
        user,
        step
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn remove_totp(db: &mut Connection, user: Uuid, confirmed: bool) -> Result<u64> {
    let done = sqlx::query!(
        r#"delete from totp_credentials where user_id = $1 and confirmed = $2"#,
        user,
        confirmed
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn add_recovery_code(db: &mut Connection, user: Uuid, hash: &[u8]) -> Result<u64> {
    let done =
        sqlx::query!(r#"insert into recovery_codes (user_id, hash) values ($1, $2)"#, user, hash)
            .execute(db)
            .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn count_recovery_codes(db: &mut Connection, user: Uuid) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "n!: i64" from recovery_codes where user_id = $1"#,
        user
    )
    .fetch_one(db)
    .await
}

/// Uses a code, once.
pub(crate) async fn use_recovery_code(db: &mut Connection, user: Uuid, hash: &[u8]) -> Result<u64> {
    let done =
        sqlx::query!(r#"delete from recovery_codes where user_id = $1 and hash = $2"#, user, hash)
            .execute(db)
            .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn remove_recovery_codes(db: &mut Connection, user: Uuid) -> Result<u64> {
    let done =
        sqlx::query!(r#"delete from recovery_codes where user_id = $1"#, user).execute(db).await?;
    Ok(done.rows_affected())
}

/// When the person's budget of tries is whole.
pub(crate) async fn factor_tries(db: &mut Connection, user: Uuid) -> Result<Option<i64>> {
    sqlx::query_scalar!(
        r#"select whole_at_ms as "whole_at_ms!" from factor_tries where user_id = $1"#,
        user
    )
    .fetch_optional(db)
    .await
}

pub(crate) async fn set_factor_tries(db: &mut Connection, user: Uuid, whole: i64) -> Result<u64> {
    let done = sqlx::query!(
        r#"insert into factor_tries (user_id, whole_at_ms) values ($1, $2)
           on conflict (user_id) do update set whole_at_ms = $2"#,
        user,
        whole
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn forgive_factor_tries(db: &mut Connection, user: Uuid) -> Result<u64> {
    let done =
        sqlx::query!(r#"delete from factor_tries where user_id = $1"#, user).execute(db).await?;
    Ok(done.rows_affected())
}
