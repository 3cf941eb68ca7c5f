//! Sign-ins that are half done, and the tenant's settings.

use openframe_auth::domain::HalfSignIn;
use sqlx::Result;
use uuid::Uuid;

use super::ms;
use crate::engine::Connection;
use crate::rows::HalfRow;

pub(crate) async fn add_half(db: &mut Connection, it: &HalfSignIn) -> Result<u64> {
    let (secret, expires, amr) = (it.secret.0.as_slice(), ms(it.expires), it.amr.as_str());
    let done = sqlx::query!(
        r#"insert into half_sign_ins (id, tenant_id, user_id, secret, expires_ms, amr)
           values ($1, $2, $3, $4, $5, $6)"#,
        it.id.0,
        it.tenant.0,
        it.user.0,
        secret,
        expires,
        amr
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn half(db: &mut Connection, id: Uuid) -> Result<Option<HalfRow>> {
    sqlx::query_as!(
        HalfRow,
        r#"select id as "id!: Uuid", tenant_id as "tenant_id!: Uuid", user_id as "user_id!: Uuid",
           secret as "secret!", amr as "amr!", expires_ms as "expires_ms!"
           from half_sign_ins where id = $1"#,
        id
    )
    .fetch_optional(db)
    .await
}

pub(crate) async fn end_half(db: &mut Connection, id: Uuid) -> Result<u64> {
    let done = sqlx::query!(r#"delete from half_sign_ins where id = $1"#, id).execute(db).await?;
    Ok(done.rows_affected())
}

pub(crate) async fn end_halves_of(db: &mut Connection, user: Uuid) -> Result<u64> {
    let done =
        sqlx::query!(r#"delete from half_sign_ins where user_id = $1"#, user).execute(db).await?;
    Ok(done.rows_affected())
}

pub(crate) async fn forget_halves(db: &mut Connection, now: i64) -> Result<u64> {
    let done = sqlx::query!(r#"delete from half_sign_ins where expires_ms <= $1"#, now)
        .execute(db)
        .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn second_factor_required(
    db: &mut Connection,
    tenant: Uuid,
) -> Result<Option<bool>> {
    sqlx::query_scalar!(
        r#"select second_factor_required as "required!: bool"
           from tenant_settings where tenant_id = $1"#,
        tenant
    )
    .fetch_optional(db)
    .await
}

pub(crate) async fn set_second_factor_required(
    db: &mut Connection,
    tenant: Uuid,
    required: bool,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"insert into tenant_settings (tenant_id, second_factor_required) values ($1, $2)
           on conflict (tenant_id) do update set second_factor_required = $2"#,
        tenant,
        required
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}
