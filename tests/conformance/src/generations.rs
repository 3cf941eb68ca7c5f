//! Generations of devices' certificates, and the quarantine: what tells two copies of a device apart.

use openframe_auth::Stores;
use openframe_auth::domain::{Device, Generation};
use openframe_auth::store::{Issuing, Joined};

use crate::auth::{at, certificate, event, joined, joining, token};

fn issuing(device: &Device, serial: &str, seen: u64, number: u64) -> Issuing {
    let certificate = certificate(device, serial, 1, 1000);
    let generation = Generation { number, shown: true, request: Some([7; 32]) };
    Issuing { certificate, bound: [1; 32], seen, generation }
}

/// A device goes from one generation to the next once, whoever asks how often at once; in quarantine
/// nothing of it counts and nothing is issued, until it is taken out, which forgets what it has shown.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn a_generation_is_followed_once(store: &Stores) {
    let enrolment = &store.enrolment;
    enrolment.add_token(&token(0, 2), &event(1)).await.unwrap();
    let device = joined(store, 1, 2).await;
    let (tenant, id) = (device.tenant, device.id);
    assert_eq!((device.generation, device.quarantined), (Generation::FIRST, None));
    let tries = (0..20_u8).map(|n| {
        let (enrolment, device) = (std::sync::Arc::clone(enrolment), device.clone());
        tokio::spawn(async move {
            let issuing = issuing(&device, &format!("n{n}"), 1, 2);
            enrolment.certify(&issuing, &event(3)).await.unwrap()
        })
    });
    let mut done = 0;
    for one in tries.collect::<Vec<_>>() {
        done += u32::from(one.await.unwrap());
    }
    assert_eq!(done, 1);
    let kept = enrolment.device(tenant, id).await.unwrap().unwrap();
    assert_eq!(kept.generation, issuing(&device, "", 1, 2).generation);
    assert!(enrolment.certify(&issuing(&device, "b", 2, 3), &event(4)).await.unwrap());
    assert!(!enrolment.certify(&issuing(&device, "c", 2, 3), &event(5)).await.unwrap());
    assert!(enrolment.counts((tenant, id), "b", at(6)).await.unwrap());

    assert!(!enrolment.readmit(tenant, id, &event(6)).await.unwrap(), "it is not in quarantine");
    assert!(enrolment.quarantine(tenant, id, &event(7)).await.unwrap());
    assert!(!enrolment.quarantine(tenant, id, &event(8)).await.unwrap());
    assert!(!enrolment.quarantine(crate::auth::tenant(1), id, &event(8)).await.unwrap());
    assert!(!enrolment.counts((tenant, id), "b", at(8)).await.unwrap());
    assert!(!enrolment.certify(&issuing(&device, "d", 3, 4), &event(8)).await.unwrap());
    assert_eq!(enrolment.join(&joining(0, 1), &event(8)).await.unwrap(), Joined::Refused);
    let listed = enrolment.quarantined(tenant, 10).await.unwrap();
    assert_eq!(listed.iter().map(|it| it.quarantined).collect::<Vec<_>>(), [Some(at(7))]);
    assert_eq!(enrolment.quarantined(tenant, 0).await.unwrap(), []);
    assert_eq!(enrolment.quarantined(crate::auth::tenant(1), 10).await.unwrap(), []);

    assert!(!enrolment.readmit(crate::auth::tenant(1), id, &event(9)).await.unwrap());
    assert!(enrolment.readmit(tenant, id, &event(9)).await.unwrap());
    assert!(enrolment.counts((tenant, id), "b", at(9)).await.unwrap());
    let kept = enrolment.device(tenant, id).await.unwrap().unwrap();
    let forgotten = Generation { number: 3, shown: false, request: None };
    assert_eq!((kept.generation, kept.quarantined), (forgotten, None));
    assert!(enrolment.certify(&issuing(&device, "e", 3, 4), &event(10)).await.unwrap());

    assert!(enrolment.quarantine(tenant, id, &event(11)).await.unwrap());
    assert!(enrolment.revoke(tenant, id, &event(12)).await.unwrap());
    assert_eq!(enrolment.quarantined(tenant, 10).await.unwrap(), [], "a revoked one is not told");
    assert!(!enrolment.readmit(tenant, id, &event(13)).await.unwrap(), "and does not come back");
}
