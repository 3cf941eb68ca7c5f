//! Requests as they come in, in this process and over TCP.

use std::sync::Arc;

use axum::body::Body;
use http::{Request, header};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use openframe_clock::ManualClock;
use openframe_ids::TenantId;
use openframe_mesh::{Connector, Peer};
use openframe_pki::Authority;
use openframe_tokens::internal::Minter;
use openframe_tokens::{Caller, Subject};
use prometheus_client::registry::Registry;

use crate::store::MemoryStore;
use crate::{Config, Deps, JoinKeys, Mailer, Running, Stores, Streams, Webhooks, start};

struct Service {
    running: Running,
    peers: [Peer; 2],
    token: String,
}

async fn service() -> Service {
    openframe_pki::install_provider();
    let clock = ManualClock::new(Timestamp::from_second(1_800_000_000).unwrap()).clock();
    let (minter, tenant) = (Minter::generate(), TenantId::new());
    let subject = Subject::Service { name: "gateway".to_owned() };
    let token = minter.mint(&Caller { tenant, subject }, "auth", clock.now());
    let tls = rustls::ClientConfig::builder()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let deps = Deps {
        store: Stores::of(&MemoryStore::default()),
        authority: Arc::new(Authority::create(clock.now()).unwrap().0),
        clock,
        verifier: minter.verifier("auth"),
        tenant,
        joins: JoinKeys::new([("devices", "a join key")]),
        streams: Streams::default(),
        webhooks: Webhooks::new(tls.clone()),
        mailer: Mailer::default(),
        metrics: &mut Registry::default(),
    };
    let running = start(Config::default(), deps);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let router = running.router.clone();
    tokio::spawn(async { axum::serve(listener, router).await });
    let remote = Peer::Remote { base, connector: Box::new(Connector::new(tls)) };
    let peers = [running.router.clone().into(), remote];
    Service { running, peers, token }
}

impl Service {
    /// Status and body, the same from both shapes. `+` before the method sends a gateway's token.
    async fn check(&self, line: &str, body: &str) -> String {
        let mut answers = Vec::new();
        for peer in &self.peers {
            answers.push(self.ask(peer, line, body).await.0);
        }
        assert_eq!(answers[0], answers[1], "in-process and over TCP differ");
        answers.swap_remove(0)
    }

    async fn ask(&self, peer: &Peer, line: &str, body: &str) -> (String, String) {
        let (method, path) = line.trim_start_matches('+').split_once(' ').unwrap();
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "x")
            .header(header::CONTENT_TYPE, "application/json");
        if line.starts_with('+') {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let answer = peer.call(request).await.unwrap();
        let cookie = answer.headers().get(header::SET_COOKIE);
        let cookie = cookie.map(|it| it.to_str().unwrap().to_owned()).unwrap_or_default();
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (format!("{status} {}", String::from_utf8_lossy(&body)), cookie)
    }
}

#[tokio::test]
async fn setup_is_open_once_and_gives_a_cookie_that_pages_cannot_read() {
    let service = service().await;
    let setup = "/api/auth/v1/setup";
    let asked = service.check(&format!("GET {setup}"), "").await;
    insta::assert_snapshot!(asked, @r#"200 {"needed":true,"mail":false,"passkeys":false,"providers":[]}"#);
    let token = service.running.app.issue_setup_token().await.unwrap().unwrap();
    let body =
        format!(r#"{{"token":"{token}","email":"a@b.c","name":"A","password":"a good long one"}}"#);
    let (answer, cookie) = service.ask(&service.peers[0], &format!("POST {setup}"), &body).await;
    assert!(answer.starts_with("200 "), "{answer}");
    assert!(cookie.starts_with("__Host-of_sid=of_sid_"));
    assert!(cookie.ends_with("; Path=/; Secure; HttpOnly; SameSite=Lax"));
    let again = service.check(&format!("POST {setup}"), &body).await;
    assert!(again.starts_with("404 ") && again.contains("no_setup"), "{again}");
}

#[tokio::test]
async fn refusals_are_problem_details_in_both_shapes() {
    let service = service().await;
    for (line, body, wanted) in [
        ("GET /api/auth/v1/me", "", ("401", "not_signed_in")),
        ("+GET /api/auth/v1/me", "", ("401", "not_signed_in")),
        ("+GET /api/auth/v1/users", "", ("403", "not_permitted")),
        ("POST /api/auth/v1/login", "{", ("400", "bad_json")),
        ("POST /api/auth/v1/login", r#"{"email":"a@b.c","password":"x"}"#, ("401", "bad_login")),
        ("POST /internal/v1/resolve", "{}", ("401", "not_signed_in")),
        (
            "POST /internal/v1/join",
            r#"{"service":"gateway","key":"a join key","csr_pem":""}"#,
            ("401", "not_signed_in"),
        ),
        (
            "POST /internal/v1/join",
            r#"{"service":"devices","key":"a join key","csr_pem":"x"}"#,
            ("400", "invalid"),
        ),
        ("POST /internal/v1/server-certificate", "{}", ("401", "not_signed_in")),
        (
            "+POST /internal/v1/server-certificate",
            r#"{"csr_pem":"x","names":[]}"#,
            ("400", "invalid"),
        ),
        (
            "+POST /internal/v1/resolve",
            r#"{"shown":{"kind":"session","secret":"x"},"remote_address":""}"#,
            ("401", "not_signed_in"),
        ),
        ("GET /nothing", "", ("404", "no_such_path")),
    ] {
        let answer = service.check(line, body).await;
        assert!(answer.starts_with(wanted.0) && answer.contains(wanted.1), "{line}: {answer}");
    }
}

#[test]
fn the_document_names_every_public_path() {
    let document = crate::openapi();
    let paths: Vec<&String> = document.paths.paths.keys().collect();
    assert_eq!(paths.len(), 68, "{paths:?}");
    assert!(paths.iter().all(|path| !path.contains("internal")));
}
