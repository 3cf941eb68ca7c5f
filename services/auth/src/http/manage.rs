//! People and API keys.

use axum::extract::State;
use http::StatusCode;
use openframe_auth_api::{
    ApiKey, MadeApiKey, NewApiKey, NewUser, Page, PasswordLink, PeopleGroup, User, UserChange,
};
use openframe_fault::{Fault, Json, Path, Query};
use openframe_ids::{ApiKeyId, UserId};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{WhichQuery, views};
use crate::Auth;
use crate::app::{Asked, MadeLink, NewPerson, PersonChange};

pub(super) fn routes() -> OpenApiRouter<Auth> {
    OpenApiRouter::new()
        .routes(routes!(users, create_user))
        .routes(routes!(change_user))
        .routes(routes!(password_link))
        .routes(routes!(api_keys, create_api_key))
        .routes(routes!(revoke_api_key))
        .routes(routes!(create_api_key_of))
        .routes(routes!(groups))
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
    let UserChange { name, email, disabled, .. } = change;
    let change = PersonChange { name, email, role, disabled };
    Ok(Json(views::user(app.change_user(&asked, id, change).await?)))
}

/// Makes a link by which a person chooses a new password. The one before is dead.
#[utoipa::path(post, path = "/users/{id}/password-link", tag = "people",
    params(("id" = UserId, Path)), responses((status = 201, body = PasswordLink)))]
async fn password_link(
    State(app): State<Auth>,
    asked: Asked,
    Path(id): Path<UserId>,
) -> Result<(StatusCode, Json<PasswordLink>), Fault> {
    let MadeLink { url, expires } = app.create_password_link(&asked, id).await?;
    Ok((StatusCode::CREATED, Json(PasswordLink { url, expires_at: expires })))
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

/// Makes an API key of a provisioner, by which a directory says who is there (SCIM).
#[utoipa::path(post, path = "/users/{id}/api-keys", tag = "keys", params(("id" = UserId, Path)),
    request_body = NewApiKey, responses((status = 201, body = MadeApiKey)))]
async fn create_api_key_of(
    State(app): State<Auth>,
    asked: Asked,
    Path(id): Path<UserId>,
    Json(new): Json<NewApiKey>,
) -> Result<(StatusCode, Json<MadeApiKey>), Fault> {
    let NewApiKey { name, scopes, expires_in_days } = new;
    let made = app.create_provisioner_key(&asked, id, (&name, scopes), expires_in_days).await?;
    let made = MadeApiKey { key: views::key(made.key), secret: made.secret };
    Ok((StatusCode::CREATED, Json(made)))
}

/// Lists groups of people, which directories keep.
#[utoipa::path(get, path = "/groups", tag = "people",
    responses((status = 200, body = Page<PeopleGroup>)))]
async fn groups(State(app): State<Auth>, asked: Asked) -> Result<Json<Page<PeopleGroup>>, Fault> {
    let groups = app.people_groups(&asked).await?;
    Ok(Json(views::page(groups.into_iter().map(views::group).collect())))
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
