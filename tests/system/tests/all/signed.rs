//! Devices whose TLS something on the way ends: they sign their requests, and are who they are elsewhere.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderName, Request, StatusCode};
use openframe_agent::credentials::Credentials;
use openframe_agent::state::{Folder, Identity};
use openframe_agent::{Error, enrol, link, net};
use openframe_agent_api::enrolment::{PinnedToken, RENEW_PATH};
use openframe_clock::Clock;
use openframe_mesh::{Connector, Peer};
use openframe_pki::{Authority, DeviceKey};
use openframe_system::{Agent, Server, TlsProxy, script, until};
use serde_json::json;

/// The agents' door behind a proxy.
fn behind(proxy: &TlsProxy) -> net::Server {
    net::Server::read(&proxy.url).unwrap().behind(Some(proxy.authorities()))
}

async fn ran(server: &Server, device: openframe_ids::DeviceId) -> String {
    let devices = server.devices().unwrap();
    let made = devices.run(device, &script("echo $((6 * 7))")).await.unwrap();
    until("the command to end", || async {
        devices.command(made.id).await.ok().filter(|command| command.finished)
    })
    .await;
    let output = devices.output(made.id, 0).await.unwrap();
    output.chunks.into_iter().map(|chunk| chunk.text).collect()
}

// B52.proxy
#[tokio::test]
async fn a_device_behind_what_ends_tls_is_online_obeys_and_is_out_at_once() {
    let server = Server::start_with(&["gateway.device_check_s=100000"]).unwrap();
    let proxy = TlsProxy::start(&server).await.unwrap();
    let token = server.enrolment_token(1).await.unwrap();
    let mut agent = Agent::enrol_behind(&proxy, &token, None).unwrap();
    let device = server.online().await.unwrap();
    assert_eq!(ran(&server, device.id).await, "42\n");

    let folder = Folder::open(agent.state()).unwrap();
    let (own, key) = (folder.identity().unwrap().unwrap(), folder.key().unwrap());
    let (clock, door) = (Clock::system(), behind(&proxy));
    let renewed = enrol::renew(&door, &own, &key, key.csr_pem("host").unwrap(), &clock).await;
    folder.keep_identity(&renewed.unwrap()).unwrap();
    agent.crash_and_restart().unwrap();
    server.online().await.unwrap();
    let own = folder.identity().unwrap().unwrap();
    // Whoever only has the certificate, and whoever shows it to the proxy, is nobody.
    let stranger = DeviceKey::generate().unwrap();
    let tls = Arc::new(
        openframe_pki::public_client(&std::fs::read(proxy.authorities()).unwrap()).unwrap(),
    );
    assert!(matches!(link::connection::open(&door, tls).await, Err(Error::Refused(_))));
    let forged = Credentials::of(&door, &own, &stranger, &clock).unwrap();
    assert!(matches!(link::connection::open(&door, forged).await, Err(Error::Refused(_))));

    server.devices().unwrap().retire(device.id).await.unwrap();
    agent.process().line_with("this device was retired").unwrap();
    // Another gateway may believe for a second what it was told before.
    until("the device to be refused", || async {
        let signed = Credentials::of(&door, &own, &key, &clock).unwrap();
        let refused = link::connection::open(&door, signed).await.err();
        refused.filter(Error::is_retired)
    })
    .await;
}

// B43, B52.proxy
#[tokio::test]
async fn an_agent_that_knows_of_no_proxy_says_nothing_to_one() {
    let server = Server::start().unwrap();
    let proxy = TlsProxy::start(&server).await.unwrap();
    let token = server.enrolment_token(1).await.unwrap();
    let refused = Agent::enrol(&proxy.url, &token).unwrap_err().to_string();
    assert!(refused.contains("is not the one this device was told to trust"), "{refused}");
    // The token is good still: nobody was told it. And behind the proxy has to be the right platform.
    let clock = Clock::system();
    let other = Authority::create(clock.now()).unwrap().0;
    let pinned = PinnedToken::read(&token).unwrap();
    let pinned = PinnedToken { pin: other.pin().to_owned(), ..pinned };
    let key = DeviceKey::generate().unwrap();
    let refused = enrol::enrol(&behind(&proxy), &pinned, &key, "host", &clock).await;
    assert!(matches!(refused, Err(Error::NotTheServer { .. })), "{refused:?}");
}

