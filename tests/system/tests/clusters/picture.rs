//! What is true of services in processes of their own.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use openframe_ids::DeviceId;
use openframe_system::picture::{Picture, REPLICAS};
use openframe_system::{Process, Server, executable, script, until};
use tokio_util::sync::CancellationToken;

/// Runs a command on the device to its end, asking again when something does not answer.
async fn works(server: &Server, device: DeviceId, what: &str) {
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
        // Monitoring has one replica; commands do not need it.
        works(&server, device.id, &format!("without {replica:?}")).await;
        server.picture().unwrap().restart().unwrap();
        works(&server, device.id, &format!("with {replica:?} again")).await;
    }
}

/// Each replica is stopped in good order and started again, while people ask and a device reports:
/// nobody is refused, and nothing that was acknowledged is missing.
#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_fails_no_request() {
    let mut server = Server::start().unwrap();
    let (_agent, device) = server.agent().await.unwrap();
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
    let page = include_str!("../../../../docs/guide/services-apart.md");
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
