//! The auth service's promises about mail that waits to be sent: rules that every engine keeps.

use futures::future::join_all;
use openframe_auth::Stores;
use openframe_auth::domain::{MailKind, PasswordLink, SealedMail};
use openframe_auth::store::Change;
use openframe_tokens::Role;
use openframe_tokens::opaque::SecretHash;
use uuid::Uuid;

use crate::auth::{at, event, tenant, user};

fn mail(n: u128, kind: MailKind, since: i64) -> SealedMail {
    let (id, sealed) = (Uuid::from_u128(n), vec![7; 40]);
    SealedMail { id, tenant: tenant(0), kind, sealed, created: at(since), ends: at(90), tries: 0 }
}

const REPLICA: Uuid = Uuid::from_u128(1);
const OTHER: Uuid = Uuid::from_u128(2);

/// One replica at a time has what waits: the longest first, until it is over with it or its time is up.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn one_replica_at_a_time_has_a_mail(store: &Stores) {
    let mails = &store.mails;
    let take = async |replica, now: i64| {
        mails.take(tenant(0), replica, (at(now), at(now + 10))).await.unwrap()
    };
    let (first, second) = (mail(5, MailKind::Notice, 1), mail(4, MailKind::PasswordLink, 2));
    mails.add(&second, None).await.unwrap();
    mails.add(&first, Some(&event(1))).await.unwrap();
    assert_eq!(store.trail.head(tenant(0)).await.unwrap().unwrap().0, 1);
    assert!(mails.take(tenant(1), REPLICA, (at(9), at(19))).await.unwrap().is_none());
    assert!(take(REPLICA, 0).await.is_none(), "it is not due");
    let won = join_all((0..16).map(|n| take(Uuid::from_u128(n), 1))).await;
    let won: Vec<_> = won.into_iter().flatten().collect();
    assert_eq!(won, [SealedMail { tries: 1, ..first.clone() }]);
    assert_eq!(take(REPLICA, 2).await, Some(SealedMail { tries: 1, ..second.clone() }));
    assert!(take(OTHER, 10).await.is_none(), "each has its time");
    assert_eq!(take(OTHER, 11).await, Some(SealedMail { tries: 2, ..first.clone() }));

    assert!(!mails.put_off((first.id, REPLICA), at(0)).await.unwrap(), "another has it");
    assert!(!mails.remove((first.id, REPLICA), tenant(0), Some(&event(3))).await.unwrap());
    assert!(mails.put_off((first.id, OTHER), at(50)).await.unwrap());
    assert!(mails.remove((second.id, REPLICA), tenant(0), None).await.unwrap());
    assert!(!mails.remove((second.id, REPLICA), tenant(0), None).await.unwrap());
    assert!(take(REPLICA, 49).await.is_none());
    assert_eq!(take(REPLICA, 50).await, Some(SealedMail { tries: 3, ..first.clone() }));
    assert_eq!(store.trail.head(tenant(0)).await.unwrap().unwrap().0, 1);
    assert!(mails.remove((first.id, REPLICA), tenant(0), Some(&event(3))).await.unwrap());
    assert_eq!(store.trail.head(tenant(0)).await.unwrap().unwrap().0, 2);
    assert!(take(REPLICA, 99).await.is_none());
}

/// A wish becomes a letter and a link together, once, and only for somebody who may sign in.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn a_wish_is_answered_once(store: &Stores) {
    let (ann, mails) = (user(0, Role::Owner), &store.mails);
    store.people.add(&ann, &event(1)).await.unwrap();
    store.people.add(&user(4, Role::Owner), &event(1)).await.unwrap();
    let link = |n: u8| {
        let secret = SecretHash([n; 32]);
        PasswordLink { user: ann.id, secret, mailed: true, expires: at(80) }
    };
    let wish = async |n| {
        mails.add(&mail(n, MailKind::LinkAsked, 1), None).await.unwrap();
        mails.take(tenant(0), REPLICA, (at(2), at(60))).await.unwrap().unwrap()
    };
    let answer = async |turn, n: u8| {
        let letter = mail(100 + u128::from(n), MailKind::PasswordLink, 70);
        mails.answer_wish(turn, link(n), &letter, &event(3)).await.unwrap()
    };
    let choose = async |n: u8| {
        let (whose, secret) = ((ann.tenant, ann.id), SecretHash([n; 32]));
        store.people.use_password_link(whose, secret, &[n; 49], &event(4)).await.unwrap().is_some()
    };
    let turn = (wish(1).await.id, REPLICA);
    assert!(!answer((turn.0, OTHER), 1).await, "another has it");
    assert!(!choose(1).await, "nothing of it was done");
    let won = join_all((2..10).map(|n| answer(turn, n))).await;
    assert_eq!(won.iter().filter(|done| **done).count(), 1);
    let n = u8::try_from(won.iter().position(|done| *done).unwrap()).unwrap() + 2;
    let letters = mails.take(tenant(0), REPLICA, (at(70), at(99))).await.unwrap().unwrap();
    assert_eq!(letters.id, Uuid::from_u128(100 + u128::from(n)));
    assert!(choose(n).await && !choose(n).await);

    let turn = (wish(2).await.id, REPLICA);
    let disabled = Change { disabled: Some(true), ..Change::default() };
    store.people.change(ann.tenant, ann.id, &disabled, &event(5)).await.unwrap();
    assert!(!answer(turn, 20).await && !choose(20).await);
    assert!(mails.remove(turn, tenant(0), None).await.unwrap(), "it is still there");
}
