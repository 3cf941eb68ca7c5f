//! Other providers that people may sign in at, and whom they know.

use openframe_auth::domain::{IdentityProvider, UpstreamLink};
use openframe_tokens::Role;
use sqlx::Result;
use uuid::Uuid;

use super::ms;
use crate::engine::Connection;
use crate::rows::ProviderRow;

pub(crate) async fn count_providers(db: &mut Connection, tenant: Uuid) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "n!: i64" from identity_providers where tenant_id = $1"#,
        tenant
    )
    .fetch_one(db)
    .await
}

/// Adds one, unless another one has its name or is the same.
pub(crate) async fn add_provider(db: &mut Connection, it: &IdentityProvider) -> Result<u64> {
    let (scopes, domains) = (it.scopes.join(" "), it.domains.join(" "));
    let (creates, created) = (it.creates.map(Role::as_str), ms(it.created));
    let done = sqlx::query!(
        r#"insert into identity_providers (id, tenant_id, name, issuer, client_id, secret, scopes,
           domains, creates, trusts_mfa, enabled, created_ms)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
           on conflict do nothing"#,
        it.id.0,
        it.tenant.0,
        it.name,
        it.issuer,
        it.client_id,
        it.secret,
        scopes,
        domains,
        creates,
        it.trusts_mfa,
        it.enabled,
        created
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn provider(
    db: &mut Connection,
    tenant: Uuid,
    id: Uuid,
) -> Result<Option<ProviderRow>> {
    sqlx::query_as!(
        ProviderRow,
        r#"select id as "id!: Uuid", tenant_id as "tenant_id!: Uuid", name as "name!",
           issuer as "issuer!", client_id as "client_id!", secret as "secret!",
           scopes as "scopes!", domains as "domains!", creates,
           trusts_mfa as "trusts_mfa!: bool", enabled as "enabled!: bool",
           created_ms as "created_ms!"
           from identity_providers where tenant_id = $1 and id = $2"#,
        tenant,
        id
    )
    .fetch_optional(db)
    .await
}

pub(crate) async fn providers(db: &mut Connection, tenant: Uuid) -> Result<Vec<ProviderRow>> {
    sqlx::query_as!(
        ProviderRow,
        r#"select id as "id!: Uuid", tenant_id as "tenant_id!: Uuid", name as "name!",
           issuer as "issuer!", client_id as "client_id!", secret as "secret!",
           scopes as "scopes!", domains as "domains!", creates,
           trusts_mfa as "trusts_mfa!: bool", enabled as "enabled!: bool",
           created_ms as "created_ms!"
           from identity_providers where tenant_id = $1 order by id"#,
        tenant
    )
    .fetch_all(db)
    .await
}

/// Changes one, unless another one has its name.
pub(crate) async fn change_provider(db: &mut Connection, it: &IdentityProvider) -> Result<u64> {
    let (scopes, domains) = (it.scopes.join(" "), it.domains.join(" "));
    let creates = it.creates.map(Role::as_str);
    let done = sqlx::query!(
        r#"update identity_providers set name = $3, secret = $4, scopes = $5, domains = $6,
           creates = $7, trusts_mfa = $8, enabled = $9
           where tenant_id = $1 and id = $2 and not exists (
             select 1 from identity_providers where tenant_id = $1 and name = $3 and id <> $2)"#,
        it.tenant.0,
        it.id.0,
        it.name,
        it.secret,
        scopes,
        domains,
        creates,
        it.trusts_mfa,
        it.enabled
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Forgets one, and whom it knows.
pub(crate) async fn remove_provider(db: &mut Connection, tenant: Uuid, id: Uuid) -> Result<u64> {
    sqlx::query!(
        r#"delete from identity_links where provider_id = $2 and tenant_id = $1"#,
        tenant,
        id
    )
    .execute(&mut *db)
    .await?;
    let done = sqlx::query!(
        r#"delete from identity_providers where tenant_id = $1 and id = $2"#,
        tenant,
        id
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Whom a provider means by a name.
pub(crate) async fn linked(
    db: &mut Connection,
    (tenant, provider): (Uuid, Uuid),
    subject: &str,
) -> Result<Option<Uuid>> {
    sqlx::query_scalar!(
        r#"select user_id as "user_id!: Uuid" from identity_links
           where provider_id = $1 and subject = $2 and tenant_id = $3"#,
        provider,
        subject,
        tenant
    )
    .fetch_optional(db)
    .await
}

/// Keeps whom a provider means, unless the name or the person has another meaning there.
pub(crate) async fn add_link(db: &mut Connection, it: &UpstreamLink) -> Result<u64> {
    let created = ms(it.created);
    let done = sqlx::query!(
        r#"insert into identity_links (provider_id, subject, tenant_id, user_id, created_ms)
           values ($1, $2, $3, $4, $5) on conflict do nothing"#,
        it.provider.0,
        it.subject,
        it.tenant.0,
        it.user.0,
        created
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Lets a person join who has this address, and an invitation that is good at `now`.
pub(crate) async fn join_by_address(
    db: &mut Connection,
    (tenant, user): (Uuid, Uuid),
    (email, name): (&str, &str),
    now: i64,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"update users set name = $4, email_verified = true
           where id = $1 and tenant_id = $2 and email = $3 and not disabled
           and exists (select 1 from invitations where user_id = $1 and expires_ms > $5)"#,
        user,
        tenant,
        email,
        name,
        now
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}
