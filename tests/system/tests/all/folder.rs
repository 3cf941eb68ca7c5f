//! The data folder and the sockets: what is refused at start, and how it is said.

use std::process::{Command, Output};

use openframe_system::{Server, executable};

use crate::cli::Operator;

fn run(args: &[&str]) -> Output {
    Command::new(executable("openframe").unwrap()).arg("run").args(args).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_second_process_on_the_folder_is_refused() {
    let server = Server::start().unwrap();
    let data = server.data();
    let listen = ["--listen", "http://127.0.0.1:0", "--agents-listen", "https://127.0.0.1:0"];
    let data = data.to_str().unwrap();
    let refused = run(&[&listen[..], &["--admin-listen", "", "--data", data]].concat());
    assert!(!refused.status.success());
    assert!(said(&refused).contains("is in use"), "{}", said(&refused));
}

#[test]
fn a_port_in_use_is_said() {
    let server = Server::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let listen = ["--listen", server.url.as_str(), "--admin-listen", "", "--agents-listen"];
    let rest = ["https://127.0.0.1:0", "--data", data.to_str().unwrap()];
    let refused = run(&[&listen[..], &rest].concat());
    assert!(!refused.status.success());
    assert!(said(&refused).contains("`listen`"), "{}", said(&refused));
}

#[test]
fn three_mistakes_in_the_settings_are_said_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("openframe.toml");
    std::fs::write(&file, "lisen = 1\ngrace_s = \"long\"\nlog_json = 7\n").unwrap();
    let refused = run(&["--config", file.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(2));
    let said = said(&refused);
    for part in ["3 mistakes", "`lisen`", "`grace_s`", "`log_json`"] {
        assert!(said.contains(part), "{part} is missing in: {said}");
    }
}

#[test]
fn http_is_refused_where_others_can_listen() {
    let refused = run(&["--listen", "http://0.0.0.0:0"]);
    assert!(said(&refused).contains("loopback only"), "{}", said(&refused));
}

#[test]
fn an_unwritable_folder_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let data = file.join("data");
    let refused = run(&["--data", data.to_str().unwrap()]);
    assert!(!refused.status.success());
    assert!(said(&refused).contains(data.to_str().unwrap()), "{}", said(&refused));
}

#[test]
fn the_bootstrap_key_is_private_and_never_overwritten() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut server = Server::start().unwrap();
    let file = server.folder().join("owner.key");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let before = std::fs::read_to_string(&file).unwrap();
    server.stop_and_restart().unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
}

#[tokio::test]
async fn a_start_that_could_not_write_the_key_is_finished_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let failed = Command::new(executable("openframe").unwrap())
        .args(["run", "--listen", "http://127.0.0.1:0", "--agents-listen", "https://127.0.0.1:0"])
        .args(["--admin-listen", "", "--bootstrap-key"])
        .arg(folder.path().join("no-such-folder").join("owner.key"))
        .arg("--data")
        .arg(folder.path().join("data"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&failed.stderr);
    assert!(!failed.status.success() && said.contains("cannot be written"), "{said}");
    let server = Server::start_in(folder).unwrap();
    assert_eq!(server.auth().unwrap().me().await.unwrap().user.role, "owner");
    assert!(!server.data().join("bootstrap.key").exists());
}

#[test]
fn the_servers_own_failures_have_exit_codes_too() {
    let server = Server::start().unwrap();
    let person = Operator::of(&server);
    let free = ["--agents-listen", "https://127.0.0.1:0", "--admin-listen", ""];
    let run = |listen: &str, data: &str| {
        [&["run", "--listen", listen, "--data", data][..], &free].concat().join("\n")
    };
    let data = server.data().display().to_string();
    let new = person.home.path().join("data").display().to_string();
    let file = person.home.path().join("file");
    std::fs::write(&file, "").unwrap();
    let below_a_file = file.join("data").display().to_string();
    for (args, code) in [
        (run("http://0.0.0.0:0", &new), 2),
        (run("nonsense", &new), 2),
        (run("http://127.0.0.1:0", &data), 6),
        (run(&server.url, &new), 6),
        (run("http://127.0.0.1:0", &below_a_file), 5),
        (format!("backup\n{new}-copy\n--data\n{new}"), 2),
        (format!("restore\n{new}\n--data\n{data}"), 2),
        ("config\ncheck\n--set\nlog_json=perhaps".to_owned(), 2),
        ("config\ncheck\n--config\n/no/such/file".to_owned(), 2),
    ] {
        person.fails(code, &args.split('\n').collect::<Vec<_>>());
    }
}
