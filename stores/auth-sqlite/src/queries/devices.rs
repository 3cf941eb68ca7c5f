//! Enrolment tokens and devices.

use openframe_auth::domain::{DeviceCertificate, EnrolmentToken};
use openframe_auth::store::{Issuing, Joining};
use sqlx::Result;
use uuid::Uuid;

use super::ms;
use crate::engine::Connection;
use crate::rows::{DeviceRow, TokenRow};

pub(crate) async fn add_token(db: &mut Connection, it: &EnrolmentToken) -> Result<u64> {
    let (left, uses) = (i64::from(it.uses_left), i64::from(it.uses));
    let (created, expires) = (ms(it.created), ms(it.expires));
    let (secret, last_used) = (it.secret.0.as_slice(), it.last_used.map(ms));
    let place = it.place.to_bytes();
    let done = sqlx::query!(
        r#"insert into enrolment_tokens (id, tenant_id, name, secret, uses_left, uses, created_ms,
           expires_ms, last_used_ms, place) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"#,
        it.id.0,
        it.tenant.0,
        it.name,
        secret,
        left,
        uses,
        created,
        expires,
        last_used,
        place
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
           expires_ms as "expires_ms!", last_used_ms as "last_used_ms?", place as "place!"
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
           spki as "spki!", revoked as "revoked!: bool", quarantined_ms as "quarantined_ms?",
           generation as "generation!", generation_shown as "generation_shown!: bool",
           last_request as "last_request?",
           certified_until_ms as "certified_until_ms!", created_ms as "created_ms!"
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
           spki as "spki!", revoked as "revoked!: bool", quarantined_ms as "quarantined_ms?",
           generation as "generation!", generation_shown as "generation_shown!: bool",
           last_request as "last_request?",
           certified_until_ms as "certified_until_ms!", created_ms as "created_ms!"
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

/// Binds a device to the key of a certificate and takes it to its generation, if it is as it was seen.
pub(crate) async fn bind_device(db: &mut Connection, it: &Issuing) -> Result<u64> {
    let Issuing { certificate: issued, bound, seen, generation } = it;
    let (spki, expires) = (issued.spki.as_slice(), ms(issued.expires));
    let (bound, seen, number) = (bound.as_slice(), number(*seen), number(generation.number));
    let request = generation.request.as_ref().map(<[u8; 32]>::as_slice);
    let done = sqlx::query!(
        r#"update devices set spki = $4,
           certified_until_ms = case when certified_until_ms < $5 then $5 else certified_until_ms end,
           generation = $7, generation_shown = $8, last_request = $9
           where tenant_id = $1 and id = $2 and spki = $3 and generation = $6
           and not revoked and quarantined_ms is null"#,
        issued.tenant.0,
        issued.device.0,
        bound,
        spki,
        expires,
        seen,
        number,
        generation.shown,
        request
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// As it is kept: there is no number that a device could reach beyond.
fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) async fn quarantine_device(
    db: &mut Connection,
    (tenant, id): (Uuid, Uuid),
    now: i64,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"update devices set quarantined_ms = $3
           where tenant_id = $1 and id = $2 and not revoked and quarantined_ms is null"#,
        tenant,
        id,
        now
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn readmit_device(db: &mut Connection, tenant: Uuid, id: Uuid) -> Result<u64> {
    let done = sqlx::query!(
        r#"update devices set quarantined_ms = null, generation_shown = false, last_request = null
           where tenant_id = $1 and id = $2 and not revoked and quarantined_ms is not null"#,
        tenant,
        id
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn quarantined_devices(
    db: &mut Connection,
    tenant: Uuid,
    limit: i64,
) -> Result<Vec<DeviceRow>> {
    sqlx::query_as!(
        DeviceRow,
        r#"select id as "id!: Uuid", tenant_id as "tenant_id!: Uuid", token_id as "token_id!: Uuid",
           spki as "spki!", revoked as "revoked!: bool", quarantined_ms as "quarantined_ms?",
           generation as "generation!", generation_shown as "generation_shown!: bool",
           last_request as "last_request?",
           certified_until_ms as "certified_until_ms!", created_ms as "created_ms!"
           from devices where tenant_id = $1 and not revoked and quarantined_ms is not null
           order by quarantined_ms desc, id desc limit $2"#,
        tenant,
        limit
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn forget_other_keys(
    db: &mut Connection,
    issued: &DeviceCertificate,
) -> Result<u64> {
    let spki = issued.spki.as_slice();
    let done = sqlx::query!(
        r#"delete from device_certificates
           where tenant_id = $1 and device_id = $2 and spki <> $3"#,
        issued.tenant.0,
        issued.device.0,
        spki
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn add_certificate(
    db: &mut Connection,
    issued: &DeviceCertificate,
) -> Result<u64> {
    let (spki, expires) = (issued.spki.as_slice(), ms(issued.expires));
    let done = sqlx::query!(
        r#"insert into device_certificates (serial, tenant_id, device_id, spki, expires_ms)
           values ($1, $2, $3, $4, $5)"#,
        issued.serial,
        issued.tenant.0,
        issued.device.0,
        spki,
        expires
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// 1 when the certificate counts, else 0.
pub(crate) async fn count_certificates(
    db: &mut Connection,
    (tenant, device): (Uuid, Uuid),
    serial: &str,
    now: i64,
) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "n!: i64" from devices d
           where d.tenant_id = $1 and d.id = $2 and not d.revoked and d.quarantined_ms is null
           and (d.certified_until_ms = 0 or exists (
             select 1 from device_certificates c
             where c.serial = $3 and c.device_id = d.id and c.spki = d.spki and c.expires_ms > $4
           ))"#,
        tenant,
        device,
        serial,
        now
    )
    .fetch_one(db)
    .await
}

pub(crate) async fn forget_certificates(db: &mut Connection, now: i64) -> Result<u64> {
    let done = sqlx::query!(r#"delete from device_certificates where expires_ms <= $1"#, now)
        .execute(db)
        .await?;
    Ok(done.rows_affected())
}
