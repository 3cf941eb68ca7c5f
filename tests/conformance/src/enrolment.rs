//! Devices that join, their certificates, and what tells two copies of a device apart.

use openframe_auth::Stores;
use openframe_auth::domain::{
    Claims, Device, DeviceCertificate, EnrolmentToken, Generation, Judged, Terms,
};
use openframe_auth::store::{Issuing, Joined, Joining};
use openframe_ids::TenantId;
use openframe_pki::Withdrawn;
use openframe_tokens::opaque::SecretHash;

use crate::auth::{at, event, issuing, joining, token};

/// A device that has joined with a key of its own.
///
/// # Panics
/// When it is not let in.
#[expect(clippy::unwrap_used, clippy::panic, reason = "a rule that fails is a failed test")]
pub(crate) async fn joined(store: &Stores, key: u8, now: i64) -> Device {
    let (enrolment, joining) = (&store.enrolment, joining(0, key));
    assert_eq!(enrolment.join(&joining, &event(now)).await.unwrap(), Joined::New);
    let kept = enrolment.device(joining.first.tenant, joining.first.device).await.unwrap();
    kept.unwrap_or_else(|| panic!("{joining:?} is not there"))
}

fn certificate(device: &Device, serial: &str, key: u8, expires: i64) -> DeviceCertificate {
    DeviceCertificate {
        serial: serial.to_owned(),
        tenant: device.tenant,
        device: device.id,
        spki: [key; 32],
        expires: at(expires),
    }
}

fn foreign() -> TenantId {
    crate::auth::tenant(1)
}

fn following(device: &Device, serial: &str, seen: u64, number: u64) -> Issuing {
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
            let issuing = following(&device, &format!("n{n}"), 1, 2);
            enrolment.certify(&issuing, &event(3)).await.unwrap()
        })
    });
    let mut done = 0;
    for one in tries.collect::<Vec<_>>() {
        done += u32::from(one.await.unwrap());
    }
    assert_eq!(done, 1);
    let kept = enrolment.device(tenant, id).await.unwrap().unwrap();
    assert_eq!(kept.generation, following(&device, "", 1, 2).generation);
    assert!(enrolment.certify(&following(&device, "b", 2, 3), &event(4)).await.unwrap());
    assert!(!enrolment.certify(&following(&device, "c", 2, 3), &event(5)).await.unwrap());
    assert!(enrolment.counts((tenant, id), "b", at(6)).await.unwrap());

    assert!(!enrolment.readmit(tenant, id, &event(6)).await.unwrap(), "it is not in quarantine");
    assert!(enrolment.quarantine(tenant, id, &event(7)).await.unwrap());
    assert!(!enrolment.quarantine(tenant, id, &event(8)).await.unwrap());
    assert!(!enrolment.quarantine(foreign(), id, &event(8)).await.unwrap());
    assert!(!enrolment.counts((tenant, id), "b", at(8)).await.unwrap());
    assert!(!enrolment.certify(&following(&device, "d", 3, 4), &event(8)).await.unwrap());
    assert_eq!(enrolment.join(&joining(0, 1), &event(8)).await.unwrap(), Joined::Refused);
    let listed = enrolment.quarantined(tenant, 10).await.unwrap();
    assert_eq!(listed.iter().map(|it| it.quarantined).collect::<Vec<_>>(), [Some(at(7))]);
    assert_eq!(enrolment.quarantined(tenant, 0).await.unwrap(), []);
    assert_eq!(enrolment.quarantined(foreign(), 10).await.unwrap(), []);

    let expires = at(1000);
    let held = Withdrawn { serial: "b".to_owned(), expires, held: true };
    let withdrawn = async |tenant, now| enrolment.withdrawn(tenant, at(now)).await.unwrap();
    assert!(withdrawn(tenant, 9).await.contains(&held));
    assert_eq!(withdrawn(foreign(), 9).await, []);
    assert_eq!(withdrawn(tenant, 1000).await, [], "they have ended");

    assert!(!enrolment.readmit(foreign(), id, &event(9)).await.unwrap());
    assert!(enrolment.readmit(tenant, id, &event(9)).await.unwrap());
    assert!(enrolment.counts((tenant, id), "b", at(9)).await.unwrap());
    assert_eq!(withdrawn(tenant, 9).await, []);
    let kept = enrolment.device(tenant, id).await.unwrap().unwrap();
    let forgotten = Generation { number: 3, shown: false, request: None };
    assert_eq!((kept.generation, kept.quarantined), (forgotten, None));
    assert!(enrolment.certify(&following(&device, "e", 3, 4), &event(10)).await.unwrap());

    assert!(enrolment.quarantine(tenant, id, &event(11)).await.unwrap());
    assert!(enrolment.revoke(tenant, id, &event(12)).await.unwrap());
    assert_eq!(enrolment.quarantined(tenant, 10).await.unwrap(), [], "a revoked one is not told");
    let revoked = Withdrawn { held: false, ..held };
    assert!(withdrawn(tenant, 13).await.contains(&revoked), "but its certificates are");
    assert!(!enrolment.readmit(tenant, id, &event(13)).await.unwrap(), "and does not come back");
}

