//! Whoever's access has ended is cut off in the middle of what lasts, at whichever gateway: no check that
//! comes by itself does it here.

use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use openframe_auth_api::NewApiKey;
use openframe_system::Server;
use openframe_system::program::bearer;

const NEVER: [&str; 2] = ["gateway.device_check_s=100000", "gateway.caller_check_s=100000"];

// B50.cut
#[tokio::test]
async fn a_revoked_device_is_cut_off() {
    let server = Server::start_with(&NEVER).unwrap();
    let (mut agent, device) = server.agent().await.unwrap();
    let path = format!("/api/auth/v1/devices/{}", device.id);
    let request = Request::delete(&path).body(Body::empty()).unwrap();
    assert_eq!(as_owner(&server, request).await.status(), StatusCode::NO_CONTENT);
    agent.process().line_with("this device was retired").unwrap();
}

// B34.revoked
#[tokio::test]
async fn an_event_stream_ends_with_its_key() {
    let server = Server::start_with(&NEVER).unwrap();
    let auth = server.auth().unwrap();
    let wanted = NewApiKey {
        name: "stream".to_owned(),
        scopes: vec!["devices:read".to_owned()],
        expires_in_days: None,
    };
    let made = auth.create_api_key(&wanted).await.unwrap();
    let mut request = Request::get("/api/devices/v1/events").body(Body::empty()).unwrap();
    *request.headers_mut() = bearer(&made.secret);
    let stream = server.peer().unwrap().call(request).await.unwrap();
    assert_eq!(stream.status(), StatusCode::OK);
    auth.revoke_api_key(made.key.id).await.unwrap();
    // To its end: without one the test does not end either.
    stream.into_body().collect().await.ok();
}

async fn as_owner(server: &Server, mut request: Request<Body>) -> axum::response::Response {
    *request.headers_mut() = bearer(&server.key);
    server.peer().unwrap().call(request).await.unwrap()
}
