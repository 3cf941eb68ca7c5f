//! Killed at any time: nothing acknowledged is lost, nothing is stored twice, no command runs twice.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use http::{Request, StatusCode};
use openframe_devices_api::{DevicesClient, NewCommand};
use openframe_ids::{CommandId, DeviceId};
use openframe_mesh::Peer;
use openframe_system::remote_write::{Label, Sample, TimeSeries, WriteRequest};
use openframe_system::{Server, kept, until};
use serde_json::Value;
use tokio::sync::watch;

/// How often the server is killed, and how often a process of several: each one of the picture twice.
const KILLS: (usize, usize) = (50, 16);
/// Clients that write at the same time.
const WRITERS: usize = 4;
/// Commands that wait or run at the same time.
const COMMANDS: usize = 6;

pub(crate) fn one_sample(writer: &str, number: i64, start_ms: i64) -> Bytes {
    let label = |name: &str, value: &str| Label { name: name.into(), value: value.into() };
    let series = TimeSeries {
        labels: vec![label("__name__", "crash_test_total"), label("writer", writer)],
        samples: vec![Sample { value: value(number), timestamp: start_ms + number * 10 }],
    };
    WriteRequest { timeseries: vec![series] }.body()
}

/// The value of each sample is its own.
fn value(number: i64) -> f64 {
    f64::from(i32::try_from(number).unwrap()) * 1.5
}

/// How to reach the server now: it has another address after each start.
#[derive(Clone)]
struct Access {
    peer: Peer,
    devices: DevicesClient,
    key: String,
}

impl Access {
    fn of(server: &Server) -> Self {
        let (peer, devices) = (server.peer().unwrap(), server.devices().unwrap());
        Self { peer, devices, key: server.key.clone() }
    }

    async fn write(&self, body: Bytes) -> Option<()> {
        let request = Request::post("/prometheus/api/v1/write")
            .header(AUTHORIZATION, format!("Bearer {}", self.key))
            .header(CONTENT_TYPE, "application/x-protobuf")
            .header(CONTENT_ENCODING, "snappy")
            .body(Body::from(body))
            .unwrap();
        let status = self.peer.call(request).await.ok()?.status();
        (status == StatusCode::NO_CONTENT).then_some(())
    }
}

type Now = watch::Receiver<Option<Access>>;

/// The server as it is now; `None` once the test is over.
fn now(access: &Now) -> Option<Access> {
    access.borrow().clone()
}

/// Writes sample after sample until the test is over; one whose answer was lost goes again. Returns
/// how many were acknowledged.
async fn write_on(writer: String, start_ms: i64, access: Now, acknowledged: Arc<AtomicU64>) -> i64 {
    let mut number = 0;
    while now(&access).is_some() {
        let body = one_sample(&writer, number, start_ms);
        until("a sample to be taken", || async {
            match now(&access) {
                Some(access) => access.write(body.clone()).await,
                None => Some(()),
            }
        })
        .await;
        if now(&access).is_some() {
            acknowledged.fetch_add(1, Ordering::Relaxed);
            number += 1;
        }
    }
    number
}

fn marking(folder: &Path, attempt: usize) -> NewCommand {
    let marks = folder.join("marks");
    NewCommand {
        script: format!("echo {attempt} >> {}; echo output {attempt}", marks.display()),
        interpreter: None,
        timeout_s: None,
        expires_in_s: None,
        idempotent: None,
        reason: None,
    }
}

