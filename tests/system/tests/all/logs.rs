//! What the process writes about itself: where, in which form, and with whose words in it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use openframe_clock::Clock;
use openframe_system::program::{answer_of, ask, bearer};
use openframe_system::{Server, until};
use serde_json::{Value, json};

use crate::documented::table;
use crate::roles::log_in;

const PAGE: &str = include_str!("../../../../docs/guide/logs.md");
/// What somebody would write who wants a line of the log, or of a terminal, to be theirs.
const FORGED: &str =
    "x\r\n2026-01-01T00:00:00Z ERROR forged \u{1b}[2J\u{2028}{\"level\":\"ERROR\"}";
const DEVICES: &str = "/api/devices/v1/devices";

/// The lines of the log; what else is printed is not JSON.
fn lines(server: &mut Server) -> Vec<Value> {
    let said = server.process().said();
    let lines = said.lines().filter(|line| line.starts_with('{'));
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The line of the log about the request with this id, once it is there.
fn line_of(server: &mut Server, id: &str) -> Value {
    loop {
        let line = server.process().line_with(id).unwrap();
        let line: Value = serde_json::from_str(&line).unwrap();
        if line.get("target").is_some_and(|target| target == "access") {
            assert!(line.get("request.id").is_some_and(|it| it == id), "{line}");
            return line;
        }
    }
}

// ASVS 16.2.2, 16.2.4
#[tokio::test]
async fn log_and_trail_tell_of_one_request_by_one_id_at_one_time_in_utc() {
    let clock = Clock::system();
    let before = clock.now();
    let mut server = Server::start_with(&["log_json=true"]).unwrap();
    let none = HeaderMap::new();
    let mut typed = none.clone();
    typed.insert("content-type", HeaderValue::from_static("application/json"));
    let wrong = json!({ "email": "nobody@example.org", "password": "wrong" }).to_string();
    let refused = ask(&server, ("POST", "/api/auth/v1/login"), &typed, &wrong).await;
    let id = refused.headers()["x-request-id"].to_str().unwrap().to_owned();
    let entry = until("the entry of the trail", || async {
        let trail = server.auth().ok()?.audit(None, 50).await.ok()?.items;
        trail.into_iter().find(|entry| entry.request_id == id)
    })
    .await;
    let line = line_of(&mut server, &id);
    for field in ["timestamp", "level", "target", "message", "method", "path", "remote"] {
        assert!(line[field].is_string(), "{field} in {line}");
    }
    assert_eq!(line["status"], 401);
    let after = clock.now();
    let in_utc = |text: &str| {
        assert!(text.ends_with('Z'), "{text}");
        let at: Timestamp = text.parse().unwrap();
        // What is rounded to the second may be one before.
        assert!(before.as_second() <= at.as_second() && at <= after, "{before} {at} {after}");
    };
    in_utc(line["timestamp"].as_str().unwrap());
    let written: Value = serde_json::to_value(&entry).unwrap();
    in_utc(written["at"].as_str().unwrap());
    for line in lines(&mut server) {
        in_utc(line["timestamp"].as_str().unwrap());
    }
}

/// Asks in every place that a stranger can fill with text.
async fn forge(server: &Server) {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    // A header cannot hold a line's end; it can hold what a terminal obeys.
    let agent = HeaderValue::from_bytes("forged \u{9b}2J \u{2028}".as_bytes()).unwrap();
    headers.insert("user-agent", agent);
    headers.insert("x-request-id", HeaderValue::from_static("forged"));
    let typed = json!({ "email": FORGED, "password": FORGED, "name": FORGED, "token": FORGED });
    for path in ["login", "setup", "password"] {
        ask(server, ("POST", &format!("/api/auth/v1/{path}")), &headers, &typed.to_string()).await;
    }
    let escaped: String = url::form_urlencoded::byte_serialize(FORGED.as_bytes()).collect();
    for path in [format!("{DEVICES}/{escaped}"), format!("/{escaped}"), "/t/main/token".into()] {
        ask(server, ("GET", &path), &headers, "").await;
    }
    ask(server, ("GET", &format!("{DEVICES}?q={escaped}")), &bearer(&server.key), "").await;
    let key = bearer(&server.key);
    let bad = json!({ "name": FORGED, "scopes": [FORGED] }).to_string();
    ask(server, ("POST", "/api/auth/v1/api-keys"), &key, &bad).await;
    ask(server, ("POST", "/agent/v1/enrol"), &headers, &typed.to_string()).await;
}

#[tokio::test]
async fn nobody_else_writes_a_line_of_the_log() {
    for form in ["log_json=true", "log_json=false"] {
        // All that is ever logged.
        let mut server = Server::start_with(&[form, "log=debug"]).unwrap();
        forge(&server).await;
        let marked = ask(&server, ("GET", "/api/auth/v1/me?last"), &HeaderMap::new(), "").await;
        let id = marked.headers()["x-request-id"].to_str().unwrap().to_owned();
        server.process().line_with(&id).unwrap();
        let said = server.process().said();
        assert!(said.contains("/api/auth/v1/login"), "the log is there");
        for line in said.lines() {
            assert!(!line.contains("ERROR forged") || !line.starts_with("2026-01-01"), "{line}");
            assert!(!line.contains(char::is_control) && !line.contains('\u{2028}'), "{line:?}");
        }
        if form == "log_json=true" {
            assert!(lines(&mut server).len() > 5, "every line is one object");
        }
    }
}

/// Where the process has something open: files, and the numbers of its sockets.
fn open_by(pid: u32) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut open = (BTreeSet::new(), BTreeSet::new());
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).unwrap() {
        // What was closed meanwhile is no matter.
        let Ok(to) = fs::read_link(entry.unwrap().path()) else { continue };
        let to = to.display().to_string();
        match to.strip_prefix("socket:[") {
            Some(inode) => open.1.insert(inode.trim_end_matches(']').to_owned()),
            None => open.0.insert(to),
        };
    }
    open
}

