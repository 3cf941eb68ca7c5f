//! The keys that sign ID tokens: a new one is shown before it signs, and one that somebody else has got
//! hold of is taken out of use (B74).

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, StatusCode};
use openframe_auth_api::RotateKeys;
use openframe_system::program::{Program, answer_of, ask};
use openframe_system::{Server, until};
use serde_json::{Value, json};

use crate::roles::person;

/// Waits until every replica shows these keys, and no others: an answer comes of either of two.
async fn shown(server: &Server, wanted: &[&str]) {
    let wanted: BTreeSet<String> = wanted.iter().copied().map(str::to_owned).collect();
    until("the keys to be shown", || async {
        for _ in 0..6 {
            if keys(server).await != wanted {
                return None;
            }
        }
        Some(())
    })
    .await;
}

async fn keys(server: &Server) -> BTreeSet<String> {
    let answer = ask(server, ("GET", "/t/main/jwks"), &HeaderMap::new(), "").await;
    let set = answer_of(answer).await;
    set.pointer("/keys").and_then(Value::as_array).unwrap().iter().map(kid).collect()
}

/// Waits until this key signs: the replica that did not rotate may sign with the one before it for 15
/// seconds, and who answers is not up to the caller.
async fn signing(server: &Server, app: &Program, who: &HeaderMap, wanted: &str) {
    until("the new key to sign", || async {
        (signs(server, app, who).await == wanted).then_some(())
    })
    .await;
}

/// The name of the key that signs the next ID token.
async fn signs(server: &Server, app: &Program, who: &HeaderMap) -> String {
    let tokens = answer_of(app.exchange(server, &app.code(server, who).await).await).await;
    let token = tokens.pointer("/id_token").and_then(Value::as_str).unwrap();
    let head = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    kid(&serde_json::from_slice(&head).unwrap())
}

fn kid(of: &Value) -> String {
    of.pointer("/kid").and_then(Value::as_str).unwrap().to_owned()
}

// B74
#[tokio::test]
async fn keys_are_rotated_and_revoked() {
    let server = Server::start().unwrap();
    let ann = person(&server, "technician").await;
    let app = Program::register(&server, &json!({})).await;
    let auth = server.auth().unwrap();
    let first = signs(&server, &app, &ann).await;

    let staged = auth.rotate_keys(RotateKeys::default()).await.unwrap();
    assert_eq!(staged.stage, "staged");
    shown(&server, &[&first, &staged.kid]).await;
    assert_eq!(signs(&server, &app, &ann).await, first, "nobody knows the other yet");

    let refused = auth.rotate_keys(RotateKeys { now: false, revoke: true }).await.unwrap_err();
    assert_eq!(refused.kind().status(), StatusCode::BAD_REQUEST);
    let now = auth.rotate_keys(RotateKeys { now: true, revoke: false }).await.unwrap();
    shown(&server, &[&first, &staged.kid, &now.kid]).await;
    signing(&server, &app, &ann, &now.kid).await;

    let only = auth.rotate_keys(RotateKeys { now: true, revoke: true }).await.unwrap();
    shown(&server, &[&only.kid]).await;
    signing(&server, &app, &ann, &only.kid).await;
    let listed = auth.signing_keys().await.unwrap().items;
    assert_eq!(listed, [only]);
}
