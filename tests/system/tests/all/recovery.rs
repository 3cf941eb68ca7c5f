//! A device whose certificate has ended, and tokens that nobody else on the machine can read.

use std::io::Write as _;
use std::process::{Command, Stdio};

use openframe_system::{Server, executable, until};
use serde_json::Value;

fn identity(state: &std::path::Path) -> Value {
    serde_json::from_slice(&std::fs::read(state.join("identity.json")).unwrap()).unwrap()
}

// B36.devices, B49.within
#[tokio::test]
async fn a_device_whose_certificate_has_ended_comes_back_by_itself() {
    let server = Server::start().unwrap();
    let (mut agent, device) = server.agent().await.unwrap();
    agent.process().kill().unwrap();
    let before = identity(agent.state());
    // As if it had lain in a drawer: what it shows is no longer worth anything to it.
    let mut ended = before.clone();
    ended["not_after"] = "2020-01-02T00:00:00Z".into();
    ended["issued"] = "2020-01-01T00:00:00Z".into();
    std::fs::write(agent.state().join("identity.json"), ended.to_string()).unwrap();
    agent.crash_and_restart().unwrap();
    let after = until("a new certificate", || async {
        let now = identity(agent.state());
        (now["not_after"] != ended["not_after"]).then_some(now)
    })
    .await;
    assert_eq!(after["device_id"], before["device_id"]);
    assert_ne!(after["chain_pem"], before["chain_pem"]);
    let trail = server.auth().unwrap().audit(None, 100).await.unwrap().items;
    let told = trail.iter().find(|it| it.action == "device.recover").unwrap();
    assert_eq!((told.actor_kind.as_str(), &told.target), ("device", &device.id.to_string()));
}

#[tokio::test]
async fn a_token_is_read_from_standard_input_or_a_file() {
    let server = Server::start().unwrap();
    let token = server.enrolment_token(2).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, format!("{token}\n")).unwrap();
    for (name, from) in [("one", "-"), ("two", file.to_str().unwrap())] {
        let mut enrol = Command::new(executable("openframe-agent").unwrap())
            .args(["enrol", "--server", &server.agents_url, "--token-file", from, "--state"])
            .arg(folder.path().join(name))
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The one that reads a file may be gone already.
        enrol.stdin.take().unwrap().write_all(token.as_bytes()).ok();
        let done = enrol.wait_with_output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    let trail = server.auth().unwrap().audit(None, 100).await.unwrap().items;
    assert_eq!(trail.iter().filter(|it| it.action == "device.enrol").count(), 2);
}
