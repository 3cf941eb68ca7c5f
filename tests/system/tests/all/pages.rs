//! What the pages say and hold that people see who came from another program, and what browsers get.

use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use openframe_auth_api::SESSION_COOKIE;
use openframe_system::Server;
use openframe_system::program::{Program, answer_of, ask, location, text, without_own_script};
use serde_json::{Value, json};

use crate::roles::{PASSWORD, log_in, person};

const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

// ASVS 6.2.6, 6.2.7
#[tokio::test]
async fn the_sign_in_page_hides_a_password_and_lets_a_manager_fill_it_in() {
    let server = Server::start().unwrap();
    let app = Program::register(&server, &json!({})).await;
    let nobody = HeaderMap::new();
    let to = location(&app.authorize(&server, &[], &nobody).await);
    let page = text(ask(&server, ("GET", &to), &nobody, "").await).await;
    let page = without_own_script(&server, &page);
    let field = page.split("<input ").find(|it| it.contains("name=\"password\"")).unwrap();
    let field = field.split('>').next().unwrap();
    for part in ["type=\"password\"", "autocomplete=\"current-password\""] {
        assert!(field.contains(part), "{field}");
    }
    assert!(page.contains("autocomplete=\"username\""));
    // Nothing stands in the way of what is pasted: no script, no handler, no shorter limit.
    let handlers = ["<script", " onpaste", " oncopy", " oncontextmenu", "readonly", "maxlength"];
    assert!(!handlers.iter().any(|it| page.contains(it)), "{page}");
}

// ASVS 7.4.4, 10.7.2
// B13.page
#[tokio::test]
async fn the_page_that_asks_says_who_wants_what_for_how_long_and_leads_out() {
    let server = Server::start().unwrap();
    let ann = person(&server, "technician").await;
    let web = Program::register(&server, &json!({ "name": "Wiki" })).await;
    let own = json!({ "name": "Tool", "public": true });
    let tool = Program::register(&server, &own).await;
    let short = [("scope", "openid devices:read")];
    for (app, name, with, length) in [
        (&web, "Wiki", &[][..], "for 90 days at most"),
        (&tool, "Tool", &[][..], "for 30 days at most"),
        (&web, "Wiki", &short[..], "for 10 minutes"),
    ] {
        let page = text(app.authorize(&server, with, &ann).await).await;
        let wanted = [
            &format!("<strong>{name}</strong>"),
            "You are signed in as technician@example.org",
            "know who you are",
            "see devices, their inventory and their commands",
            length,
            "app.example.org",
            "href=\"/t/main/logout\"",
        ];
        for part in wanted {
            assert!(page.contains(part), "{part:?} is not in {page}");
        }
        assert!(!page.contains("run commands"), "what is not asked for is not named: {page}");
    }
    // The way out is one.
    let out = ask(&server, ("GET", "/t/main/logout"), &ann, "").await;
    assert!(text(out).await.contains("Log out of OpenFrame?"));

    let tv = json!({ "name": "TV", "redirect_uris": [], "public": true,
                     "more_grants": [DEVICE_GRANT] });
    let tv = Program::register(&server, &tv).await;
    let wanted = [("scope", "openid devices:read")];
    let asked = answer_of(tv.post(&server, "device_authorization", &wanted).await).await;
    let code = asked.get("user_code").and_then(Value::as_str).unwrap();
    let page = ask(&server, ("GET", &format!("/t/main/device?user_code={code}")), &ann, "").await;
    let page = text(page).await;
    for part in ["<strong>TV</strong>", "know who you are", "for 10 minutes", "127.0.0.1"] {
        assert!(page.contains(part), "{part:?} is not in {page}");
    }
    assert!(page.contains("href=\"/t/main/logout\""), "{page}");
}

/// Whether an answer gives a browser a session.
fn begins(answer: &Response) -> bool {
    let cookies = answer.headers().get_all(header::SET_COOKIE).into_iter();
    cookies.map(|it| it.to_str().unwrap()).any(|it| it.starts_with(&format!("{SESSION_COOKIE}=of")))
}

// ASVS 7.6.2
#[tokio::test]
async fn no_session_begins_without_somebody_who_signs_in() {
    let server = Server::start().unwrap();
    person(&server, "technician").await;
    let people = server.auth().unwrap().users().await.unwrap().items;
    let technician = people.iter().find(|it| it.email == "technician@example.org").unwrap();
    let link = server.auth().unwrap().create_password_link(technician.id).await.unwrap().url;
    let (_, token) = link.split_once("#token=").unwrap();
    let app = Program::register(&server, &json!({})).await;
    let nobody = HeaderMap::new();
    // Following a link, or being sent, makes none.
    for path in ["/".to_owned(), "/sign-in".to_owned(), format!("/password?token={token}")] {
        assert!(!begins(&ask(&server, ("GET", &path), &nobody, "").await), "{path}");
    }
    for prompt in ["none", "login", "consent"] {
        let sent = app.authorize(&server, &[("prompt", prompt)], &nobody).await;
        assert!(!begins(&sent), "{prompt}");
    }
    let document: Value = server.client().unwrap().get("/api/openapi.json").await.unwrap();
    let paths = document.get("paths").and_then(Value::as_object).unwrap();
    let readable = paths.iter().filter(|(_, operations)| operations.get("get").is_some());
    for (path, _) in readable {
        assert!(!begins(&ask(&server, ("GET", path), &nobody, "").await), "{path}");
    }
    // Nor does another site's page that has a browser send somebody's password, or a link's token.
    let typed = json!({ "email": "technician@example.org", "password": PASSWORD }).to_string();
    let choice = json!({ "token": token, "password": "another good one" }).to_string();
    for (path, body) in [("/api/auth/v1/login", typed), ("/api/auth/v1/password", choice)] {
        let mut foreign = HeaderMap::new();
        foreign.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        foreign.insert(header::ORIGIN, HeaderValue::from_static("https://evil.example"));
        let answer = ask(&server, ("POST", path), &foreign, &body).await;
        assert_eq!((answer.status(), begins(&answer)), (StatusCode::FORBIDDEN, false), "{path}");
    }
    assert!(begins(&log_in(&server, "technician@example.org", PASSWORD).await), "who signs in");
}

// ASVS 10.1.1
#[tokio::test]
async fn a_browser_holds_a_cookie_that_no_page_can_read_and_no_token() {
    let server = Server::start().unwrap();
    let ann = person(&server, "technician").await;
    let answer = log_in(&server, "technician@example.org", PASSWORD).await;
    let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
    for part in ["; HttpOnly", "; Secure", "; SameSite=Lax"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let mut told = vec![text(answer).await];
    for path in ["/api/auth/v1/me", "/api/auth/v1/sessions", "/api/auth/v1/api-keys", "/"] {
        let answer = ask(&server, ("GET", path), &ann, "").await;
        assert!(answer.headers().get(header::AUTHORIZATION).is_none());
        told.push(text(answer).await);
    }
    for told in told {
        // Beginnings of secrets, and of signed tokens.
        for secret in ["of_sid_", "of_ak_", "of_at_", "of_rt_", "eyJ"] {
            assert!(!told.contains(secret), "{secret} in {told}");
        }
    }
}
