//! Adding, changing and removing other providers that people sign in at.

use http::{HeaderMap, StatusCode};
use openframe_auth_api::IdentityProviderChange;
use openframe_fault::Kind;
use openframe_system::Server;
use openframe_system::program::{ask, text};
use openframe_system::provider::Provider;
use serde_json::{Value, json};

use crate::cli::Operator;
use crate::upstream::{CALLBACK, trail};

// ASVS 10.5.3
#[tokio::test]
async fn providers_are_set_up_by_owners_and_say_themselves_who_they_are() {
    let (server, provider) = (Server::start().unwrap(), Provider::start().await);
    let auth = server.auth().unwrap();
    let create = async |with: Value| {
        let mut new = json!({
            "name": "Corp", "issuer": provider.url, "client_id": "me", "client_secret": "hush-hush",
        });
        new.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
        auth.create_identity_provider(&serde_json::from_value(new).unwrap()).await
    };
    for wrong in [
        json!({ "issuer": format!("{}/", provider.url) }),
        json!({ "issuer": "http://id.example.org" }),
        json!({ "issuer": "https://169.254.169.254" }),
        json!({ "creates_people": "owner" }),
        json!({ "scopes": ["email"] }),
        json!({ "allowed_domains": ["no domain"] }),
        json!({ "client_secret": "" }),
        json!({ "name": "" }),
    ] {
        assert_eq!(create(wrong.clone()).await.unwrap_err().kind(), Kind::Invalid, "{wrong}");
    }
    provider.describe(&json!({ "issuer": "https://other.example" }));
    let told = create(json!({})).await.unwrap_err();
    assert!(told.message().contains("names another issuer"), "{told}");
    provider.describe(&json!({ "jwks_uri": "https://169.254.169.254/keys" }));
    assert_eq!(create(json!({})).await.unwrap_err().kind(), Kind::Invalid);
    provider.describe(&json!({}));
    let made = create(json!({})).await.unwrap();
    assert_eq!(made.redirect_uri, format!("{}{CALLBACK}", server.url));
    assert_eq!((made.creates_people.as_str(), made.enabled), ("nobody", true));
    assert_eq!(create(json!({})).await.unwrap_err().kind(), Kind::Conflict);
    let off = IdentityProviderChange { enabled: Some(false), ..IdentityProviderChange::default() };
    assert!(!auth.change_identity_provider(made.id, &off).await.unwrap().enabled);
    let path = format!("/login/upstream/{}", made.id);
    let nobody = HeaderMap::new();
    let shut = ask(&server, ("GET", &path), &nobody, "").await;
    assert_eq!(shut.status(), StatusCode::NOT_FOUND);
    let page = text(ask(&server, ("GET", "/t/main/sign-in"), &nobody, "").await).await;
    assert!(!page.contains("/login/upstream/"), "{page}");
    auth.remove_identity_provider(made.id).await.unwrap();
    assert!(auth.identity_providers().await.unwrap().items.is_empty());
    let changes = trail(&server, "identity_provider.").await;
    let actions: Vec<&str> = changes.iter().map(|it| it.action.as_str()).collect();
    let want = ["identity_provider.remove", "identity_provider.change", "identity_provider.create"];
    assert_eq!(actions, want);
    assert!(changes.iter().all(|it| !it.detail.contains("hush")));
}

#[tokio::test(flavor = "multi_thread")]
async fn providers_are_managed_by_the_command_line() {
    let (server, provider) = (Server::start().unwrap(), Provider::start().await);
    let ann = Operator::of(&server);
    let file = ann.home.path().join("secret");
    std::fs::write(&file, "hush-hush\n").unwrap();
    let file = file.to_str().unwrap();
    let create = ["identity-provider", "create", "Corp", "--issuer", &provider.url];
    let with = ["--client-id", "me", "--client-secret-file", file, "--allowed-domain", "a.example"];
    let made = ann.json(&[&create[..], &with[..]].concat());
    let id = made["id"].as_str().unwrap();
    assert!(ann.says(&["identity-provider", "list"]).contains("a.example"));
    let change = ["identity-provider", "change", id, "--enabled", "false", "--no-domains"];
    let changed = ann.json(&change);
    assert_eq!((&changed["enabled"], &changed["allowed_domains"]), (&json!(false), &json!([])));
    ann.says(&["identity-provider", "remove", id]);
    assert!(!ann.says(&["identity-provider", "list"]).contains(id));
}
