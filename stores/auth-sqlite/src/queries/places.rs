//! Places and grants.

use openframe_auth::domain::{KeptGrant, NamedPlace};
use sqlx::Result;
use uuid::Uuid;

use super::ms;
use crate::engine::Connection;
use crate::rows::{GrantRow, PlaceRow};

/// Adds a place, unless its name is taken in what it lies in.
pub(crate) async fn add_place(
    db: &mut Connection,
    it: &NamedPlace,
    (id, above): (Uuid, &[u8]),
) -> Result<u64> {
    let created = ms(it.created);
    let done = sqlx::query!(
        r#"insert into places (id, tenant_id, above, name, created_ms) values ($1, $2, $3, $4, $5)
           on conflict (tenant_id, above, name) do nothing"#,
        id,
        it.tenant.0,
        above,
        it.name,
        created
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn count_places(db: &mut Connection, tenant: Uuid) -> Result<i64> {
    sqlx::query_scalar!(r#"select count(*) as "n!: i64" from places where tenant_id = $1"#, tenant)
        .fetch_one(db)
        .await
}

pub(crate) async fn place(db: &mut Connection, tenant: Uuid, id: Uuid) -> Result<Option<PlaceRow>> {
    sqlx::query_as!(
        PlaceRow,
        r#"select id as "id!: Uuid", tenant_id as "tenant_id!: Uuid", above as "above!", name as "name!",
           created_ms as "created_ms!"
           from places where tenant_id = $1 and id = $2"#,
        tenant,
        id
    )
    .fetch_optional(db)
    .await
}

pub(crate) async fn places(db: &mut Connection, tenant: Uuid) -> Result<Vec<PlaceRow>> {
    sqlx::query_as!(
        PlaceRow,
        r#"select id as "id!: Uuid", tenant_id as "tenant_id!: Uuid", above as "above!", name as "name!",
           created_ms as "created_ms!"
           from places where tenant_id = $1 order by id"#,
        tenant
    )
    .fetch_all(db)
    .await
}

/// Places of this name beside a place.
pub(crate) async fn count_namesakes(
    db: &mut Connection,
    (tenant, id): (Uuid, Uuid),
    (above, name): (&[u8], &str),
) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "n!: i64" from places
           where tenant_id = $1 and id <> $2 and above = $3 and name = $4"#,
        tenant,
        id,
        above,
        name
    )
    .fetch_one(db)
    .await
}

pub(crate) async fn rename_place(
    db: &mut Connection,
    (tenant, id): (Uuid, Uuid),
    name: &str,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"update places set name = $3 where tenant_id = $1 and id = $2"#,
        tenant,
        id,
        name
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// How many places, grants, enrolment tokens and devices there are in a place.
pub(crate) async fn count_in_place(
    db: &mut Connection,
    tenant: Uuid,
    (place, now): (&[u8], i64),
) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select (select count(*) from places where tenant_id = $1 and above = $2)
             + (select count(*) from grants
                where tenant_id = $1 and place = $2 and (until_ms is null or until_ms > $3))
             + (select count(*) from enrolment_tokens
                where tenant_id = $1 and place = $2 and uses_left > 0 and expires_ms > $3)
             + (select count(*) from devices where tenant_id = $1 and place = $2 and not revoked)
             as "n!: i64""#,
        tenant,
        place,
        now
    )
    .fetch_one(db)
    .await
}

pub(crate) async fn remove_place(db: &mut Connection, tenant: Uuid, id: Uuid) -> Result<u64> {
    let done = sqlx::query!(r#"delete from places where tenant_id = $1 and id = $2"#, tenant, id)
        .execute(db)
        .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn place_of_device(
    db: &mut Connection,
    tenant: Uuid,
    id: Uuid,
) -> Result<Option<Vec<u8>>> {
    sqlx::query_scalar!(
        r#"select place as "place!" from devices where tenant_id = $1 and id = $2"#,
        tenant,
        id
    )
    .fetch_optional(db)
    .await
}

/// The devices at places from one to before another.
pub(crate) async fn devices_within(
    db: &mut Connection,
    tenant: Uuid,
    (first, end): (&[u8], &[u8]),
    (after, most): (Uuid, i64),
) -> Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        r#"select id as "id!: Uuid" from devices
           where tenant_id = $1 and place >= $2 and place < $3 and id > $4 order by id limit $5"#,
        tenant,
        first,
        end,
        after,
        most
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn devices(
    db: &mut Connection,
    tenant: Uuid,
    (after, most): (Uuid, i64),
) -> Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        r#"select id as "id!: Uuid" from devices where tenant_id = $1 and id > $2 order by id limit $3"#,
        tenant,
        after,
        most
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn move_device(
    db: &mut Connection,
    (tenant, id): (Uuid, Uuid),
    place: &[u8],
) -> Result<u64> {
    let done = sqlx::query!(
        r#"update devices set place = $3 where tenant_id = $1 and id = $2"#,
        tenant,
        id,
        place
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn add_grant(db: &mut Connection, it: &KeptGrant) -> Result<u64> {
    let (role, effect) = (it.grant.role.as_str(), it.grant.effect.as_str());
    let (place, until) = (it.grant.place.to_bytes(), it.grant.until.map(ms));
    let created = ms(it.created);
    let done = sqlx::query!(
        r#"insert into grants (id, tenant_id, user_id, role, place, effect, until_ms, created_ms)
           values ($1, $2, $3, $4, $5, $6, $7, $8)"#,
        it.id.0,
        it.tenant.0,
        it.user.0,
        role,
        place,
        effect,
        until,
        created
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn grants_of(
    db: &mut Connection,
    (tenant, user): (Uuid, Uuid),
    now: i64,
) -> Result<Vec<GrantRow>> {
    sqlx::query_as!(
        GrantRow,
        r#"select id as "id!: Uuid", tenant_id as "tenant_id!: Uuid", user_id as "user_id!: Uuid",
           role as "role!", place as "place!", effect as "effect!", until_ms as "until_ms?",
           created_ms as "created_ms!"
           from grants
           where tenant_id = $1 and user_id = $2 and (until_ms is null or until_ms > $3) order by id"#,
        tenant,
        user,
        now
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn forget_ended_grants(db: &mut Connection, user: Uuid, now: i64) -> Result<u64> {
    let done =
        sqlx::query!(r#"delete from grants where user_id = $1 and until_ms <= $2"#, user, now)
            .execute(db)
            .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn remove_grant(
    db: &mut Connection,
    (tenant, user): (Uuid, Uuid),
    id: Uuid,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"delete from grants where tenant_id = $1 and user_id = $2 and id = $3"#,
        tenant,
        user,
        id
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}
