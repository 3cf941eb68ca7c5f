//! Devices: how they join, and which of their certificates count.

use openframe_agent_api::enrolment::{RecoverRequest, RenewRequest};
use openframe_pki::device_identity;

use super::*;
use crate::app::Certificate;

/// A device that has enrolled.
struct Enrolled {
    id: DeviceId,
    key: DeviceKey,
    serial: String,
}

fn csr(key: &DeviceKey) -> String {
    key.csr_pem("host").unwrap()
}

fn serial(certificate: &Certificate) -> String {
    use rustls_pki_types::CertificateDer;
    use rustls_pki_types::pem::PemObject as _;
    let der = CertificateDer::from_pem_slice(certificate.chain_pem.as_bytes()).unwrap();
    device_identity(&der).unwrap().serial
}

/// One copy of a device: what it has kept.
struct Copy<'a> {
    id: DeviceId,
    key: &'a DeviceKey,
    state: Option<String>,
}

impl Copy<'_> {
    /// Keeps what came with a certificate.
    fn keep(&mut self, certificate: Result<Certificate, Error>) -> Certificate {
        let certificate = certificate.unwrap();
        self.state = Some(certificate.state.clone());
        certificate
    }
}

impl World {
    async fn enrolled(&self, owner: &Asked) -> Enrolled {
        let made = self.app.create_enrolment_token(owner, NewToken::default()).await.unwrap();
        let (token, _) = made.secret.split_once('.').unwrap();
        let key = DeviceKey::generate().unwrap();
        let certificate =
            self.app.enrol(token, &csr(&key), ("host", None), &Origin::default()).await;
        let certificate = certificate.unwrap();
        Enrolled { id: certificate.device, key, serial: serial(&certificate) }
    }

    async fn counts(&self, device: DeviceId, serial: &str) -> bool {
        let gateway = gateway(self.tenant);
        self.app.check_device(&gateway, (self.tenant, device), serial).await.is_ok()
    }

    fn device(&self, device: DeviceId) -> Asked {
        let caller = Caller { tenant: self.tenant, subject: Subject::Device { device } };
        Asked { caller, origin: Origin::default() }
    }

    async fn renew(
        &self,
        device: DeviceId,
        key: &DeviceKey,
        old: Option<&DeviceKey>,
    ) -> Result<Certificate, Error> {
        let csr_pem = csr(key);
        let statement = RenewRequest::statement(device, &csr_pem);
        let old_key_proof = old.map(|old| old.prove(&statement).unwrap().to_text());
        let request = RenewRequest { csr_pem, old_key_proof, state: None };
        self.app.renew(&self.device(device), &request).await
    }

    async fn recover(
        &self,
        device: DeviceId,
        (signing, wanted): (&DeviceKey, &DeviceKey),
        clock_off: SignedDuration,
    ) -> Result<Certificate, Error> {
        let time = self.clock.clock().now() + clock_off;
        let (csr_pem, proof) = (csr(wanted), String::new());
        let mut request = RecoverRequest { device_id: device, csr_pem, time, proof, state: None };
        request.proof = signing.prove(&request.statement()).unwrap().to_text();
        self.app.recover(&request, &Origin::default()).await
    }
}

// B52.replay
#[tokio::test]
async fn a_nonce_of_a_device_is_good_once_for_that_device() {
    let world = world();
    let (gateway, until) = (gateway(world.tenant), Timestamp::MAX);
    let (one, other) = (DeviceId::new(), DeviceId::new());
    let spend = async |device, nonce| world.app.spend_nonce(&gateway, (device, nonce), until).await;
    spend(one, "first").await.unwrap();
    assert!(matches!(spend(one, "first").await, Err(Error::NonceSeen)));
    spend(one, "second").await.unwrap();
    spend(other, "first").await.unwrap();
}

