//! Devices that come at once.

use std::sync::Arc;

use futures::future::join_all;
use openframe_agent::{Error, net};
use openframe_agent_api::enrolment::{Certified, ENROL_PATH, EnrolRequest, PinnedToken};
use openframe_pki::DeviceKey;
use openframe_system::Server;

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
            EnrolRequest { token: pinned.token.clone(), csr_pem, hostname }
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