/// Of a hundred devices at once, one joins with a token for one; the same key joins again; wrong
/// and late ones do not.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn a_single_use_token_lets_one_in(store: &Stores) {
    store.enrolment.add_token(&token(0, 1), &event(1)).await.unwrap();
    let mut tasks = Vec::new();
    for key in 0..100 {
        let enrolment = std::sync::Arc::clone(&store.enrolment);
        tasks.push(tokio::spawn(async move {
            let joining = joining(0, key);
            let answer = enrolment.join(&joining, &event(2)).await.unwrap();
            (joining, answer)
        }));
    }
    let mut joined = Vec::new();
    for task in tasks {
        let (joining, answer) = task.await.unwrap();
        if answer == Joined::New {
            joined.push(joining);
        }
    }
    assert_eq!(joined.len(), 1);
    let [Joining { first, .. }] = joined.as_slice() else { return };
    let (tenant, id) = (first.tenant, first.device);
    assert!(store.enrolment.counts((tenant, id), &first.serial, at(3)).await.unwrap());
    let kept = store.enrolment.device(tenant, id).await.unwrap().unwrap();
    assert_eq!((kept.generation, kept.certified_until), (Generation::FIRST, first.expires));
    let join =
        async |joining: &Joining, now| store.enrolment.join(joining, &event(now)).await.unwrap();
    let mut again = joining(0, 0);
    again.first.spki = first.spki;
    assert_eq!(join(&again, 3).await, Joined::Before(kept.clone()));
    assert!(!store.enrolment.counts((tenant, id), &again.first.serial, at(3)).await.unwrap());
    let wrong = Joining { secret: SecretHash([9; 32]), ..again.clone() };
    assert_eq!(join(&wrong, 4).await, Joined::Refused);
    let mut elsewhere = again.clone();
    elsewhere.first.tenant = foreign();
    assert_eq!(join(&elsewhere, 4).await, Joined::Refused);
    assert_eq!(join(&again, 1000).await, Joined::Refused);
    assert!(store.enrolment.revoke(tenant, id, &event(5)).await.unwrap());
    assert_eq!(join(&again, 6).await, Joined::Refused);
}

