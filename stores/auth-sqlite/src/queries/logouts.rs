//! Clients that are told when a session ends in which they were signed in to.

use openframe_auth::domain::LogoutNotice;
use sqlx::Result;
use uuid::Uuid;

use crate::engine::Connection;
use crate::rows::LoginRow;

pub(crate) async fn add_login(
    db: &mut Connection,
    (tenant, user, client): (Uuid, Uuid, Uuid),
    session: Uuid,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"insert into session_clients (session_id, client_id, tenant_id, user_id, tries)
           select $1, id, tenant_id, $3, 0 from oauth_clients
           where id = $2 and tenant_id = $4 and backchannel_logout_uri is not null
           on conflict (session_id, client_id) do nothing"#,
        session,
        client,
        user,
        tenant
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn end_logins_of_session(
    db: &mut Connection,
    session: Uuid,
    now: i64,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"update session_clients set due_ms = $2 where session_id = $1 and due_ms is null"#,
        session,
        now
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Those of a person's sessions but one.
pub(crate) async fn end_logins_of(
    db: &mut Connection,
    user: Uuid,
    keep: Option<Uuid>,
    now: i64,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"update session_clients set due_ms = $3
           where user_id = $1 and due_ms is null and (session_id <> $2 or $2 is null)"#,
        user,
        keep,
        now
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn end_logins_without_session(db: &mut Connection, now: i64) -> Result<u64> {
    let done = sqlx::query!(
        r#"update session_clients set due_ms = $1 where due_ms is null and not exists
           (select 1 from sessions where sessions.id = session_clients.session_id)"#,
        now
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn due_logins(db: &mut Connection, now: i64, most: i64) -> Result<Vec<LoginRow>> {
    sqlx::query_as!(
        LoginRow,
        r#"select s.session_id as "session_id!: Uuid", s.client_id as "client_id!: Uuid",
           s.user_id as "user_id!: Uuid", c.backchannel_logout_uri as "uri!", s.tries as "tries!"
           from session_clients s join oauth_clients c on c.id = s.client_id
           where s.due_ms <= $1 order by s.due_ms, s.session_id, s.client_id limit $2"#,
        now,
        most
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn take_login(db: &mut Connection, row: &LoginRow, until: i64) -> Result<u64> {
    let done = sqlx::query!(
        r#"update session_clients set due_ms = $3, tries = tries + 1
           where session_id = $1 and client_id = $2"#,
        row.session_id,
        row.client_id,
        until
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn put_off_login(
    db: &mut Connection,
    it: &LogoutNotice,
    until: i64,
) -> Result<u64> {
    let tries = i64::from(it.tries);
    let done = sqlx::query!(
        r#"update session_clients set due_ms = $4
           where session_id = $1 and client_id = $2 and tries = $3"#,
        it.ended.session.0,
        it.ended.client.0,
        tries,
        until
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn forget_login(db: &mut Connection, it: &LogoutNotice) -> Result<u64> {
    let tries = i64::from(it.tries);
    let done = sqlx::query!(
        r#"delete from session_clients
           where session_id = $1 and client_id = $2 and tries = $3"#,
        it.ended.session.0,
        it.ended.client.0,
        tries
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}
