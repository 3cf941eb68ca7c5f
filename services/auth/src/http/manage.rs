//! People, API keys and the audit trail.

use axum::extract::State;
use http::StatusCode;
use openframe_auth_api::{
    ApiKey, AuditEntry, AuditVerdict, MadeApiKey, NewApiKey, NewUser, Page, User, UserChange,
};
use openframe_fault::{Fault, Json, Path, Query};
use openframe_ids::{ApiKeyId, UserId};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{WhichQuery, views};
use crate::Auth;
use crate::app::{Asked, NewPerson, PersonChange};

pub(super) fn routes() -> OpenApiRouter<Auth> {
    OpenApiRouter::new()
        .routes(routes!(users, create_user))
        .routes(routes!(change_user))
        .routes(routes!(api_keys, create_api_key))
        .routes(routes!(revoke_api_key))
        .routes(routes!(audit))
        .routes(routes!(verify_audit))
}

/// Lists people.
#[utoipa::path(get, path = "/users", tag = "people", responses((status = 200, body = Page<User>)))]
async fn users(State(app): State<Auth>, asked: Asked) -> Result<Json<Page<User>>, Fault> {
    let users = app.users(&asked).await?;
    Ok(Json(views::page(users.into_iter().map(views::user).collect())))
}

/// Adds a person.
#[utoipa::path(post, path = "/users", tag = "people", request_body = NewUser,
    responses((status = 201, body = User)))]
async fn create_user(
    State(app): State<Auth>,
    asked: Asked,
    Json(new): Json<NewUser>,
) -> Result<(StatusCode, Json<User>), Fault> {
    let role = views::role(&new.role)?;
    let NewUser { email, name, password, .. } = new;
    let user = app.create_user(&asked, NewPerson { email, name, role, password }).await?;
    Ok((StatusCode::CREATED, Json(views::user(user))))
}

/// Changes a person.
#[utoipa::path(patch, path = "/users/{id}", tag = "people", params(("id" = UserId, Path)),
    request_body = UserChange, responses((status = 200, body = User)))]
async fn change_user(
    State(app): State<Auth>,
    asked: Asked,
    Path(id): Path<UserId>,
    Json(change): Json<UserChange>,
) -> Result<Json<User>, Fault> {
    let role = change.role.as_deref().map(views::role).transpose()?;
    let change = PersonChange { name: change.name, role, disabled: change.disabled };
    Ok(Json(views::user(app.change_user(&asked, id, change).await?)))
}

/// Lists API keys.
#[utoipa::path(get, path = "/api-keys", tag = "keys",
    params(("all" = Option<bool>, Query, description = "everybody's, not only one's own")),
    responses((status = 200, body = Page<ApiKey>)))]
async fn api_keys(
    State(app): State<Auth>,
    asked: Asked,
    Query(which): WhichQuery,
) -> Result<Json<Page<ApiKey>>, Fault> {
    let keys = app.api_keys(&asked, which.all).await?;
    Ok(Json(views::page(keys.into_iter().map(views::key).collect())))
}

/// Makes an API key.
#[utoipa::path(post, path = "/api-keys", tag = "keys", request_body = NewApiKey,
    responses((status = 201, body = MadeApiKey)))]
async fn create_api_key(
    State(app): State<Auth>,
    asked: Asked,
    Json(new): Json<NewApiKey>,
) -> Result<(StatusCode, Json<MadeApiKey>), Fault> {
    let made = app.create_api_key(&asked, &new.name, new.scopes, new.expires_in_days).await?;
    let made = MadeApiKey { key: views::key(made.key), secret: made.secret };
    Ok((StatusCode::CREATED, Json(made)))
}

/// Revokes an API key.
#[utoipa::path(delete, path = "/api-keys/{id}", tag = "keys", params(("id" = ApiKeyId, Path)),
    responses((status = 204)))]
async fn revoke_api_key(
    State(app): State<Auth>,
    asked: Asked,
    Path(id): Path<ApiKeyId>,
) -> Result<StatusCode, Fault> {
    app.revoke_api_key(&asked, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
struct Paging {
    /// Where the page begins: the `next_cursor` of the page before.
    cursor: Option<String>,
    /// Entries on the page, 1 to 500; 100 when absent.
    limit: Option<u32>,
}

/// Named, so that `utoipa` takes the parameters from the attribute only.
type PagingQuery = Query<Paging>;

/// Reads the audit trail, newest first.
#[utoipa::path(get, path = "/audit", tag = "audit",
    params(("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("limit" = Option<u32>, Query, description = "1 to 500 entries; 100 when absent")),
    responses((status = 200, body = Page<AuditEntry>)))]
async fn audit(
    State(app): State<Auth>,
    asked: Asked,
    Query(paging): PagingQuery,
) -> Result<Json<Page<AuditEntry>>, Fault> {
    let (entries, next_cursor) = app.audit(&asked, paging.cursor.as_deref(), paging.limit).await?;
    Ok(Json(Page { items: entries.into_iter().map(views::entry).collect(), next_cursor }))
}

/// Checks the chain of the audit trail.
#[utoipa::path(get, path = "/audit/verify", tag = "audit",
    responses((status = 200, body = AuditVerdict)))]
async fn verify_audit(State(app): State<Auth>, asked: Asked) -> Result<Json<AuditVerdict>, Fault> {
    let verdict = app.verify_audit(&asked).await?;
    Ok(Json(AuditVerdict { entries: verdict.entries, broken_at: verdict.broken_at }))
}
