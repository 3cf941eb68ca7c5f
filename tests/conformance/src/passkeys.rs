//! The auth service's promises about passkeys: rules that every engine keeps.

use futures::future::join_all;
use openframe_auth::Stores;
use openframe_auth::domain::{HalfSignIn, PASSKEYS_MAX, Passkey, SealedTotp, User};
use openframe_auth::store::{Added, Change, Confirmation, Person, Removed, Use};
use openframe_ids::{PasskeyId, SessionId, SignInId};
use openframe_oauth::Amr;
use openframe_tokens::Role;
use openframe_tokens::opaque::SecretHash;

use crate::auth::{at, event, id, session_of, tenant, user};

fn passkey_of((tenant, user): Person, n: u8) -> Passkey {
    Passkey {
        id: PasskeyId(id(40, n)),
        tenant,
        user,
        name: format!("key {n}"),
        credential: vec![n; 32],
        key: format!("{{\"n\":{n}}}"),
        counter: 0,
        created: at(n.into()),
        last_used: None,
    }
}

fn codes(n: u8) -> [SecretHash; 2] {
    [SecretHash([n; 32]), SecretHash([n + 1; 32])]
}

fn use_at(counter: u32, ms: i64) -> Use<'static> {
    Use { key: "{}", counter, at: at(ms) }
}

/// Adds a person.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
async fn person(store: &Stores, n: u8) -> User {
    // No owner: the last one of a tenant is never shut out.
    let user = user(n, Role::Technician);
    assert!(store.people.add(&user, &event(1)).await.unwrap());
    user
}

/// The first factor of a person brings recovery codes, the others do not; each ends the person's other
/// sessions and half sign-ins. One is registered once, and nobody has too many.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn a_passkey_is_registered_once(store: &Stores) {
    let (passkeys, ann) = (&store.passkeys, person(store, 0).await);
    let (whose, here) = ((ann.tenant, ann.id), SessionId(id(3, 1)));
    for n in [1, 2] {
        store.sessions.add(&session_of(whose, n, 4), &event(4)).await.unwrap();
    }
    let half = HalfSignIn {
        id: SignInId(id(30, 1)),
        tenant: ann.tenant,
        user: ann.id,
        secret: SecretHash([1; 32]),
        amr: Amr::Password,
        expires: at(900),
    };
    store.sign_ins.begin(&half, &event(4)).await.unwrap();
    let add = async |n, it: &Passkey| {
        passkeys.add(it, &codes(n), here, &event(i64::from(n))).await.unwrap()
    };
    assert_eq!(add(10, &passkey_of(whose, 1)).await, Added::First);
    let left = store.sessions.list(ann.tenant, None).await.unwrap();
    assert_eq!(left.iter().map(|it| it.id).collect::<Vec<_>>(), [here]);
    assert!(store.sign_ins.get(half.id).await.unwrap().is_none());
    assert_eq!(add(20, &passkey_of(whose, 2)).await, Added::More);
    let factors = &store.factors;
    assert_eq!(factors.recovery_codes(ann.id).await.unwrap(), 2);
    let used = async |n: u8| {
        factors.use_recovery_code(whose, SecretHash([n; 32]), &event(5)).await.unwrap()
    };
    assert!(!used(20).await && used(10).await, "the first ones are in force");

    let again = Passkey { id: PasskeyId(id(40, 9)), ..passkey_of(whose, 1) };
    assert_eq!(add(30, &again).await, Added::Taken);
    let stranger = (tenant(1), ann.id);
    assert_eq!(add(30, &passkey_of(stranger, 8)).await, Added::Refused);
    for n in 3.. {
        if passkeys.list(ann.id).await.unwrap().len() == PASSKEYS_MAX {
            break;
        }
        assert_eq!(add(30, &passkey_of(whose, n)).await, Added::More);
    }
    assert_eq!(add(30, &passkey_of(whose, 99)).await, Added::Full);
    let all = passkeys.list(ann.id).await.unwrap();
    assert_eq!(all.first(), Some(&passkey_of(whose, 1)), "oldest first");
    let found = async |tenant, n: u8| passkeys.by_credential(tenant, &[n; 32]).await.unwrap();
    assert_eq!(found(ann.tenant, 2).await, Some(passkey_of(whose, 2)));
    assert_eq!(found(tenant(1), 2).await, None);
    assert_eq!(found(ann.tenant, 99).await, None);

    // Somebody else's, in another tenant, may be called the same.
    let bob = person(store, 5).await;
    let his = Passkey { id: PasskeyId(id(40, 100)), ..passkey_of((bob.tenant, bob.id), 1) };
    assert_ne!(bob.tenant, ann.tenant);
    assert_eq!(add(40, &his).await, Added::First);
    let disabled = Change { disabled: Some(true), ..Change::default() };
    store.people.change(bob.tenant, bob.id, &disabled, &event(6)).await.unwrap();
    assert_eq!(add(50, &passkey_of((bob.tenant, bob.id), 101)).await, Added::Refused);
}

/// A counter only goes on; of many uses with one counter, one wins. One that does not count stays at 0.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn the_counter_of_a_passkey_only_goes_on(store: &Stores) {
    let (passkeys, ann) = (&store.passkeys, person(store, 0).await);
    let (whose, here) = ((ann.tenant, ann.id), SessionId(id(3, 1)));
    let kept = passkey_of(whose, 1);
    passkeys.add(&kept, &codes(10), here, &event(2)).await.unwrap();
    let used = async |counter| passkeys.used(kept.id, use_at(counter, 50)).await.unwrap();
    assert!(used(0).await && used(0).await, "it does not count");
    let won = join_all((0..16).map(|_| used(7))).await;
    assert_eq!(won.into_iter().filter(|won| *won).count(), 1);
    for back in [0, 6, 7] {
        assert!(!used(back).await, "{back}");
    }
    assert!(used(u32::MAX).await);
    let now = passkeys.list(ann.id).await.unwrap();
    let want = Passkey { key: "{}".to_owned(), counter: u32::MAX, last_used: Some(at(50)), ..kept };
    assert_eq!(now, [want]);
    assert!(!passkeys.used(PasskeyId(id(40, 9)), use_at(1, 50)).await.unwrap(), "nobody's");
}

