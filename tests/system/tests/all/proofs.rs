//! Programs that show who they are by keys, send their requests ahead of the browser, and have tokens
//! that are of use to nobody else (B09, B10, B12).

use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use openframe_system::Server;
use openframe_system::program::{
    CHALLENGE, FORM, Program, REDIRECT, VERIFIER, answer_of, ask, bearer, location, signed_in,
    value_of,
};
use openframe_system::signer::{Signer, hash_of, now};
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use crate::roles::{PASSWORD, person};

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const DEVICES: &str = "/api/devices/v1/devices";

struct World {
    server: Server,
    app: Program,
    ann: HeaderMap,
    signer: Signer,
}

impl World {
    async fn new(with: &Value) -> Self {
        let (server, signer) = (Server::start().unwrap(), Signer::default());
        let ann = person(&server, "technician").await;
        let mut with = with.clone();
        let keys = json!({ "keys": [signer.jwk()] });
        with.as_object_mut().unwrap().insert("jwks".to_owned(), keys);
        let app = Program::register(&server, &with).await;
        assert!(app.secret.is_none());
        Self { server, app, ann, signer }
    }

    /// Posts a form to an endpoint, with a proof of a key if there is one.
    async fn send(&self, endpoint: &str, pairs: &[(&str, &str)], proof: Option<&str>) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(FORM));
        if let Some(proof) = proof {
            headers.insert("dpop", proof.parse().unwrap());
        }
        let form = Serializer::new(String::new()).extend_pairs(pairs).finish();
        ask(&self.server, ("POST", &format!("/t/main/{endpoint}")), &headers, &form).await
    }

    /// The same, after the client has shown who it is.
    async fn post(&self, endpoint: &str, pairs: &[(&str, &str)], proof: Option<&str>) -> Response {
        let assertion = self.signer.assertion((&self.app.id, &self.app.issuer), &json!({}));
        let own = [("client_assertion_type", ASSERTION), ("client_assertion", &assertion)];
        let pairs: Vec<_> = own.into_iter().chain(pairs.iter().copied()).collect();
        self.send(endpoint, &pairs, proof).await
    }

    fn proof(&self, endpoint: &str) -> String {
        self.signer.proof(("POST", &format!("{}/{endpoint}", self.app.issuer)), &json!({}))
    }

    /// What the request is called that the program pushes, with these parameters in the place of its own.
    async fn push(&self, with: &[(&str, &str)]) -> Response {
        let mut pairs = vec![
            ("response_type", "code"),
            ("redirect_uri", REDIRECT),
            ("scope", "openid offline_access devices:read"),
            ("state", "a state"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        pairs.retain(|(name, _)| !with.iter().any(|(other, _)| name == other));
        pairs.extend(with.iter().filter(|(_, value)| !value.is_empty()));
        self.post("par", &pairs, None).await
    }

    /// A browser comes with it.
    async fn open(&self, uri: &str) -> Response {
        let pairs = [("client_id", self.app.id.as_str()), ("request_uri", uri)];
        let query = Serializer::new(String::new()).extend_pairs(pairs).finish();
        ask(&self.server, ("GET", &format!("/t/main/authorize?{query}")), &self.ann, "").await
    }

    async fn exchange(&self, code: &str, proof: Option<&str>) -> Value {
        let pairs = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        answer_of(self.post("token", &pairs, proof).await).await
    }

    /// What a request for the list of devices gets with this proof.
    async fn devices(&self, scheme: &str, token: &str, proof: &str) -> StatusCode {
        let mut headers = bearer(token);
        headers.insert(header::AUTHORIZATION, format!("{scheme} {token}").parse().unwrap());
        headers.insert("dpop", proof.parse().unwrap());
        ask(&self.server, ("GET", DEVICES), &headers, "").await.status()
    }
}

async fn error_of(answer: Response) -> String {
    let answer = answer_of(answer).await;
    answer.get("error").and_then(Value::as_str).unwrap().to_owned()
}

// ASVS 10.4.10
// B10.key, B10.audience, B10.replay, B10.none
#[tokio::test]
async fn a_program_shows_who_it_is_by_its_own_key() {
    let world = World::new(&json!({ "own_behalf": true })).await;
    let own = [("grant_type", "client_credentials")];
    assert_eq!(world.post("token", &own, None).await.status(), StatusCode::OK);
    let (id, issuer) = (world.app.id.as_str(), world.app.issuer.as_str());
    let with = async |assertion: &str| {
        let pairs = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", ASSERTION),
            ("client_assertion", assertion),
        ];
        world.send("token", &pairs, None).await
    };
    let once = world.signer.assertion((id, issuer), &json!({}));
    assert_eq!(with(&once).await.status(), StatusCode::OK);
    assert_eq!(error_of(with(&once).await).await, "invalid_client", "the second time");
    for wrong in [
        json!({ "aud": "https://other.example.org" }),
        json!({ "aud": format!("{issuer}/token") }),
        json!({ "exp": now() - 120 }),
        json!({ "exp": now() + 3600 }),
        json!({ "iss": "01912345-6789-7abc-8def-0123456789ab" }),
    ] {
        let assertion = world.signer.assertion((id, issuer), &wrong);
        assert_eq!(error_of(with(&assertion).await).await, "invalid_client", "{wrong}");
    }
    let foreign = Signer::default().assertion((id, issuer), &json!({}));
    assert_eq!(error_of(with(&foreign).await).await, "invalid_client");
    let claims = json!({
        "iss": id, "sub": id, "aud": issuer, "jti": "none", "iat": now(), "exp": now() + 60,
    });
    let mut unsigned = world.signer.sign(&json!({ "alg": "none" }), &claims);
    unsigned.truncate(unsigned.rfind('.').unwrap() + 1);
    assert_eq!(error_of(with(&unsigned).await).await, "invalid_client");
    // Its id alone, and a secret beside the assertion.
    let nothing = [("grant_type", "client_credentials"), ("client_id", id)];
    assert_eq!(error_of(world.send("token", &nothing, None).await).await, "invalid_client");
    let two = [("grant_type", "client_credentials"), ("client_secret", "x")];
    assert_eq!(error_of(world.post("token", &two, None).await).await, "invalid_request");
    let trail = world.server.auth().unwrap().audit(None, 100).await.unwrap().items;
    let refused = trail.iter().find(|it| it.action == "client.authenticate").unwrap();
    assert_eq!(refused.outcome, "refused");
}

