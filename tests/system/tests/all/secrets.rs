//! What whoever steals the data folder or the logs has: none of the secrets that were in use.
//!
//! A text can be cut in two where one page of a database ends and the next begins, so each half of a
//! secret is looked for by itself: as it is written, as the bytes that it stands for, and in hex.

use std::fs;
use std::path::Path;

use axum::Router;
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, StatusCode};
use memchr::memmem;
use openframe_auth_api::{NewApiKey, NewInvitation};
use openframe_system::program::{Program, answer_of, ask, bearer};
use openframe_system::{Agent, Server, until};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::roles::{log_in, session};

const EMAIL: &str = "ann@example.org";
/// Passwords that are in no other text.
const PASSWORDS: [&str; 2] = ["umbrella 7301 tangerine quartz", "lighthouse 5529 marzipan violin"];
/// By which the trail is signed on its way to a webhook, and that webhook's path.
const STREAM: [&str; 2] = ["stream-secret-88213-bramble-anvil", "hook-path-40077-cinnamon-gravel"];
/// Random characters and check of one of our secrets, at the end of its text.
const TAIL: (usize, usize) = (43, 8);

/// A secret that was in use.
struct Secret {
    what: &'static str,
    halves: Vec<Vec<u8>>,
}

impl Secret {
    /// One that is looked for as it is.
    fn plain(what: &'static str, text: &str) -> Self {
        Self { what, halves: in_two(text.as_bytes()) }
    }

    /// One of ours: only its random part says anything.
    fn of(what: &'static str, text: &str) -> Self {
        let end = text.len().checked_sub(TAIL.1).unwrap();
        let random = text.get(end - TAIL.0..end).unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(random).unwrap();
        let digit = |value: u8| char::from_digit(value.into(), 16).unwrap();
        let hex: String =
            bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect();
        let forms =
            [random.as_bytes(), &bytes, hex.as_bytes(), hex.to_uppercase().as_bytes()].map(in_two);
        Self { what, halves: forms.concat() }
    }

    fn is_in(&self, bytes: &[u8]) -> bool {
        self.halves.iter().any(|half| memmem::find(bytes, half).is_some())
    }
}

fn in_two(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (first, second) = bytes.split_at(bytes.len() / 2);
    vec![first.to_vec(), second.to_vec()]
}

/// Where secrets are: names of files and what they hold.
fn found(secrets: &[Secret], files: &[(String, Vec<u8>)]) -> Vec<String> {
    let of = |(name, bytes): &(String, Vec<u8>)| {
        let there = secrets.iter().filter(|secret| secret.is_in(bytes));
        there.map(|secret| format!("{} in {name}", secret.what)).collect::<Vec<_>>()
    };
    files.iter().flat_map(of).collect()
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
    all
}

/// The cookie of headers, without its name.
fn cookie(browser: &HeaderMap) -> String {
    browser["cookie"].to_str().unwrap().split_once('=').unwrap().1.to_owned()
}

/// The first owner is made by the link, signs in, and chooses another password by another link.
async fn people(server: &mut Server, secrets: &mut Vec<Secret>) -> HeaderMap {
    let said = server.auth_process().said();
    let setup = said.split_once("/setup#token=").unwrap().1;
    let setup = setup.split_whitespace().next().unwrap().to_owned();
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/json".parse().unwrap());
    let [first, second] = PASSWORDS;
    let body = json!({ "token": setup, "email": EMAIL, "name": "Ann", "password": first });
    let answer = ask(server, ("POST", "/api/auth/v1/setup"), &headers, &body.to_string()).await;
    let begun = session(answer).await;
    let signed_in = session(log_in(server, EMAIL, first).await).await;
    assert_eq!(log_in(server, EMAIL, second).await.status(), StatusCode::UNAUTHORIZED);
    let people = server.auth().unwrap().users().await.unwrap().items;
    let ann = people.iter().find(|user| user.email == EMAIL).unwrap().id;
    let link = server.auth().unwrap().create_password_link(ann).await.unwrap().url;
    let link = link.split_once("#token=").unwrap().1.to_owned();
    let body = json!({ "token": link, "password": second }).to_string();
    let now = session(ask(server, ("POST", "/api/auth/v1/password"), &headers, &body).await).await;
    let new = NewInvitation { email: "bob@example.org".to_owned(), role: "read_only".to_owned() };
    let invited = server.auth().unwrap().invite(&new).await.unwrap().url.unwrap();
    secrets.push(Secret::of("the invitation", invited.split_once("#token=").unwrap().1));
    secrets.push(Secret::of("the setup token", &setup));
    secrets.push(Secret::of("the password link", &link));
    for browser in [&begun, &signed_in, &now] {
        secrets.push(Secret::of("a session", &cookie(browser)));
    }
    now
}