/// With the last factor go the recovery codes, unless it is to stay: then nothing is changed. A person
/// names and removes the own ones only.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn the_last_factor_takes_the_recovery_codes_with_it(store: &Stores) {
    let (passkeys, factors, ann) = (&store.passkeys, &store.factors, person(store, 0).await);
    let (whose, here) = ((ann.tenant, ann.id), SessionId(id(3, 1)));
    for n in [1, 2] {
        passkeys.add(&passkey_of(whose, n), &codes(10), here, &event(2)).await.unwrap();
    }
    let named = |n| PasskeyId(id(40, n));
    let stranger = (tenant(1), ann.id);
    let other = (ann.tenant, user(4, Role::Technician).id);
    for who in [stranger, other] {
        assert!(!passkeys.rename(who, named(1), "his", &event(3)).await.unwrap());
        let removed = passkeys.remove((who, named(1)), None, false, &event(3)).await.unwrap();
        assert_eq!(removed, Removed::Missing);
    }
    assert!(passkeys.rename(whose, named(1), "hers", &event(3)).await.unwrap());
    assert_eq!(passkeys.list(ann.id).await.unwrap().first().unwrap().name, "hers");
    for n in [1, 2] {
        store.sessions.add(&session_of(whose, n, 4), &event(4)).await.unwrap();
    }
    let remove = async |n, stays| {
        passkeys.remove((whose, named(n)), Some(here), stays, &event(5)).await.unwrap()
    };
    // Of two that are removed at once one stays.
    let removed = join_all([remove(1, true), remove(2, true)]).await;
    let one = if removed.first() == Some(&Removed::Done) { 2 } else { 1 };
    assert!(removed.contains(&Removed::Done) && removed.contains(&Removed::Last), "{removed:?}");
    let left = store.sessions.list(ann.tenant, None).await.unwrap();
    assert_eq!(left.iter().map(|it| it.id).collect::<Vec<_>>(), [here]);
    assert_eq!(factors.recovery_codes(ann.id).await.unwrap(), 2);
    assert_eq!(remove(one, false).await, Removed::Done);
    assert_eq!(remove(one, false).await, Removed::Missing);
    assert_eq!(factors.recovery_codes(ann.id).await.unwrap(), 0);
    let set = factors.replace_recovery_codes(whose, &codes(20), &event(6)).await.unwrap();
    assert!(!set, "there is no factor");
}

/// An app and passkeys are factors side by side: neither is the first where there is the other, each stays
/// without the other, and all go together.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn an_app_and_passkeys_stand_side_by_side(store: &Stores) {
    let (passkeys, factors, ann) = (&store.passkeys, &store.factors, person(store, 0).await);
    let (whose, here) = ((ann.tenant, ann.id), SessionId(id(3, 1)));
    passkeys.add(&passkey_of(whose, 1), &codes(10), here, &event(2)).await.unwrap();
    assert!(factors.replace_recovery_codes(whose, &codes(30), &event(3)).await.unwrap());
    let totp = SealedTotp { sealed: vec![1; 48], created: at(1) };
    assert!(factors.enrol_totp(whose, &totp, &event(4)).await.unwrap());
    let to = Confirmation { sealed: &[1; 48], step: 5, codes: &codes(50), keep: None, first: true };
    assert!(!factors.confirm_totp(whose, &to, &event(5)).await.unwrap(), "there is a passkey");
    let to = Confirmation { first: false, ..to };
    assert!(factors.confirm_totp(whose, &to, &event(5)).await.unwrap());
    let remove_app =
        async |whose, stays| factors.remove_totp(whose, None, stays, &event(6)).await.unwrap();
    assert_eq!(remove_app((tenant(1), ann.id), false).await, Removed::Missing);
    assert_eq!(remove_app(whose, true).await, Removed::Done, "a passkey is left");
    assert_eq!(remove_app(whose, false).await, Removed::Missing);
    assert_eq!(factors.recovery_codes(ann.id).await.unwrap(), 2);

    assert!(factors.enrol_totp(whose, &totp, &event(7)).await.unwrap());
    assert!(factors.confirm_totp(whose, &to, &event(8)).await.unwrap());
    let one = (whose, PasskeyId(id(40, 1)));
    assert_eq!(passkeys.remove(one, None, true, &event(9)).await.unwrap(), Removed::Done);
    assert_eq!(factors.recovery_codes(ann.id).await.unwrap(), 2, "the app is left");
    assert_eq!(remove_app(whose, true).await, Removed::Last);
    assert!(factors.totp(ann.id).await.unwrap().is_some(), "nothing has changed");
    passkeys.add(&passkey_of(whose, 2), &codes(70), here, &event(10)).await.unwrap();
    assert!(factors.remove(whose, None, &event(11)).await.unwrap());
    assert!(passkeys.list(ann.id).await.unwrap().is_empty());
    assert_eq!(factors.recovery_codes(ann.id).await.unwrap(), 0);
    assert!(!factors.remove(whose, None, &event(12)).await.unwrap());
}
