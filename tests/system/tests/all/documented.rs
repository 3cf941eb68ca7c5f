//! What the guide says of permissions, fields and the audit trail, compared with what holds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use http::{HeaderMap, StatusCode};
use openframe_system::program::{self, Program, answer_of, ask, bearer};
use openframe_system::{Server, until};
use serde_json::{Value, json};

use crate::roles::{CALLERS, TABLE, person};

const PERMISSIONS: &str = include_str!("../../../../docs/guide/permissions.md");
const AUDIT: &str = include_str!("../../../../docs/guide/audit.md");
/// Services that write entries of the audit trail.
const SERVICES: [&str; 3] = ["auth", "devices", "monitoring"];

/// The rows of the table with this head, cell by cell, without the code marks.
pub(crate) fn table(page: &str, head: &str) -> Vec<Vec<String>> {
    let lines = page.lines().skip_while(|line| *line != head).skip(2);
    let rows = lines.take_while(|line| line.starts_with('|'));
    let cells = |row: &str| {
        let cells = row.trim_matches('|').split(" | ");
        cells.map(|cell| cell.trim().replace('`', "")).collect()
    };
    let rows: Vec<Vec<String>> = rows.map(cells).collect();
    assert!(!rows.is_empty(), "there is no table {head:?}");
    rows
}

// ASVS 8.1.1
#[test]
fn every_operation_is_on_the_page_with_those_whom_it_lets_in() {
    let head = format!("| operation | {} |", CALLERS.join(" | "));
    let told: Vec<(String, String)> = table(PERMISSIONS, &head)
        .into_iter()
        .map(|row| {
            let mark = |cell: &String| match cell.as_str() {
                "yes" => 'x',
                "no" => '-',
                _ => '?',
            };
            (row[0].clone(), row[1..].iter().map(mark).collect())
        })
        .collect();
    // What the table of `roles` says is asked of the running platform there.
    let holds = TABLE.map(|(operation, marks, _)| (operation.to_owned(), marks.to_owned()));
    assert_eq!(told, holds);
}

/// The document of the API.
async fn document(server: &Server) -> Value {
    server.client().unwrap().get("/api/openapi.json").await.unwrap()
}

/// The names of the fields of a schema.
fn fields(document: &Value, reference: &str) -> BTreeSet<String> {
    let schema = document.pointer(reference.trim_start_matches('#')).unwrap();
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.into_iter().flat_map(|all| all.keys().cloned()).collect()
}

// ASVS 8.1.2
#[tokio::test]
async fn every_field_that_a_request_may_set_is_on_the_page() {
    let server = Server::start().unwrap();
    let document = document(&server).await;
    let mut known = BTreeMap::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let place = "/requestBody/content/application~1json/schema/$ref";
            if let Some(schema) = operation.pointer(place).and_then(Value::as_str) {
                let name = format!("{} {path}", method.to_uppercase());
                known.insert(name, fields(&document, schema));
            }
        }
    }
    assert!(known.len() >= 20, "{known:?}");
    let rows = table(PERMISSIONS, "| operation | fields that a request may set |");
    let told = rows.into_iter().map(|row| {
        (row[0].clone(), row[1].split(", ").map(str::to_owned).collect::<BTreeSet<_>>())
    });
    assert_eq!(told.collect::<BTreeMap<_, _>>(), known);
}

// ASVS 6.4.2
#[tokio::test]
async fn nothing_hints_at_a_password() {
    let server = Server::start().unwrap();
    let document = document(&server).await;
    let schemas = document.pointer("/components/schemas").and_then(Value::as_object).unwrap();
    let names = schemas.keys().map(|name| (name, format!("#/components/schemas/{name}")));
    let mut with_password = BTreeSet::new();
    for (name, reference) in names {
        let fields = fields(&document, &reference);
        let hints = |field: &String| {
            let field = field.to_lowercase();
            ["hint", "question", "answer", "maiden", "reminder"].iter().any(|it| field.contains(it))
        };
        assert!(!fields.iter().any(hints), "{name}: {fields:?}");
        if fields.iter().any(|field| field == "password") {
            let others = fields.into_iter().filter(|field| field != "password");
            with_password.insert((name.as_str(), others.collect::<Vec<_>>().join(" ")));
        }
    }
    // What is asked beside a password: nothing that could stand for it.
    let known = [
        ("InvitationAccepted", "name token"),
        ("LoginRequest", "email"),
        ("NewUser", "email name role"),
        ("PasswordChoice", "token"),
        ("SetupRequest", "email name token"),
        ("StepUp", "code held passkey"),
    ];
    assert_eq!(with_password, known.map(|(name, all)| (name, all.to_owned())).into());
}

/// What `find` finds in a source, or in all below a folder but its tests.
fn search(path: &Path, find: fn(&str) -> Vec<&str>, found: &mut BTreeSet<String>) {
    if path.file_stem().is_some_and(|name| name == "tests") {
        return;
    }
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            search(&entry.unwrap().path(), find, found);
        }
        return;
    }
    let text = std::fs::read_to_string(path).unwrap();
    found.extend(find(&text).into_iter().map(str::to_owned));
}

/// Every text of two words with a dot between them: where use cases are, these are actions.
fn dotted(source: &str) -> Vec<&str> {
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase())
    };
    let two = |text: &&str| text.split_once('.').is_some_and(|(a, b)| is_word(a) && is_word(b));
    source.split('"').skip(1).step_by(2).filter(two).collect()
}