// B41, B42.used, B47.renewed
#[tokio::test]
async fn a_device_enrols_renews_and_is_revoked() {
    let world = world();
    let owner = world.resolve(&world.owner().await.secret).await.unwrap();
    let made = world.app.create_enrolment_token(&owner, NewToken::default()).await.unwrap();
    let (token, pin) = made.secret.split_once('.').unwrap();
    assert_eq!(pin.len(), 43);
    let (key, other) = (DeviceKey::generate().unwrap(), DeviceKey::generate().unwrap());
    let enrol =
        async |key| world.app.enrol(token, &csr(key), ("host", None), &Origin::default()).await;
    let first = enrol(&key).await.unwrap();
    let again = enrol(&key).await.unwrap();
    assert_eq!(again.device, first.device, "a lost answer costs nothing");
    assert!(matches!(enrol(&other).await, Err(Error::BadEnrolmentToken)));

    let renewed = world.renew(first.device, &key, None).await.unwrap();
    for certificate in [&first, &again, &renewed] {
        assert!(world.counts(first.device, &serial(certificate)).await);
    }
    world.app.revoke_device(&owner, first.device).await.unwrap();
    assert!(matches!(world.renew(first.device, &key, None).await, Err(Error::BadDevice)));
    assert!(!world.counts(first.device, &serial(&renewed)).await);
    assert!(matches!(enrol(&key).await, Err(Error::BadEnrolmentToken)), "revoked stays revoked");
    let recovered = world.recover(first.device, (&key, &key), SignedDuration::ZERO).await;
    assert!(matches!(recovered, Err(Error::BadDevice)));

    let verdict = world.app.verify_audit(&owner).await.unwrap();
    assert_eq!(verdict.broken, None);
    let (page, _) = world.app.audit(&owner, Filter::default(), None, None).await.unwrap();
    assert_eq!(verdict.entries, page.len() as u64);
    assert!(page.iter().any(|it| it.event.outcome == "refused"));
}

// B42.expired
#[tokio::test]
async fn a_token_enrols_nobody_after_its_time() {
    let world = world();
    let owner = world.resolve(&world.owner().await.secret).await.unwrap();
    let new = NewToken { uses: Some(3), minutes: Some(10), ..NewToken::default() };
    let made = world.app.create_enrolment_token(&owner, new).await.unwrap();
    let (token, _) = made.secret.split_once('.').unwrap();
    let key = DeviceKey::generate().unwrap();
    let enrol =
        async |key| world.app.enrol(token, &csr(key), ("host", None), &Origin::default()).await;
    world.clock.advance(SignedDuration::from_millis(10 * 60_000 - 1));
    enrol(&key).await.unwrap();
    world.clock.advance(SignedDuration::from_millis(1));
    let other = DeviceKey::generate().unwrap();
    for key in [&key, &other] {
        assert!(matches!(enrol(key).await, Err(Error::BadEnrolmentToken)));
    }
}

// B57
#[tokio::test]
async fn each_certificate_is_on_the_trail_once_where_it_was_issued() {
    let world = world();
    let owner = world.resolve(&world.owner().await.secret).await.unwrap();
    let new = NewToken { uses: Some(2), ..NewToken::default() };
    let made = world.app.create_enrolment_token(&owner, new).await.unwrap();
    let (token, _) = made.secret.split_once('.').unwrap();
    let (key, new) = (DeviceKey::generate().unwrap(), DeviceKey::generate().unwrap());
    let enrol =
        async |key| world.app.enrol(token, &csr(key), ("host", None), &Origin::default()).await;
    let first = enrol(&key).await.unwrap();
    let device = first.device;
    let mut issued = vec![("device.enrol", first), ("device.certify", enrol(&key).await.unwrap())];
    issued.push(("device.renew", world.renew(device, &key, None).await.unwrap()));
    let recovered = world.recover(device, (&key, &key), SignedDuration::ZERO).await;
    issued.push(("device.recover", recovered.unwrap()));
    issued.push(("device.roll_key", world.renew(device, &new, Some(&key)).await.unwrap()));
    let (page, _) = world.app.audit(&owner, Filter::default(), None, None).await.unwrap();
    for (action, certificate) in issued {
        let said = format!("serial {} ", serial(&certificate));
        let told: Vec<_> = page.iter().filter(|it| it.event.detail.contains(&said)).collect();
        let [entry] = told.as_slice() else { panic!("{action}: {told:?}") };
        let event = (entry.event.action.as_str(), entry.event.outcome.as_str());
        assert_eq!((event, &entry.event.target), ((action, "done"), &device.to_string()));
    }
}

