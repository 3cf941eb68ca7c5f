//! Directories (SCIM 2.0): a life of a person as Entra ID and as Okta tell it, and what nobody may do by it.

mod asked;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use openframe_auth_api::{NewApiKey, NewInvitation, NewUser, User};
use openframe_fault::body;
use openframe_ids::UserId;
use openframe_system::program::{answer_of, ask as asks, bearer};
use openframe_system::{Server, until};
use serde_json::{Value, json};

use crate::roles::{PASSWORD, log_in, person, session};

const BOB: &str = "bob@example.org";
const ME: (&str, &str) = ("GET", "/api/auth/v1/me");
const SCOPE: &str = "people:provision";

fn wanted(name: &str, scopes: &[&str]) -> NewApiKey {
    let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    NewApiKey { name: name.to_owned(), scopes, expires_in_days: None }
}

/// A directory with a key of its own.
struct Directory {
    server: Server,
    key: String,
    /// The id of the key: whoever did it, on the audit trail.
    actor: String,
}

impl Directory {
    async fn start(settings: &[&str]) -> Self {
        let server = Server::start_with(settings).unwrap();
        let (actor, key) = Self::key(&server, "entra@example.org").await;
        Self { server, key, actor }
    }

    /// A key as the guide says how to make one.
    async fn key(server: &Server, email: &str) -> (String, String) {
        let auth = server.auth().unwrap();
        let new = NewInvitation { email: email.to_owned(), role: "provisioner".to_owned() };
        let user = auth.invite(&new).await.unwrap().user;
        let made = auth.create_api_key_of(user.id, &wanted("directory", &[SCOPE])).await.unwrap();
        (made.key.id.to_string(), made.secret)
    }

    async fn send(&self, operation: &str, body: &Value, more: &[(&str, &str)]) -> Response {
        let (method, path) = operation.split_once(' ').unwrap();
        let path = path.replace(' ', "%20").replace('"', "%22");
        let mut request = Request::builder()
            .method(method.parse::<Method>().unwrap())
            .uri(format!("/scim/v2/{path}"))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.key))
            .header(header::CONTENT_TYPE, "application/scim+json; charset=utf-8");
        for (name, value) in more {
            request = request.header(*name, *value);
        }
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = request.body(Body::from(body)).unwrap();
        self.server.peer().unwrap().call(request).await.unwrap()
    }

    async fn ask(&self, operation: &str, body: &Value) -> (u16, Value) {
        read(self.send(operation, body, &[]).await).await
    }

    /// What is told where it is done.
    async fn done(&self, operation: &str, body: &Value) -> Value {
        let (status, told) = self.ask(operation, body).await;
        assert!((200..300).contains(&status), "{operation}: {status} {told}");
        told
    }

    /// Status and word of a refusal.
    async fn refused(&self, operation: &str, body: &Value) -> (u16, String) {
        let (status, told) = self.ask(operation, body).await;
        assert!(status >= 400, "{operation}: {status} {told}");
        let text = |name: &str| told.get(name).and_then(Value::as_str).unwrap_or_default();
        assert_eq!(text("status"), status.to_string(), "{told}");
        assert!(!text("detail").is_empty(), "{told}");
        (status, text("scimType").to_owned())
    }

    async fn create(&self, email: &str) -> String {
        let told = self.done("POST Users", &json!({ "userName": email })).await;
        text(&told, "/id")
    }

    /// The ids that a filter finds, by pages of `count`.
    async fn found(&self, filter: &str, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        loop {
            let start = ids.len() + 1;
            let page = format!("GET Users?filter={filter}&startIndex={start}&count={count}");
            let page = self.done(&page, &Value::Null).await;
            let of = page.get("Resources").and_then(Value::as_array).unwrap();
            assert_eq!(page.get("itemsPerPage"), Some(&of.len().into()));
            ids.extend(of.iter().map(|it| text(it, "/id")));
            if of.is_empty() {
                assert_eq!(page.get("totalResults"), Some(&ids.len().into()));
                return ids;
            }
        }
    }

    async fn people(&self) -> Vec<User> {
        self.server.auth().unwrap().users().await.unwrap().items
    }

    async fn user(&self, email: &str) -> Option<User> {
        self.people().await.into_iter().find(|user| user.email == email)
    }

    /// What the directory has done, oldest first.
    async fn trail(&self) -> Vec<String> {
        let trail = self.server.auth().unwrap().audit(None, 500).await.unwrap().items;
        let own = trail.iter().filter(|it| it.actor == self.actor && it.outcome == "done");
        own.rev().map(|it| format!("{} {}", it.action, it.detail)).collect()
    }

    /// A session of somebody who chooses a password by a link, as by mail.
    async fn joins(&self, id: &str) -> HeaderMap {
        let id: UserId = id.parse().unwrap();
        let link = self.server.auth().unwrap().create_password_link(id).await.unwrap();
        let (_, token) = link.url.split_once("#token=").unwrap();
        let body = json!({ "token": token, "password": PASSWORD });
        let request = Request::post("/api/auth/v1/password")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .unwrap();
        session(self.server.peer().unwrap().call(request).await.unwrap()).await
    }
}

