//! Passkeys, as a browser meets them: what it is asked for, and what its answers are worth.

#[path = "../../../../libs/passkeys/src/tests/soft.rs"]
mod soft;

use axum::response::Response;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use openframe_auth_api::{HALF_COOKIE, PASSKEY_COOKIE, SESSION_COOKIE};
use openframe_fault::body;
use openframe_system::program::{self, Program, answer_of, ask};
use openframe_system::{Server, until};
use serde_json::{Value, json};

use crate::cli::Operator;
use crate::factors::{ME, cookie, post, signed_in, submit};
use crate::roles::{PASSWORD, log_in, person};
use soft::SoftPasskey;

const EMAIL: &str = "technician@example.org";

/// A browser that was asked to show a passkey: its headers, and what it was asked.
async fn asked(server: &Server, path: &str, who: &HeaderMap) -> (HeaderMap, Value) {
    let answer = post(server, path, who, &json!({})).await;
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
    let headers = holding(who, &cookie(&answer, PASSKEY_COOKIE).unwrap());
    (headers, answer_of(answer).await.pointer("/options").unwrap().clone())
}

/// What a browser is asked in a session, and what goes back with the answer.
async fn asked_here(server: &Server, path: &str, who: &HeaderMap) -> (Value, String) {
    let answer = post(server, path, who, &json!({})).await;
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
    assert_eq!(cookie(&answer, PASSKEY_COOKIE), None);
    let answer = answer_of(answer).await;
    let held = answer.get("held").and_then(Value::as_str).unwrap().to_owned();
    (answer.pointer("/options").unwrap().clone(), held)
}

/// A browser that holds a challenge as well.
fn holding(who: &HeaderMap, held: &str) -> HeaderMap {
    let mut headers = who.clone();
    let others = who.get(header::COOKIE).map(|it| it.to_str().unwrap().to_owned());
    let all = format!("{PASSKEY_COOKIE}={held}; {}", others.unwrap_or_default());
    headers.insert(header::COOKIE, HeaderValue::from_str(&all).unwrap());
    headers
}

/// A person with a passkey: the session's headers, the passkey, and the answer to it.
async fn keyed(server: &Server) -> (HeaderMap, SoftPasskey, Value) {
    let here = person(server, "technician").await;
    let mut passkey = SoftPasskey::new(&server.url);
    let (options, held) = asked_here(server, "/me/passkeys/options", &here).await;
    let credential = passkey.make(&options);
    let new = json!({ "name": "my ring", "credential": credential, "held": held });
    let added = post(server, "/me/passkeys", &here, &new).await;
    assert_eq!(added.status(), StatusCode::CREATED);
    let (here, added) = session_of(added).await;
    (here, passkey, added)
}

/// A browser's headers after an answer of any status that has opened a session; and the answer.
async fn session_of(mut answer: Response) -> (HeaderMap, Value) {
    *answer.status_mut() = StatusCode::OK;
    signed_in(answer).await
}

async fn by_passkey(server: &Server, passkey: &mut SoftPasskey) -> Response {
    let (holds, options) = asked(server, "/login/passkey/options", &HeaderMap::new()).await;
    let shown = json!({ "credential": passkey.show(&options) });
    post(server, "/login/passkey", &holds, &shown).await
}