/// Every file below a folder that holds `text`.
fn holding(folder: &Path, text: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            holding(&path, text, found);
        } else if memchr::memmem::find(&fs::read(&path).unwrap(), text.as_bytes()).is_some() {
            found.push(path.display().to_string());
        }
    }
}

// ASVS 16.2.3
#[tokio::test]
async fn the_log_goes_to_standard_error_and_nowhere_else() {
    let mut server = Server::start_with(&["log_json=true", "log=debug"]).unwrap();
    let marker = "/api/devices/v1/devices/a-marker-of-the-log";
    let answer = ask(&server, ("GET", marker), &bearer(&server.key), "").await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    assert_eq!(line_of(&mut server, &id)["path"], marker);

    // What is kept is what the page says, and the line is in none of it.
    let data = server.data();
    let mut names: BTreeSet<String> = BTreeSet::new();
    for entry in fs::read_dir(&data).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        names.insert(name.trim_end_matches("-wal").trim_end_matches("-shm").to_owned());
    }
    let told = table(PAGE, "| name | what it is |").into_iter().map(|row| row[0].clone());
    assert_eq!(names, told.collect());
    let mut found = Vec::new();
    holding(&data, "a-marker-of-the-log", &mut found);
    assert_eq!(found, [""; 0]);

    // It has no other file open to write to, and speaks to nobody by itself.
    let pid = server.id();
    let (files, sockets) = open_by(pid);
    let data = data.canonicalize().unwrap().display().to_string();
    let elsewhere = files.iter().filter(|it| it.starts_with('/') && !it.starts_with(&data));
    let known = ["/dev/null", "/dev/urandom", "/dev/random"];
    let elsewhere: Vec<_> = elsewhere.filter(|it| !known.contains(&it.as_str())).collect();
    assert_eq!(elsewhere, [""; 0]);
    let table = fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap();
    let rows: Vec<Vec<&str>> =
        table.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    let of_process = |row: &&Vec<&str>| row.get(9).is_some_and(|inode| sockets.contains(*inode));
    // 0A: it listens. Whatever else it has belongs to somebody who has connected there.
    let ports: BTreeSet<&str> = rows
        .iter()
        .filter(of_process)
        .filter(|row| row[3] == "0A")
        .filter_map(|row| row[1].split_once(':').map(|(_, port)| port))
        .collect();
    assert!(ports.len() >= 3, "people, agents, probes: {ports:?}");
    for row in rows.iter().filter(of_process) {
        let (_, port) = row[1].split_once(':').unwrap();
        assert!(ports.contains(port), "it has connected by itself: {row:?}");
    }
    let udp = fs::read_to_string(format!("/proc/{pid}/net/udp")).unwrap();
    let datagrams = udp.lines().skip(1).filter_map(|line| line.split_whitespace().nth(9));
    assert_eq!(datagrams.filter(|inode| sockets.contains(*inode)).count(), 0);
    assert_eq!(log_in(&server, "nobody", "").await.status(), StatusCode::UNAUTHORIZED);
    let me = answer_of(ask(&server, ("GET", "/api/auth/v1/me"), &bearer(&server.key), "").await);
    assert!(me.await["user"].is_object());
}

// ASVS 16.1.1
#[test]
fn each_kind_of_log_says_where_it_goes_and_for_how_long() {
    let head = "| what | where | format | how long it is kept | who reads it | what it is for |";
    let rows = table(PAGE, head);
    assert!(rows.iter().all(|row| row.len() == 6 && row.iter().all(|cell| !cell.is_empty())));
    let told = rows.concat().join(" ");
    let settings = include_str!("../../../../docs/config.md");
    for setting in
        ["log_json", "admin_listen", "auth.audit.stream.syslog", "auth.audit.stream.webhook"]
    {
        assert!(told.contains(setting), "{setting}");
        assert!(settings.contains(&format!("| `{setting}`<br>")), "{setting}");
    }
}
