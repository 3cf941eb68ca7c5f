//! Which requests end a session, and where they lead.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use openframe_ids::{TenantId, UserId};

use super::*;
use crate::family::{About, Holder, Issued};
use crate::id_token::{FOREIGN, LONGEST_HINT, Who};
use crate::{Amr, Pkce, RedirectUri, Scopes};

const ISSUER: &str = "https://id.example.org/t/main";
const AFTER: &str = "https://app.example.org/bye?from=us";

struct World {
    key: SigningKey,
    client: Client,
    session: SessionId,
}

impl World {
    fn new() -> Self {
        let client = Client {
            id: ClientId::new(),
            tenant: TenantId::new(),
            name: "app".to_owned(),
            secret: None,
            redirect_uris: Vec::new(),
            post_logout_uris: vec![
                RedirectUri::register(AFTER).unwrap(),
                RedirectUri::register("http://127.0.0.1/bye").unwrap(),
            ],
            backchannel_logout_uri: None,
            grants: BTreeSet::new(),
            scopes: Scopes::default(),
            keys: None,
            pkce: Pkce::Required,
            demands: [].into(),
            created: Timestamp::UNIX_EPOCH,
        };
        Self { key: SigningKey::generate(), client, session: SessionId::new() }
    }

    /// An ID token of long ago.
    fn hint_for(&self, issuer: &str, client: ClientId) -> String {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1);
        let (user, session, amr) = (UserId::new(), self.session, Amr::Password);
        let holder = Holder { user, session, auth_time: now, amr };
        let issued = Issued {
            access: "x".to_owned(),
            expires: now,
            bound: false,
            scopes: Scopes::read("openid").unwrap(),
            refresh: None,
            about: Some(About { holder, nonce: None }),
        };
        let who = Who { name: "", email: "", email_verified: false };
        self.key.sign((issuer, client), &issued, who, now).unwrap()
    }

    fn read(&self, pairs: &[(&str, &str)]) -> Result<Logout, Refusal> {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        let form = form.extend_pairs(pairs).finish();
        Logout::read(&Form::read(form.as_bytes()).unwrap(), ISSUER, [&self.key])
    }
}

#[test]
fn a_hint_says_whose_session_is_meant_however_old_it_is() {
    let world = World::new();
    let hint = world.hint_for(ISSUER, world.client.id);
    let logout = world.read(&[("id_token_hint", &hint)]).unwrap();
    assert_eq!(logout.client, Some(world.client.id));
    assert!(logout.means(world.session) && !logout.means(SessionId::new()));
    assert_eq!(logout.address(&world.client), Ok(None));
    let without = world.read(&[]).unwrap();
    assert!(without.client.is_none() && !without.means(world.session));
}

// B17.forged
#[test]
fn a_hint_that_is_not_ours_is_refused() {
    let world = World::new();
    let id = world.client.id;
    let good = world.hint_for(ISSUER, id);
    let parts: Vec<&str> = good.split('.').collect();
    let [head, body, signature] = <[&str; 3]>::try_from(parts).unwrap();
    let spoil = |text: &str| {
        let (first, rest) = text.split_at(1);
        format!("{}{rest}", if first == "A" { "B" } else { "A" })
    };
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let kid = world.key.kid();
    let plain = encode(r#"{"alg":"none","typ":"JWT"}"#);
    let hs = encode(&format!(r#"{{"alg":"HS256","typ":"JWT","kid":"{kid}"}}"#));
    for bad in [
        "x".to_owned(),
        "x".repeat(LONGEST_HINT + 1),
        format!("{head}.{body}.{}", spoil(signature)),
        format!("{head}.{}.{signature}", spoil(body)),
        format!("{head}.{body}."),
        format!("{plain}.{body}."),
        format!("{hs}.{body}.{signature}"),
        World::new().hint_for(ISSUER, id),
        world.hint_for("https://other.example.org", id),
        world.key.signed("logout+jwt", &serde_json::json!({ "iss": ISSUER, "aud": id })),
    ] {
        assert_eq!(world.read(&[("id_token_hint", &bad)]), Err(FOREIGN), "{bad}");
    }
    let named = ("client_id", &*ClientId::new().to_string());
    assert!(world.read(&[("id_token_hint", &good), named]).is_err(), "two clients");
}

#[test]
fn browsers_go_on_only_where_the_client_has_said() {
    let world = World::new();
    let id = world.client.id.to_string();
    let to = |to: &str, state: &str| {
        let pairs = [("client_id", &*id), ("post_logout_redirect_uri", to), ("state", state)];
        world.read(&pairs).unwrap().address(&world.client)
    };
    assert_eq!(to(AFTER, ""), Ok(Some(AFTER.to_owned())));
    assert_eq!(to(AFTER, "a b"), Ok(Some(format!("{AFTER}&state=a+b"))));
    for bad in [
        "https://evil.example/",
        "https://app.example.org/bye?from=us&more=x",
        "https://app.example.org/bye",
        "https://APP.example.org/bye?from=us",
        "https://app.example.org/bye?from=us#x",
        // Only redirects with a code go to any port.
        "http://127.0.0.1:5000/bye",
    ] {
        assert!(to(bad, "").is_err(), "{bad}");
    }
    assert!(world.read(&[("post_logout_redirect_uri", AFTER)]).is_err(), "whose?");
    assert!(world.read(&[("client_id", "x")]).is_err());
}