/// What does not meet a token's terms takes nothing of it. Where somebody has to let each in, a device has
/// no certificate until then; then it comes in by the same token, even if that is over.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn a_device_waits_to_be_let_in(store: &Stores) {
    let (enrolment, whose) = (&store.enrolment, foreign());
    let terms = Terms::read(&["192.0.2.0/24".to_owned()], &["X*".to_owned()], true).unwrap();
    enrolment.add_token(&EnrolmentToken { terms, ..token(1, 2) }, &event(1)).await.unwrap();
    let from = |key, address: &str, serial: &str| {
        let (remote_address, serial) = (address.to_owned(), serial.to_owned());
        Joining {
            claims: Claims { remote_address, serial, ..Claims::default() },
            ..joining(1, key)
        }
    };
    let join = async |it: &Joining, now| enrolment.join(it, &event(now)).await.unwrap();
    let elsewhere = from(1, "198.51.100.1", "X1");
    assert_eq!(join(&elsewhere, 2).await, Joined::Elsewhere(Judged::OtherNetwork));
    let other = from(1, "192.0.2.1", "Y1");
    assert_eq!(join(&other, 2).await, Joined::Elsewhere(Judged::OtherSerial));
    let tokens = enrolment.tokens(whose, at(2)).await.unwrap();
    assert_eq!(tokens.iter().map(|it| it.uses).collect::<Vec<_>>(), [0], "nothing was taken");
    let (good, second) = (from(1, "192.0.2.1", "X1"), from(2, "192.0.2.2", "X2"));
    let id = good.first.device;
    assert_eq!(join(&good, 3).await, Joined::Waiting(id));
    assert_eq!(join(&second, 4).await, Joined::Waiting(second.first.device));
    assert_eq!(join(&from(3, "192.0.2.1", "X3"), 4).await, Joined::Refused, "it is used up");
    let again = from(1, "203.0.113.1", "");
    assert_eq!(join(&again, 5).await, Joined::Waiting(id), "as it was, wherever it is by now");
    assert!(!enrolment.counts((whose, id), &good.first.serial, at(5)).await.unwrap());
    let waiting = enrolment.waiting(whose, 9).await.unwrap();
    let ids: Vec<_> =
        waiting.iter().map(|it| (it.id, it.since, it.claims.serial.as_str())).collect();
    assert_eq!(ids, [(id, at(3), "X1"), (second.first.device, at(4), "X2")]);
    assert_eq!(enrolment.waiting(whose, 1).await.unwrap().len(), 1);
    assert_eq!(enrolment.waiting(crate::auth::tenant(0), 9).await.unwrap(), []);
    // To wait is no quarantine.
    assert_eq!(enrolment.quarantined(whose, 9).await.unwrap(), []);
    assert!(!enrolment.readmit(whose, id, &event(6)).await.unwrap());
    assert!(!enrolment.admit(crate::auth::tenant(0), id, &event(6)).await.unwrap());
    assert!(enrolment.admit(whose, id, &event(7)).await.unwrap());
    assert!(!enrolment.admit(whose, id, &event(8)).await.unwrap());
    assert!(!enrolment.turn_away(whose, id, &event(8)).await.unwrap(), "it is in by now");
    let device = enrolment.device(whose, id).await.unwrap().unwrap();
    assert_eq!((device.quarantined, device.waits), (None, false));
    assert_eq!(join(&again, 2000).await, Joined::Before(device.clone()));
    let issued = DeviceCertificate { tenant: whose, ..certificate(&device, "first", 1, 3000) };
    let (bound, generation) = (device.spki, Generation { number: 2, ..device.generation });
    let issuing = Issuing { certificate: issued, bound, seen: 1, generation };
    assert!(enrolment.certify(&issuing, &event(2000)).await.unwrap());
    assert_eq!(
        join(&again, 2001).await,
        Joined::Refused,
        "it has a certificate, and the token is over"
    );
    // Whoever is turned away stays so.
    let away = second.first.device;
    assert!(!enrolment.turn_away(crate::auth::tenant(0), away, &event(9)).await.unwrap());
    assert!(enrolment.turn_away(whose, away, &event(9)).await.unwrap());
    assert!(!enrolment.turn_away(whose, away, &event(10)).await.unwrap());
    assert_eq!(join(&second, 10).await, Joined::Refused);
    assert!(!enrolment.admit(whose, away, &event(11)).await.unwrap());
    assert_eq!(enrolment.waiting(whose, 9).await.unwrap(), []);
    let trail = store.trail.after(whose, 0, 100).await.unwrap();
    let actions = trail.iter().filter(|it| it.event.action == "device.wait").count();
    assert_eq!((actions, trail.len()), (2, 6), "each change is on the trail, and nothing else");
}

/// A certificate counts for its device and the key that the device is bound to, until it ends or
/// the device is revoked; a device is bound to another key only by naming the one it had.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn a_certificate_counts_for_the_bound_key(store: &Stores) {
    let enrolment = &store.enrolment;
    enrolment.add_token(&token(0, 2), &event(1)).await.unwrap();
    let (device, other) = (joined(store, 1, 2).await, joined(store, 2, 3).await);
    let issued = |serial: &str, key: u8, expires| certificate(&device, serial, key, expires);
    let counts = async |serial: &str, now| {
        let whose = (device.tenant, device.id);
        enrolment.counts(whose, serial, at(now)).await.unwrap()
    };
    let certify = async |it: &DeviceCertificate, bound: u8| {
        enrolment.certify(&issuing(it.clone(), bound), &event(4)).await.unwrap()
    };
    assert!(!counts("any", 5).await);
    assert!(certify(&issued("a", 1, 100), 1).await);
    assert!(certify(&issued("b", 1, 200), 1).await, "both count");
    assert!(counts("a", 99).await && !counts("a", 100).await && counts("b", 100).await);
    assert!(!certify(&issued("c", 3, 300), 2).await, "bound to another key");
    assert!(!certify(&issued("c", 2, 300), 1).await, "the other device's key");
    assert!(certify(&issued("c", 3, 150), 1).await);
    assert!(counts("c", 5).await && !counts("a", 5).await && !counts("b", 5).await);
    let kept = enrolment.device(device.tenant, device.id).await.unwrap().unwrap();
    assert_eq!((kept.spki, kept.certified_until), ([3; 32], at(200)));
    enrolment.forget_certificates(at(150)).await.unwrap();
    assert!(!counts("c", 5).await);
    assert!(certify(&issued("d", 3, 400), 3).await && counts("d", 5).await);
    let elsewhere = (other.tenant, other.id);
    assert!(certify(&certificate(&other, "e", 2, 400), 2).await);
    assert!(!enrolment.counts(elsewhere, "d", at(5)).await.unwrap());
    assert!(enrolment.revoke(device.tenant, device.id, &event(6)).await.unwrap());
    assert!(!counts("d", 7).await && !certify(&issued("f", 3, 400), 3).await);
}
