//! Other providers that people may sign in at.

use axum::extract::State;
use http::StatusCode;
use openframe_auth_api::{
    IdentityProvider, IdentityProviderChange, NOBODY, NewIdentityProvider, Page,
};
use openframe_fault::{Fault, Json, Path};
use openframe_ids::IdentityProviderId;
use openframe_tokens::Role;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::views;
use crate::Auth;
use crate::app::{Asked, NewProvider, ProviderChange};
use crate::domain::IdentityProvider as Kept;

pub(super) fn routes() -> OpenApiRouter<Auth> {
    OpenApiRouter::new()
        .routes(routes!(providers, create_provider))
        .routes(routes!(change_provider, remove_provider))
}

fn view(app: &Auth, it: Kept) -> IdentityProvider {
    IdentityProvider {
        id: it.id,
        name: it.name,
        issuer: it.issuer,
        client_id: it.client_id,
        scopes: it.scopes,
        allowed_domains: it.domains,
        creates_people: it.creates.map_or(NOBODY, Role::as_str).to_owned(),
        trusts_mfa: it.trusts_mfa,
        enabled: it.enabled,
        redirect_uri: app.upstream_redirect(),
        created_at: it.created,
    }
}

/// Lists the providers that people may sign in at.
#[utoipa::path(get, path = "/identity-providers", tag = "identity-providers",
    responses((status = 200, body = Page<IdentityProvider>)))]
async fn providers(
    State(app): State<Auth>,
    asked: Asked,
) -> Result<Json<Page<IdentityProvider>>, Fault> {
    let all = app.identity_providers(&asked).await?;
    Ok(Json(views::page(all.into_iter().map(|it| view(&app, it)).collect())))
}

/// Adds a provider, once it has said itself that it is that one (OpenID Connect Discovery).
#[utoipa::path(post, path = "/identity-providers", tag = "identity-providers",
    request_body = NewIdentityProvider, responses((status = 201, body = IdentityProvider)))]
async fn create_provider(
    State(app): State<Auth>,
    asked: Asked,
    Json(new): Json<NewIdentityProvider>,
) -> Result<(StatusCode, Json<IdentityProvider>), Fault> {
    let new = NewProvider {
        name: new.name,
        issuer: new.issuer,
        client_id: new.client_id,
        client_secret: new.client_secret,
        scopes: new.scopes,
        domains: new.allowed_domains,
        creates: new.creates_people,
        trusts_mfa: new.trusts_mfa,
        enabled: new.enabled,
    };
    let made = app.create_identity_provider(&asked, new).await?;
    Ok((StatusCode::CREATED, Json(view(&app, made))))
}

/// Changes a provider; what is not named stays. Counts from the next sign-in on.
#[utoipa::path(patch, path = "/identity-providers/{id}", tag = "identity-providers",
    params(("id" = IdentityProviderId, Path)), request_body = IdentityProviderChange,
    responses((status = 200, body = IdentityProvider)))]
async fn change_provider(
    State(app): State<Auth>,
    asked: Asked,
    Path(id): Path<IdentityProviderId>,
    Json(change): Json<IdentityProviderChange>,
) -> Result<Json<IdentityProvider>, Fault> {
    let change = ProviderChange {
        name: change.name,
        client_secret: change.client_secret,
        scopes: change.scopes,
        domains: change.allowed_domains,
        creates: change.creates_people,
        trusts_mfa: change.trusts_mfa,
        enabled: change.enabled,
    };
    let changed = app.change_identity_provider(&asked, id, change).await?;
    Ok(Json(view(&app, changed)))
}

/// Removes a provider, and forgets whom it knows. Sessions that were begun there stay.
#[utoipa::path(delete, path = "/identity-providers/{id}", tag = "identity-providers",
    params(("id" = IdentityProviderId, Path)), responses((status = 204)))]
async fn remove_provider(
    State(app): State<Auth>,
    asked: Asked,
    Path(id): Path<IdentityProviderId>,
) -> Result<StatusCode, Fault> {
    app.remove_identity_provider(&asked, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