async fn read(answer: Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    let kind = answer.headers().get(header::CONTENT_TYPE).cloned();
    let text = body::read(answer.into_body(), 4 << 20).await.unwrap();
    if text.is_empty() {
        return (status, Value::Null);
    }
    if status != 401 {
        assert_eq!(kind.unwrap(), "application/scim+json");
    }
    (status, serde_json::from_slice(&text).unwrap())
}

/// A text somewhere in a value.
fn text(value: &Value, place: &str) -> String {
    value.pointer(place).and_then(Value::as_str).unwrap().to_owned()
}

fn typed(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers
}

fn patch(operations: &Value) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": operations,
    })
}

/// What Entra ID sends for a new person.
fn by_entra() -> Value {
    json!({
        "schemas": [
            "urn:ietf:params:scim:schemas:core:2.0:User",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
        ],
        "externalId": "0a21f0f2",
        "userName": "Bob@Example.org",
        "active": true,
        "displayName": "Bob Example",
        "emails": [{ "primary": true, "type": "work", "value": BOB }],
        "meta": { "resourceType": "User" },
        "name": { "formatted": "Bob Example", "givenName": "Bob", "familyName": "Example" },
        "roles": [{ "value": "owner", "primary": "True" }],
        "entitlements": ["owner"],
        "role": "owner",
        "password": "chosen by another",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "department": "Ops" },
    })
}

/// Bob as Entra ID makes him and puts him into a group; the ids of both.
async fn made_by_entra(it: &Directory) -> (String, String) {
    let made = it.done("POST Users", &by_entra()).await;
    let bob = text(&made, "/id");
    assert_eq!(text(&made, "/userName"), BOB);
    let kept = it.user(BOB).await.unwrap();
    assert_eq!((kept.role.as_str(), kept.name.as_str()), ("technician", "Bob Example"));
    assert!(!kept.disabled && !kept.email_verified);
    let guessed = log_in(&it.server, BOB, "chosen by another").await;
    assert_eq!(guessed.status(), StatusCode::UNAUTHORIZED, "a directory chooses no password");
    let by_own_id = "GET Users?filter=externalId eq \"0a21f0f2\"";
    assert_eq!(text(&it.done(by_own_id, &Value::Null).await, "/Resources/0/id"), bob);

    let renamed = patch(&json!([
        { "op": "Add", "path": "name.givenName", "value": "Robert" },
        { "op": "Replace", "value": { "displayName": "Robert Example", "title": "Dr" } },
    ]));
    let told = it.done(&format!("PATCH Users/{bob}"), &renamed).await;
    assert_eq!(text(&told, "/displayName"), "Robert Example");

    let group = json!({ "displayName": "Ops", "externalId": "g1", "members": [] });
    let ops = text(&it.done("POST Groups", &group).await, "/id");
    let joins = patch(&json!([{ "op": "Add", "path": "members", "value": [{ "value": bob }] }]));
    let told = it.done(&format!("PATCH Groups/{ops}"), &joins).await;
    assert_eq!(text(&told, "/members/0/value"), bob);
    let listed = it.server.auth().unwrap().groups().await.unwrap().items;
    let listed: Vec<_> = listed.iter().map(|it| (it.name.as_str(), it.members)).collect();
    assert_eq!(listed, [("Ops", 1)]);
    (bob, ops)
}

