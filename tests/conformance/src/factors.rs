//! The auth service's promises about second factors: rules that every engine keeps.

use std::time::Duration;

use futures::future::join_all;
use openframe_auth::Stores;
use openframe_auth::domain::{HalfSignIn, Rate, SealedTotp, TenantSettings, User};
use openframe_auth::store::{Confirmation, Person, Renewal};
use openframe_ids::{SessionId, SignInId};
use openframe_oauth::Amr;
use openframe_tokens::Role;
use openframe_tokens::opaque::SecretHash;

use crate::auth::{at, event, id, session_of, tenant, user};

fn totp(n: u8) -> SealedTotp {
    SealedTotp { sealed: vec![n; 48], created: at(n.into()) }
}

fn confirmation<'a>(sealed: &'a [u8], codes: &'a [SecretHash]) -> Confirmation<'a> {
    Confirmation { sealed, step: 5, codes, keep: None, first: false }
}

fn half_of((tenant, user): Person, n: u8) -> HalfSignIn {
    let (id, secret) = (SignInId(id(30, n)), SecretHash([n; 32]));
    HalfSignIn { id, tenant, user, secret, amr: Amr::Federated, expires: at(n.into()) }
}

/// Adds a person with an app in force, whose step 5 was used, and two recovery codes.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
async fn armed(store: &Stores) -> User {
    let ann = user(0, Role::Owner);
    let (whose, codes) = ((ann.tenant, ann.id), [1, 2].map(|n| SecretHash([n; 32])));
    store.people.add(&ann, &event(1)).await.unwrap();
    assert!(store.factors.enrol_totp(whose, &totp(1), &event(2)).await.unwrap());
    let to = Confirmation { first: true, ..confirmation(&[1; 48], &codes) };
    assert!(store.factors.confirm_totp(whose, &to, &event(3)).await.unwrap());
    ann
}

/// A secret counts once it is confirmed, in the place of the one before; then the person's other
/// sessions end, and half sign-ins.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn a_secret_counts_once_it_is_confirmed(store: &Stores) {
    let (factors, sessions) = (&store.factors, &store.sessions);
    let ann = armed(store).await;
    let whose = (ann.tenant, ann.id);
    assert_eq!(factors.totp(ann.id).await.unwrap(), Some(totp(1)));
    assert_eq!(factors.pending_totp(ann.id).await.unwrap(), None);
    let stranger = (tenant(1), ann.id);
    assert!(!factors.enrol_totp(stranger, &totp(9), &event(4)).await.unwrap());
    for n in [2, 3] {
        assert!(factors.enrol_totp(whose, &totp(n), &event(4)).await.unwrap());
    }
    assert_eq!(factors.totp(ann.id).await.unwrap(), Some(totp(1)), "still in force");
    assert_eq!(factors.pending_totp(ann.id).await.unwrap(), Some(totp(3)));
    for n in [1, 2] {
        sessions.add(&session_of(whose, n, 4), &event(4)).await.unwrap();
    }
    store.sign_ins.begin(&half_of(whose, 9), &event(4)).await.unwrap();
    let codes = [SecretHash([7; 32])];
    let confirm = async |whose, to: Confirmation<'_>| {
        factors.confirm_totp(whose, &to, &event(5)).await.unwrap()
    };
    assert!(!confirm(whose, confirmation(&[2; 48], &codes)).await, "it was replaced");
    assert!(!confirm(stranger, confirmation(&[3; 48], &codes)).await);
    let first = Confirmation { first: true, ..confirmation(&[3; 48], &codes) };
    assert!(!confirm(whose, first).await, "it is not the first");
    assert_eq!(factors.totp(ann.id).await.unwrap(), Some(totp(1)), "nothing has changed");
    assert_eq!(factors.recovery_codes(ann.id).await.unwrap(), 2);
    let keep = Some(SessionId(id(3, 2)));
    assert!(confirm(whose, Confirmation { keep, ..confirmation(&[3; 48], &codes) }).await);
    assert!(!confirm(whose, confirmation(&[3; 48], &codes)).await, "it was confirmed");
    assert_eq!(factors.totp(ann.id).await.unwrap(), Some(totp(3)));
    assert_eq!(factors.recovery_codes(ann.id).await.unwrap(), 1);
    let left = sessions.list(ann.tenant, None).await.unwrap();
    assert_eq!(left.iter().map(|it| Some(it.id)).collect::<Vec<_>>(), [keep]);
    assert!(store.sign_ins.get(SignInId(id(30, 9))).await.unwrap().is_none());

    assert!(!factors.remove(stranger, None, &event(6)).await.unwrap());
    assert!(factors.remove(whose, None, &event(6)).await.unwrap());
    assert!(!factors.remove(whose, None, &event(6)).await.unwrap());
    assert_eq!(factors.totp(ann.id).await.unwrap(), None);
    assert_eq!(factors.recovery_codes(ann.id).await.unwrap(), 0);
    assert!(sessions.list(ann.tenant, None).await.unwrap().is_empty());
}

