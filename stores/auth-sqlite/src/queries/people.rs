//! Set-up and people.

use openframe_auth::domain::{PasswordLink, User};
use openframe_auth::store::Change;
use openframe_tokens::Role;
use sqlx::Result;
use uuid::Uuid;

use super::ms;
use crate::engine::Connection;
use crate::rows::UserRow;

pub(crate) async fn count_users(db: &mut Connection, tenant: Uuid) -> Result<i64> {
    sqlx::query_scalar!(r#"select count(*) as "n!: i64" from users where tenant_id = $1"#, tenant)
        .fetch_one(db)
        .await
}

/// Enabled owners with a password, one of them left out.
pub(crate) async fn count_owners(
    db: &mut Connection,
    tenant: Uuid,
    except: Option<Uuid>,
) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "n!: i64" from users
           where tenant_id = $1 and role = 'owner' and not disabled and length(password) > 0
           and (id <> $2 or $2 is null)"#,
        tenant,
        except
    )
    .fetch_one(db)
    .await
}

pub(crate) async fn add_setup_token(
    db: &mut Connection,
    tenant: Uuid,
    secret: &[u8],
    expires_ms: i64,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"insert into setup_tokens (tenant_id, secret, expires_ms) values ($1, $2, $3)
           on conflict (tenant_id, secret) do update set expires_ms = excluded.expires_ms"#,
        tenant,
        secret,
        expires_ms
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn count_setup_tokens(
    db: &mut Connection,
    tenant: Uuid,
    secret: &[u8],
    now_ms: i64,
) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "n!: i64" from setup_tokens
           where tenant_id = $1 and secret = $2 and expires_ms > $3"#,
        tenant,
        secret,
        now_ms
    )
    .fetch_one(db)
    .await
}

/// Leaves the `newest`.
pub(crate) async fn remove_setup_tokens(
    db: &mut Connection,
    tenant: Uuid,
    newest: i64,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"delete from setup_tokens where tenant_id = $1 and secret not in (
             select secret from setup_tokens where tenant_id = $1
             order by expires_ms desc, secret limit $2)"#,
        tenant,
        newest
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn add_user(db: &mut Connection, user: &User) -> Result<u64> {
    let (role, created) = (user.role.as_str(), ms(user.created));
    let done = sqlx::query!(
        r#"insert into users
             (id, tenant_id, email, name, role, disabled, password, created_ms, email_verified)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
           on conflict (tenant_id, email) do nothing"#,
        user.id.0,
        user.tenant.0,
        user.email,
        user.name,
        role,
        user.disabled,
        user.password,
        created,
        user.email_verified
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn set_password(
    db: &mut Connection,
    (tenant, id): (Uuid, Uuid),
    (from, to): (&[u8], &[u8]),
) -> Result<u64> {
    let done = sqlx::query!(
        r#"update users set password = $4
           where tenant_id = $1 and id = $2 and password = $3 and not disabled"#,
        tenant,
        id,
        from,
        to
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn user(db: &mut Connection, tenant: Uuid, id: Uuid) -> Result<Option<UserRow>> {
    sqlx::query_as!(
        UserRow,
        r#"select u.id as "id!: Uuid", u.tenant_id as "tenant_id!: Uuid", u.email as "email!",
           u.email_verified as "email_verified!: bool", u.name as "name!", u.role as "role!",
           u.disabled as "disabled!: bool", u.password as "password!", u.created_ms as "created_ms!",
           i.expires_ms as "invited_until_ms?"
           from users u left join invitations i on i.user_id = u.id
           where u.tenant_id = $1 and u.id = $2"#,
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
        r#"select u.id as "id!: Uuid", u.tenant_id as "tenant_id!: Uuid", u.email as "email!",
           u.email_verified as "email_verified!: bool", u.name as "name!", u.role as "role!",
           u.disabled as "disabled!: bool", u.password as "password!", u.created_ms as "created_ms!",
           i.expires_ms as "invited_until_ms?"
           from users u left join invitations i on i.user_id = u.id
           where u.tenant_id = $1 and u.email = $2"#,
        tenant,
        email
    )
    .fetch_optional(db)
    .await
}

pub(crate) async fn users(db: &mut Connection, tenant: Uuid) -> Result<Vec<UserRow>> {
    sqlx::query_as!(
        UserRow,
        r#"select u.id as "id!: Uuid", u.tenant_id as "tenant_id!: Uuid", u.email as "email!",
           u.email_verified as "email_verified!: bool", u.name as "name!", u.role as "role!",
           u.disabled as "disabled!: bool", u.password as "password!", u.created_ms as "created_ms!",
           i.expires_ms as "invited_until_ms?"
           from users u left join invitations i on i.user_id = u.id
           where u.tenant_id = $1 order by u.id"#,
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
    let role = to.role.map(Role::as_str);
    let done = sqlx::query!(
        r#"update users set name = coalesce($3, name), role = coalesce($4, role),
           disabled = coalesce($5, disabled), email = coalesce($6, email),
           email_verified = email_verified and coalesce($6, email) = email
           where tenant_id = $1 and id = $2"#,
        tenant,
        id,
        to.name,
        role,
        to.disabled,
        to.email
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Ends a person's sessions but one.
pub(crate) async fn remove_sessions_of(
    db: &mut Connection,
    user: Uuid,
    keep: Option<Uuid>,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"delete from sessions where user_id = $1 and (id <> $2 or $2 is null)"#,
        user,
        keep
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Ends what programs were allowed in a person's sessions but one.
pub(crate) async fn end_families_of(
    db: &mut Connection,
    user: Uuid,
    keep: Option<Uuid>,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"delete from token_families where user_id = $1 and (session_id <> $2 or $2 is null)"#,
        user,
        keep
    )
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

pub(crate) async fn add_password_link(
    db: &mut Connection,
    tenant: Uuid,
    link: PasswordLink,
) -> Result<u64> {
    let (secret, expires) = (link.secret.0.as_slice(), ms(link.expires));
    let done = sqlx::query!(
        r#"insert into password_links (user_id, secret, expires_ms, mailed)
           select id, $3, $4, $5 from users where id = $1 and tenant_id = $2 and not disabled
             and not exists (select 1 from invitations where user_id = $1)
           on conflict (user_id) do update
           set secret = excluded.secret, expires_ms = excluded.expires_ms, mailed = excluded.mailed"#,
        link.user.0,
        tenant,
        secret,
        expires,
        link.mailed
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Sets the password of a person who has this link at `now`.
pub(crate) async fn use_password_link(
    db: &mut Connection,
    (tenant, user): (Uuid, Uuid),
    (secret, now): (&[u8], i64),
    to: &[u8],
) -> Result<u64> {
    let done = sqlx::query!(
        r#"update users set password = $3, email_verified = email_verified
             or exists (select 1 from password_links where user_id = $1 and mailed)
           where id = $1 and tenant_id = $2 and not disabled
           and exists (select 1 from password_links
                       where user_id = $1 and secret = $4 and expires_ms > $5)"#,
        user,
        tenant,
        to,
        secret,
        now
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn remove_password_link(db: &mut Connection, user: Uuid) -> Result<u64> {
    let done =
        sqlx::query!(r#"delete from password_links where user_id = $1"#, user).execute(db).await?;
    Ok(done.rows_affected())
}
