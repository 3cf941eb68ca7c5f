//! The auth service's promises about programs that ask for access: rules that every engine keeps.

use std::collections::BTreeSet;

use futures::future::join_all;
use jiff::SignedDuration;
use openframe_auth::Stores;
use openframe_auth::domain::{Consent, LogoutNotice, SealedKey, User};
use openframe_auth::store::Change;
use openframe_ids::{ClientId, FamilyId, SessionId, UserId};
use openframe_oauth::family::{Code, Holder, Phase, Refresh, Spent, Tokens};
use openframe_oauth::keys::Times;
use openframe_oauth::{
    Amr, Client, ClientKeys, Demand, Ended, Family, GrantType, Pkce, RedirectUri, Scopes,
};
use openframe_tokens::Role;
use openframe_tokens::opaque::SecretHash;

use crate::auth::{at, event, id, session_of, tenant, user};

#[expect(clippy::unwrap_used, reason = "the words are scopes")]
pub(crate) fn scopes(words: &str) -> Scopes {
    Scopes::read(words).unwrap()
}

/// The keys of a client: the example of RFC 7517, appendix A.1.
#[expect(clippy::unwrap_used, reason = "the set is one")]
fn keys() -> ClientKeys {
    let set = r#"{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"sig","kid":"1"}]}"#;
    ClientKeys::read(set).unwrap()
}

pub(crate) fn client(n: u8) -> Client {
    let uris = ["https://a.example.org/cb", "http://127.0.0.1/cb"].map(str::to_owned);
    Client {
        id: ClientId(id(20, n)),
        tenant: tenant(n % 2),
        name: format!("client {n}"),
        secret: (n < 4).then_some(SecretHash([n; 32])),
        redirect_uris: uris.map(RedirectUri::kept).to_vec(),
        post_logout_uris: vec![RedirectUri::kept("https://a.example.org/bye".to_owned()); n.into()],
        backchannel_logout_uri: n.is_multiple_of(3).then(|| format!("https://a.example.org/{n}")),
        grants: BTreeSet::from([GrantType::AuthorizationCode, GrantType::RefreshToken]),
        scopes: scopes("openid devices:read"),
        keys: (n == 4).then(keys),
        pkce: if n == 2 { Pkce::Waived } else { Pkce::Required },
        demands: if n == 4 { Demand::ALL.into() } else { BTreeSet::new() },
        created: at(1),
    }
}

/// A family with a code under way, of what `whose` has allowed a client in a session.
fn family(n: u8, client: &Client, whose: Option<(UserId, SessionId)>) -> Family {
    let holder = whose.map(|(user, session)| Holder {
        user,
        session,
        auth_time: at(7),
        amr: Amr::TwoFactors,
    });
    Family {
        id: FamilyId(id(21, n)),
        tenant: client.tenant,
        client: client.id,
        holder,
        scopes: scopes("openid devices:read"),
        created: at(10 + i64::from(n)),
        expires: at(1000 + i64::from(n)),
        version: 0,
        code: Some(SecretHash([n; 32])),
        phase: Phase::Code(Code {
            redirect_uri: Some("https://a.example.org/cb".to_owned()),
            challenge: None,
            nonce: Some("n".to_owned()),
            key: Some("k".to_owned()),
            expires: at(70),
        }),
    }
}

/// The same, one version later, with tokens.
fn opened(family: &Family) -> Family {
    let access = |n: u8| openframe_oauth::family::Access {
        hash: SecretHash([n; 32]),
        scopes: scopes("devices:read"),
        expires: at(100),
    };
    let spent = Spent { hash: SecretHash([6; 32]), at: at(20), salt: [7; 32], retries: 1 };
    let refresh = Refresh {
        hash: SecretHash([5; 32]),
        expires: at(500),
        spent: Some(spent),
        used: vec![1, u64::MAX],
    };
    let tokens =
        Tokens { access: access(1), older: Some(access(2)), refresh: Some(refresh), key: None };
    let phase = Phase::Open(Box::new(tokens));
    Family { version: family.version + 1, expires: at(900), phase, ..family.clone() }
}

/// Ann with two sessions and Bob with one, all of one tenant, and a client there.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub(crate) async fn world(store: &Stores) -> (User, User, Client) {
    let (ann, bob, app) = (user(0, Role::Owner), user(4, Role::Owner), client(0));
    for person in [&ann, &bob] {
        store.people.add(person, &event(1)).await.unwrap();
    }
    for (n, person) in [(1, &ann), (2, &ann), (3, &bob)] {
        let session = session_of((person.tenant, person.id), n, 1);
        store.sessions.add(&session, &event(1)).await.unwrap();
    }
    store.clients.add(&app, &event(1)).await.unwrap();
    (ann, bob, app)
}

