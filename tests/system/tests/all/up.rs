//! `openframe up`: the newcomer's run, and the same again.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use openframe_system::{Process, executable};
use serde_json::Value;

/// A running `up`. Asked to end when dropped, since it would leave its agent behind if killed.
struct Up(Process);

impl Up {
    fn start(data: &Path, agents_port: u16, more: &[&str]) -> Self {
        let mut command = Command::new(executable("openframe").unwrap());
        command.args(["up", "--no-build", "--listen", "https://127.0.0.1:0"]);
        command.args(["--admin-listen", "", "--agents-listen"]);
        command.arg(format!("https://127.0.0.1:{agents_port}"));
        command.arg("--data").arg(data).args(more);
        Self(Process::start(&mut command).unwrap())
    }

    fn stop(mut self) {
        assert!(self.0.stop().unwrap().success(), "{}", self.0.said());
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // It may have ended already.
        self.0.stop().ok();
    }
}

#[test]
fn up_twice_finds_everything_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();

    let mut first = Up::start(&data, port, &[]);
    let online = first.0.line("  ✓ device ").unwrap();
    let name = online.strip_suffix(" is online").unwrap().to_owned();
    assert!(first.0.line("  Set up    ").unwrap().contains("/setup#token="));
    assert!(first.0.said().contains("enrolling this machine"));
    first.stop();

    let mut second = Up::start(&data, port, &["--output", "json"]);
    let result = second.0.line("{").unwrap();
    let result: Value = serde_json::from_str(&format!("{{{result}")).unwrap();
    assert_eq!(result["device"]["name"], name.as_str());
    assert!(Path::new(result["root_certificate"].as_str().unwrap()).exists());
    assert!(!second.0.said().contains("enrolling"), "{}", second.0.said());
    let identity = std::fs::read_to_string(data.join("agent/identity.json")).unwrap();
    let identity: Value = serde_json::from_str(&identity).unwrap();
    assert_eq!(result["device"]["id"], identity["device_id"]);
    second.stop();
}
