//! Programs that ask for access, and what people have allowed them.

use std::collections::BTreeSet;

use axum::extract::State;
use http::StatusCode;
use openframe_auth_api::{Consent, MadeOAuthClient, NewOAuthClient, OAuthClient, Page};
use openframe_fault::{Fault, Json, Path};
use openframe_ids::ClientId;
use openframe_oauth::{Client, ClientKeys, GrantType, Pkce, RedirectUri, Scopes};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::views;
use crate::Auth;
use crate::app::{Asked, MadeClient, NewClient};

pub(super) fn routes() -> OpenApiRouter<Auth> {
    OpenApiRouter::new()
        .routes(routes!(clients, create_client))
        .routes(routes!(remove_client))
        .routes(routes!(consents))
        .routes(routes!(withdraw))
}

fn words(scopes: &Scopes) -> Vec<String> {
    scopes.iter().map(str::to_owned).collect()
}

fn texts(uris: &[RedirectUri]) -> Vec<String> {
    uris.iter().map(RedirectUri::to_string).collect()
}

/// Those that do not follow from the other fields.
fn more_grants(grants: &BTreeSet<GrantType>) -> Vec<String> {
    let more = grants.iter().filter(|grant| **grant == GrantType::DeviceCode);
    more.map(|grant| grant.as_str().to_owned()).collect()
}

fn client_view(client: Client) -> OAuthClient {
    OAuthClient {
        id: client.id,
        public: !client.is_confidential(),
        own_behalf: client.grants.contains(&GrantType::ClientCredentials),
        pkce_required: client.pkce == Pkce::Required,
        redirect_uris: texts(&client.redirect_uris),
        post_logout_redirect_uris: texts(&client.post_logout_uris),
        backchannel_logout_uri: client.backchannel_logout_uri,
        more_grants: more_grants(&client.grants),
        jwks: client.keys.as_ref().map(ClientKeys::to_value),
        demands: client.demands.iter().map(|demand| demand.as_str().to_owned()).collect(),
        scopes: words(&client.scopes),
        name: client.name,
        created_at: client.created,
    }
}

/// Lists the programs that may ask for access.
#[utoipa::path(get, path = "/oauth-clients", tag = "clients",
    responses((status = 200, body = Page<OAuthClient>)))]
async fn clients(State(app): State<Auth>, asked: Asked) -> Result<Json<Page<OAuthClient>>, Fault> {
    let clients = app.clients(&asked).await?;
    Ok(Json(views::page(clients.into_iter().map(client_view).collect())))
}

/// Registers a program.
#[utoipa::path(post, path = "/oauth-clients", tag = "clients", request_body = NewOAuthClient,
    responses((status = 201, body = MadeOAuthClient)))]
async fn create_client(
    State(app): State<Auth>,
    asked: Asked,
    Json(new): Json<NewOAuthClient>,
) -> Result<(StatusCode, Json<MadeOAuthClient>), Fault> {
    let new = NewClient {
        name: new.name,
        redirect_uris: new.redirect_uris,
        post_logout_redirect_uris: new.post_logout_redirect_uris,
        backchannel_logout_uri: new.backchannel_logout_uri,
        more_grants: new.more_grants,
        jwks: new.jwks,
        demands: new.demands,
        scopes: new.scopes,
        public: new.public,
        own_behalf: new.own_behalf,
        waive_pkce: new.waive_pkce,
    };
    let MadeClient { client, secret } = app.create_client(&asked, new).await?;
    let made = MadeOAuthClient { client: client_view(client), secret, issuer: app.issuer() };
    Ok((StatusCode::CREATED, Json(made)))
}

/// Removes a program; every token of it is dead.
#[utoipa::path(delete, path = "/oauth-clients/{id}", tag = "clients",
    params(("id" = ClientId, Path)), responses((status = 204)))]
async fn remove_client(
    State(app): State<Auth>,
    asked: Asked,
    Path(id): Path<ClientId>,
) -> Result<StatusCode, Fault> {
    app.remove_client(&asked, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists what one has allowed.
#[utoipa::path(get, path = "/me/consents", tag = "clients",
    responses((status = 200, body = Page<Consent>)))]
async fn consents(State(app): State<Auth>, asked: Asked) -> Result<Json<Page<Consent>>, Fault> {
    let view = |(consent, client_name): (crate::domain::Consent, String)| Consent {
        client_id: consent.client,
        client_name,
        scopes: words(&consent.scopes),
        given_at: consent.given,
    };
    let consents = app.consents(&asked).await?;
    Ok(Json(views::page(consents.into_iter().map(view).collect())))
}

/// Takes back what one has allowed a program.
#[utoipa::path(delete, path = "/me/consents/{client}", tag = "clients",
    params(("client" = ClientId, Path)), responses((status = 204)))]
async fn withdraw(
    State(app): State<Auth>,
    asked: Asked,
    Path(client): Path<ClientId>,
) -> Result<StatusCode, Fault> {
    app.withdraw(&asked, client).await?;
    Ok(StatusCode::NO_CONTENT)
}
