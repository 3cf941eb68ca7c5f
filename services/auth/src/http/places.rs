//! Places, and what people are granted there.

use axum::extract::State;
use http::StatusCode;
use openframe_auth_api as wire;
use openframe_fault::{Fault, Json, Path, Query};
use openframe_ids::{GrantId, PlaceId, UserId};
use openframe_tokens::Effect;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::views;
use crate::app::{Asked, NewGrant};
use crate::{Auth, Error};

pub(super) fn routes() -> OpenApiRouter<Auth> {
    OpenApiRouter::new()
        .routes(routes!(places, add_place))
        .routes(routes!(rename_place, remove_place))
        .routes(routes!(grants, add_grant))
        .routes(routes!(remove_grant))
        .routes(routes!(access))
}

/// Lists the places that the caller reads devices of, and those that they lie in.
#[utoipa::path(get, path = "/places", tag = "places",
    responses((status = 200, body = wire::Page<wire::Place>)))]
async fn places(
    State(app): State<Auth>,
    asked: Asked,
) -> Result<Json<wire::Page<wire::Place>>, Fault> {
    let places = app.places(&asked).await?;
    Ok(Json(views::page(places.into_iter().map(views::place).collect())))
}

/// Makes a place: an organisation, a site in one, or a group in a site.
#[utoipa::path(post, path = "/places", tag = "places", request_body = wire::NewPlace,
    responses((status = 201, body = wire::Place)))]
async fn add_place(
    State(app): State<Auth>,
    asked: Asked,
    Json(new): Json<wire::NewPlace>,
) -> Result<(StatusCode, Json<wire::Place>), Fault> {
    let place = app.add_place(&asked, new.within, &new.name).await?;
    Ok((StatusCode::CREATED, Json(views::place(place))))
}

/// Renames a place.
#[utoipa::path(patch, path = "/places/{id}", tag = "places", params(("id" = PlaceId, Path)),
    request_body = wire::PlaceChange, responses((status = 200, body = wire::Place)))]
async fn rename_place(
    State(app): State<Auth>,
    asked: Asked,
    Path(id): Path<PlaceId>,
    Json(change): Json<wire::PlaceChange>,
) -> Result<Json<wire::Place>, Fault> {
    Ok(Json(views::place(app.rename_place(&asked, id, &change.name).await?)))
}

/// Removes a place in which nothing is.
#[utoipa::path(delete, path = "/places/{id}", tag = "places", params(("id" = PlaceId, Path)),
    responses((status = 204)))]
async fn remove_place(
    State(app): State<Auth>,
    asked: Asked,
    Path(id): Path<PlaceId>,
) -> Result<StatusCode, Fault> {
    app.remove_place(&asked, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists what a person is granted.
#[utoipa::path(get, path = "/users/{id}/grants", tag = "places", params(("id" = UserId, Path)),
    responses((status = 200, body = wire::Page<wire::Grant>)))]
async fn grants(
    State(app): State<Auth>,
    asked: Asked,
    Path(id): Path<UserId>,
) -> Result<Json<wire::Page<wire::Grant>>, Fault> {
    let grants = app.grants(&asked, id).await?;
    Ok(Json(views::page(grants.iter().map(views::grant).collect())))
}

/// Grants a role to a person at a place, or denies it there.
#[utoipa::path(post, path = "/users/{id}/grants", tag = "places", params(("id" = UserId, Path)),
    request_body = wire::NewGrant, responses((status = 201, body = wire::Grant)))]
async fn add_grant(
    State(app): State<Auth>,
    asked: Asked,
    Path(id): Path<UserId>,
    Json(new): Json<wire::NewGrant>,
) -> Result<(StatusCode, Json<wire::Grant>), Fault> {
    let effect = match new.effect.as_deref() {
        None | Some("allow") => Effect::Allow,
        Some("deny") => Effect::Deny,
        Some(_) => return Err(Error::Invalid("the effect is allow or deny".to_owned()).into()),
    };
    let role = views::role(&new.role)?;
    let new = NewGrant { role, place: new.place, effect, until: new.until };
    let grant = app.add_grant(&asked, id, new).await?;
    Ok((StatusCode::CREATED, Json(views::grant(&grant))))
}

/// Takes a grant back.
#[utoipa::path(delete, path = "/users/{id}/grants/{grant}", tag = "places",
    params(("id" = UserId, Path), ("grant" = GrantId, Path)), responses((status = 204)))]
async fn remove_grant(
    State(app): State<Auth>,
    asked: Asked,
    Path((id, grant)): Path<(UserId, GrantId)>,
) -> Result<StatusCode, Fault> {
    app.remove_grant(&asked, id, grant).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Says whether a person may do something somewhere, and what says so.
#[utoipa::path(get, path = "/access", tag = "places", params(wire::AccessQuery),
    responses((status = 200, body = wire::AccessAnswer)))]
async fn access(
    State(app): State<Auth>,
    asked: Asked,
    Query(query): Query<wire::AccessQuery>,
) -> Result<Json<wire::AccessAnswer>, Fault> {
    let what = query.permission.as_deref().unwrap_or_default();
    let why = app.why(&asked, query.user, (what, query.place)).await?;
    Ok(Json(wire::AccessAnswer {
        allowed: why.allowed,
        disabled: why.disabled,
        role: why.role.map(|role| role.to_string()),
        grants: why.grants.iter().map(views::grant).collect(),
    }))
}
