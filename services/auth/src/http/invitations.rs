//! Invitations, and the mail address of whoever is signed in.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use openframe_auth_api::{
    EmailAsked, EmailConfirmed, Invitation, InvitationAccepted, Me, NewInvitation, SignInStep,
};
use openframe_fault::{Fault, Json, Path};
use openframe_ids::UserId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::sign_in::entered;
use super::views;
use crate::Auth;
use crate::app::{Asked, Invited, Joins, Origin};

pub(super) fn open() -> OpenApiRouter<Auth> {
    OpenApiRouter::new().routes(routes!(accept)).routes(routes!(confirm_email))
}

pub(super) fn closed() -> OpenApiRouter<Auth> {
    OpenApiRouter::new()
        .routes(routes!(invite))
        .routes(routes!(invite_again, withdraw_invitation))
        .routes(routes!(ask_email))
}

fn view(invited: Invited) -> (StatusCode, Json<Invitation>) {
    let Invited { user, url, expires } = invited;
    (StatusCode::CREATED, Json(Invitation { user: views::user(user), url, expires_at: expires }))
}

/// Invites a person, who chooses a name and a password. The link goes to the person by mail; it is in the
/// answer where the platform sends none.
#[utoipa::path(post, path = "/invitations", tag = "people", request_body = NewInvitation,
    responses((status = 201, body = Invitation)))]
async fn invite(
    State(app): State<Auth>,
    asked: Asked,
    Json(new): Json<NewInvitation>,
) -> Result<(StatusCode, Json<Invitation>), Fault> {
    let role = views::role(&new.role)?;
    Ok(view(app.invite(&asked, &new.email, role).await?))
}

/// Invites a person again who has not accepted. The link before is dead.
#[utoipa::path(post, path = "/users/{id}/invitation", tag = "people",
    params(("id" = UserId, Path)), responses((status = 201, body = Invitation)))]
async fn invite_again(
    State(app): State<Auth>,
    asked: Asked,
    Path(id): Path<UserId>,
) -> Result<(StatusCode, Json<Invitation>), Fault> {
    Ok(view(app.invite_again(&asked, id).await?))
}

/// Takes an invitation back that was not accepted. The person is forgotten.
#[utoipa::path(delete, path = "/users/{id}/invitation", tag = "people",
    params(("id" = UserId, Path)), responses((status = 204)))]
async fn withdraw_invitation(
    State(app): State<Auth>,
    asked: Asked,
    Path(id): Path<UserId>,
) -> Result<StatusCode, Fault> {
    app.withdraw_invitation(&asked, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Accepts an invitation with the name and the password that its holder chooses, and signs in.
#[utoipa::path(post, path = "/invitation", tag = "sign-in", request_body = InvitationAccepted,
    responses((status = 200, body = Me), (status = 202, body = SignInStep)))]
async fn accept(
    State(app): State<Auth>,
    origin: Origin,
    Json(accepted): Json<InvitationAccepted>,
) -> Result<Response, Fault> {
    let InvitationAccepted { token, name, password } = accepted;
    Ok(entered(app.accept_invitation(&token, Joins { name, password }, &origin).await?))
}

/// Has a link sent to one's own mail address that is to be, or that is and was never verified. The address
/// stays as it is until the link is used.
#[utoipa::path(post, path = "/me/email", tag = "sign-in", request_body = EmailAsked,
    responses((status = 204)))]
async fn ask_email(
    State(app): State<Auth>,
    asked: Asked,
    Json(wanted): Json<EmailAsked>,
) -> Result<StatusCode, Fault> {
    app.ask_email(&asked, &wanted.email).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Shows by the link that was sent there that a mail address is read. Signs nobody in.
#[utoipa::path(post, path = "/email", tag = "sign-in", request_body = EmailConfirmed,
    responses((status = 204)))]
async fn confirm_email(
    State(app): State<Auth>,
    origin: Origin,
    Json(confirmed): Json<EmailConfirmed>,
) -> Result<StatusCode, Fault> {
    app.use_email_link(&confirmed.token, &origin).await?;
    Ok(StatusCode::NO_CONTENT)
}