// B09.again, B09.client
#[tokio::test]
async fn a_pushed_request_is_answered_once() {
    let world = World::new(&json!({ "demands": ["pushed_requests"] })).await;
    // Without pushing there is nothing.
    let bare = world.app.authorize(&world.server, &[], &world.ann).await;
    assert_eq!(value_of(&bare, "error").as_deref(), Some("invalid_request"));
    let pushed = world.push(&[("prompt", "login")]).await;
    assert_eq!(pushed.status(), StatusCode::CREATED);
    let pushed = answer_of(pushed).await;
    let uri = pushed["request_uri"].as_str().unwrap();
    assert!(uri.starts_with("urn:ietf:params:oauth:request_uri:"), "{uri}");
    assert_eq!(pushed["expires_in"], 60);
    // It wants the person to sign in anew. What comes back is the same request.
    let sign_in = location(&world.open(uri).await);
    assert!(sign_in.contains("/sign-in?next=") && sign_in.contains("request_uri"), "{sign_in}");
    let ann = signed_in(&world.server, ("technician@example.org", PASSWORD)).await;
    let world = World { ann, ..world };
    let request = Serializer::new(String::new())
        .extend_pairs([("client_id", world.app.id.as_str()), ("request_uri", uri)])
        .finish();
    let page = world.open(uri).await;
    let code = world.app.allow(&world.server, (&world.ann, page), &request).await;
    let code = value_of(&code, "code").unwrap();
    // The code has come, so the request is done with.
    assert_eq!(world.open(uri).await.status(), StatusCode::BAD_REQUEST);
    assert!(world.exchange(&code, None).await["access_token"].is_string());
    let refused = async |uri: String| world.open(&uri).await.status();
    assert_eq!(refused(uri.replace("of_pr_", "of_ac_")).await, StatusCode::BAD_REQUEST);
    assert_eq!(
        refused("https://app.example.org/request".to_owned()).await,
        StatusCode::BAD_REQUEST
    );
    // Another's request, and the same twice at once.
    let other = Program::register(&world.server, &json!({})).await;
    let again = answer_of(world.push(&[]).await).await;
    let foreign =
        [("client_id", other.id.as_str()), ("request_uri", again["request_uri"].as_str().unwrap())];
    let query = Serializer::new(String::new()).extend_pairs(foreign).finish();
    let path = format!("/t/main/authorize?{query}");
    let foreign = ask(&world.server, ("GET", &path), &world.ann, "").await;
    assert_eq!(foreign.status(), StatusCode::BAD_REQUEST);
}

