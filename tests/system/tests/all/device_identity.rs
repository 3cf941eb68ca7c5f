//! What a device is known by, and what it is not: certificates that do not count, and what is no
//! credential at all.

use std::path::Path;
use std::process::Command;

use axum::body::Body;
use http::{Request, StatusCode};
use jiff::SignedDuration;
use openframe_agent::state::{Folder, Identity};
use openframe_agent::{Error, enrol, link, net};
use openframe_agent_api::enrolment::{
    Certified, ENROL_PATH, EnrolRequest, PinnedToken, RECOVER_PATH, RENEW_PATH, RecoverRequest,
};
use openframe_clock::Clock;
use openframe_ids::TenantId;
use openframe_pki::{Authority, DeviceKey, Pair};
use openframe_system::program::bearer;
use openframe_system::{Agent, Server, until};
use serde_json::{Value, json};

use crate::cli::Operator;

/// The server's own authority: whatever it signs has a good signature.
fn authority(server: &Server) -> Authority {
    let text = |name: &str| std::fs::read_to_string(server.data().join("pki").join(name)).unwrap();
    let pair = |name: &str| Pair {
        certificate: text(&format!("{name}.pem")),
        key: text(&format!("{name}.key")),
    };
    Authority::from_pem(&text("root.pem"), pair("issuing"), pair("services")).unwrap()
}

fn self_signed(key: &DeviceKey, identity: &Identity) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.pem");
    std::fs::write(&file, key.to_pem()).unwrap();
    let (tenant, device) = (identity.tenant_id, identity.device_id);
    let name = format!("subjectAltName=URI:spiffe://openframe/t/{tenant}/d/{device}");
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-subj", "/CN=x", "-addext", &name, "-days", "1"]);
    let made = openssl.args(["-addext", "extendedKeyUsage=clientAuth", "-key"]).arg(file);
    String::from_utf8(made.output().unwrap().stdout).unwrap()
}

// B45.tenant, B46.expired, B46.early, B46.usage, B46.self-signed
#[tokio::test]
async fn certificates_that_are_over_or_of_another_kind_open_nothing() {
    let server = Server::start().unwrap();
    let (agent, _) = server.agent().await.unwrap();
    let folder = Folder::open(agent.state()).unwrap();
    let (own, key) = (folder.identity().unwrap().unwrap(), folder.key().unwrap());
    let (authority, clock) = (authority(&server), Clock::system());
    let (csr, now) = (key.csr_pem("host").unwrap(), clock.now());
    let issued = |tenant, hours| {
        let at = now + SignedDuration::from_hours(hours);
        authority.issue_device(&csr, tenant, own.device_id, at).unwrap().chain_pem
    };
    let of_a_server = authority.issue_server(&csr, vec!["127.0.0.1".to_owned()], now).unwrap();
    let door = net::Server::read(&server.agents_url).unwrap();
    let bad = [
        ("expired", issued(own.tenant_id, -25)),
        ("not yet valid", issued(own.tenant_id, 25)),
        ("never written down", issued(own.tenant_id, 0)),
        ("another tenant's", issued(TenantId::new(), 0)),
        ("a server's", of_a_server),
        ("self-signed", self_signed(&key, &own)),
    ];
    for (what, chain_pem) in bad {
        let shown = Identity { chain_pem, ..own.clone() };
        let opened = link::connection::open(&door, enrol::tls(&shown, &key).unwrap()).await;
        assert!(opened.is_err(), "{what}");
        let renewed = enrol::renew(&door, &shown, &key, csr.clone(), &clock).await;
        assert!(renewed.is_err(), "{what}");
    }
    link::connection::open(&door, enrol::tls(&own, &key).unwrap()).await.unwrap();
}

// B54.device, B54.person
#[tokio::test]
async fn a_device_is_nobody_to_people_s_paths_and_a_person_is_no_device() {
    let server = Server::start().unwrap();
    let (agent, _) = server.agent().await.unwrap();
    let folder = Folder::open(agent.state()).unwrap();
    let (own, key) = (folder.identity().unwrap().unwrap(), folder.key().unwrap());
    let door = net::Server::read(&server.agents_url).unwrap();
    for path in ["/api/auth/v1/enrolment-tokens", "/api/auth/v1/api-keys", "/api/devices/v1/report"]
    {
        let tls = enrol::tls(&own, &key).unwrap();
        let answer: Result<Value, Error> = net::post(&door, tls, path, &json!({})).await;
        assert!(matches!(answer, Err(Error::Refused(_))), "{path}: {answer:?}");
    }
    let body = json!({ "csr_pem": key.csr_pem("host").unwrap() }).to_string();
    let mut request = Request::post(RENEW_PATH).body(Body::from(body)).unwrap();
    *request.headers_mut() = bearer(&server.key);
    let answer = server.peer().unwrap().call(request).await.unwrap();
    assert!(answer.status().is_client_error(), "{}", answer.status());
}

