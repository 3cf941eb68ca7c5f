//! People who are invited, and who change their mail address, by a real mail server.

use axum::response::Response;
use http::{HeaderMap, StatusCode};
use openframe_auth_api::{Invitation, NewInvitation, User, UserChange};
use openframe_fault::{Kind, body};
use openframe_system::program::{Program, answer_of, ask as asks};
use openframe_system::{Encrypts, Letter, MailServer, Server};
use serde_json::{Value, json};

use crate::mail::{EMAIL, NEW, Sending, ask, post};
use crate::roles::{PASSWORD, log_in, session};

const BOB: &str = "bob@example.org";

/// The token of a letter whose link leads to a page of the address of the settings.
fn token(letter: &Letter, page: &str) -> String {
    let begins = format!("https://openframe.example/{page}#token=");
    letter.link.as_deref().and_then(|link| link.strip_prefix(&begins)).unwrap().to_owned()
}

async fn invite(server: &Server, email: &str) -> Invitation {
    let (email, role) = (email.to_owned(), "read_only".to_owned());
    server.auth().unwrap().invite(&NewInvitation { email, role }).await.unwrap()
}

async fn accept(server: &Server, token: &str) -> Response {
    let accepted = json!({ "token": token, "name": "Bob", "password": NEW });
    post(server, "/api/auth/v1/invitation", &accepted).await
}

/// What whoever shows an invitation is told, which must be the same whatever is wrong with it.
async fn refused(server: &Server, token: &str) {
    let answer = accept(server, token).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{token}");
    let text = body::read(answer.into_body(), 4096).await.unwrap();
    let told: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(told.get("code"), Some(&json!("bad_invitation")), "{told}");
}

async fn people(server: &Server) -> Vec<User> {
    server.auth().unwrap().users().await.unwrap().items
}

async fn person(server: &Server, email: &str) -> Option<User> {
    people(server).await.into_iter().find(|user| user.email == email)
}

// ASVS 6.4.1
/// B27, B28.
#[tokio::test]
async fn whoever_is_invited_by_mail_joins_once() {
    let place = MailServer::place().unwrap();
    let mut mail = MailServer::start(&place, Encrypts::No).unwrap();
    let Sending { server, .. } = Sending::start(&place, "none", &[]).await;
    // Asked at an address that somebody has made up: the link is of the settings all the same.
    let headers = [
        ("host", "evil.example".to_owned()),
        ("x-forwarded-host", "evil.example".to_owned()),
        ("content-type", "application/json".to_owned()),
        ("authorization", format!("Bearer {}", server.key)),
    ];
    let headers: HeaderMap =
        headers.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap())).collect();
    let wanted = json!({ "email": BOB, "role": "read_only" }).to_string();
    let path = ("POST", "/api/auth/v1/invitations");
    let made = asks(&server, path, &headers, &wanted).await;
    assert_eq!(made.status(), StatusCode::CREATED);
    assert_eq!(answer_of(made).await.get("url"), None, "it is in the mailbox only");
    let letter = mail.letter().unwrap();
    assert_eq!(
        (letter.to.as_str(), letter.subject.as_str()),
        (BOB, "You are invited to OpenFrame")
    );
    let first = token(&letter, "invitation");
    let bob = person(&server, BOB).await.unwrap();
    assert!(bob.invited_until.is_some() && !bob.email_verified);
    ask(&server, BOB).await;
    let again = server.auth().unwrap().invite_again(bob.id).await.unwrap();
    assert_eq!((again.url, again.user.id), (None, bob.id));
    // What was asked for by who has forgotten a password came to nothing: this is the next letter.
    let second = token(&mail.letter().unwrap(), "invitation");
    refused(&server, &first).await;
    assert_eq!(log_in(&server, BOB, NEW).await.status(), StatusCode::UNAUTHORIZED);
    session(accept(&server, &second).await).await;
    refused(&server, &second).await;
    session(log_in(&server, BOB, NEW).await).await;
    let bob = person(&server, BOB).await.unwrap();
    assert_eq!((bob.name.as_str(), bob.role.as_str()), ("Bob", "read_only"));
    assert!(bob.invited_until.is_none() && bob.email_verified);
    let said = mail.said();
    assert!(!said.contains("evil.example") && !said.contains(NEW), "{said}");
}

