//! The auth service's promises about programs that wait for a person's answer: rules that every engine
//! keeps.

use futures::future::join_all;
use jiff::SignedDuration;
use openframe_auth::Stores;
use openframe_auth::domain::DEVICE_CODE_MISSES;
use openframe_auth::store::Typed;
use openframe_ids::{FamilyId, SessionId, UserId};
use openframe_oauth::{Amr, Client, DeviceGrant, Scopes, SignedIn};
use openframe_tokens::opaque::SecretHash;

use crate::auth::{at, event, id};
use crate::oauth::{client, scopes, session, world};

fn grant(n: u8, client: &Client) -> DeviceGrant {
    DeviceGrant {
        id: FamilyId(id(22, n)),
        tenant: client.tenant,
        client: client.id,
        scopes: scopes("openid devices:read"),
        device_code: SecretHash([n; 32]),
        user_code: SecretHash([100 + n; 32]),
        asked_from: ("192.0.2.1".to_owned(), "tv".to_owned()),
        created: at(10),
        expires: at(100),
        denied: false,
        polled: None,
        interval: SignedDuration::from_secs(5),
    }
}

fn who(user: UserId, session: SessionId) -> SignedIn {
    SignedIn { user, session, auth_time: at(7), amr: Amr::Password, allowed: Scopes::default() }
}

/// A program gets one answer, as long as it can be answered; of many at once one counts.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn a_waiting_program_gets_one_answer(store: &Stores) {
    let (ann, _, app) = world(store).await;
    let grants = &store.device_grants;
    let first = grant(1, &app);
    assert!(grants.add(&first, &event(10)).await.unwrap());
    let same = DeviceGrant { user_code: first.user_code, ..grant(2, &app) };
    assert!(!grants.add(&same, &event(10)).await.unwrap(), "the same user code");
    assert!(!grants.add(&grant(3, &client(1)), &event(10)).await.unwrap(), "no client");
    assert_eq!(grants.get(first.id).await.unwrap(), Some(first.clone()));
    let polled =
        DeviceGrant { polled: Some(at(20)), interval: SignedDuration::from_secs(10), ..first };
    grants.polled(&polled).await.unwrap();
    assert_eq!(grants.get(polled.id).await.unwrap(), Some(polled.clone()));
    let family = polled.allowed(&app, &who(ann.id, session(1)), at(30));
    assert!(!grants.allow(&family, &event(100)).await.unwrap(), "too late");
    let gone = polled.allowed(&app, &who(ann.id, SessionId(id(9, 9))), at(30));
    assert!(!grants.allow(&gone, &event(30)).await.unwrap(), "no session");
    assert_eq!(grants.get(polled.id).await.unwrap(), Some(polled.clone()), "as it was");
    let at_once = event(30);
    let all = join_all((0..16).map(|_| grants.allow(&family, &at_once))).await;
    assert_eq!(all.into_iter().filter(|done| *done.as_ref().unwrap()).count(), 1);
    assert_eq!(grants.get(polled.id).await.unwrap(), None);
    assert_eq!(store.families.get(polled.id).await.unwrap(), Some(family.clone()));
    assert_eq!(store.families.allowed(ann.id, app.id).await.unwrap(), family.scopes);
    assert!(!grants.deny(polled.id, &event(31)).await.unwrap());

    let second = grant(4, &app);
    assert!(grants.add(&second, &event(10)).await.unwrap());
    assert!(!grants.deny(second.id, &event(100)).await.unwrap(), "too late");
    assert!(grants.deny(second.id, &event(40)).await.unwrap());
    assert!(!grants.deny(second.id, &event(41)).await.unwrap());
    let family = second.allowed(&app, &who(ann.id, session(1)), at(42));
    assert!(!grants.allow(&family, &event(42)).await.unwrap(), "denied");
    assert!(grants.get(second.id).await.unwrap().unwrap().denied);
    grants.forget(at(99)).await.unwrap();
    assert!(grants.get(second.id).await.unwrap().is_some());
    grants.forget(at(100)).await.unwrap();
    assert_eq!(grants.get(second.id).await.unwrap(), None);
    assert!(grants.add(&grant(5, &app), &event(10)).await.unwrap());
    assert!(store.clients.remove(app.tenant, app.id, &event(50)).await.unwrap());
    assert_eq!(grants.get(grant(5, &app).id).await.unwrap(), None);
}

/// Who misses too often is not looked up any more, for a time; of many at once no more are.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn codes_cannot_be_guessed(store: &Stores) {
    let (ann, bob, app) = world(store).await;
    let grants = &store.device_grants;
    let waits = grant(1, &app);
    assert!(grants.add(&waits, &event(10)).await.unwrap());
    let typed = async |who, code: u8, now| {
        let since_now = (at(now - 50), at(now));
        grants.typed(who, Some(SecretHash([code; 32])), since_now).await.unwrap()
    };
    let right = Typed::Right(Box::new(waits));
    assert_eq!(typed(ann.id, 101, 20).await, right);
    assert_eq!(typed(ann.id, 101, 100).await, Typed::Wrong, "too late");
    let all = join_all((0..16).map(|_| typed(bob.id, 7, 20))).await;
    let looked_up = all.iter().filter(|found| **found == Typed::Wrong).count();
    assert_eq!(looked_up, DEVICE_CODE_MISSES);
    assert_eq!(typed(bob.id, 101, 21).await, Typed::TooMany, "also the right one");
    assert_eq!(typed(ann.id, 101, 21).await, right, "nobody else");
    assert_eq!(typed(bob.id, 101, 69).await, Typed::TooMany);
    assert_eq!(typed(bob.id, 101, 70).await, right, "once they are old");
    let none = grants.typed(bob.id, None, (at(60), at(70))).await.unwrap();
    assert_eq!(none, Typed::Wrong, "what is no code is a miss");
    for _ in 0..DEVICE_CODE_MISSES {
        typed(ann.id, 7, 30).await;
    }
    assert_eq!(typed(ann.id, 101, 31).await, Typed::TooMany);
    grants.forget(at(30)).await.unwrap();
    assert_eq!(typed(ann.id, 101, 31).await, right, "misses are forgotten");
}