// B58
#[tokio::test]
async fn what_a_device_is_called_is_no_credential() {
    let server = Server::start().unwrap();
    let (agent, device) = server.agent().await.unwrap();
    let folder = Folder::open(agent.state()).unwrap();
    let own = folder.identity().unwrap().unwrap();
    let stranger = DeviceKey::generate().unwrap();
    let csr_pem = stranger.csr_pem(&device.hostname).unwrap();
    let door = net::Server::read(&server.agents_url).unwrap();
    let tls = || std::sync::Arc::new(openframe_pki::root_client(&own.root_pem).unwrap());
    let names = [device.hostname.clone(), device.serial.clone(), device.id.to_string()];
    for name in names {
        let (token, hostname) = (name.clone(), name.clone());
        let request = EnrolRequest { token, csr_pem: csr_pem.clone(), hostname, serial: None };
        let answer: Result<Certified, Error> = net::post(&door, tls(), ENROL_PATH, &request).await;
        assert!(matches!(answer, Err(Error::Refused(_))), "{name:?} enrols");
        let (device_id, time) = (device.id, Clock::system().now());
        let (csr_pem, proof) = (csr_pem.clone(), name.clone());
        let request = RecoverRequest { device_id, csr_pem, time, proof, state: None };
        let answer: Result<Certified, Error> =
            net::post(&door, tls(), RECOVER_PATH, &request).await;
        assert!(matches!(answer, Err(Error::Refused(_))), "{name:?} recovers");
        let mut request = Request::get("/api/auth/v1/me").body(Body::empty()).unwrap();
        *request.headers_mut() = bearer(&name);
        let answer = server.peer().unwrap().call(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{name:?} signs in");
    }
    assert!(server.auth().unwrap().quarantined().await.unwrap().items.is_empty());
}

// B59
#[tokio::test]
async fn an_enrolment_that_is_deep_or_large_is_refused_and_the_next_is_not() {
    let server = Server::start().unwrap();
    let token = server.enrolment_token(1).await.unwrap();
    let pinned = PinnedToken::read(&token).unwrap();
    let csr_pem = DeviceKey::generate().unwrap().csr_pem("host").unwrap();
    let door = net::Server::read(&server.agents_url).unwrap();
    let deep = (0..200).fold(json!(""), |within, _| Value::Array(vec![within]));
    let wide = "x".repeat(1 << 20);
    for hostname in [deep, json!({}), json!(wide), json!(null)] {
        let request = json!({ "token": pinned.token, "csr_pem": csr_pem, "hostname": hostname });
        let tls = std::sync::Arc::new(openframe_pki::pinned_client(&pinned.pin));
        let answer: Result<Certified, Error> = net::post(&door, tls, ENROL_PATH, &request).await;
        assert!(answer.is_err(), "{hostname:.40}");
    }
    Agent::enrol(&server.agents_url, &token).unwrap();
}

/// What OpenSSL says of a device's certificate, by what anybody can fetch.
fn verified(cli: &Operator, folder: &Path, own: &Identity) -> bool {
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (bundle, list, pem) = (file("bundle.pem"), file("devices.crl"), file("devices.pem"));
    cli.says(&["device", "trust-bundle", "--file", &bundle]);
    cli.says(&["device", "revocation-list", "--file", &list]);
    let openssl = |args: &[&str]| {
        let done = Command::new("openssl").args(args).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        (done.status.success(), said)
    };
    let (read, said) = openssl(&["crl", "-inform", "DER", "-in", &list, "-out", &pem]);
    assert!(read, "{said}");
    let chain = file("chain.pem");
    std::fs::write(&chain, &own.chain_pem).unwrap();
    let verify = ["verify", "-crl_check", "-CAfile", &bundle, "-CRLfile", &pem, &chain];
    let (good, said) = openssl(&verify);
    assert!(good || said.contains("certificate revoked"), "{said}");
    good
}

#[tokio::test]
async fn others_can_tell_which_devices_are_revoked() {
    let server = Server::start().unwrap();
    let (agent, device) = server.agent().await.unwrap();
    let own = Folder::open(agent.state()).unwrap().identity().unwrap().unwrap();
    let (cli, folder) = (Operator::of(&server), tempfile::tempdir().unwrap());
    assert!(verified(&cli, folder.path(), &own));
    cli.says(&["device", "retire", &device.id.to_string()]);
    until("the list has it", || async { (!verified(&cli, folder.path(), &own)).then_some(()) })
        .await;
    // Nobody has to sign in to see it.
    let get = Request::get("/api/auth/v1/devices.crl").body(Body::empty()).unwrap();
    let answer = server.peer().unwrap().call(get).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/pkix-crl");
}
