//! The auth service's promises about passwords and links for new ones: rules that every engine keeps.

use futures::future::join_all;
use openframe_auth::Stores;
use openframe_auth::domain::{PasswordLink, User};
use openframe_auth::store::Change;
use openframe_tokens::Role;
use openframe_tokens::opaque::SecretHash;

use crate::auth::{at, event, session_of, tenant, user};

/// A link is good once, until it ends or another takes its place; whoever uses it ends the person's
/// sessions. A changed password and a disabled person end it too.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn a_password_link_is_good_once(store: &Stores) {
    let (ann, people) = (user(0, Role::Owner), &store.people);
    let whose = (ann.tenant, ann.id);
    people.add(&ann, &event(1)).await.unwrap();
    people.add(&user(4, Role::Owner), &event(1)).await.unwrap();
    store.sessions.add(&session_of(whose, 1, 1), &event(1)).await.unwrap();
    let link = |n: u8| {
        let (secret, mailed) = (SecretHash([n; 32]), n == 2);
        PasswordLink { user: ann.id, secret, mailed, expires: at(10) }
    };
    let add = async |n| people.add_password_link(ann.tenant, link(n), &event(2)).await.unwrap();
    let choose = async |n: u8, at: i64, to: u8| -> Option<User> {
        let event = event(at);
        people.use_password_link(whose, SecretHash([n; 32]), &[to; 49], &event).await.unwrap()
    };
    assert!(choose(1, 3, 1).await.is_none(), "there is none");
    assert!(!people.add_password_link(tenant(1), link(1), &event(2)).await.unwrap());
    assert!(add(1).await && add(2).await);
    assert!(choose(1, 3, 1).await.is_none(), "another took its place");
    assert!(choose(2, 10, 1).await.is_none(), "it is over");
    assert_eq!(store.sessions.list(ann.tenant, None).await.unwrap().len(), 1);
    let won = join_all((0..16).map(|to| choose(2, 9, to))).await;
    let won: Vec<User> = won.into_iter().flatten().collect();
    assert_eq!(won.len(), 1);
    let kept = people.get(ann.tenant, ann.id).await.unwrap();
    assert_eq!(kept.as_ref(), won.first());
    assert!(won.iter().all(|it| it.email_verified), "the link went there");
    assert!(store.sessions.list(ann.tenant, None).await.unwrap().is_empty());

    assert!(add(3).await);
    let from_to = (kept.as_ref().unwrap().password.as_slice(), [9; 49].as_slice());
    assert!(people.set_password(whose, from_to, &event(4)).await.unwrap());
    assert!(choose(3, 5, 1).await.is_none(), "the password was changed since");
    assert!(add(4).await);
    let disabled = Change { disabled: Some(true), ..Change::default() };
    people.change(ann.tenant, ann.id, &disabled, &event(6)).await.unwrap();
    assert!(choose(4, 7, 1).await.is_none() && !add(5).await, "the person is disabled");
}

/// A password is changed from the one that was seen, once, and every session of the person ends.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn a_password_is_changed_from_the_one_that_was_seen(store: &Stores) {
    let (ann, bob) = (user(0, Role::Owner), user(4, Role::Owner));
    let session = |n: u8, person: &User| session_of((person.tenant, person.id), n, 1);
    for person in [&ann, &bob] {
        store.people.add(person, &event(1)).await.unwrap();
    }
    for session in [session(1, &ann), session(2, &ann), session(3, &bob)] {
        store.sessions.add(&session, &event(1)).await.unwrap();
    }
    let set = async |from: &[u8], to: &[u8]| {
        store.people.set_password((ann.tenant, ann.id), (from, to), &event(2)).await.unwrap()
    };
    assert!(!set(&[9; 49], &[1; 49]).await);
    assert_eq!(store.sessions.list(ann.tenant, None).await.unwrap().len(), 3);
    assert!(set(&ann.password, &[1; 49]).await && !set(&ann.password, &[2; 49]).await);
    let left = store.sessions.list(ann.tenant, None).await.unwrap();
    assert_eq!(left, [session(3, &bob)]);
    let kept = store.people.get(ann.tenant, ann.id).await.unwrap().unwrap();
    assert_eq!(kept, User { password: vec![1; 49], ..ann.clone() });
    let elsewhere = (tenant(1), ann.id);
    let foreign = store.people.set_password(elsewhere, (&[1; 49], &[2; 49]), &event(3)).await;
    assert!(!foreign.unwrap());
    let disabled = Change { disabled: Some(true), ..Change::default() };
    store.people.change(ann.tenant, ann.id, &disabled, &event(4)).await.unwrap();
    assert!(!set(&[1; 49], &[2; 49]).await);
}