/// A program gets tokens, and newer ones, and uses them.
async fn programs(server: &Server, ann: &HeaderMap, secrets: &mut Vec<Secret>) {
    let app = Program::register(server, &json!({})).await;
    let code = app.code(server, ann).await;
    let first = answer_of(app.exchange(server, &code).await).await;
    let text = |tokens: &Value, name: &str| tokens[name].as_str().unwrap().to_owned();
    let second = answer_of(app.refresh(server, &text(&first, "refresh_token")).await).await;
    for tokens in [&first, &second] {
        let access = text(tokens, "access_token");
        let devices = ("GET", "/api/devices/v1/devices");
        assert_eq!(ask(server, devices, &bearer(&access), "").await.status(), StatusCode::OK);
        secrets.push(Secret::of("an access token", &access));
        secrets.push(Secret::of("a refresh token", &text(tokens, "refresh_token")));
    }
    let id_token = text(&first, "id_token");
    secrets.push(Secret::plain("an ID token", id_token.rsplit('.').next().unwrap()));
    secrets.push(Secret::of("a code", &code));
    secrets.push(Secret::of("a client's secret", app.secret.as_ref().unwrap()));
}

/// Somebody makes a key, and a device joins. Returns what the agent keeps and has said.
async fn keys(server: &Server, secrets: &mut Vec<Secret>) -> Vec<(String, Vec<u8>)> {
    let wanted = NewApiKey {
        name: "k".to_owned(),
        scopes: vec!["devices:read".to_owned()],
        expires_in_days: None,
    };
    let key = server.auth().unwrap().create_api_key(&wanted).await.unwrap().secret;
    let devices = ("GET", "/api/devices/v1/devices");
    assert_eq!(ask(server, devices, &bearer(&key), "").await.status(), StatusCode::OK);
    let token = server.enrolment_token(1).await.unwrap();
    let mut agent = Agent::enrol(&server.agents_url, &token).unwrap();
    server.online().await.unwrap();
    agent.process().kill().unwrap();
    secrets.push(Secret::of("an API key", &key));
    secrets.push(Secret::of("the owner's key", &server.key));
    secrets.push(Secret::of("an enrolment token", token.split_once('.').unwrap().0));
    let said = agent.process().said().into_bytes();
    [files(agent.state()), vec![("what the agent said".to_owned(), said)]].concat()
}

/// What the server has said, but for the one line that hands over the link of the first owner.
fn said(server: &mut Server) -> (String, Vec<u8>) {
    let said = server.process().said();
    let (link, other): (Vec<&str>, _) =
        said.lines().partition(|line| line.contains("/setup#token="));
    assert!(link.len() <= 1, "{link:?}");
    ("what the server said".to_owned(), other.join("\n").into_bytes())
}

// ASVS 6.5.2, 16.2.5
#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_folder_and_stolen_logs_hold_no_secret() {
    let outside = tempfile::tempdir().unwrap();
    let [stream, path] = STREAM;
    let file = outside.path().join("secret");
    fs::write(&file, stream).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route(&format!("/{path}"), post(|| async { StatusCode::OK }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let settings = [
        "log=debug".to_owned(),
        format!("auth.audit.stream.webhook=http://{address}/{path}"),
        format!("auth.audit.stream.webhook_secret_file={}", file.display()),
    ];
    let mut server = Server::start_with(&settings.each_ref().map(String::as_str)).unwrap();
    let mut secrets: Vec<Secret> = PASSWORDS.map(|text| Secret::plain("a password", text)).into();
    secrets.extend(STREAM.map(|text| Secret::plain("a secret of the audit stream", text)));
    let ann = people(&mut server, &mut secrets).await;
    programs(&server, &ann, &mut secrets).await;
    let agent = keys(&server, &mut secrets).await;
    until("the trail to be sent", || async {
        let streams = server.auth().unwrap().audit_streams().await.ok()?.items;
        (streams.first()?.arrived > 10).then_some(())
    })
    .await;

    assert_eq!(found(&secrets, &agent), Vec::<String>::new());
    // As a power cut leaves it, with what the databases have not put in its place yet.
    server.kill().unwrap();
    let (left, log) = (files(&server.data()), said(&mut server));
    assert!(left.iter().any(|(name, _)| name.ends_with("auth.db-wal")), "{}", left.len());
    assert_eq!(found(&secrets, &left), Vec::<String>::new());
    assert_eq!(found(&secrets, &[log]), Vec::<String>::new());
    server.restart().unwrap();
    server.stop_and_restart().unwrap();
    server.kill().unwrap();
    assert_eq!(found(&secrets, &files(&server.data())), Vec::<String>::new());
    assert_eq!(found(&secrets, &[said(&mut server)]), Vec::<String>::new());

    // What is there is found: each half of each, alone, in the midst of a file.
    let folder = server.data().join("planted");
    fs::create_dir(&folder).unwrap();
    let plant = folder.join("file");
    for secret in &secrets {
        for half in &secret.halves {
            fs::write(&plant, [b"before", half.as_slice(), b"after"].concat()).unwrap();
            let found = found(std::slice::from_ref(secret), &files(&folder));
            assert_eq!(found, [format!("{} in {}", secret.what, plant.display())]);
        }
    }
}