pub(crate) fn session(n: u8) -> SessionId {
    session_of((tenant(0), UserId(id(1, 0))), n, 1).id
}

/// Clients and families read back as they were written, and are changed from what was seen: of many
/// changes at once one is made.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn a_family_is_changed_from_the_version_that_was_seen(store: &Stores) {
    let (ann, _, app) = world(store).await;
    let public = client(4);
    store.clients.add(&public, &event(2)).await.unwrap();
    assert_eq!(store.clients.get(app.id).await.unwrap(), Some(app.clone()));
    assert_eq!(store.clients.list(app.tenant).await.unwrap(), [app.clone(), public]);
    let first = family(1, &app, Some((ann.id, session(1))));
    assert!(store.families.add(&first, Some(&event(3))).await.unwrap());
    assert_eq!(store.families.get(first.id).await.unwrap(), Some(first.clone()));
    let next = opened(&first);
    let all = join_all((0..16).map(|_| store.families.replace(&next, None))).await;
    assert_eq!(all.into_iter().filter(|done| *done.as_ref().unwrap()).count(), 1);
    assert_eq!(store.families.get(first.id).await.unwrap(), Some(next.clone()));
    assert!(!store.families.replace(&next, Some(&event(4))).await.unwrap());
    let later = Family { version: 2, ..next.clone() };
    assert!(store.families.replace(&later, Some(&event(5))).await.unwrap());
    assert!(!store.families.end(tenant(1), first.id, &event(6)).await.unwrap());
    assert!(store.families.end(tenant(0), first.id, &event(6)).await.unwrap());
    assert!(!store.families.replace(&Family { version: 3, ..later }, None).await.unwrap());
    assert_eq!(store.families.get(first.id).await.unwrap(), None);
}

/// Whoever ends a session, changes a password or disables a person ends what was allowed then; a
/// session that is over by itself ends nothing.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn what_was_allowed_ends_with_the_session(store: &Stores) {
    let (ann, bob, app) = world(store).await;
    let own = [(1, &ann, 1), (2, &ann, 1), (3, &ann, 2), (4, &bob, 3)];
    for (n, person, in_session) in own {
        let family = family(n, &app, Some((person.id, session(in_session))));
        assert!(store.families.add(&family, Some(&event(2))).await.unwrap());
    }
    store.families.add(&family(5, &app, None), None).await.unwrap();
    let alive = async || {
        let there = join_all((1..=5).map(|n| store.families.get(FamilyId(id(21, n))))).await;
        let numbered = (1..=5).zip(there);
        numbered.filter(|(_, found)| found.as_ref().unwrap().is_some()).map(|(n, _)| n).collect()
    };
    let alive = async || -> Vec<i32> { alive().await };
    assert!(!store.sessions.remove(tenant(1), session(1), None, &event(3)).await.unwrap());
    assert!(!store.sessions.remove(tenant(0), session(1), Some(bob.id), &event(3)).await.unwrap());
    assert_eq!(alive().await, [1, 2, 3, 4, 5]);
    assert!(store.sessions.remove(tenant(0), session(1), None, &event(3)).await.unwrap());
    assert_eq!(alive().await, [3, 4, 5]);
    store.sessions.remove_ended(at(i64::from(i32::MAX)), at(0)).await.unwrap();
    assert_eq!(alive().await, [3, 4, 5], "sessions that are over");
    let passwords = (ann.password.as_slice(), [1; 49].as_slice());
    assert!(store.people.set_password((ann.tenant, ann.id), passwords, &event(4)).await.unwrap());
    assert_eq!(alive().await, [4, 5]);
    let disabled = Change { disabled: Some(true), ..Change::default() };
    store.people.change(bob.tenant, bob.id, &disabled, &event(5)).await.unwrap();
    assert_eq!(alive().await, [5]);
    store.families.forget_ended(at(1004)).await.unwrap();
    assert_eq!(alive().await, [5]);
    store.families.forget_ended(at(1005)).await.unwrap();
    assert!(alive().await.is_empty());
}

