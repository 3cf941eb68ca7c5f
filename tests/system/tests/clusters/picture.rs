//! What is true of services in processes of their own.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use http::StatusCode;
use jiff::SignedDuration;
use openframe_auth_api::NewUser;
use openframe_ids::DeviceId;
use openframe_monitoring_api::{ChannelDefinition, RuleDefinition};
use openframe_sim::{Fleet, Plan};
use openframe_system::picture::{Picture, REPLICAS};
use openframe_system::remote_write::{Label, Sample, TimeSeries, WriteRequest};
use openframe_system::{Process, Server, executable, script, until};
use tokio_util::sync::CancellationToken;

use crate::alerts::{Shared as Inboxes, definition, receiver};
use crate::roles::{PASSWORD, log_in};

/// How many sign in while a replica dies.
const SIGNING_IN: usize = 12;

/// Runs a command on the device to its end, asking again when something does not answer.
pub(crate) async fn works(server: &Server, device: DeviceId, what: &str) {
    let devices = server.devices().unwrap();
    let made = until("a command to be taken", || async {
        devices.run(device, &script("echo back")).await.ok()
    })
    .await;
    let done = until("the command to finish", || async {
        devices.command(made.id).await.ok().filter(|command| command.finished)
    })
    .await;
    assert_eq!(done.state, "succeeded", "{what}");
}

#[tokio::test]
async fn any_replica_may_die_and_the_others_go_on() {
    let mut server = Server::start().unwrap();
    let (_agent, device) = server.agent().await.unwrap();
    for replica in REPLICAS {
        server.picture().unwrap().kill(replica).unwrap();
        works(&server, device.id, &format!("without {replica:?}")).await;
        server.picture().unwrap().restart().unwrap();
        works(&server, device.id, &format!("with {replica:?} again")).await;
    }
}

// B71
/// A replica of auth dies under people who sign in: whoever was with it and tries again gets in.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_signs_in_while_a_replica_of_auth_dies_gets_in() {
    let mut server = Server::start().unwrap();
    for n in 0..SIGNING_IN {
        let (email, role) = (format!("p{n}@example.org"), "read_only".to_owned());
        let new = NewUser { email, name: "P".to_owned(), role, password: PASSWORD.to_owned() };
        server.auth().unwrap().create_user(&new).await.unwrap();
    }
    let dies = server.picture().unwrap().process(("auth", 1)).unwrap().id().to_string();
    let (mut refused, mut first) = (0, true);
    // A few at a time: the replica dies while the first of them wait for an answer.
    for few in (0..SIGNING_IN).collect::<Vec<_>>().chunks(4) {
        let signing_in = few.iter().map(|n| {
            let (server, email) = (&server, format!("p{n}@example.org"));
            async move {
                let tried = AtomicU64::new(0);
                until("a session", || async {
                    tried.fetch_add(1, Ordering::SeqCst);
                    let answer = log_in(server, &email, PASSWORD).await;
                    (answer.status() == StatusCode::OK).then_some(())
                })
                .await;
                tried.into_inner() - 1
            }
        });
        let killing = async {
            if std::mem::take(&mut first) {
                let killed = Command::new("kill").args(["-KILL", &dies]).status();
                assert!(killed.unwrap().success());
            }
        };
        let (again, ()) = tokio::join!(join_all(signing_in), killing);
        refused += again.iter().sum::<u64>();
    }
    println!("{refused} of those who signed in had to try again");
    let picture = server.picture().unwrap();
    picture.kill(("auth", 1)).unwrap();
    picture.restart().unwrap();
}

/// Each replica is stopped in good order and started again, while people ask and devices report:
/// nobody is refused, and no sample that a device has taken is missing.
#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_fails_no_request() {
    let mut server = Server::start().unwrap();
    let (_agent, device) = server.agent().await.unwrap();
    let plan = Plan {
        devices: 10,
        series: 1,
        interval: Duration::from_millis(200),
        cuts: 0,
        skew: SignedDuration::ZERO,
        seed: 7,
    };
    let token = server.enrolment_token(10).await.unwrap();
    let fleet = Fleet::start(&server.agents_url, &token, plan).await.unwrap();
    let (asked, stop) = (Arc::new(AtomicU64::new(0)), CancellationToken::new());
    let people = (0..4).map(|_| {
        let (devices, asked, stop) = (server.devices().unwrap(), Arc::clone(&asked), stop.clone());
        tokio::spawn(async move {
            let mut failed = Vec::new();
            while !stop.is_cancelled() {
                if let Err(fault) = devices.device(device.id).await {
                    failed.push(openframe_fault::chain(&fault));
                }
                asked.fetch_add(1, Ordering::SeqCst);
            }
            failed
        })
    });
    let people: Vec<_> = people.collect();
    for replica in REPLICAS {
        let picture = server.picture().unwrap();
        tokio::task::block_in_place(|| picture.stop(replica).and_then(|()| picture.restart()))
            .unwrap();
        let from = asked.load(Ordering::SeqCst);
        until("more requests", || async {
            (asked.load(Ordering::SeqCst) > from + 50).then_some(())
        })
        .await;
    }
    stop.cancel();
    let mut failed = Vec::new();
    for person in people {
        failed.extend(person.await.unwrap());
    }
    assert!(failed.is_empty(), "{} of {asked:?}: {failed:?}", failed.len());
    works(&server, device.id, "after all restarts").await;
    let told = fleet.stop().await;
    let kept = until("an answer", || async { server.snapshots().await.ok() }).await;
    for device in &told {
        assert_eq!(kept.get(&device.device.to_string()), Some(&device.taken), "{device:?}");
    }
}

