//! Agents that are killed again and again: nothing runs twice, nothing is stored twice.

use std::collections::HashMap;
use std::path::Path;

use openframe_devices_api::{Command, DevicesClient, NewCommand};
use openframe_ids::{CommandId, DeviceId};
use openframe_monitoring::domain::labels::NAME;
use openframe_system::kept::{self, Ring};
use openframe_system::{Agent, Server, until};
use serde_json::Value;

/// How often the agent is killed, and how often where each service is a process of its own.
const KILLS: (usize, usize) = (50, 16);
/// Commands that wait or run at the same time: more than the agent runs at once.
const OPEN: usize = 8;

fn marking(folder: &Path, n: usize) -> NewCommand {
    let marks = folder.join("marks");
    // Some end at once, some are still running when the agent is killed.
    let lasts = if n.is_multiple_of(3) { "sleep 0.3; " } else { "" };
    NewCommand {
        script: format!("echo {n} >> {}; {lasts}echo output {n}", marks.display()),
        interpreter: None,
        timeout_s: None,
        expires_in_s: None,
        idempotent: None,
        reason: None,
    }
}

/// Commands that were asked for and have not been seen to end.
struct Asked {
    devices: DevicesClient,
    device: DeviceId,
    all: Vec<CommandId>,
    open: HashMap<CommandId, String>,
}

impl Asked {
    async fn fill(&mut self, folder: &Path) {
        while self.open.len() < OPEN {
            let command = marking(folder, self.all.len());
            let made = self.devices.run(self.device, &command).await.unwrap();
            self.all.push(made.id);
            self.open.insert(made.id, made.state);
        }
    }

    /// Waits until `steps` of the open commands have gone on.
    async fn move_on(&mut self, steps: usize) {
        let mut moved = 0;
        while moved < steps && !self.open.is_empty() {
            let what = format!("the commands to move: {:?}", self.open);
            let changed = until(&what, || self.changed()).await;
            moved += changed.len();
            for command in changed {
                if command.finished {
                    self.open.remove(&command.id);
                } else {
                    self.open.insert(command.id, command.state);
                }
            }
        }
    }