/// What a person has allowed a client adds up until it is taken back, or the client goes; with it goes
/// every token.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn what_was_allowed_can_be_taken_back(store: &Stores) {
    let (ann, bob, app) = world(store).await;
    let of = |n, person: &User, in_session| family(n, &app, Some((person.id, session(in_session))));
    assert!(store.families.allowed(ann.id, app.id).await.unwrap().is_empty());
    let more = Family { scopes: scopes("email openid"), ..of(2, &ann, 2) };
    for family in [of(1, &ann, 1), more, of(3, &bob, 3)] {
        assert!(store.families.add(&family, Some(&event(2))).await.unwrap());
    }
    let all = scopes("devices:read email openid");
    assert_eq!(store.families.allowed(ann.id, app.id).await.unwrap(), all);
    let consents = store.families.consents(ann.tenant, ann.id).await.unwrap();
    assert_eq!(consents, [Consent { client: app.id, scopes: all, given: at(12) }]);
    let families = &store.families;
    assert!(!families.withdraw(tenant(1), ann.id, app.id, &event(3)).await.unwrap());
    assert!(families.withdraw(tenant(0), ann.id, app.id, &event(3)).await.unwrap());
    assert!(!families.withdraw(tenant(0), ann.id, app.id, &event(3)).await.unwrap());
    assert!(families.allowed(ann.id, app.id).await.unwrap().is_empty());
    assert_eq!(families.get(FamilyId(id(21, 2))).await.unwrap(), None);
    assert!(families.get(FamilyId(id(21, 3))).await.unwrap().is_some(), "Bob's");
    assert!(!store.clients.remove(tenant(1), app.id, &event(4)).await.unwrap());
    assert!(store.clients.remove(tenant(0), app.id, &event(4)).await.unwrap());
    assert_eq!(families.get(FamilyId(id(21, 3))).await.unwrap(), None);
    assert!(families.allowed(bob.id, app.id).await.unwrap().is_empty());
    assert!(!families.add(&of(4, &bob, 3), Some(&event(5))).await.unwrap(), "no client");
    assert!(!families.add(&family(5, &app, None), None).await.unwrap(), "no client");
    store.clients.add(&app, &event(6)).await.unwrap();
    store.sessions.remove(tenant(0), session(3), None, &event(7)).await.unwrap();
    assert!(!families.add(&of(6, &bob, 3), Some(&event(8))).await.unwrap(), "no session");
    assert!(families.allowed(bob.id, app.id).await.unwrap().is_empty());
}

/// Ann's two sessions and Bob's, and the programs that they were signed in to in them.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
async fn signed_in(store: &Stores) -> (User, User, [Client; 2]) {
    let (ann, bob, app) = world(store).await;
    let (other, quiet) = (client(6), client(4));
    for client in [&other, &quiet] {
        store.clients.add(client, &event(1)).await.unwrap();
    }
    let logins = [
        (1, &app, &ann, 1),
        (2, &other, &ann, 1),
        (3, &quiet, &ann, 1),
        (4, &app, &ann, 1),
        (5, &app, &ann, 2),
        (6, &app, &bob, 3),
    ];
    for (n, client, person, in_session) in logins {
        let family = family(n, client, Some((person.id, session(in_session))));
        assert!(store.families.add(&family, Some(&event(2))).await.unwrap());
    }
    let nameless = family(7, &other, Some((bob.id, session(3))));
    let nameless = Family { scopes: scopes("devices:read"), ..nameless };
    assert!(store.families.add(&nameless, Some(&event(2))).await.unwrap());
    (ann, bob, [app, other])
}

fn notice(client: &Client, person: &User, n: u8, tries: u32) -> LogoutNotice {
    LogoutNotice {
        ended: Ended { client: client.id, user: person.id, session: session(n) },
        uri: client.backchannel_logout_uri.clone().unwrap_or_default(),
        tries,
    }
}

/// What is to be told of a session that has ended is taken by one of many, for a time, and put off or
/// forgotten only by whoever took it last.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn a_logout_is_told_by_one_at_a_time(store: &Stores) {
    let (ann, _, [app, other]) = signed_in(store).await;
    let take = async |now, until| store.logouts.take(at(now), at(until), 10).await.unwrap();
    let put_off = async |notice: &LogoutNotice, until: Option<i64>| {
        store.logouts.put_off(notice, until.map(at)).await.unwrap()
    };
    assert!(take(1000, 2000).await.is_empty(), "none has ended");
    store.sessions.remove(tenant(0), session(1), None, &event(20)).await.unwrap();
    assert!(take(19, 60).await.is_empty());
    let taken = join_all((0..16).map(|_| take(20, 60))).await;
    let taken: Vec<LogoutNotice> = taken.into_iter().flatten().collect();
    assert_eq!(taken, [notice(&app, &ann, 1, 1), notice(&other, &ann, 1, 1)]);
    assert!(take(59, 80).await.is_empty(), "taken");
    let again = take(60, 80).await;
    let [first, second] = [notice(&app, &ann, 1, 2), notice(&other, &ann, 1, 2)];
    assert_eq!(again, [first.clone(), second.clone()]);
    assert!(!put_off(&notice(&app, &ann, 1, 1), None).await, "taken once more since");
    assert!(put_off(&first, Some(100)).await && put_off(&second, None).await);
    assert!(take(99, 200).await.is_empty());
    assert!(store.logouts.take(at(100), at(200), 0).await.unwrap().is_empty());
    assert_eq!(take(100, 200).await, [notice(&app, &ann, 1, 3)]);
    assert!(put_off(&notice(&app, &ann, 1, 3), None).await);
    assert!(!put_off(&notice(&app, &ann, 1, 3), None).await);
}

