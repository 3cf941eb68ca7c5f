//! Agents that are killed again and again: nothing runs twice, nothing is stored twice.

use std::collections::HashMap;
use std::path::Path;

use openframe_devices_api::NewCommand;
use openframe_system::{Server, until};
use serde_json::Value;

/// How often the agent is killed.
const KILLS: usize = 50;

fn marking(folder: &Path, n: usize) -> NewCommand {
    let marks = folder.join("marks");
    NewCommand {
        script: format!("echo {n} >> {}; echo output {n}", marks.display()),
        interpreter: None,
        timeout_s: None,
        expires_in_s: None,
        idempotent: None,
        reason: None,
    }
}

#[tokio::test]
async fn an_agent_killed_fifty_times_runs_nothing_twice() {
    let server = Server::start().unwrap();
    let (mut agent, device) = server.agent().await.unwrap();
    let devices = server.devices().unwrap();
    let mut asked = Vec::new();
    for n in 0..KILLS {
        let made = devices.run(device.id, &marking(server.folder(), n)).await.unwrap();
        asked.push(made.id);
        // At a different point of the command's life each time, as fast as the agent comes.
        let wanted = ["sent", "accepted", "running", "succeeded"][n % 4];
        let order = ["queued", "sent", "accepted", "running"];
        until("the command to be on its way", || async {
            let state = devices.command(made.id).await.ok()?.state;
            let at = |name: &str| order.iter().position(|it| *it == name).unwrap_or(order.len());
            (at(&state) >= at(wanted)).then_some(())
        })
        .await;
        agent.crash_and_restart().unwrap();
    }
    let mut succeeded = Vec::new();
    for (n, id) in asked.iter().enumerate() {
        let command = until("every command to end", || async {
            devices.command(*id).await.ok().filter(|command| command.finished)
        })
        .await;
        let known = ["succeeded", "interrupted"].contains(&command.state.as_str());
        assert!(known, "{n}: {} {}", command.state, command.status_reason);
        if command.state == "succeeded" {
            succeeded.push(n.to_string());
        }
    }
    let marks = std::fs::read_to_string(server.folder().join("marks")).unwrap_or_default();
    let mut times: HashMap<&str, usize> = HashMap::new();
    for line in marks.lines() {
        *times.entry(line).or_default() += 1;
    }
    assert!(times.values().all(|times| *times == 1), "ran twice: {times:?}");
    for n in &succeeded {
        assert!(times.contains_key(n.as_str()), "{n} is said to have run and did not");
    }
    assert!(succeeded.len() > KILLS / 4, "{succeeded:?}");
    no_sample_twice(&server).await;
}

/// Every stored sample of one series has a time of its own, and the time only goes on.
async fn no_sample_twice(server: &Server) {
    let monitoring = server.monitoring().unwrap();
    let answer = until("samples", || async {
        let answer = monitoring.query("system_uptime_seconds[1h]", None).await.ok()?;
        let some = answer.pointer("/data/result/0/values")?.as_array()?.len() > 1;
        some.then_some(answer)
    })
    .await;
    let series = answer.pointer("/data/result").and_then(Value::as_array).unwrap();
    assert_eq!(series.len(), 1, "one device has one uptime");
    let values = answer.pointer("/data/result/0/values").and_then(Value::as_array).unwrap();
    let times: Vec<f64> = values.iter().filter_map(|pair| pair.pointer("/0")?.as_f64()).collect();
    assert_eq!(times.len(), values.len());
    assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
}

#[tokio::test]
async fn samples_taken_while_the_platform_was_away_arrive() {
    let mut server = Server::start().unwrap();
    let (mut agent, device) = server.agent().await.unwrap();
    let ring = agent.state().join("ring");
    server.process().kill().unwrap();
    // Killed as well: what it measures now lies only in its ring.
    agent.crash_and_restart().unwrap();
    until("a snapshot on disk", || async {
        let files = std::fs::read_dir(&ring).ok()?.flatten();
        let bytes: u64 = files.filter_map(|it| Some(it.metadata().ok()?.len())).sum();
        (bytes > 512).then_some(())
    })
    .await;
    server.crash_and_restart().unwrap();
    assert_eq!(server.online().await.unwrap().id, device.id);
    let monitoring = server.monitoring().unwrap();
    until("both processes' samples", || async {
        let answer = monitoring.query("count_over_time(system_uptime_seconds[1h])", None).await;
        let answer = answer.ok()?;
        let count = answer.pointer("/data/result/0/value/1")?.as_str()?.parse::<f64>().ok()?;
        (count >= 2.0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_inventory_of_this_machine_is_read_over_the_api() {
    let server = Server::start().unwrap();
    let (_agent, device) = server.agent().await.unwrap();
    let devices = server.devices().unwrap();
    let names = until("the whole inventory", || async {
        let inventory = devices.inventory(device.id).await.ok()?;
        let names: Vec<String> = inventory.sections.into_iter().map(|it| it.section).collect();
        (names.len() == 6).then_some(names)
    })
    .await;
    for section in ["hardware", "os", "network", "users", "software", "services"] {
        assert!(names.iter().any(|name| name == section), "{section} is missing in {names:?}");
    }
}
