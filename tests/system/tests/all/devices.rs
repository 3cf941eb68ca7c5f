//! What an operator sees of devices: all that waits runs, output is whole, a retired one is gone.

use openframe_agent::state::{Folder, Identity};
use openframe_agent::status::Status;
use openframe_agent::{Error, enrol, link, net};
use openframe_clock::Clock;
use openframe_devices_api::DeviceQuery;
use openframe_fault::Kind;
use openframe_ids::CommandId;
use openframe_pki::{Authority, DeviceKey};
use openframe_system::{Server, script, until};

async fn finished(server: &Server, id: CommandId) -> String {
    let devices = server.devices().unwrap();
    until("the command to finish", || async {
        let command = devices.command(id).await.ok()?;
        command.finished.then_some(command.state)
    })
    .await
}

/// Waits until no link of a device is let in: each gateway believes a good answer of the auth service
/// for a second.
async fn link_refused(door: &net::Server, identity: &Identity, key: &DeviceKey) {
    until("the link to be refused", || async {
        let tls = enrol::tls(identity, key).unwrap();
        let opened = link::connection::open(door, tls).await;
        opened.err().filter(|error| matches!(error, Error::Refused(_)))
    })
    .await;
}

#[tokio::test]
async fn everything_that_waits_for_a_device_runs() {
    let server = Server::start().unwrap();
    let (mut agent, device) = server.agent().await.unwrap();
    let devices = server.devices().unwrap();
    agent.process().kill().unwrap();
    let mut made = Vec::new();
    for n in 0..45 {
        made.push(devices.run(device.id, &script(&format!("echo {n}"))).await.unwrap().id);
    }
    agent.crash_and_restart().unwrap();
    for id in made {
        assert_eq!(finished(&server, id).await, "succeeded");
    }
}

#[tokio::test]
async fn a_character_written_in_two_pieces_is_read_whole() {
    let server = Server::start().unwrap();
    let (_agent, device) = server.agent().await.unwrap();
    let devices = server.devices().unwrap();
    let go = server.folder().join("go");
    let text =
        format!(r"printf 'caf\303'; until [ -e {} ]; do :; done; printf '\251 \377'", go.display());
    let made = devices.run(device.id, &script(&text)).await.unwrap();
    let first = until("the first piece", || async {
        let output = devices.output(made.id, 0).await.ok()?;
        (output.next > 0).then_some(output)
    })
    .await;
    std::fs::write(&go, "").unwrap();
    assert_eq!(finished(&server, made.id).await, "succeeded");
    let rest = devices.output(made.id, first.next).await.unwrap();
    let texts: Vec<String> =
        first.chunks.into_iter().chain(rest.chunks).map(|chunk| chunk.text).collect();
    assert_eq!(texts, ["caf", "\u{e9} \u{fffd}"]);
    let raw = devices.raw_output(made.id).await.unwrap();
    let raw = openframe_fault::body::read(raw.into_body(), 1 << 20).await.unwrap();
    assert_eq!(raw.as_ref(), b"caf\xc3\xa9 \xff");
}

// B36.devices, B46.revoked, B50.refused
#[tokio::test]
async fn a_retired_device_is_out_at_once_and_stays_out() {
    let server = Server::start().unwrap();
    let (mut agent, device) = server.agent().await.unwrap();
    let folder = Folder::open(agent.state()).unwrap();
    let (identity, key) = (folder.identity().unwrap().unwrap(), folder.key().unwrap());
    let devices = server.devices().unwrap();
    devices.retire(device.id).await.unwrap();
    assert_eq!(devices.device(device.id).await.unwrap_err().kind(), Kind::NotFound);
    assert_eq!(devices.devices(&DeviceQuery::default()).await.unwrap().total, 0);
    let door = net::Server::read(&server.agents_url).unwrap();
    link_refused(&door, &identity, &key).await;
    let renewed =
        enrol::renew(&door, &identity, &key, key.csr_pem("back").unwrap(), &Clock::system()).await;
    assert!(matches!(renewed, Err(Error::Refused(_))), "{renewed:?}");
    until("the agent to say that it was retired", || async {
        let said = Status::read(&folder).ok()?.text();
        said.contains("this device was retired").then_some(())
    })
    .await;
    // One that was away meanwhile hears it when it comes back.
    agent.crash_and_restart().unwrap();
    agent.process().line_with("this device was retired").unwrap();
    let trail = server.auth().unwrap().audit(None, 50).await.unwrap();
    let actions: Vec<String> = trail.items.into_iter().map(|entry| entry.action).collect();
    for action in ["device.retire", "device.revoke"] {
        assert!(actions.iter().any(|it| it == action), "{action} is missing in {actions:?}");
    }
}