/// Whatever ends a session, the clients that want to know and were signed in to in it are told.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn whatever_ends_a_session_is_told(store: &Stores) {
    let (ann, bob, [app, other]) = signed_in(store).await;
    let take = async |now, until| store.logouts.take(at(now), at(until), 10).await.unwrap();
    let passwords = (ann.password.as_slice(), [1; 49].as_slice());
    assert!(store.people.set_password((ann.tenant, ann.id), passwords, &event(300)).await.unwrap());
    let [one, two] = [notice(&app, &ann, 1, 1), notice(&other, &ann, 1, 1)];
    assert_eq!(take(300, 400).await, [one, two, notice(&app, &ann, 2, 1)]);
    store.sessions.remove_ended(at(i64::from(i32::MAX)), at(0)).await.unwrap();
    assert!(take(399, 400).await.is_empty());
    let end = i64::from(i32::MAX);
    assert_eq!(take(end, end + 1).await.last(), Some(&notice(&app, &bob, 3, 1)));
    for client in [&app, &other] {
        assert!(store.clients.remove(tenant(0), client.id, &event(500)).await.unwrap());
    }
    assert!(take(end + 2, end + 3).await.is_empty(), "nobody to tell");
    // A person who is disabled.
    store.clients.add(&app, &event(1)).await.unwrap();
    let session_of_bob = session_of((bob.tenant, bob.id), 8, 1);
    store.sessions.add(&session_of_bob, &event(1)).await.unwrap();
    let family = family(8, &app, Some((bob.id, session_of_bob.id)));
    assert!(store.families.add(&family, Some(&event(2))).await.unwrap());
    let disabled = Change { disabled: Some(true), ..Change::default() };
    store.people.change(bob.tenant, bob.id, &disabled, &event(600)).await.unwrap();
    let told = take(600, 700).await;
    assert_eq!(told.first().map(|it| it.ended.session), Some(session_of_bob.id));
}

/// Of several who find that a signing key is wanted one makes it.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn one_signing_key_is_made(store: &Stores) {
    let key = |n: u8, day: i64| SealedKey {
        kid: format!("key {n}"),
        sealed: vec![n; 3],
        times: Times::staged(at(0) + SignedDuration::from_hours(24 * day)),
    };
    let made = (0..16).map(|n| key(n, 30));
    let since = at(1);
    let all = join_all(made.map(|key| async move {
        let done = store.signing_keys.add_key(&key, since).await.unwrap();
        done.then_some(key)
    }));
    let won: Vec<SealedKey> = all.await.into_iter().flatten().collect();
    assert_eq!(won.len(), 1);
    assert_eq!(store.signing_keys.keys().await.unwrap(), won);
    let next = key(20, 60);
    assert!(store.signing_keys.add_key(&next, key(0, 31).times.made).await.unwrap());
    let both: Vec<SealedKey> = won.into_iter().chain([next.clone()]).collect();
    assert_eq!(store.signing_keys.keys().await.unwrap(), both);
    store.signing_keys.forget_keys(next.times.made).await.unwrap();
    assert_eq!(store.signing_keys.keys().await.unwrap(), std::slice::from_ref(&next));

    let (asked, alone) = (key(21, 60), SealedKey { times: Times::at_once(at(70)), ..key(22, 0) });
    store.signing_keys.rotate(tenant(0), &asked, false, &event(60)).await.unwrap();
    assert_eq!(store.signing_keys.keys().await.unwrap(), [next, asked]);
    store.signing_keys.rotate(tenant(0), &alone, true, &event(70)).await.unwrap();
    assert_eq!(store.signing_keys.keys().await.unwrap(), [alone]);
}