// B52.skew
#[tokio::test]
async fn a_clock_that_is_an_hour_off_is_put_right_by_the_platform() {
    for clock in ["+1h", "-1h"] {
        let server = Server::start().unwrap();
        let proxy = TlsProxy::start(&server).await.unwrap();
        let token = server.enrolment_token(1).await.unwrap();
        let mut agent = Agent::enrol_behind(&proxy, &token, Some(clock)).unwrap();
        agent.process().line_with("the clock of this device is off").unwrap();
        server.online().await.unwrap();
    }
}

/// A device that is enrolled, and asks by itself.
struct Device {
    server: Server,
    own: Identity,
    key: DeviceKey,
}

impl Device {
    async fn enrolled() -> Self {
        let server = Server::start().unwrap();
        let token = PinnedToken::read(&server.enrolment_token(1).await.unwrap()).unwrap();
        let (door, key) =
            (net::Server::read(&server.agents_url).unwrap(), DeviceKey::generate().unwrap());
        let own = enrol::enrol(&door, &token, &key, "host", &Clock::system()).await.unwrap();
        Self { server, own, key }
    }

    /// A request to renew, signed by somebody who has read the standard only.
    fn signed_by_another(&self, body: &str) -> HeaderMap {
        let blocks = self.own.chain_pem.split("-----BEGIN CERTIFICATE-----").skip(1);
        let chain: Vec<String> = blocks
            .map(|block| block.lines().take_while(|line| !line.starts_with('-')).collect())
            .collect();
        let asked = json!({
            "key": self.key.to_pem(), "chain": chain, "method": "POST", "body": body,
            "url": format!("{}{RENEW_PATH}", self.server.agents_url),
            "nonce": URL_SAFE_NO_PAD.encode(openframe_ids::random::<16>()),
        });
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/all/second_signer.mjs");
        let mut node = Command::new("node");
        node.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut node = node.spawn().unwrap();
        node.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
        let said = node.wait_with_output().unwrap().stdout;
        let headers: std::collections::BTreeMap<String, String> =
            serde_json::from_slice(&said).unwrap();
        let header = |(name, value): (String, String)| -> (HeaderName, _) {
            (name.parse().unwrap(), value.parse().unwrap())
        };
        headers.into_iter().map(header).collect()
    }

    /// What is answered to a request that shows no certificate in TLS.
    async fn renews(&self, headers: &HeaderMap, body: &str) -> (StatusCode, String) {
        let connector = Connector::new(openframe_pki::root_client(&self.own.root_pem).unwrap());
        let base = self.server.agents_url.parse().unwrap();
        let peer = Peer::Remote { base, connector: Box::new(connector) };
        let mut request = Request::post(RENEW_PATH).body(Body::from(body.to_owned())).unwrap();
        *request.headers_mut() = headers.clone();
        request.headers_mut().insert("content-type", "application/json".parse().unwrap());
        let answer = peer.call(request).await.unwrap();
        let status = answer.status();
        let bytes = openframe_fault::body::read(answer.into_body(), 1 << 16).await.unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }
}

// B52.signers, B52.replay, B52.covered, B52.digest
#[tokio::test]
async fn whoever_signs_as_the_standard_says_is_understood_and_once() {
    let device = Device::enrolled().await;
    let body = |name: &str| {
        let csr_pem = device.key.csr_pem(name).unwrap();
        json!({ "csr_pem": csr_pem, "state": device.own.state }).to_string()
    };
    let (first, second) = (body("first"), body("second"));
    let headers = device.signed_by_another(&first);
    // Whoever is in between puts another body in its place: also one that the device itself has made.
    let (status, said) = device.renews(&headers, &second).await;
    assert!(status == StatusCode::UNAUTHORIZED && said.contains("\"bad_signature\""), "{said}");
    // That has used the signature up.
    let (status, said) = device.renews(&headers, &first).await;
    assert!(status == StatusCode::UNAUTHORIZED && said.contains("\"nonce_seen\""), "{said}");
    let headers = device.signed_by_another(&first);
    let (status, said) = device.renews(&headers, &first).await;
    assert_eq!(status, StatusCode::OK, "{said}");
    let (status, said) = device.renews(&headers, &first).await;
    assert!(status == StatusCode::UNAUTHORIZED && said.contains("\"nonce_seen\""), "{said}");
    let mut without = device.signed_by_another(&first);
    without.remove("content-digest");
    let (status, said) = device.renews(&without, &first).await;
    assert!(status == StatusCode::UNAUTHORIZED && said.contains("\"bad_signature\""), "{said}");
    assert!(device.server.auth().unwrap().quarantined().await.unwrap().items.is_empty());
}