#[tokio::test]
async fn a_passkey_signs_in_without_a_password() {
    let server = Server::start().unwrap();
    let (here, mut passkey, added) = keyed(&server).await;
    let codes = added["recovery_codes"].as_array().unwrap();
    assert_eq!(codes.len(), 10, "it is the first factor");
    let list = answer_of(ask(&server, ("GET", "/api/auth/v1/me/passkeys"), &here, "").await).await;
    assert_eq!(list["items"][0]["name"], "my ring");
    assert_eq!(list["items"][0]["last_used_at"], Value::Null);
    assert_eq!(list["items"][0].as_object().unwrap().len(), 4, "no keys: {list}");
    let (session, _) = signed_in(by_passkey(&server, &mut passkey).await).await;
    assert_eq!(ask(&server, ME, &session, "").await.status(), StatusCode::OK);
    // What a program is told of it.
    let app = Program::register(&server, &json!({ "name": "Wiki" })).await;
    let code = app.code(&server, &session).await;
    let tokens = answer_of(app.exchange(&server, &code).await).await;
    let id_token = program::claims(tokens["id_token"].as_str().unwrap());
    assert_eq!(id_token["amr"], json!(["pop", "user", "mfa"]));
    assert_eq!(id_token["acr"], "aal2");
    // The answers of strangers are refused alike, whether or not there is such a passkey.
    let mut stranger = SoftPasskey::new(&server.url);
    stranger.user.clone_from(&passkey.user);
    let mut refused = Vec::new();
    for _ in 0..2 {
        let answer = by_passkey(&server, &mut stranger).await;
        let status = answer.status();
        let mut told = answer_of(answer).await;
        told.as_object_mut().unwrap().remove("request_id");
        refused.push((status, told));
        stranger.id.clone_from(&passkey.id);
    }
    assert_eq!(refused[0].0, StatusCode::UNAUTHORIZED);
    assert_eq!(refused[0], refused[1]);
}

