//! Clients, consents, token families and signing keys.

use openframe_auth::domain::SealedKey;
use openframe_oauth::{Client, ClientKeys, Family, Pkce};
use sqlx::Result;
use uuid::Uuid;

use super::ms;
use crate::engine::Connection;
use crate::rows::{
    ClientRow, ConsentRow, FamilyRow, SigningKeyRow, demands_text, grants_text, uris_text,
};

pub(crate) async fn add_client(db: &mut Connection, it: &Client) -> Result<u64> {
    let (secret, created) = (it.secret.map(|secret| secret.0.to_vec()), ms(it.created));
    let (uris, grants, scopes) =
        (uris_text(&it.redirect_uris), grants_text(it), it.scopes.to_string());
    let post_logout_uris = uris_text(&it.post_logout_uris);
    let waived = it.pkce == Pkce::Waived;
    let (keys, demands) = (it.keys.as_ref().map(ClientKeys::to_text), demands_text(it));
    let done = sqlx::query!(
        r#"insert into oauth_clients (id, tenant_id, name, secret, redirect_uris, grants, scopes,
           pkce_waived, created_ms, post_logout_uris, backchannel_logout_uri, keys, demands)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"#,
        it.id.0,
        it.tenant.0,
        it.name,
        secret,
        uris,
        grants,
        scopes,
        waived,
        created,
        post_logout_uris,
        it.backchannel_logout_uri,
        keys,
        demands
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn client(db: &mut Connection, id: Uuid) -> Result<Option<ClientRow>> {
    sqlx::query_as!(
        ClientRow,
        r#"select id as "id!: Uuid", tenant_id as "tenant_id!: Uuid", name as "name!", secret,
           redirect_uris as "redirect_uris!", grants as "grants!", scopes as "scopes!",
           pkce_waived as "pkce_waived!: bool", created_ms as "created_ms!",
           post_logout_uris as "post_logout_uris!", backchannel_logout_uri, keys,
           demands as "demands!"
           from oauth_clients where id = $1"#,
        id
    )
    .fetch_optional(db)
    .await
}

pub(crate) async fn clients(db: &mut Connection, tenant: Uuid) -> Result<Vec<ClientRow>> {
    sqlx::query_as!(
        ClientRow,
        r#"select id as "id!: Uuid", tenant_id as "tenant_id!: Uuid", name as "name!", secret,
           redirect_uris as "redirect_uris!", grants as "grants!", scopes as "scopes!",
           pkce_waived as "pkce_waived!: bool", created_ms as "created_ms!",
           post_logout_uris as "post_logout_uris!", backchannel_logout_uri, keys,
           demands as "demands!"
           from oauth_clients where tenant_id = $1 order by id"#,
        tenant
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn remove_client(db: &mut Connection, tenant: Uuid, id: Uuid) -> Result<u64> {
    sqlx::query!(
        r#"delete from pushed_requests where client_id = $1 and tenant_id = $2"#,
        id,
        tenant
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        r#"delete from device_grants where client_id = $1 and tenant_id = $2"#,
        id,
        tenant
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        r#"delete from session_clients where client_id = $1 and tenant_id = $2"#,
        id,
        tenant
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        r#"delete from token_families where client_id = $1 and tenant_id = $2"#,
        id,
        tenant
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        r#"delete from oauth_consents where client_id = $1 and tenant_id = $2"#,
        id,
        tenant
    )
    .execute(&mut *db)
    .await?;
    let done =
        sqlx::query!(r#"delete from oauth_clients where id = $1 and tenant_id = $2"#, id, tenant)
            .execute(db)
            .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn add_family(db: &mut Connection, it: &Family) -> Result<u64> {
    let (user, session) = (it.holder.map(|it| it.user.0), it.holder.map(|it| it.session.0));
    let auth_time = it.holder.map(|it| ms(it.auth_time));
    let amr = it.holder.map(|it| it.amr.as_str());
    let (scopes, phase) = (it.scopes.to_string(), it.phase.to_text());
    let (created, expires) = (ms(it.created), ms(it.expires));
    let version = i64::try_from(it.version).unwrap_or(i64::MAX);
    let code = it.code.map(|code| code.0.to_vec());
    let done = sqlx::query!(
        r#"insert into token_families (id, tenant_id, client_id, user_id, session_id, auth_time_ms,
           amr, scopes, created_ms, expires_ms, version, code, phase)
           select $1, $2, id, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13
           from oauth_clients where id = $3 and tenant_id = $2"#,
        it.id.0,
        it.tenant.0,
        it.client.0,
        user,
        session,
        auth_time,
        amr,
        scopes,
        created,
        expires,
        version,
        code,
        phase
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn family(db: &mut Connection, id: Uuid) -> Result<Option<FamilyRow>> {
    sqlx::query_as!(
        FamilyRow,
        r#"select id as "id!: Uuid", tenant_id as "tenant_id!: Uuid",
           client_id as "client_id!: Uuid", user_id as "user_id: Uuid",
           session_id as "session_id: Uuid", auth_time_ms, amr, scopes as "scopes!",
           created_ms as "created_ms!", expires_ms as "expires_ms!", version as "version!", code,
           phase as "phase!"
           from token_families where id = $1"#,
        id
    )
    .fetch_optional(db)
    .await
}

pub(crate) async fn replace_family(db: &mut Connection, it: &Family) -> Result<u64> {
    let version = i64::try_from(it.version).unwrap_or(i64::MAX);
    let (before, expires, phase) = (version.saturating_sub(1), ms(it.expires), it.phase.to_text());
    let done = sqlx::query!(
        r#"update token_families set version = $2, expires_ms = $3, phase = $4
           where id = $1 and version = $5"#,
        it.id.0,
        version,
        expires,
        phase,
        before
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn end_family(db: &mut Connection, tenant: Uuid, id: Uuid) -> Result<u64> {
    let done =
        sqlx::query!(r#"delete from token_families where tenant_id = $1 and id = $2"#, tenant, id)
            .execute(db)
            .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn end_families_of_session(db: &mut Connection, session: Uuid) -> Result<u64> {
    let done = sqlx::query!(r#"delete from token_families where session_id = $1"#, session)
        .execute(db)
        .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn forget_ended_families(db: &mut Connection, now: i64) -> Result<u64> {
    let done = sqlx::query!(r#"delete from token_families where expires_ms <= $1"#, now)
        .execute(db)
        .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn consent(
    db: &mut Connection,
    user: Uuid,
    client: Uuid,
) -> Result<Option<ConsentRow>> {
    sqlx::query_as!(
        ConsentRow,
        r#"select client_id as "client_id!: Uuid", scopes as "scopes!", given_ms as "given_ms!"
           from oauth_consents where user_id = $1 and client_id = $2"#,
        user,
        client
    )
    .fetch_optional(db)
    .await
}

pub(crate) async fn consents(
    db: &mut Connection,
    tenant: Uuid,
    user: Uuid,
) -> Result<Vec<ConsentRow>> {
    sqlx::query_as!(
        ConsentRow,
        r#"select client_id as "client_id!: Uuid", scopes as "scopes!", given_ms as "given_ms!"
           from oauth_consents where tenant_id = $1 and user_id = $2 order by client_id"#,
        tenant,
        user
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn set_consent(
    db: &mut Connection,
    whose: (Uuid, Uuid, Uuid),
    scopes: &str,
    given: i64,
) -> Result<u64> {
    let (tenant, user, client) = whose;
    let done = sqlx::query!(
        r#"insert into oauth_consents (user_id, client_id, tenant_id, scopes, given_ms)
           values ($1, $2, $3, $4, $5)
           on conflict (user_id, client_id) do update set scopes = $4, given_ms = $5"#,
        user,
        client,
        tenant,
        scopes,
        given
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn withdraw(
    db: &mut Connection,
    (tenant, user, client): (Uuid, Uuid, Uuid),
) -> Result<u64> {
    sqlx::query!(
        r#"delete from token_families where tenant_id = $1 and user_id = $2 and client_id = $3"#,
        tenant,
        user,
        client
    )
    .execute(&mut *db)
    .await?;
    let done = sqlx::query!(
        r#"delete from oauth_consents where tenant_id = $1 and user_id = $2 and client_id = $3"#,
        tenant,
        user,
        client
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn signing_keys(db: &mut Connection) -> Result<Vec<SigningKeyRow>> {
    sqlx::query_as!(
        SigningKeyRow,
        r#"select kid as "kid!", sealed as "sealed!", created_ms as "created_ms!",
                  signs_ms as "signs_ms!"
           from signing_keys order by created_ms, kid"#
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn add_signing_key(
    db: &mut Connection,
    it: &SealedKey,
    unless_since: i64,
) -> Result<u64> {
    let (made, signs) = (ms(it.times.made), ms(it.times.signs_from));
    let done = sqlx::query!(
        r#"insert into signing_keys (kid, sealed, created_ms, signs_ms) select $1, $2, $3, $4
           where not exists (select 1 from signing_keys where created_ms > $5)"#,
        it.kid,
        it.sealed,
        made,
        signs,
        unless_since
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn forget_signing_keys(db: &mut Connection, since: i64) -> Result<u64> {
    let done = sqlx::query!(r#"delete from signing_keys where created_ms < $1"#, since)
        .execute(db)
        .await?;
    Ok(done.rows_affected())
}