#[tokio::test]
async fn replicas_whose_clocks_differ_by_two_seconds_work_together() {
    let mut server = Server::start_with(&["monitoring.evaluation_interval_s=1"]).unwrap();
    let (_agent, device) = server.agent().await.unwrap();
    let inbox = watched(&server).await;
    let picture = server.picture().unwrap();
    for role in ["gateway", "auth", "devices", "monitoring"] {
        picture.kill((role, 2)).unwrap();
        picture.set_clock((role, 2), "+2s");
    }
    picture.restart().unwrap();
    for round in 0..4 {
        works(&server, device.id, &format!("round {round}")).await;
        write(&server, round).await;
        until("the message", || async {
            (inbox.lock().unwrap().taken.len() > round).then_some(())
        })
        .await;
    }
    assert_eq!(rounds(&inbox), ["0", "1", "2", "3"], "each once");
}

#[expect(clippy::disallowed_methods, reason = "samples must be of now, or they would be too old")]
fn probe(round: usize) -> Bytes {
    let label = |name: &str, value: String| Label { name: name.into(), value };
    let timestamp = jiff::Timestamp::now().as_millisecond();
    let series = TimeSeries {
        labels: vec![label("__name__", "probe".into()), label("round", round.to_string())],
        samples: vec![Sample { value: 1.0, timestamp }],
    };
    WriteRequest { timeseries: vec![series] }.body()
}

/// Writes a sample on which the rule of [`watched`] fires; returns when it is acknowledged.
async fn write(server: &Server, round: usize) {
    let body = probe(round);
    until("a sample to be taken", || async {
        let status = server.remote_write(body.clone()).await.ok()?;
        (status == StatusCode::NO_CONTENT).then_some(())
    })
    .await;
}

/// Makes a rule on probes; returns what it tells.
async fn watched(server: &Server) -> Inboxes {
    let (webhook_url, inbox) = receiver(0).await;
    let monitoring = server.monitoring().unwrap();
    let channel = ChannelDefinition { name: "chat".to_owned(), webhook_url };
    let channel = monitoring.create_channel(&channel).await.unwrap();
    let wanted = RuleDefinition { channels: vec![channel.id], ..definition("probe", "probe > 0") };
    monitoring.create_rule(&wanted).await.unwrap();
    inbox
}

/// The rounds that were told, in order.
fn rounds(inbox: &Inboxes) -> Vec<String> {
    let mut told = Vec::new();
    for (_, message) in &inbox.lock().unwrap().taken {
        assert_eq!(message.status, "firing");
        told.extend(
            message
                .alerts
                .iter()
                .map(|alert| alert.labels.get("round").cloned().unwrap_or_default()),
        );
    }
    told.sort();
    told
}

/// A replica of monitoring is killed right after it has acknowledged a sample on which a rule fires:
/// the other one has the sample, and the alert is told once.
#[tokio::test]
async fn samples_and_alerts_outlive_each_replica_of_monitoring() {
    let mut server = Server::start_with(&["monitoring.evaluation_interval_s=1"]).unwrap();
    let inbox = watched(&server).await;
    for round in 0..4 {
        write(&server, round).await;
        let replica = ("monitoring", u8::try_from(round % 2 + 1).unwrap());
        server.picture().unwrap().kill(replica).unwrap();
        let query = format!("probe{{round=\"{round}\"}}");
        until("the sample", || async {
            let answer = server.monitoring().ok()?.query(&query, None).await.ok()?;
            answer.pointer("/data/result/0").is_some().then_some(())
        })
        .await;
        until("the message", || async {
            (inbox.lock().unwrap().taken.len() > round).then_some(())
        })
        .await;
        server.picture().unwrap().restart().unwrap();
    }
    assert_eq!(rounds(&inbox), ["0", "1", "2", "3"], "each once");
}

