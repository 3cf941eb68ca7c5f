//! Devices that come at once.

use std::sync::Arc;

use futures::future::join_all;
use openframe_agent::state::Folder;
use openframe_agent::{Error, net};
use openframe_agent_api::enrolment::{Certified, ENROL_PATH, EnrolRequest, PinnedToken};
use openframe_auth_api::NewEnrolmentToken;
use openframe_devices_api::DeviceQuery;
use openframe_fault::Kind;
use openframe_ids::EnrolmentTokenId;
use openframe_pki::DeviceKey;
use openframe_system::{Agent, Server, until};

use crate::cli::Operator;

/// How many come with one token.
const DEVICES: usize = 100;

// B36.devices, B40
#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_that_come_with_one_token_at_once_one_joins() {
    let server = Server::start().unwrap();
    let secret = server.enrolment_token(1).await.unwrap();
    let pinned = PinnedToken::read(&secret).unwrap();
    let tls = Arc::new(openframe_pki::pinned_client(&pinned.pin));
    let door = net::Server::read(&server.agents_url).unwrap();
    let requests: Vec<EnrolRequest> = (0..DEVICES)
        .map(|n| {
            let hostname = format!("host-{n}");
            let csr_pem = DeviceKey::generate().unwrap().csr_pem(&hostname).unwrap();
            EnrolRequest { token: pinned.token.clone(), csr_pem, hostname, serial: None }
        })
        .collect();
    let asked = requests.iter().map(|request| {
        let (door, tls) = (&door, Arc::clone(&tls));
        async move { net::post::<Certified>(door, tls, ENROL_PATH, request).await }
    });
    let (joined, refused): (Vec<_>, Vec<_>) =
        join_all(asked).await.into_iter().partition(Result::is_ok);
    assert_eq!((joined.len(), refused.len()), (1, DEVICES - 1));
    assert!(refused.iter().all(|it| matches!(it, Err(Error::Refused(_)))), "{refused:?}");
    let trail = server.auth().unwrap().audit(None, 500).await.unwrap().items;
    let enrolled: Vec<_> =
        trail.iter().filter(|it| it.action == "device.enrol" && it.outcome == "done").collect();
    let device = joined.into_iter().flatten().next().unwrap().device_id.to_string();
    assert_eq!(enrolled.iter().map(|it| &it.target).collect::<Vec<_>>(), [&device]);
    assert!(server.auth().unwrap().enrolment_tokens().await.unwrap().items.is_empty());
}

/// The secret of a token with terms.
async fn token_with(server: &Server, terms: NewEnrolmentToken) -> (EnrolmentTokenId, String) {
    let made = server.auth().unwrap().create_enrolment_token(&terms).await.unwrap();
    (made.token.id, made.secret)
}

// B42.network, B42.serial
#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_for_some_networks_and_machines_only() {
    let server = Server::start().unwrap();
    let auth = server.auth().unwrap();
    let usable =
        async |id| auth.enrolment_tokens().await.unwrap().items.iter().any(|token| token.id == id);
    let only = |text: &str| Some(vec![text.to_owned()]);
    let serials = NewEnrolmentToken { serials: only("NO-SUCH-MACHINE"), ..Default::default() };
    let (id, secret) = token_with(&server, serials).await;
    Agent::enrol(&server.agents_url, &secret).unwrap_err();
    assert!(usable(id).await, "another machine may still come by it");
    let networks = NewEnrolmentToken { networks: only("192.0.2.0/24"), ..Default::default() };
    let (id, secret) = token_with(&server, networks).await;
    Agent::enrol(&server.agents_url, &secret).unwrap_err();
    assert!(!usable(id).await, "somebody knows it who should not");
    let networks = NewEnrolmentToken { networks: only("127.0.0.0/8"), ..Default::default() };
    let (_, secret) = token_with(&server, networks).await;
    let _agent = Agent::enrol(&server.agents_url, &secret).unwrap();
    server.online().await.unwrap();
    let wrong = NewEnrolmentToken { networks: only("192.0.2.0/99"), ..Default::default() };
    let refused = auth.create_enrolment_token(&wrong).await.map(drop).unwrap_err();
    assert_eq!(refused.kind(), Kind::Invalid);
    let trail = auth.audit(None, 100).await.unwrap().items;
    let revoked: Vec<_> = trail.iter().filter(|it| it.action == "enrolment_token.revoke").collect();
    assert!(revoked.len() == 1 && revoked[0].detail.contains("127.0.0.1"), "{revoked:?}");
}

// B60
#[tokio::test(flavor = "multi_thread")]
async fn a_device_waits_until_somebody_lets_it_in() {
    let server = Server::start().unwrap();
    let (auth, operator) = (server.auth().unwrap(), Operator::of(&server));
    let terms = NewEnrolmentToken { approval: Some(true), uses: Some(2), ..Default::default() };
    let (_, secret) = token_with(&server, terms).await;
    let come = || {
        let (door, secret) = (server.agents_url.clone(), secret.clone());
        tokio::task::spawn_blocking(move || Agent::enrol(&door, &secret))
    };
    let waiting = async || {
        until("a device that waits", || async {
            auth.waiting_devices().await.ok()?.items.into_iter().next()
        })
        .await
    };
    let refused = come();
    let first = waiting().await;
    operator.says(&["device", "turn-away", &first.device_id.to_string()]);
    refused.await.unwrap().unwrap_err();
    let agent = come();
    let second = waiting().await;
    assert!(operator.says(&["device", "waiting"]).contains(&second.key));
    assert_eq!(server.devices().unwrap().devices(&DeviceQuery::default()).await.unwrap().total, 0);
    operator.fails(5, &["device", "admit", &first.device_id.to_string()]);
    operator.says(&["device", "admit", &second.device_id.to_string()]);
    let agent = agent.await.unwrap().unwrap();
    server.online().await.unwrap();
    let folder = Folder::open(agent.state()).unwrap();
    assert_eq!(folder.key().unwrap().fingerprint(), second.key, "the key that was compared");
    assert_eq!(folder.identity().unwrap().unwrap().device_id, second.device_id);
    assert_eq!(auth.waiting_devices().await.unwrap().items.len(), 0);
    let trail = auth.audit(None, 100).await.unwrap().items;
    for (action, count) in [("device.wait", 2), ("device.turn_away", 1), ("device.admit", 1)] {
        assert_eq!(trail.iter().filter(|it| it.action == action).count(), count, "{action}");
    }
}
