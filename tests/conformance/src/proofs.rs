//! The auth service's promises about requests that were pushed ahead of a browser, and about what is good
//! once: rules that every engine keeps.

use futures::future::join_all;
use jiff::SignedDuration;
use openframe_auth::Stores;
use openframe_ids::PushedId;
use openframe_oauth::{Client, OPENED_LIFETIME, OneTime, Pushed};
use openframe_tokens::opaque::{Presented, SecretHash};

use crate::auth::{at, event, id};
use crate::oauth::{client, world};

fn pushed(n: u8, client: &Client) -> Pushed {
    Pushed {
        id: PushedId(id(23, n)),
        tenant: client.tenant,
        client: client.id,
        secret: SecretHash([n; 32]),
        query: format!("client_id={}&state={n}", client.id),
        expires: at(100),
        opened: None,
    }
}

fn shown(pushed: &Pushed) -> Presented {
    Presented { id: pushed.id.0, hash: pushed.secret }
}

/// A browser can come with a request until it ends, then for a while longer, and it is answered once.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn a_pushed_request_is_answered_once(store: &Stores) {
    let (_, _, app) = world(store).await;
    let requests = &store.pushed;
    let [first, second, third] = [1, 2, 3].map(|n| pushed(n, &app));
    for pushed in [&first, &second, &third] {
        assert!(requests.add(pushed).await.unwrap());
    }
    assert!(!requests.add(&pushed(4, &client(1))).await.unwrap(), "no client");
    assert_eq!(requests.open(&shown(&first), at(100)).await.unwrap(), None, "too late");
    let guessed = Presented { hash: SecretHash([9; 32]), ..shown(&first) };
    assert_eq!(requests.open(&guessed, at(50)).await.unwrap(), None);
    let expires = at(50) + OPENED_LIFETIME;
    let opened = Pushed { opened: Some(at(50)), expires, ..first.clone() };
    assert_eq!(requests.open(&shown(&first), at(50)).await.unwrap(), Some(opened.clone()));
    assert_eq!(
        requests.open(&shown(&first), at(200)).await.unwrap(),
        Some(opened.clone()),
        "again"
    );
    assert_eq!(requests.open(&shown(&first), expires).await.unwrap(), None);
    let all = join_all((0..16).map(|_| requests.close(first.id))).await;
    assert_eq!(all.into_iter().filter(|done| *done.as_ref().unwrap()).count(), 1);
    assert_eq!(requests.open(&shown(&first), at(60)).await.unwrap(), None, "answered");

    requests.forget(at(99)).await.unwrap();
    assert!(requests.open(&shown(&second), at(99)).await.unwrap().is_some());
    requests.forget(at(100)).await.unwrap();
    assert_eq!(requests.open(&shown(&third), at(10)).await.unwrap(), None, "forgotten");
    assert!(store.clients.remove(app.tenant, app.id, &event(100)).await.unwrap());
    assert_eq!(requests.open(&shown(&second), at(101)).await.unwrap(), None, "no client any more");
}

/// Of many who show what is good once, one is believed.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn what_is_good_once_is_used_once(store: &Stores) {
    let one_time = |n: u8| OneTime { hash: SecretHash([n; 32]), until: at(100) };
    let first = one_time(1);
    let all = join_all((0..16).map(|_| store.one_times.spend(&first))).await;
    assert_eq!(all.into_iter().filter(|done| *done.as_ref().unwrap()).count(), 1);
    assert!(store.one_times.spend(&one_time(2)).await.unwrap());
    store.one_times.forget(at(100) - SignedDuration::from_millis(1)).await.unwrap();
    assert!(!store.one_times.spend(&first).await.unwrap());
    store.one_times.forget(at(100)).await.unwrap();
    assert!(store.one_times.spend(&first).await.unwrap(), "by itself it would be too old by now");
}