/// A step is used once and none before it; of many at once one wins. So with recovery codes.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn a_code_is_used_once(store: &Stores) {
    let factors = &store.factors;
    let ann = armed(store).await;
    let whose = (ann.tenant, ann.id);
    let used = async |step| factors.use_totp(ann.id, step).await.unwrap();
    assert!(!used(5).await, "it has confirmed the secret");
    assert!(!used(4).await);
    let won = join_all((0..16).map(|_| used(7))).await;
    assert_eq!(won.into_iter().filter(|won| *won).count(), 1);
    assert!(!used(6).await, "a later one was used");
    assert!(used(8).await);
    assert!(!factors.use_totp(user(2, Role::Owner).id, 9).await.unwrap(), "nobody's");

    let code = |n| SecretHash([n; 32]);
    let recover = async |n| factors.use_recovery_code(whose, code(n), &event(4)).await.unwrap();
    assert!(!recover(3).await);
    let won = join_all((0..16).map(|_| recover(1))).await;
    assert_eq!(won.into_iter().filter(|won| *won).count(), 1);
    let new = [code(3), code(4), code(5)];
    assert!(factors.replace_recovery_codes(whose, &new, &event(5)).await.unwrap());
    let stranger = (tenant(1), ann.id);
    assert!(!factors.replace_recovery_codes(stranger, &[], &event(5)).await.unwrap());
    assert!(!recover(2).await, "another set took its place");
    assert!(recover(3).await);
    assert_eq!(factors.recovery_codes(ann.id).await.unwrap(), 2);
}

/// Tries are counted once for all, and come back.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn tries_are_counted_for_all_replicas(store: &Stores) {
    let factors = &store.factors;
    let ann = armed(store).await;
    let rate = Rate::new(5, 1000);
    let take = async |now| factors.take_try(ann.id, rate, at(now)).await.unwrap();
    let tried = join_all((0..16).map(|_| take(10_000))).await;
    assert_eq!(tried.into_iter().flatten().count(), 5);
    assert_eq!(take(10_200).await, Err(Duration::from_millis(800)));
    assert_eq!(take(11_000).await, Ok(()));
    assert!(take(11_000).await.is_err());
    factors.forgive_tries(ann.id).await.unwrap();
    assert_eq!(take(11_000).await, Ok(()));
}

/// Half a sign-in becomes whole once, and ends with the person's sessions. A session is given another
/// secret by who knows the one before. Settings are those of the tenant.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn half_a_sign_in_becomes_whole_once(store: &Stores) {
    let (sign_ins, sessions) = (&store.sign_ins, &store.sessions);
    let ann = armed(store).await;
    let whose = (ann.tenant, ann.id);
    let get = async |n| sign_ins.get(SignInId(id(30, n))).await.unwrap();
    for n in [10, 20, 30] {
        sign_ins.begin(&half_of(whose, n), &event(4)).await.unwrap();
    }
    assert_eq!(get(10).await, Some(half_of(whose, 10)));
    let won = join_all((0..16).map(|_| sign_ins.end(SignInId(id(30, 10))))).await;
    assert_eq!(won.into_iter().filter(|won| *won.as_ref().unwrap()).count(), 1);
    sign_ins.forget_ended(at(20)).await.unwrap();
    assert!(get(10).await.is_none() && get(20).await.is_none() && get(30).await.is_some());
    let from_to = (ann.password.as_slice(), [9; 49].as_slice());
    assert!(store.people.set_password(whose, from_to, &event(5)).await.unwrap());
    assert!(get(30).await.is_none(), "the password is another");

    let session = session_of(whose, 1, 6);
    sessions.add(&session, &event(6)).await.unwrap();
    let renewal = |from, to| Renewal {
        from: SecretHash([from; 32]),
        secret: SecretHash([to; 32]),
        auth_time: at(i64::from(to)),
        amr: Amr::TwoFactors,
    };
    let renew = |from, to| {
        let renewal = renewal(from, to);
        async move { sessions.renew(session_of(whose, 1, 6).id, &renewal, &event(7)).await.unwrap() }
    };
    assert!(!renew(9, 2).await);
    let won = join_all((2..18).map(|to| renew(1, to))).await;
    assert_eq!(won.into_iter().filter(|won| *won).count(), 1);
    let now = sessions.get(session.id).await.unwrap().unwrap();
    assert_eq!(now.auth_time, at(i64::from(now.secret.0[0])));
    assert_eq!((now.amr, now.created), (Amr::TwoFactors, session.created));

    let required = TenantSettings { second_factor_required: true };
    store.settings.set(ann.tenant, required, &event(8)).await.unwrap();
    assert_eq!(store.settings.get(ann.tenant).await.unwrap(), required);
    assert_eq!(store.settings.get(tenant(1)).await.unwrap(), TenantSettings::default());
    store.settings.set(ann.tenant, TenantSettings::default(), &event(9)).await.unwrap();
    assert_eq!(store.settings.get(ann.tenant).await.unwrap(), TenantSettings::default());
}
