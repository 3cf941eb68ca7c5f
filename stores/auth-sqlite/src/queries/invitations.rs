//! Invitations, and links that show that an address is read.

use openframe_auth::domain::{Accepted, EmailLink, Invitation};
use sqlx::Result;
use uuid::Uuid;

use super::ms;
use crate::engine::Connection;
use crate::rows::InvitationRow;

pub(crate) async fn add_invitation(db: &mut Connection, it: Invitation) -> Result<u64> {
    let (secret, expires) = (it.secret.0.as_slice(), ms(it.expires));
    let done = sqlx::query!(
        r#"insert into invitations (user_id, inviter_id, secret, mailed, expires_ms)
           values ($1, $2, $3, $4, $5)"#,
        it.user.0,
        it.inviter.0,
        secret,
        it.mailed,
        expires
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Puts another in the place of the one that a person has who is not disabled.
pub(crate) async fn renew_invitation(
    db: &mut Connection,
    tenant: Uuid,
    it: Invitation,
) -> Result<u64> {
    let (secret, expires) = (it.secret.0.as_slice(), ms(it.expires));
    let done = sqlx::query!(
        r#"update invitations set inviter_id = $3, secret = $4, mailed = $5, expires_ms = $6
           where user_id = $1
           and exists (select 1 from users where id = $1 and tenant_id = $2 and not disabled)"#,
        it.user.0,
        tenant,
        it.inviter.0,
        secret,
        it.mailed,
        expires
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn invitation(
    db: &mut Connection,
    tenant: Uuid,
    user: Uuid,
) -> Result<Option<InvitationRow>> {
    sqlx::query_as!(
        InvitationRow,
        r#"select i.user_id as "user_id!: Uuid", i.inviter_id as "inviter_id!: Uuid",
             i.secret as "secret!", i.mailed as "mailed!: bool", i.expires_ms as "expires_ms!"
           from invitations i join users u on u.id = i.user_id
           where u.tenant_id = $1 and u.id = $2"#,
        tenant,
        user
    )
    .fetch_optional(db)
    .await
}

/// Gives a person a name and a password who has this invitation at `now`.
pub(crate) async fn accept_invitation(
    db: &mut Connection,
    (tenant, user): (Uuid, Uuid),
    (secret, now): (&[u8], i64),
    to: &Accepted,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"update users set name = $3, password = $4, email_verified = exists (
             select 1 from invitations where user_id = $1 and mailed)
           where id = $1 and tenant_id = $2 and not disabled
           and exists (select 1 from invitations
                       where user_id = $1 and secret = $5 and expires_ms > $6)"#,
        user,
        tenant,
        to.name,
        to.password,
        secret,
        now
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Makes the invitation that a person has good no more.
pub(crate) async fn end_invitation(db: &mut Connection, user: Uuid, now: i64) -> Result<u64> {
    let done = sqlx::query!(
        r#"update invitations set expires_ms = $2 where user_id = $1 and expires_ms > $2"#,
        user,
        now
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn remove_invitation(
    db: &mut Connection,
    tenant: Uuid,
    user: Uuid,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"delete from invitations where user_id = $2
           and exists (select 1 from users where id = $2 and tenant_id = $1)"#,
        tenant,
        user
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Forgets a person who has never signed in.
pub(crate) async fn remove_user(db: &mut Connection, tenant: Uuid, user: Uuid) -> Result<u64> {
    let done = sqlx::query!(r#"delete from users where tenant_id = $1 and id = $2"#, tenant, user)
        .execute(db)
        .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn add_email_link(
    db: &mut Connection,
    tenant: Uuid,
    link: &EmailLink,
) -> Result<u64> {
    let (secret, expires) = (link.secret.0.as_slice(), ms(link.expires));
    let done = sqlx::query!(
        r#"insert into email_links (user_id, email, secret, expires_ms)
           select id, $3, $4, $5 from users where id = $1 and tenant_id = $2 and not disabled
           on conflict (user_id) do update
           set email = excluded.email, secret = excluded.secret, expires_ms = excluded.expires_ms"#,
        link.user.0,
        tenant,
        link.email,
        secret,
        expires
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// The address that a link of a person is for, if it is good at `now`.
pub(crate) async fn email_of_link(
    db: &mut Connection,
    user: Uuid,
    (secret, now): (&[u8], i64),
) -> Result<Option<String>> {
    sqlx::query_scalar!(
        r#"select email as "email!" from email_links
           where user_id = $1 and secret = $2 and expires_ms > $3"#,
        user,
        secret,
        now
    )
    .fetch_optional(db)
    .await
}

/// Gives a person the address of the link that is good at `now`.
pub(crate) async fn use_email_link(
    db: &mut Connection,
    (tenant, user): (Uuid, Uuid),
    (secret, now): (&[u8], i64),
    to: &str,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"update users set email = $3, email_verified = true
           where id = $1 and tenant_id = $2 and not disabled
           and exists (select 1 from email_links
                       where user_id = $1 and email = $3 and secret = $4 and expires_ms > $5)"#,
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

pub(crate) async fn remove_email_link(db: &mut Connection, user: Uuid) -> Result<u64> {
    let done =
        sqlx::query!(r#"delete from email_links where user_id = $1"#, user).execute(db).await?;
    Ok(done.rows_affected())
}
