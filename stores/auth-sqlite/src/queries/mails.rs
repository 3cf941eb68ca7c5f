//! The outbox.

use openframe_auth::domain::SealedMail;
use sqlx::Result;
use uuid::Uuid;

use super::ms;
use crate::engine::Connection;
use crate::rows::MailRow;

pub(crate) async fn add_mail(db: &mut Connection, mail: &SealedMail) -> Result<u64> {
    let (kind, created, ends) = (mail.kind.as_str(), ms(mail.created), ms(mail.ends));
    let tries = i64::from(mail.tries);
    let done = sqlx::query!(
        r#"insert into mails (id, tenant_id, kind, sealed, created_ms, ends_ms, due_ms, tries)
           values ($1, $2, $3, $4, $5, $6, $5, $7)"#,
        mail.id,
        mail.tenant.0,
        kind,
        mail.sealed,
        created,
        ends,
        tries
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Whether there is anything to take: asked before a change is begun, since mostly there is not.
pub(crate) async fn count_due_mails(db: &mut Connection, tenant: Uuid, now: i64) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "n!: i64" from mails where tenant_id = $1 and due_ms <= $2"#,
        tenant,
        now
    )
    .fetch_one(db)
    .await
}

/// The condition is there twice: one of many that choose the same row at once finds it changed.
pub(crate) async fn take_mail(
    db: &mut Connection,
    (tenant, replica): (Uuid, Uuid),
    (now, until): (i64, i64),
) -> Result<Option<MailRow>> {
    sqlx::query_as!(
        MailRow,
        r#"update mails set replica = $2, due_ms = $4, tries = tries + 1
           where due_ms <= $3 and id = (
             select id from mails where tenant_id = $1 and due_ms <= $3
             order by due_ms, id limit 1)
           returning id as "id!: Uuid", tenant_id as "tenant_id!: Uuid", kind as "kind!",
             sealed as "sealed!", created_ms as "created_ms!", ends_ms as "ends_ms!",
             tries as "tries!""#,
        tenant,
        replica,
        now,
        until
    )
    .fetch_optional(db)
    .await
}

pub(crate) async fn put_mail_off(
    db: &mut Connection,
    (id, replica): (Uuid, Uuid),
    due: i64,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"update mails set due_ms = $3 where id = $1 and replica = $2"#,
        id,
        replica,
        due
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn remove_mail(db: &mut Connection, (id, replica): (Uuid, Uuid)) -> Result<u64> {
    let done = sqlx::query!(r#"delete from mails where id = $1 and replica = $2"#, id, replica)
        .execute(db)
        .await?;
    Ok(done.rows_affected())
}