// B35.entra, B35.ended, B35.audit, B35.groups
#[tokio::test]
async fn entra_gives_somebody_access_and_takes_it() {
    let it = Directory::start(&["auth.scim.role=technician"]).await;
    let looked_up = format!("GET Users?filter=userName eq \"{BOB}\"");
    assert_eq!(it.done(&looked_up, &Value::Null).await["totalResults"], 0);
    let (bob, ops) = made_by_entra(&it).await;
    let one = format!("PATCH Users/{bob}");

    // Bob works, and makes a key of his own.
    let cookie = it.joins(&bob).await;
    assert_eq!(asks(&it.server, ME, &cookie, "").await.status(), StatusCode::OK);
    let new = r#"{"name":"k","scopes":["devices:read"]}"#;
    let key = asks(&it.server, ("POST", "/api/auth/v1/api-keys"), &typed(&cookie), new).await;
    let key = bearer(answer_of(key).await["secret"].as_str().unwrap());
    assert_eq!(asks(&it.server, ME, &key, "").await.status(), StatusCode::OK);

    let out = patch(&json!([{ "op": "Replace", "path": "active", "value": "False" }]));
    assert_eq!(it.done(&one, &out).await["active"], false);
    for secret in [&cookie, &key] {
        until("access to end", || async {
            let answer = asks(&it.server, ME, secret, "").await;
            (answer.status() == StatusCode::UNAUTHORIZED).then_some(())
        })
        .await;
    }
    assert_eq!(log_in(&it.server, BOB, PASSWORD).await.status(), StatusCode::UNAUTHORIZED);
    let back = patch(&json!([{ "op": "Replace", "path": "active", "value": "True" }]));
    assert_eq!(it.done(&one, &back).await["active"], true);
    assert_eq!(asks(&it.server, ME, &cookie, "").await.status(), StatusCode::UNAUTHORIZED);
    let cookie = session(log_in(&it.server, BOB, PASSWORD).await).await;

    it.done(&format!("DELETE Users/{bob}"), &Value::Null).await;
    until("access to end", || async {
        let answer = asks(&it.server, ME, &cookie, "").await;
        (answer.status() == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
    for operation in ["GET", "PATCH", "PUT", "DELETE"] {
        let gone = it.refused(&format!("{operation} Users/{bob}"), &back).await;
        assert_eq!(gone, (404, String::new()), "{operation}");
    }
    assert_eq!(it.done(&looked_up, &Value::Null).await["totalResults"], 0);
    assert_eq!(it.done(&format!("GET Groups/{ops}"), &Value::Null).await["members"], json!([]));
    assert_ne!(it.create(BOB).await, bob, "who comes again is somebody else");
    assert_eq!(
        it.trail().await,
        [
            "user.create role technician, by a directory",
            "user.change name, by a directory",
            "group.create \"Ops\", 0 members",
            "group.change 1 members more, 0 less",
            "user.change disabled true, by a directory",
            "user.change disabled false, by a directory",
            "user.remove ",
            "user.create role technician, by a directory",
        ]
    );
}

// B35.okta, B35.ended
#[tokio::test]
async fn okta_gives_somebody_access_and_takes_it() {
    let it = Directory::start(&["auth.scim.role=read_only"]).await;
    let list = "GET Users?startIndex=1&count=2&filter=userName%20eq%20%22bob%40example.org%22";
    assert_eq!(it.done(list, &Value::Null).await["totalResults"], 0);
    let mut bob = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": BOB,
        "name": { "givenName": "Bob", "familyName": "Okta" },
        "emails": [{ "primary": true, "value": BOB, "type": "work" }],
        "displayName": "Bob Okta",
        "locale": "en-US",
        "externalId": "00ujl29u0le5T6Aj10h7",
        "groups": [],
        "password": "1mz050nq",
        "active": true,
    });
    let made = it.done("POST Users", &bob).await;
    let id = made["id"].as_str().unwrap().to_owned();
    let one = format!("Users/{id}");
    assert_eq!(it.done(&format!("GET {one}"), &Value::Null).await, made);
    let cookie = it.joins(&id).await;

    bob["name"]["familyName"] = "Moved".into();
    bob["displayName"] = "Bob Moved".into();
    bob["userName"] = "bob.moved@example.org".into();
    let told = it.done(&format!("PUT {one}"), &bob).await;
    assert_eq!(told["userName"], "bob.moved@example.org");
    assert_eq!(
        (&told["displayName"], &told["externalId"]),
        (&bob["displayName"], &bob["externalId"])
    );
    assert_eq!(it.user("bob.moved@example.org").await.unwrap().name, "Bob Moved");
    // What a PUT says nothing of stays: nobody is let in by what is missing.
    let out = patch(&json!([{ "op": "replace", "value": { "active": false } }]));
    assert_eq!(it.done(&format!("PATCH {one}"), &out).await["active"], false);
    until("access to end", || async {
        let answer = asks(&it.server, ME, &cookie, "").await;
        (answer.status() == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
    let less = json!({ "userName": "bob.moved@example.org" });
    let told = it.done(&format!("PUT {one}"), &less).await;
    assert_eq!((&told["active"], &told["displayName"]), (&json!(false), &bob["displayName"]));

    let group = json!({ "displayName": "Everyone", "members": [{ "value": id }] });
    let everyone = it.done("POST Groups", &group).await["id"].as_str().unwrap().to_owned();
    let renamed = json!({ "displayName": "All", "members": [] });
    let told = it.done(&format!("PUT Groups/{everyone}"), &renamed).await;
    assert_eq!((&told["displayName"], &told["members"]), (&json!("All"), &json!([])));
    let list = "GET Groups?filter=displayName eq \"all\"&excludedAttributes=members";
    let found = it.done(list, &Value::Null).await;
    assert_eq!(found["totalResults"], 1);
    assert!(found["Resources"][0].get("members").is_none());
    it.done(&format!("DELETE Groups/{everyone}"), &Value::Null).await;
    assert_eq!(it.refused(&format!("GET Groups/{everyone}"), &Value::Null).await.0, 404);
}

// ASVS 8.2.1, 8.2.2
// B35.owner, B35.roles
#[tokio::test]
async fn a_directory_has_no_hand_on_owners_and_gives_no_role() {
    let it = Directory::start(&[]).await;
    let auth = it.server.auth().unwrap();
    for role in ["owner", "technician", "read_only", "none"] {
        let email = format!("{role}@example.org");
        let (name, password) = (role.to_owned(), PASSWORD.to_owned());
        let new = NewUser { email, name, role: role.to_owned(), password };
        auth.create_user(&new).await.unwrap();
    }
    let before = it.people().await;
    let id = |email: &str| before.iter().find(|it| it.email == email).unwrap().id;
    let out = patch(&json!([{ "op": "replace", "path": "active", "value": false }]));
    let taken = patch(&json!([{ "op": "add", "path": "externalId", "value": "x" }]));
    let moved = json!({ "userName": "mine@example.org", "active": true });
    let above = ["owner", "technician", "read_only", "entra"];
    for whom in above.map(|whom| format!("{whom}@example.org")) {
        let one = format!("Users/{}", id(&whom));
        for (operation, body) in
            [("PATCH", &out), ("PATCH", &taken), ("PUT", &moved), ("DELETE", &moved)]
        {
            let refused = it.refused(&format!("{operation} {one}"), body).await;
            assert_eq!(refused.0, 403, "{operation} of {whom}");
        }
    }
    let told = |users: &[User]| users.iter().map(|it| format!("{it:?}")).collect::<Vec<_>>();
    assert_eq!(told(&it.people().await), told(&before), "nothing was changed");
    assert_eq!(log_in(&it.server, "owner@example.org", PASSWORD).await.status(), StatusCode::OK);
    // Whoever has nothing is in its hand, and gets nothing by it.
    let own = format!("PATCH Users/{}", id("none@example.org"));
    let more = patch(&json!([
        { "op": "add", "path": "roles", "value": [{ "value": "owner" }] },
        { "op": "add", "path": "roles[primary eq \"True\"].value", "value": "owner" },
        { "op": "replace", "value": { "role": "owner", "entitlements": ["owner"], "tenant_id": "x",
            "displayName": "Nobody", "password": "a good long one too", "id": "x", "meta": {} } },
    ]));
    assert_eq!(it.done(&own, &more).await["displayName"], "Nobody");
    let now = it.user("none@example.org").await.unwrap();
    assert_eq!((now.role.as_str(), now.id), ("none", id("none@example.org")));
    assert_eq!(log_in(&it.server, "none@example.org", PASSWORD).await.status(), StatusCode::OK);
    let made = it.create("new@example.org").await;
    assert_eq!(it.user("new@example.org").await.unwrap().role, "none");
    // Nor is anybody's address taken over.
    let moved = json!({ "userName": "Owner@example.org" });
    for operation in ["POST Users".to_owned(), format!("PUT Users/{made}")] {
        assert_eq!(it.refused(&operation, &moved).await, (409, "uniqueness".to_owned()));
    }
    let trail = it.trail().await;
    assert_eq!(
        trail,
        ["user.change name, by a directory", "user.create role none, by a directory"]
    );
}

// ASVS 8.2.1
// B35.callers
#[tokio::test]
async fn only_a_directorys_key_opens_this_and_it_opens_nothing_else() {
    let it = Directory::start(&[]).await;
    let auth = it.server.auth().unwrap();
    for operation in [
        ("GET", "/api/auth/v1/users"),
        ("GET", "/api/auth/v1/api-keys"),
        ("POST", "/api/auth/v1/api-keys"),
        ("GET", "/api/auth/v1/audit"),
        ("GET", "/api/auth/v1/groups"),
        ("GET", "/api/devices/v1/devices"),
        ("GET", "/api/monitoring/v1/alerts"),
        ("GET", "/api/platform/v1/health"),
        ("GET", "/prometheus/api/v1/labels"),
    ] {
        let new = r#"{"name":"k","scopes":["people:provision"]}"#;
        let answer = asks(&it.server, operation, &typed(&bearer(&it.key)), new).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{operation:?}");
    }
    let users = ("GET", "/scim/v2/Users");
    let provisioner = person(&it.server, "provisioner").await;
    assert_eq!(asks(&it.server, users, &provisioner, "").await.status(), StatusCode::FORBIDDEN);
    let own = r#"{"name":"k","scopes":["people:provision"]}"#;
    let by = typed(&provisioner);
    let own = asks(&it.server, ("POST", "/api/auth/v1/api-keys"), &by, own).await;
    assert_eq!(own.status(), StatusCode::FORBIDDEN, "only owners make its keys");
    // An owner's key that is held back to it does the same.
    let owners = auth.create_api_key(&wanted("owner's", &[SCOPE])).await.unwrap();
    let owners = bearer(&owners.secret);
    assert_eq!(asks(&it.server, users, &owners, "").await.status(), StatusCode::OK);
    person(&it.server, "technician").await;
    let whom = it.people().await;
    let id = |role: &str| whom.iter().find(|it| it.role == role).unwrap().id;
    let refused = auth.create_api_key_of(id("technician"), &wanted("k", &[SCOPE])).await;
    assert_eq!(refused.err().unwrap().status(), StatusCode::NOT_FOUND);
    let more = wanted("k", &[SCOPE, "users:manage"]);
    let refused = auth.create_api_key_of(id("provisioner"), &more).await;
    assert_eq!(refused.err().unwrap().status(), StatusCode::BAD_REQUEST);
    // A key ends when it is revoked.
    let key = bearer(&it.key);
    assert_eq!(asks(&it.server, users, &key, "").await.status(), StatusCode::OK);
    auth.revoke_api_key(it.actor.parse().unwrap()).await.unwrap();
    until("the key to end", || async {
        let answer = asks(&it.server, users, &key, "").await;
        (answer.status() == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
}