/// A replica of monitoring hangs for longer than it may be the one that decides, and comes back: what it
/// was in the middle of neither loses nor repeats anything.
#[tokio::test]
async fn samples_and_alerts_outlive_a_replica_of_monitoring_that_hangs() {
    let mut server = Server::start_with(&["monitoring.evaluation_interval_s=1"]).unwrap();
    let inbox = watched(&server).await;
    for round in 0..2 {
        let replica = ("monitoring", u8::try_from(round + 1).unwrap());
        server.picture().unwrap().process(replica).unwrap().pause().unwrap();
        write(&server, 2 * round).await;
        until("the message", || async {
            (inbox.lock().unwrap().taken.len() > 2 * round).then_some(())
        })
        .await;
        server.picture().unwrap().process(replica).unwrap().resume().unwrap();
        write(&server, 2 * round + 1).await;
        until("the next message", || async {
            (inbox.lock().unwrap().taken.len() > 2 * round + 1).then_some(())
        })
        .await;
    }
    assert_eq!(rounds(&inbox), ["0", "1", "2", "3"], "each once");
}

#[test]
fn services_wait_for_what_is_missing_and_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut picture = Picture::new(folder.path(), &[]).unwrap();
    picture.init().unwrap();
    picture.begin(("devices", 1)).unwrap();
    picture.process(("devices", 1)).unwrap().line_with("mesh.identity is not there yet").unwrap();
    picture.begin(("auth", 1)).unwrap();
    let auth = picture.process(("auth", 1)).unwrap();
    auth.line_with("auth.database is not there yet").unwrap();
    let said = auth.said();
    assert!(said.contains("has version 0") && said.contains("openframe migrate"), "{said}");
    let made = picture.migrate().unwrap();
    assert!(
        made.contains("_auth was brought up to date: 1") && made.contains("_devices"),
        "{made}"
    );
    let again = picture.migrate().unwrap();
    assert!(!again.contains("brought") && again.contains("is up to date"), "{again}");
    picture.restart().unwrap();
}

#[test]
fn a_service_with_anothers_key_does_not_join() {
    let folder = tempfile::tempdir().unwrap();
    let mut picture = Picture::new(folder.path(), &[]).unwrap();
    picture.init().unwrap();
    picture.migrate().unwrap();
    let (from, to) = (picture.keys("monitoring"), picture.keys("devices"));
    std::fs::copy(from.join("join.key"), to.join("join.key")).unwrap();
    picture.begin(("auth", 1)).unwrap();
    picture.process(("auth", 1)).unwrap().line("ready").unwrap();
    picture.begin(("devices", 1)).unwrap();
    let devices = picture.process(("devices", 1)).unwrap();
    devices.line_with("mesh.identity is not there yet").unwrap();
    assert!(devices.said().contains("sign in"), "{}", devices.said());
}

/// The blocks of a page that are marked so.
fn blocks<'a>(page: &'a str, mark: &str) -> Vec<&'a str> {
    let after = page.split(mark).skip(1);
    after.filter_map(|rest| rest.split("```").next()).collect()
}

/// What the guide tells to type, typed; only addresses and `/srv` are this test's.
#[test]
fn the_guide_to_services_apart_works() {
    let page = include_str!("../../../../docs/guide/highly-available.md");
    let folder = tempfile::tempdir().unwrap();
    let picture = Picture::new(folder.path(), &[]).unwrap();
    let programs = executable("openframe").unwrap().parent().unwrap().display().to_string();
    let srv = folder.path().display().to_string();
    let network = picture.mesh(("gateway", 1)).replace("11:9443", "");
    let typed = |line: &str| {
        let line = line.replace("/srv/openframe", &srv).replace("10.0.0.", &network);
        let mut shell = Command::new("bash");
        shell.args(["-euc", &format!("PATH='{programs}':\"$PATH\"\nexec {line}")]);
        shell
    };
    let settings = folder.path().join("of-the-guide.toml");
    std::fs::write(&settings, blocks(page, "```toml\n")[0]).unwrap();
    let check = format!("openframe config check --config {}", settings.display());
    assert!(typed(&check).output().unwrap().status.success(), "the page's settings");
    let [init, migrate, run] = blocks(page, "```sh\n").try_into().unwrap();
    for block in [init, migrate] {
        let done = typed(block).output().unwrap();
        assert!(done.status.success(), "{block}: {}", String::from_utf8_lossy(&done.stderr));
    }
    let mut started = Vec::new();
    for (number, line) in run.lines().enumerate() {
        let data = folder.path().join(number.to_string());
        let own = format!("{line} --admin-listen http://127.0.0.1:0 --data {}", data.display());
        started.push(Process::start(&mut typed(&own)).unwrap());
    }
    assert_eq!(started.len(), 4);
    for process in &mut started {
        process.line("ready").unwrap();
    }
}
