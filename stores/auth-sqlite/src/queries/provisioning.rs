//! What directories keep: people as they know them, and groups.

use openframe_auth::domain::Group;
use sqlx::{QueryBuilder, Result};
use uuid::Uuid;

use super::ms;
use crate::engine::{Connection, Engine};
use crate::rows::{GroupRow, ProvisionedRow, SizeRow};

/// People who are named in one statement at most.
const CHUNK: usize = 500;

/// A person who was not ended.
pub(crate) async fn provisioned(
    db: &mut Connection,
    (tenant, directory): (Uuid, Uuid),
    id: Uuid,
) -> Result<Option<ProvisionedRow>> {
    sqlx::query_as!(
        ProvisionedRow,
        r#"select u.id as "id!: Uuid", u.tenant_id as "tenant_id!: Uuid", u.email as "email!",
           u.email_verified as "email_verified!: bool", u.name as "name!", u.role as "role!",
           u.disabled as "disabled!: bool", u.password as "password!", u.created_ms as "created_ms!",
           i.expires_ms as "invited_until_ms?", e.external_id as "external_id?"
           from users u left join invitations i on i.user_id = u.id
           left join external_ids e on e.directory_id = $2 and e.kind = 'person' and e.id = u.id
           where u.tenant_id = $1 and u.id = $3
             and not exists (select 1 from ended_people where user_id = u.id)"#,
        tenant,
        directory,
        id
    )
    .fetch_optional(db)
    .await
}

/// People who were not ended, in the order of their ids.
pub(crate) async fn all_provisioned(
    db: &mut Connection,
    (tenant, directory): (Uuid, Uuid),
    (skip, take): (i64, i64),
) -> Result<Vec<ProvisionedRow>> {
    sqlx::query_as!(
        ProvisionedRow,
        r#"select u.id as "id!: Uuid", u.tenant_id as "tenant_id!: Uuid", u.email as "email!",
           u.email_verified as "email_verified!: bool", u.name as "name!", u.role as "role!",
           u.disabled as "disabled!: bool", u.password as "password!", u.created_ms as "created_ms!",
           i.expires_ms as "invited_until_ms?", e.external_id as "external_id?"
           from users u left join invitations i on i.user_id = u.id
           left join external_ids e on e.directory_id = $2 and e.kind = 'person' and e.id = u.id
           where u.tenant_id = $1
             and not exists (select 1 from ended_people where user_id = u.id)
           order by u.id limit $4 offset $3"#,
        tenant,
        directory,
        skip,
        take
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn count_provisioned(db: &mut Connection, tenant: Uuid) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "n!: i64" from users u where u.tenant_id = $1
             and not exists (select 1 from ended_people where user_id = u.id)"#,
        tenant
    )
    .fetch_one(db)
    .await
}

/// Whom or what of a kind the directory calls so.
pub(crate) async fn called(
    db: &mut Connection,
    (tenant, directory): (Uuid, Uuid),
    (kind, external): (&str, &str),
) -> Result<Option<Uuid>> {
    sqlx::query_scalar!(
        r#"select id as "id!: Uuid" from external_ids
           where tenant_id = $1 and directory_id = $2 and kind = $3 and external_id = $4"#,
        tenant,
        directory,
        kind,
        external
    )
    .fetch_optional(db)
    .await
}