#[tokio::test]
async fn a_certificate_counts_for_its_device_until_it_ends() {
    let world = world();
    let owner = world.resolve(&world.owner().await.secret).await.unwrap();
    let (one, two) = (world.enrolled(&owner).await, world.enrolled(&owner).await);
    assert!(world.counts(one.id, &one.serial).await);
    assert!(!world.counts(one.id, &two.serial).await);
    assert!(!world.counts(one.id, "").await);
    assert!(!world.counts(DeviceId::new(), &one.serial).await);
    world.clock.advance(SignedDuration::from_hours(24));
    assert!(!world.counts(one.id, &one.serial).await);
    world.app.clean_up().await.unwrap();
    assert!(!world.counts(one.id, &one.serial).await, "forgotten is not unknown");
}

#[tokio::test]
async fn another_key_takes_over_by_the_word_of_the_old_one_only() {
    let world = world();
    let owner = world.resolve(&world.owner().await.secret).await.unwrap();
    let (device, other) = (world.enrolled(&owner).await, world.enrolled(&owner).await);
    let new = DeviceKey::generate().unwrap();
    for word in [None, Some(&new), Some(&other.key)] {
        let refused = world.renew(device.id, &new, word).await;
        assert!(matches!(refused, Err(Error::BadDevice)));
    }
    let rolled = world.renew(device.id, &new, Some(&device.key)).await.unwrap();
    assert!(world.counts(device.id, &serial(&rolled)).await);
    assert!(!world.counts(device.id, &device.serial).await, "the old key is given up");
    // A lost answer: the new key asks again, without a word.
    world.renew(device.id, &new, None).await.unwrap();
    assert!(world.renew(device.id, &device.key, None).await.is_err());
}

// B49.within, B49.beyond
#[tokio::test]
async fn a_device_recovers_by_its_bound_key_within_the_grace() {
    let world = world();
    let owner = world.resolve(&world.owner().await.secret).await.unwrap();
    let device = world.enrolled(&owner).await;
    let (own, new) = (&device.key, DeviceKey::generate().unwrap());
    let now = SignedDuration::ZERO;
    world.clock.advance(SignedDuration::from_hours(24 * 30));
    assert!(!world.counts(device.id, &device.serial).await);
    for keys in [(&new, own), (own, &new), (&new, &new)] {
        let refused = world.recover(device.id, keys, now).await;
        assert!(matches!(refused, Err(Error::BadDevice)));
    }
    assert!(world.recover(DeviceId::new(), (own, own), now).await.is_err());
    for off in [-2, 2] {
        let refused = world.recover(device.id, (own, own), SignedDuration::from_hours(off)).await;
        assert!(matches!(refused, Err(Error::BadDevice)), "sent again {off} hours later");
    }
    for off in [-10, 10] {
        let off = SignedDuration::from_mins(off);
        let recovered = world.recover(device.id, (own, own), off).await.unwrap();
        assert!(world.counts(device.id, &serial(&recovered)).await);
    }
    world.clock.advance(SignedDuration::from_hours(24 * 91) + SignedDuration::from_secs(1));
    assert!(matches!(world.recover(device.id, (own, own), now).await, Err(Error::BadDevice)));
}

