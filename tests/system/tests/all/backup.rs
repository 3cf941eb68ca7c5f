//! A backup of the one process' folder.

use openframe_system::{Server, until};

use crate::cli::Operator;

#[tokio::test]
async fn a_backup_of_a_running_server_holds_everything() {
    let mut server = Server::start().unwrap();
    let (mut agent, device) = server.agent().await.unwrap();
    let person = Operator::of(&server);
    let id = device.id.to_string();
    person.says(&["device", "rename", &id, "kept"]);
    person.says(&["job", "run", "--on", "kept", "--", "echo remembered"]);
    let samples = format!("count_over_time(system_uptime_seconds{{device_id=\"{id}\"}}[10m])");
    until("telemetry of the device", || async {
        let answer = person.json(&["query", &samples]);
        answer["data"]["result"].as_array().is_some_and(|all| !all.is_empty()).then_some(())
    })
    .await;
    let backup = person.home.path().join("backup").display().to_string();
    let data = server.data().display().to_string();
    assert!(person.json(&["backup", &backup, "--data", &data]).is_object());
    agent.process().stop().unwrap();
    server.process().stop().unwrap();

    let folder = tempfile::tempdir().unwrap();
    let restored = folder.path().join("data").display().to_string();
    assert!(person.json(&["restore", &backup, "--data", &restored]).is_object());
    std::fs::copy(server.folder().join("owner.key"), folder.path().join("owner.key")).unwrap();
    let server = Server::start_in(folder).unwrap();
    let person = Operator::of(&server);
    assert_eq!(person.json(&["device", "show", "kept"])["id"], id.as_str());
    assert!(
        !person.json(&["device", "inventory", "kept"])["sections"].as_array().unwrap().is_empty()
    );
    let jobs = person.json(&["job", "list", "--on", "kept"]);
    assert_eq!(jobs["items"][0]["state"], "succeeded");
    assert!(person.json(&["audit", "verify"])["broken_at"].is_null());
    let answer = person.json(&["query", &samples]);
    assert!(!answer["data"]["result"].as_array().unwrap().is_empty(), "{answer}");
    assert_eq!(person.json(&["whoami"])["user"]["role"], "owner");
}
