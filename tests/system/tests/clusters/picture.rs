//! What is true of services in processes of their own.

use std::process::Command;

use openframe_devices_api::NewCommand;
use openframe_system::picture::{Picture, ROLES};
use openframe_system::{Process, Server, executable, until};

fn script(text: &str) -> NewCommand {
    NewCommand {
        script: text.to_owned(),
        interpreter: None,
        timeout_s: None,
        expires_in_s: None,
        idempotent: None,
        reason: None,
    }
}

#[tokio::test]
async fn any_service_may_die_and_come_back() {
    let mut server = Server::start().unwrap();
    let (_agent, device) = server.agent().await.unwrap();
    for role in ROLES {
        let picture = server.picture().unwrap();
        picture.kill(role).unwrap();
        picture.restart().unwrap();
        let devices = server.devices().unwrap();
        let made = until("a command to be taken", || async {
            devices.run(device.id, &script("echo back")).await.ok()
        })
        .await;
        let done = until("the command to finish", || async {
            devices.command(made.id).await.ok().filter(|command| command.finished)
        })
        .await;
        assert_eq!(done.state, "succeeded", "after {role} was killed");
    }
}

#[test]
fn services_wait_for_what_is_missing_and_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut picture = Picture::new(folder.path(), &[]).unwrap();
    picture.init().unwrap();
    picture.begin("devices").unwrap();
    picture.process("devices").unwrap().line_with("mesh.identity is not there yet").unwrap();
    picture.begin("auth").unwrap();
    let auth = picture.process("auth").unwrap();
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
    picture.begin("auth").unwrap();
    picture.process("auth").unwrap().line("ready").unwrap();
    picture.begin("devices").unwrap();
    let devices = picture.process("devices").unwrap();
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
    let typed = |line: &str| {
        let mut line = line.replace("/srv/openframe", &srv);
        for (number, role) in ["gateway", "auth", "devices", "monitoring"].iter().enumerate() {
            line = line.replace(&format!("10.0.0.{}:9443", number + 1), &picture.mesh(role));
        }
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
    assert_eq!(started.len(), ROLES.len());
    for process in &mut started {
        process.line("ready").unwrap();
    }
}
