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

impl World {
    async fn enrolled(&self, owner: &Asked) -> Enrolled {
        let made = self.app.create_enrolment_token(owner, None, None, None).await.unwrap();
        let (token, _) = made.secret.split_once('.').unwrap();
        let key = DeviceKey::generate().unwrap();
        let certificate = self.app.enrol(token, &csr(&key), "host", &Origin::default()).await;
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
        let request = RenewRequest { csr_pem, old_key_proof };
        self.app.renew(&self.device(device), &request).await
    }

    async fn recover(
        &self,
        device: DeviceId,
        (signing, wanted): (&DeviceKey, &DeviceKey),
        clock_off: SignedDuration,
    ) -> Result<Certificate, Error> {
        let time = self.clock.clock().now() + clock_off;
        let mut request =
            RecoverRequest { device_id: device, csr_pem: csr(wanted), time, proof: String::new() };
        request.proof = signing.prove(&request.statement()).unwrap().to_text();
        self.app.recover(&request, &Origin::default()).await
    }
}

#[tokio::test]
async fn a_device_enrols_renews_and_is_revoked() {
    let world = world();
    let owner = world.resolve(&world.owner().await.secret).await.unwrap();
    let made = world.app.create_enrolment_token(&owner, None, None, None).await.unwrap();
    let (token, pin) = made.secret.split_once('.').unwrap();
    assert_eq!(pin.len(), 43);
    let (key, other) = (DeviceKey::generate().unwrap(), DeviceKey::generate().unwrap());
    let enrol = async |key| world.app.enrol(token, &csr(key), "host", &Origin::default()).await;
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
    assert_eq!(verdict.broken_at, None);
    let (page, _) = world.app.audit(&owner, None, None).await.unwrap();
    assert_eq!(verdict.entries, page.len() as u64);
    assert!(page.iter().any(|it| it.event.outcome == "refused"));
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