// B36.devices, B48
#[tokio::test]
async fn two_copies_of_a_device_are_out_until_it_is_readmitted() {
    let server = Server::start_with(&["gateway.device_check_s=100000"]).unwrap();
    let (mut agent, device) = server.agent().await.unwrap();
    let auth = server.auth().unwrap();
    let folder = Folder::open(agent.state()).unwrap();
    let (identity, key) = (folder.identity().unwrap().unwrap(), folder.key().unwrap());
    assert!(identity.state.is_some());
    let clock = Clock::system();
    let door = net::Server::read(&server.agents_url).unwrap();
    let renew = async |identity: &Identity| {
        enrol::renew(&door, identity, &key, key.csr_pem("host").unwrap(), &clock).await
    };
    // Both have the folder as it was. The first that renews is not yet known for one of two.
    let first = renew(&identity).await.unwrap();
    assert!(auth.quarantined().await.unwrap().items.is_empty());
    let second = renew(&identity).await;
    assert!(matches!(second, Err(Error::Refused(_))), "{second:?}");
    let listed = auth.quarantined().await.unwrap().items;
    assert_eq!(listed.iter().map(|it| it.device_id).collect::<Vec<_>>(), [device.id]);
    agent.process().line_with("this device was retired").unwrap();
    for copy in [&identity, &first] {
        link_refused(&door, copy, &key).await;
    }
    auth.readmit_device(device.id).await.unwrap();
    assert!(auth.quarantined().await.unwrap().items.is_empty());
    folder.keep_identity(&renew(&first).await.unwrap()).unwrap();
    agent.crash_and_restart().unwrap();
    server.online().await.unwrap();
    let trail = auth.audit(None, 100).await.unwrap().items;
    for action in ["device.quarantine", "device.readmit"] {
        assert!(trail.iter().any(|it| it.action == action && it.outcome == "done"), "{action}");
    }
}

#[tokio::test]
async fn how_a_command_ended_is_on_the_audit_trail() {
    let server = Server::start().unwrap();
    let (_agent, device) = server.agent().await.unwrap();
    let made = server.devices().unwrap().run(device.id, &script("exit 7")).await.unwrap();
    assert_eq!(finished(&server, made.id).await, "failed");
    let trail = server.auth().unwrap().audit(None, 50).await.unwrap();
    let end = trail.items.iter().find(|entry| entry.action == "command.end").unwrap();
    assert_eq!(
        (end.target.as_str(), end.outcome.as_str()),
        (made.id.to_string().as_str(), "failed")
    );
    assert!(end.detail.contains("state=failed exit_code=7"), "{}", end.detail);
}

#[tokio::test]
async fn a_certificate_of_another_authority_opens_nothing() {
    let server = Server::start().unwrap();
    let (agent, device) = server.agent().await.unwrap();
    let folder = Folder::open(agent.state()).unwrap();
    let (own, key) = (folder.identity().unwrap().unwrap(), folder.key().unwrap());
    let now = Clock::system().now();
    let csr = key.csr_pem("forged").unwrap();
    let (forged, _) = Authority::create(now).unwrap();
    let forged = forged.issue_device(&csr, own.tenant_id, device.id, now).unwrap();
    let forged = Identity { chain_pem: forged.chain_pem, ..own.clone() };
    let door = net::Server::read(&server.agents_url).unwrap();
    let open = async |identity: &Identity| {
        link::connection::open(&door, enrol::tls(identity, &key).unwrap()).await
    };
    let refused = open(&forged).await.err();
    assert!(matches!(refused, Some(Error::Unreachable { .. })), "{refused:?}");
    let renewed = enrol::renew(&door, &forged, &key, csr, &Clock::system()).await;
    assert!(renewed.is_err(), "{renewed:?}");
    open(&own).await.unwrap();
}