/// A device that has enrolled with a state, and the world that it is in.
async fn with_a_state(world: &World, owner: &Asked) -> (Enrolled, String) {
    let made = world.app.create_enrolment_token(owner, NewToken::default()).await.unwrap();
    let (token, _) = made.secret.split_once('.').unwrap();
    let key = DeviceKey::generate().unwrap();
    let first =
        world.app.enrol(token, &csr(&key), ("host", None), &Origin::default()).await.unwrap();
    (Enrolled { id: first.device, serial: serial(&first), key }, first.state)
}

impl World {
    async fn renew_by(&self, copy: &Copy<'_>, csr_pem: String) -> Result<Certificate, Error> {
        let request = RenewRequest { csr_pem, old_key_proof: None, state: copy.state.clone() };
        self.app.renew(&self.device(copy.id), &request).await
    }

    async fn recover_by(&self, copy: &Copy<'_>, csr_pem: String) -> Result<Certificate, Error> {
        let (time, state) = (self.clock.clock().now(), copy.state.clone());
        let proof = String::new();
        let mut request = RecoverRequest { device_id: copy.id, csr_pem, time, proof, state };
        request.proof = copy.key.prove(&request.statement()).unwrap().to_text();
        self.app.recover(&request, &Origin::default()).await
    }

    async fn in_quarantine(&self, owner: &Asked) -> Vec<DeviceId> {
        self.app.quarantined(owner).await.unwrap().iter().map(|it| it.id).collect()
    }
}

// B48
#[tokio::test]
async fn two_copies_of_a_device_are_put_into_quarantine() {
    let world = world();
    let owner = world.resolve(&world.owner().await.secret).await.unwrap();
    let (device, state) = with_a_state(&world, &owner).await;
    let copy = || Copy { id: device.id, key: &device.key, state: Some(state.clone()) };
    let (mut one, two) = (copy(), copy());
    let renewed = world.renew_by(&one, csr(one.key)).await;
    let renewed = one.keep(renewed);
    assert!(world.counts(device.id, &serial(&renewed)).await);
    assert_eq!(world.in_quarantine(&owner).await, []);

    let place = world.app.ended(&gateway(world.tenant), None).await.unwrap().place;
    let refused = world.renew_by(&two, csr(two.key)).await;
    assert!(matches!(refused, Err(Error::BadDevice)));
    assert_eq!(world.in_quarantine(&owner).await, [device.id]);
    let ended = world.app.ended(&gateway(world.tenant), Some(place)).await.unwrap();
    assert_eq!(ended.devices, [device.id], "gateways hear of it");
    for certificate in [&device.serial, &serial(&renewed)] {
        assert!(!world.counts(device.id, certificate).await, "neither copy is let in");
    }
    assert!(world.renew_by(&one, csr(one.key)).await.is_err());
    assert!(world.recover_by(&one, csr(one.key)).await.is_err());

    // Somebody has looked: the first that comes is the device, the other one a copy as before.
    world.app.readmit_device(&owner, device.id).await.unwrap();
    assert!(world.app.readmit_device(&owner, device.id).await.is_err(), "once");
    assert!(world.counts(device.id, &serial(&renewed)).await);
    let again = world.renew_by(&one, csr(one.key)).await;
    one.keep(again);
    assert!(world.renew_by(&two, csr(two.key)).await.is_err());
    assert_eq!(world.in_quarantine(&owner).await, [device.id]);
    let (page, _) = world.app.audit(&owner, Filter::default(), None, None).await.unwrap();
    let told = |action: &str| page.iter().filter(|it| it.event.action == action).count();
    assert_eq!((told("device.quarantine"), told("device.readmit")), (2, 1));
}

