//! A start without a person: the owner's key in a file, and people who come later.

use axum::body::Body;
use http::{Request, StatusCode};
use openframe_auth_api::{NewApiKey, NewUser};
use openframe_fault::Kind;
use openframe_system::Server;

#[tokio::test]
async fn a_later_start_does_not_need_the_file() {
    let mut server = Server::start().unwrap();
    let file = server.folder().join("owner.key");
    std::fs::remove_file(&file).unwrap();
    server.stop_and_restart().unwrap();
    assert!(server.auth_process().said().contains("no key was written"));
    assert!(!file.exists());
    // Neither what lies there nor what a link points to is touched.
    let other = server.folder().join("other");
    std::fs::write(&other, "mine").unwrap();
    std::os::unix::fs::symlink(&other, &file).unwrap();
    server.stop_and_restart().unwrap();
    assert!(server.auth_process().said().contains("holds no key of this platform"));
    assert_eq!(std::fs::read_to_string(&other).unwrap(), "mine");
    assert!(server.auth().unwrap().me().await.is_ok(), "the key itself is still good");
}

#[tokio::test]
async fn people_can_come_after_a_key() {
    let mut server = Server::start().unwrap();
    let said = server.auth_process().said();
    let (_, token) = said.split_once("/setup#token=").unwrap();
    let token = token.split_whitespace().next().unwrap().to_owned();
    let set_up = async || {
        let body = serde_json::json!({
            "token": token, "email": "ann@example.org", "name": "Ann", "password": "a good long one",
        });
        let request = Request::post("/api/auth/v1/setup")
            .header("content-type", "application/json")
            .body(Body::from(body.to_string()))
            .unwrap();
        server.peer().unwrap().call(request).await.unwrap().status()
    };
    assert_eq!(set_up().await, StatusCode::OK);
    assert_eq!(set_up().await, StatusCode::NOT_FOUND);
    server.stop_and_restart().unwrap();
    assert!(!server.auth_process().said().contains("set up"), "an owner can sign in");
}

// B34.manage
#[tokio::test]
async fn the_owners_key_manages_people_and_keys_and_a_scoped_one_does_not() {
    let server = Server::start().unwrap();
    let auth = server.auth().unwrap();
    let bob = NewUser {
        email: "bob@example.org".to_owned(),
        name: "Bob".to_owned(),
        role: "technician".to_owned(),
        password: "a good long one".to_owned(),
    };
    auth.create_user(&bob).await.unwrap();
    let wanted = |scopes: &[&str]| NewApiKey {
        name: "k".to_owned(),
        scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
        expires_in_days: None,
    };
    let scoped = auth.create_api_key(&wanted(&["keys:manage", "users:manage"])).await.unwrap();
    let scoped = openframe_auth_api::AuthClient::new(server.client_with(&scoped.secret).unwrap());
    for scopes in [&["keys:manage"][..], &["devices:read"]] {
        let refused = scoped.create_api_key(&wanted(scopes)).await.err().unwrap();
        assert_eq!(refused.kind(), Kind::Forbidden);
    }
    assert_eq!(scoped.users().await.err().unwrap().kind(), Kind::Forbidden);
    assert_eq!(auth.api_keys(true).await.unwrap().items.len(), 2);
}
