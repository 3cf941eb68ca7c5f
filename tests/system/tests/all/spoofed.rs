//! What only the platform says of a caller, said by somebody else: nobody becomes anybody by it.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};
use openframe_agent::state::Folder;
use openframe_agent_api::enrolment::RENEW_PATH;
use openframe_clock::Clock;
use openframe_ids::{SessionId, TenantId, UserId};
use openframe_mesh::{Connector, Peer};
use openframe_system::Server;
use openframe_system::program::{ask, bearer};
use openframe_tokens::internal::Minter;
use openframe_tokens::{Caller, Grants, Role, Subject};
use serde_json::json;

use crate::roles::person;

const USERS: (&str, &str) = ("GET", "/api/auth/v1/users");
/// An address that nobody has.
const ELSEWHERE: &str = "203.0.113.9";

/// Tokens like those between services, of a key that is not the platform's.
fn tokens(tenant: TenantId) -> Vec<String> {
    let (minter, now) = (Minter::generate(), Clock::system().now());
    let (user, session, role) = (UserId::new(), SessionId::new(), Role::Owner);
    let subjects = [
        Subject::User { user, session, role, grants: Grants::default() },
        Subject::Service { name: "gateway".to_owned() },
        Subject::Service { name: "devices".to_owned() },
    ];
    let minted = subjects.map(|subject| minter.mint(&Caller { tenant, subject }, "auth", now));
    minted.to_vec()
}

/// Every header by which a proxy, a mesh or the gateway itself says who asks.
async fn headers(server: &Server) -> Vec<(&'static str, String)> {
    let owner = server.auth().unwrap().me().await.unwrap();
    let (id, tenant) = (owner.user.id.to_string(), owner.tenant_id);
    let certificate =
        "By=spiffe://openframe/svc/auth;URI=spiffe://openframe/svc/gateway".to_owned();
    let mut all = vec![
        ("x-user-id", id.clone()),
        ("x-user-role", "owner".to_owned()),
        ("x-user-tenant", tenant.to_string()),
        ("x-forwarded-user", id.clone()),
        ("x-openframe-caller", id),
        ("x-forwarded-client-cert", certificate),
        ("client-cert", ":MIIB:".to_owned()),
        ("l5d-client-id", "gateway.openframe.serviceaccount.identity".to_owned()),
    ];
    for token in tokens(tenant) {
        all.push(("x-openframe-authorization", format!("Bearer {token}")));
        all.push(("txn-token", token));
    }
    all
}

/// What somebody gets who says this besides.
async fn asks(server: &Server, who: &HeaderMap, (name, value): (&'static str, &str)) -> StatusCode {
    let mut headers = who.clone();
    headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    ask(server, USERS, &headers, "").await.status()
}

// B61.user, B61.certificate, B61.token
#[tokio::test]
async fn nobody_becomes_anybody_by_a_header() {
    let server = Server::start().unwrap();
    let technician = person(&server, "technician").await;
    for (name, value) in headers(&server).await {
        let nobody = asks(&server, &HeaderMap::new(), (name, &value)).await;
        assert_eq!(nobody, StatusCode::UNAUTHORIZED, "{name}: {value}");
        let known = asks(&server, &technician, (name, &value)).await;
        assert_eq!(known, StatusCode::FORBIDDEN, "{name}: {value}");
    }
    let tenant = server.auth().unwrap().me().await.unwrap().tenant_id;
    for token in tokens(tenant) {
        let answer = ask(&server, USERS, &bearer(&token), "").await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "as if it were a key");
    }
}

// B61.address
#[tokio::test]
async fn nobody_is_elsewhere_by_a_header() {
    let server = Server::start().unwrap();
    for (name, value) in [
        ("x-forwarded-for", ELSEWHERE),
        ("x-real-ip", ELSEWHERE),
        ("forwarded", "for=203.0.113.9"),
        ("x-openframe-remote-address", ELSEWHERE),
        ("true-client-ip", ELSEWHERE),
        ("cf-connecting-ip", ELSEWHERE),
    ] {
        // Guesses at one account would run out.
        let typed = json!({ "email": format!("{name}@example.org"), "password": "x" }).to_string();
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        let answer = ask(&server, ("POST", "/api/auth/v1/login"), &headers, &typed).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{name}");
    }
    let trail = server.auth().unwrap().audit(None, 100).await.unwrap().items;
    let refused: Vec<_> = trail.iter().filter(|it| it.action == "session.create").collect();
    assert!(!refused.is_empty() && refused.iter().all(|it| it.remote_address == "127.0.0.1"));
}

/// Asks at the agents' door to renew a certificate, without showing one.
async fn renews(server: &Server, root: &str, (name, value): (&'static str, &str)) -> Response {
    let connector = Connector::new(openframe_pki::root_client(root).unwrap());
    let peer =
        Peer::Remote { base: server.agents_url.parse().unwrap(), connector: Box::new(connector) };
    let request = Request::post(RENEW_PATH)
        .header(header::CONTENT_TYPE, "application/json")
        .header(name, value)
        .body(Body::from(json!({ "csr_pem": "x" }).to_string()))
        .unwrap();
    peer.call(request).await.unwrap()
}

// B53.client
#[tokio::test]
async fn nobody_becomes_a_device_by_a_header() {
    let server = Server::start().unwrap();
    let (agent, _) = server.agent().await.unwrap();
    let own = Folder::open(agent.state()).unwrap().identity().unwrap().unwrap();
    let lines = own.chain_pem.lines().take_while(|line| !line.starts_with("-----END"));
    let certificate: String = lines.filter(|line| !line.starts_with('-')).collect();
    let uri = format!("spiffe://openframe/t/{}/d/{}", own.tenant_id, own.device_id);
    for (name, value) in [
        ("client-cert", format!(":{certificate}:")),
        ("x-forwarded-client-cert", format!("URI={uri};Cert=\"{certificate}\"")),
        ("x-ssl-client-cert", certificate.clone()),
        ("x-client-cert", certificate),
    ] {
        let refused = renews(&server, &own.root_pem, (name, &value)).await;
        assert!([401, 403].contains(&refused.status().as_u16()), "{name}: {}", refused.status());
    }
}