// B41, B47.twice, B47.lost
#[tokio::test]
async fn an_answer_that_was_lost_is_given_again_and_two_at_once_are_one() {
    let world = world();
    let owner = world.resolve(&world.owner().await.secret).await.unwrap();
    let (device, state) = with_a_state(&world, &owner).await;
    let mut copy = Copy { id: device.id, key: &device.key, state: Some(state) };
    for recovers in [false, true, false] {
        let request = csr(copy.key);
        let ask = async |csr_pem| {
            if recovers {
                world.recover_by(&copy, csr_pem).await
            } else {
                world.renew_by(&copy, csr_pem).await
            }
        };
        let (first, second) = tokio::join!(ask(request.clone()), ask(request.clone()));
        let (first, second, third) = (first.unwrap(), second.unwrap(), ask(request).await);
        assert_eq!(first.state, second.state);
        let third = copy.keep(third);
        assert_eq!(first.state, third.state);
        assert!(world.counts(device.id, &serial(&third)).await);
    }
    assert_eq!(world.in_quarantine(&owner).await, []);
}

// B47.last-second
#[tokio::test]
async fn a_certificate_is_renewed_in_its_last_second() {
    let world = world();
    let owner = world.resolve(&world.owner().await.secret).await.unwrap();
    let (device, state) = with_a_state(&world, &owner).await;
    let copy = Copy { id: device.id, key: &device.key, state: Some(state) };
    world.clock.advance(SignedDuration::from_hours(24) - SignedDuration::from_secs(1));
    assert!(world.counts(device.id, &device.serial).await);
    let renewed = world.renew_by(&copy, csr(copy.key)).await.unwrap();
    world.clock.advance(SignedDuration::from_secs(1));
    assert!(!world.counts(device.id, &device.serial).await);
    assert!(world.counts(device.id, &serial(&renewed)).await);
}

// B48
#[tokio::test]
async fn a_device_of_before_gets_a_state_and_must_show_it_from_then_on() {
    let world = world();
    let owner = world.resolve(&world.owner().await.secret).await.unwrap();
    let (device, _) = with_a_state(&world, &owner).await;
    let mut copy = Copy { id: device.id, key: &device.key, state: None };
    // An agent that knows of no states never shows one.
    for _ in 0..3 {
        world.renew_by(&copy, csr(copy.key)).await.unwrap();
    }
    let renewed = world.renew_by(&copy, csr(copy.key)).await;
    copy.keep(renewed);
    world.renew_by(&copy, csr(copy.key)).await.unwrap();
    let without = Copy { id: copy.id, key: copy.key, state: None };
    assert!(world.renew_by(&without, csr(without.key)).await.is_err());
    assert_eq!(world.in_quarantine(&owner).await, [device.id]);
}

// B48, B49.beyond
#[tokio::test]
async fn nobody_is_put_into_quarantine_by_who_has_not_the_key_or_a_state_of_ours() {
    let world = world();
    let owner = world.resolve(&world.owner().await.secret).await.unwrap();
    let (device, state) = with_a_state(&world, &owner).await;
    let (_, foreign) = with_a_state(&world, &owner).await;
    let mut copy = Copy { id: device.id, key: &device.key, state: Some(state.clone()) };
    let renewed = world.renew_by(&copy, csr(copy.key)).await;
    copy.keep(renewed);
    let stranger = DeviceKey::generate().unwrap();
    let other = Copy { id: copy.id, key: &stranger, state: Some(state.clone()) };
    assert!(world.recover_by(&other, csr(&stranger)).await.is_err());
    assert!(world.recover_by(&other, csr(copy.key)).await.is_err());
    for bad in [foreign, format!("{state}A"), "of_ds1".to_owned(), String::new()] {
        let bad = Copy { id: copy.id, key: copy.key, state: Some(bad) };
        assert!(world.renew_by(&bad, csr(bad.key)).await.is_err());
        assert!(world.recover_by(&bad, csr(bad.key)).await.is_err());
    }
    assert_eq!(world.in_quarantine(&owner).await, []);
    // The state is good for as long as a recovery is, and no longer.
    world.clock.advance(SignedDuration::from_hours(24 * 91) + SignedDuration::from_secs(1));
    assert!(world.recover_by(&copy, csr(copy.key)).await.is_err());
    assert!(world.renew_by(&copy, csr(copy.key)).await.is_err());
    assert_eq!(world.in_quarantine(&owner).await, []);
}