#[tokio::test]
async fn after_a_password_and_in_a_session_a_passkey_takes_the_place_of_a_code() {
    let server = Server::start().unwrap();
    let (here, mut passkey, _) = keyed(&server).await;
    let answer = log_in(&server, EMAIL, PASSWORD).await;
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    let mut half = HeaderMap::new();
    let own = format!("{HALF_COOKIE}={}", cookie(&answer, HALF_COOKIE).unwrap());
    half.insert(header::COOKIE, HeaderValue::from_str(&own).unwrap());
    let step = json!({ "next": "code", "app": false, "passkey": true });
    assert_eq!(answer_of(answer).await, step);
    let (holds, options) = asked(&server, "/login/code/options", &half).await;
    assert_eq!(options["publicKey"]["allowCredentials"].as_array().unwrap().len(), 1);
    let shown = json!({ "passkey": passkey.show(&options) });
    let (session, _) = signed_in(post(&server, "/login/code", &holds, &shown).await).await;
    assert_eq!(ask(&server, ME, &session, "").await.status(), StatusCode::OK);
    let both = json!({ "passkey": {}, "code": "000000" });
    for wrong in [both, json!({})] {
        let answer = post(&server, "/login/code", &half, &wrong).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    }

    let by_password = post(&server, "/me/step-up", &here, &json!({ "password": PASSWORD })).await;
    assert_eq!(by_password.status(), StatusCode::BAD_REQUEST);
    let (options, held) = asked_here(&server, "/me/step-up/options", &here).await;
    let shown = json!({ "passkey": passkey.show(&options), "held": held });
    let stepped = post(&server, "/me/step-up", &here, &shown).await;
    let (now, _) = signed_in(stepped).await;
    until("the old secret to be worth nothing", || async {
        let status = ask(&server, ME, &here, "").await.status();
        (status == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
    // Its challenge belonged to the session and is used up.
    let again = post(&server, "/me/step-up", &now, &shown).await;
    assert_eq!(answer_of(again).await["code"], "late_passkey");
}

/// A challenge is good once, also across a restart; what is no passkey at all breaks nothing.
#[tokio::test]
async fn a_challenge_is_used_up_for_good() {
    let mut server = Server::start().unwrap();
    let (_, mut passkey, _) = keyed(&server).await;
    let nobody = HeaderMap::new();
    let (holds, options) = asked(&server, "/login/passkey/options", &nobody).await;
    let (later, after) = asked(&server, "/login/passkey/options", &nobody).await;
    let shown = json!({ "credential": passkey.show(&options) });
    let first = post(&server, "/login/passkey", &holds, &shown).await;
    assert_eq!(first.status(), StatusCode::OK);
    server.stop_and_restart().unwrap();
    passkey.origin.clone_from(&server.url);
    let again = post(&server, "/login/passkey", &holds, &shown).await;
    assert_eq!(again.status(), StatusCode::BAD_REQUEST);
    assert_eq!(answer_of(again).await["code"], "late_passkey");
    // One that was not answered yet is still good.
    let shown = json!({ "credential": passkey.show(&after) });
    let answer = post(&server, "/login/passkey", &later, &shown).await;
    assert_eq!(answer.status(), StatusCode::OK);

    let deep = serde_json::from_str::<Value>(&format!("{}{}", "[".repeat(100), "]".repeat(100)));
    for bad in [Value::Null, json!("x"), json!({ "id": 7 }), deep.unwrap()] {
        let (holds, _) = asked(&server, "/login/passkey/options", &nobody).await;
        let answer = post(&server, "/login/passkey", &holds, &json!({ "credential": bad })).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    }
    let large = json!({ "credential": { "id": "A".repeat(70_000) } });
    let request = Request::post("/api/auth/v1/login/passkey").body(large.to_string().into());
    // The server may hang up while it is still sent.
    let answer = server.peer().unwrap().call(request.unwrap()).await;
    let status = answer.map_or(StatusCode::PAYLOAD_TOO_LARGE, |answer| answer.status());
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    let unknown = json!({ "credential": {}, "user": "ann" });
    let answer = post(&server, "/login/passkey", &holds, &unknown).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
}

/// What the sign-in page asks of a passkey, and the challenge that comes with it.
async fn offered(server: &Server, answer: Response) -> (String, Value, String) {
    let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
    let url = &server.url;
    let script = format!("script-src {url}/t/main/passkey.js; require-trusted-types-for 'script';");
    assert!(policy.starts_with("default-src 'none'; ") && policy.contains(&script), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    let held = cookie(&answer, PASSKEY_COOKIE).unwrap();
    let page = body::read(answer.into_body(), 1 << 18).await.unwrap();
    let page = String::from_utf8(page.to_vec()).unwrap();
    assert_eq!(page.matches("<script").count(), 1, "{page}");
    assert!(page.contains(&format!("<script src=\"{url}/t/main/passkey.js\" defer></script>")));
    let (_, options) = page.split_once("data-options=\"").unwrap();
    let options = options.split('"').next().unwrap().replace("&quot;", "\"");
    let options = serde_json::from_str(&options).unwrap();
    (page, options, held)
}

/// What the form of a passkey sends.
fn typed<'a>(step: &'a str, next: &'a str, credential: &'a str) -> [(&'a str, &'a str); 3] {
    [("step", step), ("next", next), ("credential", credential)]
}

/// The page for programs: one script of our own, from one place; without it the other ways are there.
#[tokio::test]
async fn the_page_for_programs_takes_passkeys() {
    let server = Server::start().unwrap();
    let (_, mut passkey, added) = keyed(&server).await;
    let app = Program::register(&server, &json!({ "name": "Wiki" })).await;
    let nobody = HeaderMap::new();
    let to = program::location(&app.authorize(&server, &[], &nobody).await);
    let next = url::form_urlencoded::parse(to.split_once('?').unwrap().1.as_bytes());
    let next = next.into_iter().next().unwrap().1.into_owned();
    let (page, options, held) =
        offered(&server, ask(&server, ("GET", &to), &nobody, "").await).await;
    assert!(page.contains("type=\"password\"") && page.contains(" hidden data-options="), "{page}");
    let shown = passkey.show(&options).to_string();
    let done = submit(&server, &holding(&nobody, &held), &typed("passkey", &next, &shown)).await;
    assert_eq!((done.status(), program::location(&done)), (StatusCode::SEE_OTHER, next.clone()));
    let mut session = HeaderMap::new();
    let own = format!("{SESSION_COOKIE}={}", cookie(&done, SESSION_COOKIE).unwrap());
    session.insert(header::COOKIE, HeaderValue::from_str(&own).unwrap());
    let consent = ask(&server, ("GET", &next), &session, "").await;
    assert_eq!(consent.status(), StatusCode::OK);
    // Once more, and what is none: the page again, with another challenge.
    for (credential, status) in [(shown.as_str(), 400), ("no JSON", 400), ("", 400)] {
        let again =
            submit(&server, &holding(&nobody, &held), &typed("passkey", &next, credential)).await;
        assert_eq!(again.status().as_u16(), status);
        let (page, _, other) = offered(&server, again).await;
        assert!(page.contains("role=\"alert\"") && other != held);
    }
    // After a password.
    let password =
        [("step", "password"), ("next", &next), ("email", EMAIL), ("password", PASSWORD)];
    let answer = submit(&server, &nobody, &password).await;
    let mut half = HeaderMap::new();
    let own = format!("{HALF_COOKIE}={}", cookie(&answer, HALF_COOKIE).unwrap());
    half.insert(header::COOKIE, HeaderValue::from_str(&own).unwrap());
    let (page, options, held) = offered(&server, answer).await;
    assert!(page.contains("Show your passkey") && page.contains("one-time-code"), "{page}");
    let shown = passkey.show(&options).to_string();
    let holds = holding(&half, &held);
    let done = submit(&server, &holds, &typed("code-passkey", &next, &shown)).await;
    assert_eq!((done.status(), program::location(&done)), (StatusCode::SEE_OTHER, next.clone()));
    // Without a script a recovery code does it.
    let answer = submit(&server, &nobody, &password).await;
    let own = format!("{HALF_COOKIE}={}", cookie(&answer, HALF_COOKIE).unwrap());
    half.insert(header::COOKIE, HeaderValue::from_str(&own).unwrap());
    let code = added["recovery_codes"][0].as_str().unwrap();
    let step = [("step", "code"), ("next", next.as_str()), ("code", code)];
    assert_eq!(submit(&server, &half, &step).await.status(), StatusCode::SEE_OTHER);

    let script = ask(&server, ("GET", "/t/main/passkey.js"), &nobody, "").await;
    assert_eq!(script.status(), StatusCode::OK);
    assert_eq!(script.headers()["content-type"], "text/javascript; charset=utf-8");
    assert_eq!(script.headers()["x-content-type-options"], "nosniff");
}

#[tokio::test]
async fn owners_remove_a_passkey_that_somebody_has_lost() {
    let server = Server::start().unwrap();
    let (here, mut passkey, added) = keyed(&server).await;
    let path = |rest: &str| format!("/api/auth/v1/me/passkeys/{rest}");
    let id = added["passkey"]["id"].as_str().unwrap().to_owned();
    let renamed = ask(&server, ("PATCH", &path(&id)), &here, r#"{"name":"at home"}"#).await;
    assert_eq!(renamed.status(), StatusCode::NO_CONTENT);
    let ann = Operator::of(&server);
    let table = ann.says(&["user", "passkeys", "list", EMAIL]);
    assert!(table.contains("at home"), "{table}");
    let list = ann.json(&["user", "passkeys", "list", EMAIL]);
    assert_eq!(list["items"][0]["id"], id.as_str());
    ann.says(&["user", "passkeys", "remove", EMAIL, &id]);
    until("the session of who has lost it to end", || async {
        let status = ask(&server, ME, &here, "").await.status();
        (status == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
    let gone = by_passkey(&server, &mut passkey).await;
    assert_eq!(gone.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(log_in(&server, EMAIL, PASSWORD).await.status(), StatusCode::OK);
    let trail = server.auth().unwrap().audit(None, 500).await.unwrap().items;
    for action in ["passkey.add", "passkey.rename", "passkey.remove"] {
        assert!(trail.iter().any(|it| it.action == action && it.outcome == "done"), "{action}");
    }
    let mut refused = trail.iter().filter(|it| it.outcome == "refused");
    let why = refused.find(|it| it.action == "session.create").unwrap();
    assert_eq!(why.detail, "nobody's passkey");
}