    async fn changed(&self) -> Option<Vec<Command>> {
        let mut changed = Vec::new();
        for (id, before) in &self.open {
            let command = self.devices.command(*id).await.ok()?;
            changed.extend((command.state != *before).then_some(command));
        }
        (!changed.is_empty()).then_some(changed)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_killed_again_and_again_at_work_loses_and_repeats_nothing() {
    let mut server = Server::start().unwrap();
    let (mut agent, device) = server.agent().await.unwrap();
    let (devices, mut ring) = (server.devices().unwrap(), Ring::default());
    let mut asked = Asked { devices, device: device.id, all: Vec::new(), open: HashMap::default() };
    let kills = if server.picture().is_some() { KILLS.1 } else { KILLS.0 };
    for round in 0..kills {
        asked.fill(server.folder()).await;
        // After more or fewer of their steps each time, so that each point of a life is hit.
        asked.move_on(1 + round % 5).await;
        agent.process().kill().unwrap();
        ring.read(agent.state()).unwrap();
        agent.restart().unwrap();
    }
    let succeeded = every_command_ran_at_most_once(&server, &asked).await;
    assert!(succeeded > kills / 4, "{succeeded}");
    let wanted = ring.samples(&device.id.to_string()).unwrap();
    assert!(ring.len() > kills / 2, "{} snapshots", ring.len());
    until("every uptime that the ring held", || async {
        let found = uptimes(&server).await?;
        wanted_uptimes(&wanted).keys().all(|at| found.contains_key(at)).then_some(())
    })
    .await;
    // What is on disk counts, and what a restart makes of it.
    server.crash_and_restart().unwrap();
    if server.picture().is_none() {
        each_sample_is_on_disk_once(&server, &wanted);
    }
    let found = until("uptimes", || uptimes(&server)).await;
    let wanted = wanted_uptimes(&wanted);
    assert!(wanted.len() > kills / 2, "{}", wanted.len());
    for (at, value) in wanted {
        assert_eq!(found.get(&at), Some(&value), "at {at}");
    }
}

/// In the picture, where a snapshot goes to another replica when its answer is lost, only answers have
/// each sample once.
fn each_sample_is_on_disk_once(server: &Server, wanted: &HashMap<kept::Instant, f64>) {
    let stored = kept::stored(&server.data()).unwrap();
    for (sample, value) in wanted {
        let found = stored.get(sample).map(Vec::as_slice).unwrap_or_default();
        let same = matches!(found, [one] if one.to_bits() == value.to_bits());
        assert!(same, "{sample:?}: {found:?}, not once {value}");
    }
    let twice = stored.iter().find(|(_, values)| values.len() > 1);
    assert!(twice.is_none(), "stored twice: {twice:?}");
}

/// Returns how many succeeded.
async fn every_command_ran_at_most_once(server: &Server, asked: &Asked) -> usize {
    let mut succeeded = Vec::new();
    for (n, id) in asked.all.iter().enumerate() {
        let command = until("every command to end", || async {
            asked.devices.command(*id).await.ok().filter(|command| command.finished)
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
    succeeded.len()
}

/// The uptimes that the ring held, by their times in seconds.
fn wanted_uptimes(wanted: &HashMap<kept::Instant, f64>) -> HashMap<String, f64> {
    let uptimes =
        wanted.iter().filter(|((labels, _), _)| labels.get(NAME) == "system_uptime_seconds");
    let at = |time_ms: i64| format!("{}.{:03}", time_ms / 1_000, time_ms % 1_000);
    uptimes.map(|((_, time), value)| (at(*time), *value)).collect()
}

/// The same, as a query gives them.
async fn uptimes(server: &Server) -> Option<HashMap<String, f64>> {
    let answer = server.monitoring().ok()?.query("system_uptime_seconds[1h]", None).await.ok()?;
    let values = answer.pointer("/data/result/0/values").and_then(Value::as_array)?;
    let read = |pair: &Value| {
        let seconds = pair.pointer("/0")?.as_f64()?;
        Some((format!("{seconds:.3}"), pair.pointer("/1")?.as_str()?.parse().ok()?))
    };
    Some(values.iter().filter_map(read).collect())
}

#[tokio::test]
async fn samples_taken_while_the_platform_was_away_arrive() {
    let mut server = Server::start().unwrap();
    let (mut agent, device) = server.agent().await.unwrap();
    let ring = agent.state().join("ring");
    server.kill().unwrap();
    // Killed as well: what it measures now lies only in its ring.
    agent.crash_and_restart().unwrap();
    until("a snapshot on disk", || async {
        let files = std::fs::read_dir(&ring).ok()?.flatten();
        let bytes: u64 = files.filter_map(|it| Some(it.metadata().ok()?.len())).sum();
        (bytes > 512).then_some(())
    })
    .await;
    server.restart().unwrap();
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

/// An agent whose clock is off by `clock`: what it measures is of now, and commands do not expire.
async fn a_clock_that_is_off(clock: &str) {
    let server = Server::start().unwrap();
    let token = server.enrolment_token(1).await.unwrap();
    let agent = Agent::enrol_at(&server.agents_url, &token, Some(clock)).unwrap();
    let device = server.online().await.unwrap();
    until("the agent to know that its clock is off", || async {
        let noted = std::fs::read(agent.state().join("link.json")).ok()?;
        let noted: Value = serde_json::from_slice(&noted).ok()?;
        (noted.get("offset_ms")?.as_i64()?.abs() > 500_000).then_some(())
    })
    .await;
    let monitoring = server.monitoring().unwrap();
    let off = until("a sample of now", || async {
        let expr = "abs(time() - timestamp(system_uptime_seconds))";
        let answer = monitoring.query(expr, None).await.ok()?;
        answer.pointer("/data/result/0/value/1")?.as_str()?.parse::<f64>().ok()
    })
    .await;
    assert!(off < 60.0, "off by {off} s");
    let devices = server.devices().unwrap();
    let command = NewCommand { expires_in_s: Some(120), ..marking(server.folder(), 1) };
    let made = devices.run(device.id, &command).await.unwrap();
    let command = until("the command to end", || async {
        devices.command(made.id).await.ok().filter(|command| command.finished)
    })
    .await;
    assert_eq!(command.state, "succeeded", "{}", command.status_reason);
}

// B73.devices
#[tokio::test]
async fn a_clock_ten_minutes_ahead_costs_nothing() {
    a_clock_that_is_off("+10m").await;
}

// B73.devices
#[tokio::test]
async fn a_clock_ten_minutes_behind_costs_nothing() {
    a_clock_that_is_off("-10m").await;
}