pub(crate) async fn call(
    db: &mut Connection,
    (tenant, directory): (Uuid, Uuid),
    (kind, id): (&str, Uuid),
    external: &str,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"insert into external_ids (tenant_id, directory_id, kind, id, external_id)
           values ($1, $2, $3, $4, $5)
           on conflict (directory_id, kind, id) do update set external_id = excluded.external_id"#,
        tenant,
        directory,
        kind,
        id,
        external
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn uncall(
    db: &mut Connection,
    directory: Uuid,
    (kind, id): (&str, Uuid),
) -> Result<u64> {
    let done = sqlx::query!(
        r#"delete from external_ids where directory_id = $1 and kind = $2 and id = $3"#,
        directory,
        kind,
        id
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Forgets what all directories call something.
pub(crate) async fn forget_calls(db: &mut Connection, id: Uuid) -> Result<u64> {
    let done = sqlx::query!(r#"delete from external_ids where id = $1"#, id).execute(db).await?;
    Ok(done.rows_affected())
}

pub(crate) async fn leave_groups(db: &mut Connection, user: Uuid) -> Result<u64> {
    let done =
        sqlx::query!(r#"delete from group_members where user_id = $1"#, user).execute(db).await?;
    Ok(done.rows_affected())
}

pub(crate) async fn remove_grants_of(db: &mut Connection, user: Uuid) -> Result<u64> {
    let done = sqlx::query!(r#"delete from grants where user_id = $1"#, user).execute(db).await?;
    Ok(done.rows_affected())
}

pub(crate) async fn end_person(
    db: &mut Connection,
    (tenant, user): (Uuid, Uuid),
    now: i64,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"insert into ended_people (user_id, tenant_id, ended_ms) values ($1, $2, $3)"#,
        user,
        tenant,
        now
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn group(
    db: &mut Connection,
    (tenant, directory): (Uuid, Uuid),
    id: Uuid,
) -> Result<Option<GroupRow>> {
    sqlx::query_as!(
        GroupRow,
        r#"select g.id as "id!: Uuid", g.tenant_id as "tenant_id!: Uuid", g.name as "name!",
           g.created_ms as "created_ms!", g.changed_ms as "changed_ms!",
           e.external_id as "external_id?"
           from people_groups g
           left join external_ids e on e.directory_id = $2 and e.kind = 'group' and e.id = g.id
           where g.tenant_id = $1 and g.id = $3"#,
        tenant,
        directory,
        id
    )
    .fetch_optional(db)
    .await
}

pub(crate) async fn groups(
    db: &mut Connection,
    (tenant, directory): (Uuid, Uuid),
    (skip, take): (i64, i64),
) -> Result<Vec<GroupRow>> {
    sqlx::query_as!(
        GroupRow,
        r#"select g.id as "id!: Uuid", g.tenant_id as "tenant_id!: Uuid", g.name as "name!",
           g.created_ms as "created_ms!", g.changed_ms as "changed_ms!",
           e.external_id as "external_id?"
           from people_groups g
           left join external_ids e on e.directory_id = $2 and e.kind = 'group' and e.id = g.id
           where g.tenant_id = $1 order by g.id limit $4 offset $3"#,
        tenant,
        directory,
        skip,
        take
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn count_groups(db: &mut Connection, tenant: Uuid) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "n!: i64" from people_groups where tenant_id = $1"#,
        tenant
    )
    .fetch_one(db)
    .await
}

pub(crate) async fn add_group(db: &mut Connection, it: &Group) -> Result<u64> {
    let (created, changed) = (ms(it.created), ms(it.changed));
    let done = sqlx::query!(
        r#"insert into people_groups (id, tenant_id, name, created_ms, changed_ms)
           values ($1, $2, $3, $4, $5)"#,
        it.id.0,
        it.tenant.0,
        it.name,
        created,
        changed
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn change_group(
    db: &mut Connection,
    (tenant, id): (Uuid, Uuid),
    (name, now): (Option<&str>, i64),
) -> Result<u64> {
    let done = sqlx::query!(
        r#"update people_groups set name = coalesce($3, name), changed_ms = $4
           where tenant_id = $1 and id = $2"#,
        tenant,
        id,
        name,
        now
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn remove_group(db: &mut Connection, tenant: Uuid, id: Uuid) -> Result<u64> {
    let done =
        sqlx::query!(r#"delete from people_groups where tenant_id = $1 and id = $2"#, tenant, id)
            .execute(db)
            .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn empty_group(db: &mut Connection, id: Uuid) -> Result<u64> {
    let done =
        sqlx::query!(r#"delete from group_members where group_id = $1"#, id).execute(db).await?;
    Ok(done.rows_affected())
}

pub(crate) async fn members(db: &mut Connection, tenant: Uuid, id: Uuid) -> Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        r#"select m.user_id as "id!: Uuid" from group_members m
           join people_groups g on g.id = m.group_id
           where g.tenant_id = $1 and g.id = $2"#,
        tenant,
        id
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn group_sizes(db: &mut Connection, tenant: Uuid) -> Result<Vec<SizeRow>> {
    sqlx::query_as!(
        SizeRow,
        r#"select m.group_id as "id!: Uuid", count(*) as "size!: i64" from group_members m
           join people_groups g on g.id = m.group_id
           where g.tenant_id = $1 group by m.group_id"#,
        tenant
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn count_members(db: &mut Connection, id: Uuid) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "n!: i64" from group_members where group_id = $1"#,
        id
    )
    .fetch_one(db)
    .await
}

fn among(sql: &mut QueryBuilder<Engine>, people: &[Uuid]) {
    let mut list = sql.separated(", ");
    for id in people {
        list.push_bind(*id);
    }
}

/// Takes people out of a group.
pub(crate) async fn leave_group(db: &mut Connection, id: Uuid, people: &[Uuid]) -> Result<()> {
    for chunk in people.chunks(CHUNK) {
        let mut sql = QueryBuilder::<Engine>::new("delete from group_members where group_id = ");
        sql.push_bind(id).push(" and user_id in (");
        among(&mut sql, chunk);
        sql.push(")").build().execute(&mut *db).await?;
    }
    Ok(())
}

/// Puts people into a group; says whether all of them are there.
pub(crate) async fn join_group(
    db: &mut Connection,
    (tenant, id): (Uuid, Uuid),
    people: &[Uuid],
) -> Result<bool> {
    for chunk in people.chunks(CHUNK) {
        leave_group(db, id, chunk).await?;
        let mut sql = QueryBuilder::<Engine>::new(
            "insert into group_members (group_id, user_id) select g.id, u.id \
             from people_groups g join users u on u.tenant_id = g.tenant_id where g.id = ",
        );
        sql.push_bind(id).push(" and g.tenant_id = ").push_bind(tenant);
        sql.push(" and not exists (select 1 from ended_people where user_id = u.id)");
        sql.push(" and u.id in (");
        among(&mut sql, chunk);
        let done = sql.push(")").build().execute(&mut *db).await?;
        if usize::try_from(done.rows_affected()).ok() != Some(chunk.len()) {
            return Ok(false);
        }
    }
    Ok(true)
}