// B09.get
#[tokio::test]
async fn what_would_be_refused_in_a_browser_cannot_be_pushed() {
    let world = World::new(&json!({})).await;
    for (with, error) in [
        (("redirect_uri", "https://evil.example.org"), "invalid_request"),
        (("response_type", "token"), "unsupported_response_type"),
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("scope", "users:manage"), "invalid_scope"),
        (("request_uri", "urn:ietf:params:oauth:request_uri:x"), "request_uri_not_supported"),
        (("request", "a.b.c"), "request_not_supported"),
        (("dpop_jkt", "x"), "invalid_request"),
    ] {
        assert_eq!(error_of(world.push(&[with]).await).await, error, "{with:?}");
    }
    let get = ask(&world.server, ("GET", "/t/main/par"), &HeaderMap::new(), "").await;
    assert_eq!(get.status(), StatusCode::METHOD_NOT_ALLOWED);
    let nobody = [("client_id", world.app.id.as_str()), ("response_type", "code")];
    assert_eq!(error_of(world.send("par", &nobody, None).await).await, "invalid_client");
}

// B12.method, B12.url, B12.old, B12.replay, B12.key, B12.hash
#[tokio::test]
async fn a_bound_token_is_of_use_to_who_holds_the_key_only() {
    let world = World::new(&json!({ "demands": ["bound_tokens"] })).await;
    let code = async || {
        let uri = answer_of(world.push(&[]).await).await["request_uri"].clone();
        let uri = uri.as_str().unwrap().to_owned();
        let page = world.open(&uri).await;
        let request = Serializer::new(String::new())
            .extend_pairs([("client_id", world.app.id.as_str()), ("request_uri", &uri)])
            .finish();
        let answer = world.app.allow(&world.server, (&world.ann, page), &request).await;
        value_of(&answer, "code").unwrap()
    };
    let first = code().await;
    assert_eq!(world.exchange(&first, None).await["error"], "invalid_dpop_proof");
    let elsewhere = world.proof("par");
    assert_eq!(world.exchange(&first, Some(&elsewhere)).await["error"], "invalid_dpop_proof");
    let proof = world.proof("token");
    let tokens = world.exchange(&first, Some(&proof)).await;
    assert_eq!(tokens["token_type"], "DPoP");
    let access = tokens["access_token"].as_str().unwrap();
    let refresh = tokens["refresh_token"].as_str().unwrap();
    // The proof of another request, of the token itself, and once more.
    assert_eq!(world.exchange(&code().await, Some(&proof)).await["error"], "invalid_dpop_proof");
    let url = format!("{}{DEVICES}", world.app.issuer.trim_end_matches("/t/main"));
    let good = world.signer.proof(("GET", &url), &hash_of(access));
    assert_eq!(world.devices("DPoP", access, &good).await, StatusCode::OK);
    assert_eq!(world.devices("DPoP", access, &good).await, StatusCode::UNAUTHORIZED, "sent twice");
    let wrong = |method: &str, url: &str, changes: &Value| {
        let mut all = hash_of(access);
        all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        world.signer.proof((method, url), &all)
    };
    for proof in [
        wrong("POST", &url, &json!({})),
        wrong("GET", &format!("{url}/x"), &json!({})),
        wrong("GET", &url, &json!({ "iat": now() - 120 })),
        wrong("GET", &url, &json!({ "iat": now() + 120 })),
        wrong("GET", &url, &hash_of("of_at_other")),
        world.signer.proof(("GET", &url), &json!({})),
        Signer::default().proof(("GET", &url), &hash_of(access)),
    ] {
        assert_eq!(world.devices("DPoP", access, &proof).await, StatusCode::UNAUTHORIZED);
    }
    let fresh = || world.signer.proof(("GET", &url), &hash_of(access));
    assert_eq!(world.devices("Bearer", access, &fresh()).await, StatusCode::UNAUTHORIZED);
    assert_eq!(world.devices("DPoP", access, &fresh()).await, StatusCode::OK);
    let looked = answer_of(world.post("introspect", &[("token", access)], None).await).await;
    assert_eq!(looked["cnf"]["jkt"], world.signer.thumbprint());
    assert_eq!((&looked["token_type"], &looked["active"]), (&json!("DPoP"), &json!(true)));
    let again = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
    assert_eq!(error_of(world.post("token", &again, None).await).await, "invalid_dpop_proof");
    let proof = world.proof("token");
    assert_eq!(
        answer_of(world.post("token", &again, Some(&proof)).await).await["token_type"],
        "DPoP"
    );
}
