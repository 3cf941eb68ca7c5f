//! What ends the access of a program, and what is no access at all.

use http::{HeaderMap, StatusCode, header};
use openframe_auth_api::UserChange;
use openframe_system::program::{Program, answer_of, ask, bearer, claims};
use openframe_system::{Server, until};
use serde_json::{Value, json};

use crate::roles::{PASSWORD, log_in, person, session};

const EMAIL: &str = "technician@example.org";
const DEVICES: (&str, &str) = ("GET", "/api/devices/v1/devices");
const USERINFO: (&str, &str) = ("GET", "/t/main/userinfo");

fn text<'a>(tokens: &'a Value, name: &str) -> &'a str {
    tokens.get(name).and_then(Value::as_str).unwrap()
}

async fn tokens(server: &Server, app: &Program, who: &HeaderMap) -> Value {
    let tokens = answer_of(app.exchange(server, &app.code(server, who).await).await).await;
    let answer = ask(server, DEVICES, &bearer(text(&tokens, "access_token")), "").await;
    assert_eq!(answer.status(), StatusCode::OK);
    tokens
}

/// Waits until the access token is worth nothing; the refresh token is by then.
async fn are_dead(server: &Server, app: &Program, (tokens, error): (&Value, &str)) {
    until("the access token to end", || async {
        let answer = ask(server, DEVICES, &bearer(text(tokens, "access_token")), "").await;
        (answer.status() == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
    let refreshed = answer_of(app.refresh(server, text(tokens, "refresh_token")).await).await;
    assert_eq!(refreshed.get("error"), Some(&json!(error)));
}

// B11.session, B11.disabled, B11.client
#[tokio::test]
async fn access_ends_with_its_session_its_person_and_its_program() {
    let server = Server::start().unwrap();
    let first = person(&server, "technician").await;
    let app = Program::register(&server, &json!({})).await;
    let auth = server.auth().unwrap();
    let of_session = tokens(&server, &app, &first).await;
    let sid = claims(text(&of_session, "id_token"))["sid"].clone();
    auth.revoke_session(sid.as_str().unwrap().parse().unwrap()).await.unwrap();
    are_dead(&server, &app, (&of_session, "invalid_grant")).await;

    let again = async || session(log_in(&server, EMAIL, PASSWORD).await).await;
    let of_person = tokens(&server, &app, &again().await).await;
    let people = auth.users().await.unwrap().items;
    let ann = people.iter().find(|it| it.email == EMAIL).unwrap().id;
    let disabled = |disabled| UserChange { disabled: Some(disabled), ..UserChange::default() };
    auth.change_user(ann, &disabled(true)).await.unwrap();
    are_dead(&server, &app, (&of_person, "invalid_grant")).await;
    // Nor does it come back with the person.
    auth.change_user(ann, &disabled(false)).await.unwrap();
    are_dead(&server, &app, (&of_person, "invalid_grant")).await;

    let of_program = tokens(&server, &app, &again().await).await;
    auth.remove_oauth_client(app.id.parse().unwrap()).await.unwrap();
    are_dead(&server, &app, (&of_program, "invalid_client")).await;
}

// B15.refresh
#[tokio::test]
async fn a_revoked_refresh_token_takes_its_access_token_with_it() {
    let server = Server::start().unwrap();
    let ann = person(&server, "technician").await;
    let app = Program::register(&server, &json!({})).await;
    let first = tokens(&server, &app, &ann).await;
    let other = tokens(&server, &app, &ann).await;
    let refresh = text(&first, "refresh_token");
    let revoked = app.post(&server, "revoke", &[("token", refresh)]).await;
    assert_eq!(revoked.status(), StatusCode::OK);
    are_dead(&server, &app, (&first, "invalid_grant")).await;
    // What was given at another time stays.
    let answer = ask(&server, DEVICES, &bearer(text(&other, "access_token")), "").await;
    assert_eq!(answer.status(), StatusCode::OK);
}

// B16.audience
#[tokio::test]
async fn nothing_but_an_access_token_of_a_person_says_who_somebody_is() {
    let server = Server::start().unwrap();
    let ann = person(&server, "technician").await;
    let app = Program::register(&server, &json!({ "own_behalf": true })).await;
    let tokens = tokens(&server, &app, &ann).await;
    let own = [("grant_type", "client_credentials"), ("scope", "devices:read")];
    let own = answer_of(app.post(&server, "token", &own).await).await;
    let cookie = ann[header::COOKIE].to_str().unwrap().split_once('=').unwrap().1.to_owned();
    for (what, token) in [
        ("an ID token", text(&tokens, "id_token")),
        ("a refresh token", text(&tokens, "refresh_token")),
        ("a program's own", text(&own, "access_token")),
        ("an API key", &server.key),
        ("a session", &cookie),
        ("nothing", ""),
    ] {
        let answer = ask(&server, USERINFO, &bearer(token), "").await;
        assert!([401, 403].contains(&answer.status().as_u16()), "{what}: {}", answer.status());
    }
    let by_cookie = ask(&server, USERINFO, &ann, "").await;
    assert_eq!(by_cookie.status(), StatusCode::UNAUTHORIZED);
    let good = ask(&server, USERINFO, &bearer(text(&tokens, "access_token")), "").await;
    assert_eq!(good.status(), StatusCode::OK);
}
