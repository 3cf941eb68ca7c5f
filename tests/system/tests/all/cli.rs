//! The command line against a real server: every command, every exit code, every answer as JSON.

use std::path::PathBuf;
use std::process::{Command, Output};

use axum::Router;
use http::StatusCode;
use openframe_system::program::{ask, bearer};
use openframe_system::{Process, Server, executable, until};
use serde_json::Value;
use tempfile::TempDir;

/// An operator at a terminal: a home of their own, and the server they mean.
pub(crate) struct Operator {
    pub(crate) home: TempDir,
    key: Option<PathBuf>,
    server: String,
}

impl Operator {
    pub(crate) fn of(server: &Server) -> Self {
        let key = Some(server.folder().join("owner.key"));
        Self { home: tempfile::tempdir().unwrap(), key, server: server.url.clone() }
    }

    /// Nobody has told this one a key or a server's root.
    fn without_a_key(server: &str) -> Self {
        Self { home: tempfile::tempdir().unwrap(), key: None, server: server.to_owned() }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(executable("openframe").unwrap());
        command.args(args).env("XDG_CONFIG_HOME", self.home.path());
        command.env("OPENFRAME_SERVER", &self.server);
        if let Some(key) = &self.key {
            command.env("OPENFRAME_API_KEY_FILE", key);
        }
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// What it prints when it succeeds.
    #[track_caller]
    pub(crate) fn says(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// As [`Self::says`], as JSON.
    #[track_caller]
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let said = self.says(&[&["--output", "json"], args].concat());
        let value = serde_json::from_str(&said);
        assert!(value.is_ok(), "{args:?} is no JSON: {said}");
        value.unwrap()
    }

    /// Fails with `code`, and says what is wrong and what to do; returns it.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, args: &[&str]) -> String {
        let output = self.run(args);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        assert!(said.contains("error: ") && said.contains("hint:  "), "{args:?}: {said}");
        said
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn a_login_is_remembered_for_its_server_and_forgotten() {
    use std::os::unix::fs::PermissionsExt as _;
    let (server, other) = (Server::start().unwrap(), Server::start().unwrap());
    let person = Operator::of(&server);
    person.says(&["login"]);
    let file = person.home.path().join("openframe/login.json");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let mut person = Operator { key: None, ..person };
    assert_eq!(person.json(&["whoami"])["user"]["role"], "owner");
    // The key is for the one server: another is not shown it.
    let said = person.fails(3, &["whoami", "--server", &other.url]);
    assert!(said.contains("openframe login --api-key-file"), "{said}");
    person.server.clone_from(&other.url);
    person.fails(3, &["login"]);
    person.server.clone_from(&server.url);
    assert!(person.says(&["logout"]).contains(&server.url));
    person.fails(3, &["whoami"]);
    assert_eq!(person.json(&["logout"])["forgotten"], Value::Null);
}

#[tokio::test]
async fn devices_are_found_by_name_shown_renamed_and_retired() {
    let server = Server::start().unwrap();
    let (_agent, device) = server.agent().await.unwrap();
    let person = Operator::of(&server);
    assert!(person.says(&["device", "list"]).contains(&device.name));
    assert!(person.says(&["device", "list", "-q", "no-such-thing"]).lines().count() < 5);
    let id = device.id.to_string();
    assert!(person.says(&["device", "show", &device.name]).contains(&id));
    person.says(&["device", "rename", &id, "front desk"]);
    assert_eq!(person.json(&["device", "show", "front desk"])["id"], id.as_str());
    let said = person.fails(5, &["device", "show", &device.name]);
    assert!(said.contains(&device.name), "{said}");
    person.says(&["device", "retire", "front desk"]);
    person.fails(5, &["device", "show", &id]);
}

#[tokio::test]
async fn a_job_shows_its_output_as_it_comes() {
    let server = Server::start().unwrap();
    let (_agent, device) = server.agent().await.unwrap();
    let person = Operator::of(&server);
    let go = server.folder().join("go");
    let script =
        format!("echo first; until [ -e {} ]; do sleep 0.05; done; echo second", go.display());
    let command = ["job", "run", "--on", &device.name, "--", &script];
    let mut job = Process::start(&mut person.command(&command)).unwrap();
    job.line("first").unwrap();
    std::fs::write(&go, "").unwrap();
    job.line("second").unwrap();
    assert!(job.wait().unwrap().success());
}

#[tokio::test]
async fn a_jobs_words_arrive_as_they_were_given() {
    let server = Server::start().unwrap();
    let (_agent, device) = server.agent().await.unwrap();
    let person = Operator::of(&server);
    let script = "printf '%s|' \"$@\"; echo wrong >&2; exit 7";
    let words = ["sh", "-c", script, "x", "a b", "it's", "", "$HOME"];
    let command = [&["job", "run", "--on", &device.name, "--"][..], &words].concat();
    let output = person.run(&command);
    assert_eq!(output.status.code(), Some(6));
    assert_eq!(text(&output.stdout), "a b|it's||$HOME|");
    let said = text(&output.stderr);
    assert!(said.starts_with("wrong\n") && said.contains("exit code 7"), "{said}");
    let python = ["job", "run", "--on", &device.name, "--interpreter", "python3", "--", "a", "b"];
    person.fails(2, &python);
}

#[tokio::test]
async fn a_query_answers_and_its_mistakes_are_named() {
    let server = Server::start().unwrap();
    let (_agent, device) = server.agent().await.unwrap();
    let person = Operator::of(&server);
    assert!(person.says(&["query", "1 + 1"]).contains('2'));
    until("a sample of the device", || async {
        let said = person.says(&["query", "system_memory_limit_bytes or system_uptime_seconds"]);
        said.contains(&device.id.to_string()).then_some(())
    })
    .await;
    let said = person.fails(2, &["query", "rate(x[5m]"]);
    assert!(said.contains("parse error") || said.contains("unclosed"), "{said}");
    let range = ["query", "vector(3)", "--start", "0", "--end", "60", "--step", "30s"];
    assert_eq!(person.json(&range)["data"]["result"][0]["values"].as_array().unwrap().len(), 3);
    // Half a range is refused before anything is asked.
    assert_eq!(person.run(&["query", "1", "--start", "0"]).status.code(), Some(2));
}

#[tokio::test]
async fn the_audit_trail_is_followed() {
    let server = Server::start().unwrap();
    let person = Operator::of(&server);
    let tail = ["audit", "tail", "--follow", "--output", "json"];
    let mut tail = Process::start(&mut person.command(&tail)).unwrap();
    let mut next = || -> Value {
        let line = tail.line("{").unwrap();
        serde_json::from_str(&format!("{{{line}")).unwrap()
    };
    let first = next();
    person.says(&["enrol-token", "create", "--name", "watched"]);
    let made = loop {
        let entry = next();
        if entry["action"] == "enrolment_token.create" {
            break entry;
        }
    };
    assert!(made["seq"].as_u64() > first["seq"].as_u64());
    assert!(person.says(&["audit", "tail", "-n", "1"]).contains("enrolment_token.create"));
}

#[tokio::test]
async fn every_kind_of_failure_has_its_exit_code() {
    let answering = |status: StatusCode| async move {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(move || async move { status });
        tokio::spawn(async { axum::serve(listener, router).await });
        Operator::without_a_key(&url)
    };
    for (status, code) in
        [(400, 2), (401, 3), (403, 4), (404, 5), (409, 6), (429, 7), (503, 8), (500, 9)]
    {
        let person = answering(StatusCode::from_u16(status).unwrap()).await;
        let done = tokio::task::spawn_blocking(move || {
            person.fails(code, &["whoami"]);
        });
        done.await.unwrap();
    }
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    let said = Operator::without_a_key(&url).fails(8, &["whoami"]);
    assert!(said.contains(&url) && said.contains("refused"), "{said}");
    for (url, code) in [("ftp://a.example", 2), ("a.example", 2), ("http://192.0.2.1", 2)] {
        let said = Operator::without_a_key(url).fails(code, &["whoami"]);
        assert!(said.contains(url), "{said}");
    }
}

#[tokio::test]
async fn every_answer_is_there_as_json() {
    let server = Server::start().unwrap();
    let (_agent, device) = server.agent().await.unwrap();
    let person = Operator::of(&server);
    let id = device.id.to_string();
    let on = ["--on", id.as_str()];
    let job = person.json(&[&["job", "run"][..], &on, &["--", "echo hello"]].concat());
    assert_eq!(job["output"][0]["text"], "hello\n");
    let job = job["command"]["id"].as_str().unwrap().to_owned();
    let waiting =
        person.json(&[&["job", "run", "--no-wait"][..], &on, &["--", "sleep 600"]].concat());
    let token = person.json(&["enrol-token", "create"]);
    let command = token["command"].as_str().unwrap();
    assert!(command.ends_with(" && openframe-agent install"), "{command}");
    let token = token["token"]["id"].as_str().or(token["id"].as_str()).unwrap().to_owned();
    let commands: [&[&str]; 18] = [
        &["login"],
        &["whoami"],
        &["device", "list"],
        &["device", "show", &id],
        &["device", "inventory", &id],
        &["device", "rename", &id, "another"],
        &["job", "list", "--on", &id],
        &["job", "show", &job],
        &["job", "cancel", waiting["id"].as_str().unwrap()],
        &["query", "vector(1)"],
        &["enrol-token", "list"],
        &["enrol-token", "revoke", &token],
        &["alert", "list"],
        &["audit", "tail"],
        &["audit", "verify"],
        &["config", "check", "--set", "server_names=a.example"],
        &["device", "retire", &id],
        &["logout"],
    ];
    for command in commands {
        assert!(person.json(command).is_object(), "{command:?}");
    }
}

#[tokio::test]
async fn health_names_every_part() {
    let server = Server::start().unwrap();
    let person = Operator::of(&server);
    let health = person.json(&["health"]);
    let replicas = health["replicas"].as_array().unwrap().iter();
    let parts: Vec<_> = replicas.flat_map(|it| it["parts"].as_array().unwrap()).collect();
    for name in [
        "auth.database",
        "devices.database",
        "devices.index",
        "gateway.agents",
        "gateway.users",
        "monitoring.database",
        "monitoring.telemetry_log",
    ] {
        let part = parts.iter().find(|part| part["name"] == name);
        assert_eq!(part.map(|part| &part["ready"]), Some(&Value::Bool(true)), "{name}: {parts:?}");
    }
}

#[tokio::test]
async fn programs_and_people_are_managed_by_the_command_line() {
    let server = Server::start().unwrap();
    let ann = Operator::of(&server);
    let wiki = ["client", "create", "Wiki", "--redirect-uri", "https://wiki.example.org/cb"];
    let made = ann.json(&[&wiki[..], &["--scope", "openid"]].concat());
    let secret = made.get("secret").and_then(Value::as_str).unwrap();
    assert!(secret.starts_with("of_cs_"), "{secret}");
    let id = made.pointer("/client/id").and_then(Value::as_str).unwrap();
    let said = ann.says(&[&wiki[..], &["--scope", "openid", "--public"]].concat());
    assert!(said.contains("/t/main") && !said.contains("of_cs_"), "{said}");
    assert!(ann.says(&["client", "list"]).contains(id));
    ann.says(&["client", "remove", id]);
    assert!(!ann.says(&["client", "list"]).contains(id));
    crate::roles::person(&server, "technician").await;
    let people = ann.json(&["user", "list"]);
    let people = people.get("items").and_then(Value::as_array).unwrap();
    let is = |user: &&Value| user.get("email").unwrap() == "technician@example.org";
    let technician = people.iter().find(is).unwrap().get("id").and_then(Value::as_str).unwrap();
    let bob = "bob@example.org";
    for say in [&["invite", bob, "--role", "read_only"][..], &["invite-again", bob]] {
        let link = ann.says(&[&["user"][..], say].concat());
        assert!(link.contains("/invitation#token=of_in_"), "{link}");
    }
    assert!(ann.says(&["user", "list"]).contains("invited"));
    ann.says(&["user", "withdraw", bob]);
    assert!(!ann.says(&["user", "list"]).contains(bob));
    ann.says(&["user", "set-email", "technician@example.org", bob]);
    assert!(ann.says(&["user", "list"]).contains(bob));
    let link = ann.says(&["user", "password-link", technician]);
    assert!(link.contains("/password#token=of_pl_"), "{link}");
    for (decision, told) in [("required", "required"), ("optional", "optional")] {
        assert!(ann.says(&["user", "second-factor", decision]).contains(told));
        assert!(ann.says(&["user", "second-factor"]).contains(told));
    }
}

#[tokio::test]
async fn a_directory_is_given_its_key_by_the_command_line() {
    let server = Server::start().unwrap();
    let (ann, whose) = (Operator::of(&server), "entra@example.org");
    ann.says(&["user", "invite", whose, "--role", "provisioner"]);
    let create = ["api-key", "create", "Entra ID", "--scope", "people:provision", "--of", whose];
    let key = ann.says(&create);
    assert!(key.starts_with("of_ak_"), "{key}");
    let mut headers = bearer(key.trim());
    headers.insert("content-type", "application/scim+json".parse().unwrap());
    let made =
        ask(&server, ("POST", "/scim/v2/Groups"), &headers, r#"{"displayName":"Ops"}"#).await;
    assert_eq!(made.status(), 201);
    assert!(ann.says(&["group", "list"]).contains("Ops"));
    let nobody = ["api-key", "create", "k", "--scope", "x", "--of", "no@example.org"];
    assert!(ann.fails(5, &nobody).contains("nobody"));
}
