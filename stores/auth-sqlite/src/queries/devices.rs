//! Enrolment tokens and devices.

use openframe_auth::domain::{DeviceCertificate, EnrolmentToken, Generation};
use openframe_auth::store::{Issuing, Joining};
use sqlx::Result;
use uuid::Uuid;

use super::ms;
use crate::engine::Connection;
use crate::rows::{DeviceRow, TokenRow, WaitingRow, WithdrawnRow};

/// `terms` are the token's, as they are kept.
pub(crate) async fn add_token(
    db: &mut Connection,
    it: &EnrolmentToken,
    terms: &str,
) -> Result<u64> {
    let (left, uses) = (i64::from(it.uses_left), i64::from(it.uses));
    let (created, expires) = (ms(it.created), ms(it.expires));
    let (secret, last_used) = (it.secret.0.as_slice(), it.last_used.map(ms));
    let place = it.place.to_bytes();
    let done = sqlx::query!(
        r#"insert into enrolment_tokens (id, tenant_id, name, secret, uses_left, uses, created_ms,
           expires_ms, last_used_ms, place, terms)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"#,
        it.id.0,
        it.tenant.0,
        it.name,
        secret,
        left,
        uses,
        created,
        expires,
        last_used,
        place,
        terms
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
           expires_ms as "expires_ms!", last_used_ms as "last_used_ms?", place as "place!",
           terms as "terms!"
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

/// Takes a use of a token that has some; its terms.
pub(crate) async fn use_token(
    db: &mut Connection,
    joining: &Joining,
    now: i64,
) -> Result<Option<String>> {
    sqlx::query_scalar!(
        r#"update enrolment_tokens
           set uses_left = uses_left - 1, uses = uses + 1, last_used_ms = $2
           where id = $1 and uses_left > 0
           returning terms as "terms!""#,
        joining.token.0,
        now
    )
    .fetch_optional(db)
    .await
}

/// The device that has joined by a token which holds now, whether or not it has uses left. One that was
/// kept waiting and has had no certificate yet is served by a token that is over.
pub(crate) async fn device_of_key(
    db: &mut Connection,
    joining: &Joining,
    now: i64,
) -> Result<Option<DeviceRow>> {
    let (spki, secret) = (joining.first.spki.as_slice(), joining.secret.0.as_slice());
    sqlx::query_as!(
        DeviceRow,
        r#"select id as "id!: Uuid", tenant_id as "tenant_id!: Uuid", token_id as "token_id!: Uuid",
           spki as "spki!", revoked as "revoked!: bool", quarantined_ms as "quarantined_ms?",
           claims is not null as "waits!: bool",
           generation as "generation!", generation_shown as "generation_shown!: bool",
           last_request as "last_request?",
           certified_until_ms as "certified_until_ms!", created_ms as "created_ms!"
           from devices where token_id = $1 and spki = $2 and exists (
             select 1 from enrolment_tokens t
             where t.id = $1 and t.secret = $3 and t.tenant_id = $4
             and (t.expires_ms > $5 or devices.certified_until_ms <= devices.created_ms)
           )"#,
        joining.token.0,
        spki,
        secret,
        joining.first.tenant.0,
        now
    )
    .fetch_optional(db)
    .await
}

/// Adds a device with its first certificate's generation, at its token's place, if the token holds now and
/// the key is new.
pub(crate) async fn add_device(db: &mut Connection, joining: &Joining, now: i64) -> Result<u64> {
    let Joining { token, secret, first, .. } = joining;
    let (spki, secret, expires) = (first.spki.as_slice(), secret.0.as_slice(), ms(first.expires));
    let generation = number(Generation::FIRST.number);
    let done = sqlx::query!(
        r#"insert into devices (id, tenant_id, token_id, spki, revoked, created_ms,
             certified_until_ms, generation, place)
           select $1, t.tenant_id, t.id, $4, false, $6, $7, $8, t.place from enrolment_tokens t
           where t.id = $2 and t.secret = $3 and t.tenant_id = $5 and t.expires_ms > $6
           on conflict (token_id, spki) do nothing"#,
        first.device.0,
        token.0,
        secret,
        spki,
        first.tenant.0,
        now,
        expires,
        generation
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
           claims is not null as "waits!: bool",
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

/// Makes a device that has just been added wait: it has no certificate.
pub(crate) async fn let_wait(
    db: &mut Connection,
    joining: &Joining,
    (claims, now): (&str, i64),
) -> Result<u64> {
    let done = sqlx::query!(
        r#"update devices set quarantined_ms = $3, claims = $4, certified_until_ms = created_ms
           where tenant_id = $1 and id = $2"#,
        joining.first.tenant.0,
        joining.first.device.0,
        now,
        claims
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn waiting_devices(
    db: &mut Connection,
    tenant: Uuid,
    limit: i64,
) -> Result<Vec<WaitingRow>> {
    sqlx::query_as!(
        WaitingRow,
        r#"select id as "id!: Uuid", tenant_id as "tenant_id!: Uuid", place as "place!", spki as "spki!",
           claims as "claims!", quarantined_ms as "since_ms!"
           from devices where tenant_id = $1 and not revoked and claims is not null
           order by quarantined_ms, id limit $2"#,
        tenant,
        limit
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn admit_device(db: &mut Connection, tenant: Uuid, id: Uuid) -> Result<u64> {
    let done = sqlx::query!(
        r#"update devices set quarantined_ms = null, claims = null
           where tenant_id = $1 and id = $2 and not revoked and claims is not null"#,
        tenant,
        id
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn turn_away_device(db: &mut Connection, tenant: Uuid, id: Uuid) -> Result<u64> {
    let done = sqlx::query!(
        r#"update devices set revoked = true
           where tenant_id = $1 and id = $2 and not revoked and claims is not null"#,
        tenant,
        id
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn readmit_device(db: &mut Connection, tenant: Uuid, id: Uuid) -> Result<u64> {
    let done = sqlx::query!(
        r#"update devices set quarantined_ms = null, generation_shown = false, last_request = null
           where tenant_id = $1 and id = $2 and not revoked and quarantined_ms is not null
           and claims is null"#,
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
           claims is not null as "waits!: bool",
           generation as "generation!", generation_shown as "generation_shown!: bool",
           last_request as "last_request?",
           certified_until_ms as "certified_until_ms!", created_ms as "created_ms!"
           from devices where tenant_id = $1 and not revoked and quarantined_ms is not null
           and claims is null order by quarantined_ms desc, id desc limit $2"#,
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
           and exists (
             select 1 from device_certificates c
             where c.serial = $3 and c.device_id = d.id and c.spki = d.spki and c.expires_ms > $4
           )"#,
        tenant,
        device,
        serial,
        now
    )
    .fetch_one(db)
    .await
}

pub(crate) async fn withdrawn_certificates(
    db: &mut Connection,
    tenant: Uuid,
    now: i64,
) -> Result<Vec<WithdrawnRow>> {
    sqlx::query_as!(
        WithdrawnRow,
        r#"select c.serial as "serial!", c.expires_ms as "expires_ms!", d.revoked as "revoked!: bool"
           from devices d join device_certificates c on c.device_id = d.id
           where d.tenant_id = $1 and c.expires_ms > $2
           and (d.revoked or d.quarantined_ms is not null) order by c.serial"#,
        tenant,
        now
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn forget_certificates(db: &mut Connection, now: i64) -> Result<u64> {
    let done = sqlx::query!(r#"delete from device_certificates where expires_ms <= $1"#, now)
        .execute(db)
        .await?;
    Ok(done.rows_affected())
}