/// Asks for command after command until the test is over, a few at a time. A command whose answer
/// was lost is not asked for again: the next attempt is another. Returns the number of attempts,
/// and the commands by theirs.
async fn command_on(
    device: DeviceId,
    folder: std::path::PathBuf,
    access: Now,
) -> (usize, HashMap<usize, CommandId>) {
    let (mut attempts, mut asked, mut open) = (0, HashMap::new(), Vec::<CommandId>::new());
    while let Some(Access { devices, .. }) = now(&access) {
        if open.len() < COMMANDS {
            attempts += 1;
            if let Ok(made) = devices.run(device, &marking(&folder, attempts)).await {
                asked.insert(attempts, made.id);
                open.push(made.id);
            }
            continue;
        }
        let first = open.remove(0);
        until("a command to end", || async {
            let Some(Access { devices, .. }) = now(&access) else { return Some(()) };
            devices.command(first).await.ok()?.finished.then_some(())
        })
        .await;
    }
    (attempts, asked)
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "samples must be of now, or they would be too old")]
async fn a_server_killed_again_and_again_at_work_loses_and_repeats_nothing() {
    let mut server = Server::start().unwrap();
    let (_agent, device) = server.agent().await.unwrap();
    let start_ms = jiff::Timestamp::now().as_millisecond() - 300_000;
    let (told, access) = watch::channel(Some(Access::of(&server)));
    let acknowledged = Arc::new(AtomicU64::new(0));
    let writers: Vec<_> = (0..WRITERS)
        .map(|n| {
            let (access, acknowledged) = (access.clone(), Arc::clone(&acknowledged));
            tokio::spawn(write_on(n.to_string(), start_ms, access, acknowledged))
        })
        .collect();
    let folder = server.folder().to_owned();
    let commands = tokio::spawn(command_on(device.id, folder, access.clone()));
    let kills = if server.picture().is_some() { KILLS.1 } else { KILLS.0 };
    for round in 0..kills {
        let before = acknowledged.load(Ordering::Relaxed);
        until("the writers to go on", || async {
            // At another point of their work each time.
            (acknowledged.load(Ordering::Relaxed) > before + round as u64 % 7).then_some(())
        })
        .await;
        server.crash_a_part(round).unwrap();
        told.send_replace(Some(Access::of(&server)));
    }
    server.online().await.unwrap();
    told.send_replace(None);
    let (attempts, asked) = commands.await.unwrap();
    every_command_ran_once(&server, attempts, &asked).await;
    for (n, writer) in writers.into_iter().enumerate() {
        every_sample_is_there(&server, n, start_ms, writer.await.unwrap()).await;
    }
    if server.picture().is_none() {
        let stored = kept::stored(&server.data()).unwrap();
        let twice = stored.iter().find(|(_, values)| values.len() > 1);
        assert!(twice.is_none(), "stored twice: {twice:?}");
    }
}

async fn every_command_ran_once(
    server: &Server,
    attempts: usize,
    asked: &HashMap<usize, CommandId>,
) {
    let devices = server.devices().unwrap();
    assert!(asked.len() > COMMANDS, "{attempts} attempts");
    for (attempt, id) in asked {
        let command = until("every command to end", || async {
            devices.command(*id).await.ok().filter(|command| command.finished)
        })
        .await;
        assert_eq!(command.state, "succeeded", "{attempt}: {}", command.status_reason);
        let output = devices.output(*id, 0).await.unwrap();
        let text: String = output.chunks.into_iter().map(|chunk| chunk.text).collect();
        assert_eq!(text, format!("output {attempt}\n"));
    }
    let marks = std::fs::read_to_string(server.folder().join("marks")).unwrap();
    for attempt in 1..=attempts {
        let times = marks.lines().filter(|line| *line == attempt.to_string()).count();
        assert!(times <= 1, "{attempt} ran {times} times");
        assert!(times == 1 || !asked.contains_key(&attempt), "{attempt} did not run");
    }
}

/// Each acknowledged sample of a writer is read back with its value, and no other but one whose
/// answer may have been lost as the test ended.
async fn every_sample_is_there(server: &Server, writer: usize, start_ms: i64, acknowledged: i64) {
    let expr = format!("crash_test_total{{writer=\"{writer}\"}}[1h]");
    let monitoring = server.monitoring().unwrap();
    let answer = until("an answer", || async { monitoring.query(&expr, None).await.ok() }).await;
    let values = answer.pointer("/data/result/0/values").and_then(Value::as_array).unwrap();
    let found: Vec<(i64, f64)> = values
        .iter()
        .map(|pair| {
            let seconds = pair.pointer("/0").and_then(Value::as_f64).unwrap();
            let value = pair.pointer("/1").and_then(Value::as_str).unwrap();
            #[expect(clippy::cast_possible_truncation, reason = "milliseconds since 1970")]
            let time_ms = (seconds * 1e3).round() as i64;
            (time_ms, value.parse().unwrap())
        })
        .collect();
    let want = |upto: i64| (0..upto).map(|n| (start_ms + n * 10, value(n)));
    let same = found.iter().copied().eq(want(acknowledged));
    assert!(same || found.iter().copied().eq(want(acknowledged + 1)), "{acknowledged}: {found:?}");
    assert!(acknowledged > 10, "writer {writer}: {acknowledged}");
}

#[tokio::test]
async fn an_agent_comes_back_to_a_killed_server() {
    let mut server = Server::start().unwrap();
    let (_agent, device) = server.agent().await.unwrap();
    server.crash_and_restart().unwrap();
    assert_eq!(server.online().await.unwrap().id, device.id);
}