/// What is named as an action.
fn named(source: &str) -> Vec<&str> {
    source.split("action: \"").skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

// ASVS 16.1.1
#[test]
fn every_action_of_the_audit_trail_is_on_its_page() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    // Those of auth that are one word.
    let mut known: BTreeSet<String> = ["bootstrap", "setup"].map(str::to_owned).into();
    for service in SERVICES {
        for part in ["app", "app.rs"] {
            search(&root.join("services").join(service).join("src").join(part), dotted, &mut known);
        }
    }
    for other in ["services/gateway/src", "openframe/src"] {
        search(&root.join(other), named, &mut known);
    }
    assert!(known.len() > 50, "{known:?}");
    let rows = table(AUDIT, "| action | what has happened |");
    let told: BTreeSet<String> = rows.into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(told, known);
}

/// Sends a change as JSON.
async fn change(server: &Server, row: (&str, &str), who: &HeaderMap, body: &Value) -> StatusCode {
    let mut headers = who.clone();
    headers.insert("content-type", "application/json".parse().unwrap());
    ask(server, row, &headers, &body.to_string()).await.status()
}

// ASVS 8.2.3, 10.3.3
#[tokio::test]
async fn fields_are_for_those_who_may_see_or_set_them() {
    let server = Server::start().unwrap();
    let (owner, bob) = (person(&server, "owner").await, person(&server, "read_only").await);
    // Set: what is the platform's own is refused, and what takes a permission takes it.
    let users = "/api/auth/v1/users";
    let people = server.auth().unwrap().users().await.unwrap().items;
    let own = people.iter().find(|it| it.email == "read_only@example.org").unwrap();
    let path = format!("{users}/{}", own.id);
    for more in [json!({ "role": "owner" }), json!({ "name": "x" }), json!({ "disabled": true })] {
        let status = change(&server, ("PATCH", &path), &bob, &more).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{more}");
    }
    let carl = json!({ "email": "carl@example.org", "name": "Carl", "role": "read_only",
                       "password": "a good long one" });
    for field in ["id", "tenant_id", "created_at", "disabled", "permissions"] {
        let mut with = carl.clone();
        with[field] = json!(own.id);
        let status = change(&server, ("POST", users), &owner, &with).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{field}");
        let one = json!({ field: own.id });
        let status = change(&server, ("PATCH", &path), &owner, &one).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{field}");
    }
    let after = server.auth().unwrap().users().await.unwrap().items;
    assert_eq!(format!("{after:?}"), format!("{people:?}"));

    // Seen: the address of a channel may hold a secret.
    let hook = json!({ "name": "hook", "webhook_url": "https://hooks.example.org/of/abc123" });
    let channels = "/api/monitoring/v1/channels";
    let made = change(&server, ("POST", channels), &owner, &hook).await;
    assert!(made.is_success(), "{made}");
    let seen = |of: HeaderMap| {
        let server = &server;
        async move { answer_of(ask(server, ("GET", channels), &of, "").await).await.to_string() }
    };
    assert!(seen(owner.clone()).await.contains("abc123"));
    let little = seen(bob.clone()).await;
    assert!(little.contains("hooks.example.org") && !little.contains("abc123"), "{little}");

    // Seen: a program is told of a person what it was allowed.
    let app = Program::register(&server, &json!({})).await;
    let code = app.code(&server, &bob).await;
    let tokens = answer_of(app.exchange(&server, &code).await).await;
    let access = bearer(tokens["access_token"].as_str().unwrap());
    let told = answer_of(ask(&server, ("GET", "/t/main/userinfo"), &access, "").await).await;
    let names: BTreeSet<&str> = told.as_object().unwrap().keys().map(String::as_str).collect();
    assert!(names.contains("email") && !names.contains("name"), "{told}");
    // The person is known by the id that nobody else ever gets.
    assert_eq!(told["sub"], json!(own.id));
    let id_token = program::claims(tokens["id_token"].as_str().unwrap());
    assert_eq!(id_token.get("name"), None, "{id_token}");
}

// ASVS 10.3.1
#[tokio::test]
async fn the_api_takes_access_tokens_of_its_own_and_nothing_else() {
    let server = Server::start().unwrap();
    let app = Program::register(&server, &json!({})).await;
    let ann = app.person(&server).await;
    let code = app.code(&server, &ann).await;
    let tokens = answer_of(app.exchange(&server, &code).await).await;
    let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
    let devices = ("GET", "/api/devices/v1/devices");
    let status = async |token: &str| ask(&server, devices, &bearer(token), "").await.status();
    until("the token to reach the API", || async {
        (status(&text("access_token")).await == StatusCode::OK).then_some(())
    })
    .await;
    let secret = app.secret.clone().unwrap();
    // An ID token is for the program; a token of another issuer is one that nobody here has made.
    for other in [text("id_token"), text("refresh_token"), code, secret, String::new()] {
        assert_eq!(status(&other).await, StatusCode::UNAUTHORIZED, "{other}");
    }
    let other = Server::start().unwrap();
    let elsewhere = ask(&other, devices, &bearer(&text("access_token")), "").await;
    assert_eq!(elsewhere.status(), StatusCode::UNAUTHORIZED);
}