/// B28.
#[tokio::test]
async fn an_invitation_ends_with_its_person() {
    let place = MailServer::place().unwrap();
    let mut mail = MailServer::start(&place, Encrypts::No).unwrap();
    let Sending { server, .. } = Sending::start(&place, "none", &[]).await;
    let auth = server.auth().unwrap();
    let bob = invite(&server, BOB).await.user.id;
    let link = token(&mail.letter().unwrap(), "invitation");
    for disabled in [true, false] {
        let change = UserChange { disabled: Some(disabled), ..UserChange::default() };
        auth.change_user(bob, &change).await.unwrap();
        refused(&server, &link).await;
    }
    auth.invite_again(bob).await.unwrap();
    let link = token(&mail.letter().unwrap(), "invitation");
    auth.withdraw_invitation(bob).await.unwrap();
    refused(&server, &link).await;
    refused(&server, "of_in_").await;
    assert!(person(&server, BOB).await.is_none());
    let taken = auth.withdraw_invitation(bob).await.unwrap_err();
    assert_eq!(taken.kind(), Kind::NotFound);
    invite(&server, BOB).await;
    session(accept(&server, &token(&mail.letter().unwrap(), "invitation")).await).await;
}

async fn verify(server: &Server, token: &str) -> StatusCode {
    post(server, "/api/auth/v1/email", &json!({ "token": token })).await.status()
}

/// What a program is told of whoever has this session.
async fn told(server: &Server, person: &HeaderMap) -> Value {
    let app = Program::register(server, &json!({})).await;
    let code = app.code(server, person).await;
    let tokens = answer_of(app.exchange(server, &code).await).await;
    let access = tokens.get("access_token").and_then(Value::as_str).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("Bearer {access}").parse().unwrap());
    answer_of(asks(server, ("GET", "/t/main/userinfo"), &headers, "").await).await
}

// ASVS 6.4.1
/// B26, B27.
#[tokio::test]
async fn a_mail_address_changes_once_its_mail_was_read() {
    let place = MailServer::place().unwrap();
    let mut mail = MailServer::start(&place, Encrypts::No).unwrap();
    let Sending { server, .. } = Sending::start(&place, "none", &[]).await;
    let old = session(log_in(&server, EMAIL, PASSWORD).await).await;
    let claims = told(&server, &old).await;
    assert_eq!(claims.get("email_verified"), Some(&json!(false)), "nobody has read any mail");
    let mut headers = old.clone();
    headers.insert("content-type", "application/json".parse().unwrap());
    let path = ("POST", "/api/auth/v1/me/email");
    let wanted = json!({ "email": BOB }).to_string();
    let asked = asks(&server, path, &headers, &wanted).await;
    assert_eq!(asked.status(), StatusCode::NO_CONTENT);
    let mut letters = [mail.letter().unwrap(), mail.letter().unwrap()];
    letters.sort_by_key(|letter| letter.link.is_none());
    let [link, notice] = letters;
    assert_eq!((link.to.as_str(), link.subject.as_str()), (BOB, "Confirm your mail address"));
    assert_eq!(notice.subject, "Another mail address was asked for");
    assert_eq!(notice.to, EMAIL);
    assert_eq!(log_in(&server, BOB, PASSWORD).await.status(), StatusCode::UNAUTHORIZED, "not yet");
    let link = token(&link, "email");
    assert_eq!(verify(&server, &link).await, StatusCode::NO_CONTENT);
    let notice = mail.letter().unwrap();
    let wanted = (EMAIL, "Your mail address was changed");
    assert_eq!((notice.to.as_str(), notice.subject.as_str()), wanted);
    assert_eq!(verify(&server, &link).await, StatusCode::UNAUTHORIZED, "it was used");
    assert_eq!(log_in(&server, EMAIL, PASSWORD).await.status(), StatusCode::UNAUTHORIZED);
    let now = session(log_in(&server, BOB, PASSWORD).await).await;
    let claims = told(&server, &now).await;
    assert_eq!(claims.get("email"), Some(&json!(BOB)));
    assert_eq!(claims.get("email_verified"), Some(&json!(true)));
    let bob = person(&server, BOB).await.unwrap();
    let email = Some("robert@example.org".to_owned());
    let change = UserChange { email, ..UserChange::default() };
    let moved = server.auth().unwrap().change_user(bob.id, &change).await.unwrap();
    assert!(!moved.email_verified, "an owner has corrected it");
    assert_eq!(mail.letter().unwrap().to, BOB);
}
