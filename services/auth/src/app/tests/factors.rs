//! Second factors: what they let in, and what gets past them (nothing).

use futures::future::join_all;
use openframe_oauth::Amr;

use super::*;
use crate::app::{Joins, NextStep, Shown, Ways};
use crate::domain::TenantSettings;

const RIGHT: (&str, &str) = ("ann@example.org", "a good long one");

/// What an app shows.
fn code_at(secret: &str, now: Timestamp) -> String {
    let secret = totp_rs::Secret::try_from_base32(secret).unwrap();
    let totp = totp_rs::Builder::new().with_secret(secret).build().unwrap();
    totp.generate(now.as_second().try_into().unwrap()).to_string()
}

/// Somebody with a second factor.
struct Armed {
    secret: String,
    codes: Vec<String>,
    session: SignedIn,
}

fn half(entered: Entered) -> (String, NextStep) {
    match entered {
        Entered::Half(secret, next) => (secret, next),
        Entered::Whole(_) => panic!("there is a session already"),
    }
}

impl World {
    fn code(&self, secret: &str) -> String {
        code_at(secret, self.clock.clock().now())
    }

    /// Lets time pass until the app shows another code.
    fn next_code(&self, secret: &str) -> String {
        self.clock.advance(SignedDuration::from_secs(30));
        self.code(secret)
    }

    async fn armed_owner(&self) -> Armed {
        let owner = self.owner().await;
        let asked = self.resolve(&owner.secret).await.unwrap();
        let secret = self.app.enrol_totp(&asked).await.unwrap().secret;
        let confirmed = self.app.confirm_totp(&asked, &self.code(&secret)).await;
        let (session, codes) = confirmed.unwrap();
        assert!(self.resolve(&owner.secret).await.is_err(), "the session has another secret");
        Armed { secret, codes, session }
    }

    async fn begin(&self) -> String {
        let (secret, next) = half(self.app.log_in(RIGHT, None, &Origin::default()).await.unwrap());
        assert_eq!(next, NextStep::Code(Ways { app: true, passkey: false }));
        secret
    }

    async fn finish(&self, half: &str, code: &str) -> Result<SignedIn, Error> {
        self.app.finish_sign_in(Some(half), code, &Origin::default()).await
    }

    async fn trail(&self) -> Vec<Event> {
        let entries = self.app.store.trail.after(self.tenant, 0, 1000).await.unwrap();
        entries.into_iter().map(|entry| entry.event).collect()
    }
}

// ASVS 6.5.1, 6.5.5
// B23.once, B23.step, B23.race
#[tokio::test]
async fn a_code_is_good_once_and_for_a_step_before_and_after() {
    let world = world();
    let ann = world.armed_owner().await;
    let first = world.begin().await;
    let used = world.code(&ann.secret);
    assert!(matches!(world.finish(&first, &used).await, Err(Error::WrongCode)), "it confirmed");
    for bad in ["", "12345", "abcdef", "1234567"] {
        assert!(matches!(world.finish(&first, bad).await, Err(Error::WrongCode)), "{bad}");
    }
    world.app.store.factors.forgive_tries(ann.session.user.id).await.unwrap();
    world.clock.advance(SignedDuration::from_secs(240));
    let now = world.clock.clock().now();
    let code = |seconds| code_at(&ann.secret, now + SignedDuration::from_secs(seconds));
    let late = world.begin().await;
    for far in [-60, 60] {
        assert!(matches!(world.finish(&late, &code(far)).await, Err(Error::WrongCode)), "{far}");
    }
    world.app.store.factors.forgive_tries(ann.session.user.id).await.unwrap();
    for near in [-30, 0, 30] {
        let begun = world.begin().await;
        let opened = world.finish(&begun, &code(near)).await.unwrap();
        let session = world.app.store.sessions.get(opened.session).await.unwrap().unwrap();
        assert_eq!((session.amr, session.auth_time), (Amr::TwoFactors, now));
        assert!(matches!(world.finish(&begun, &code(near)).await, Err(Error::BadSignIn)), "over");
    }
    // Of many that show the same code at once one gets in.
    world.clock.advance(SignedDuration::from_secs(120));
    let code = world.code(&ann.secret);
    let begun = join_all((0..4).map(|_| world.begin())).await;
    let tried = join_all(begun.iter().map(|half| world.finish(half, &code))).await;
    assert_eq!(tried.iter().filter(|it| it.is_ok()).count(), 1);
}

// ASVS 6.5.1
// B24
#[tokio::test]
async fn each_recovery_code_is_good_once_and_a_new_set_ends_the_old() {
    let world = world();
    let ann = world.armed_owner().await;
    assert_eq!(ann.codes.len(), 10);
    let asked = world.resolve(&ann.session.secret).await.unwrap();
    let typed = ann.codes[0].to_lowercase().replace('-', "");
    world.finish(&world.begin().await, &typed).await.unwrap();
    let again = world.finish(&world.begin().await, &ann.codes[0]).await;
    assert!(matches!(again, Err(Error::WrongCode)));
    assert_eq!(world.app.factors(&asked).await.unwrap().recovery_codes, 9);
    let new = world.app.new_recovery_codes(&asked).await.unwrap();
    let old = world.finish(&world.begin().await, &ann.codes[1]).await;
    assert!(matches!(old, Err(Error::WrongCode)));
    world.finish(&world.begin().await, &new[1]).await.unwrap();
    let used = world.trail().await.into_iter().filter(|it| it.action == "recovery_code.use");
    assert_eq!(used.count(), 2);
}

// B22.codes
/// T9.
#[tokio::test]
async fn wrong_codes_are_few_for_each_person_wherever_they_come_from() {
    let world = world();
    let ann = world.armed_owner().await;
    let begun = world.begin().await;
    let from = |n: u8| Origin { remote_address: format!("192.0.{n}.1"), ..Origin::default() };
    for n in 0..5 {
        let tried = world.app.finish_sign_in(Some(&begun), "000000", &from(n)).await;
        assert!(matches!(tried, Err(Error::WrongCode)), "{n}");
    }
    // The right one is refused as well: else guessing would go on.
    let right = world.next_code(&ann.secret);
    let tried = world.app.finish_sign_in(Some(&begun), &right, &from(9)).await;
    assert!(matches!(tried, Err(Error::TooManyCodes(_))));
    // The password is not locked, and neither are the recovery codes.
    world.finish(&world.begin().await, &ann.codes[0]).await.unwrap();
    world.clock.advance(SignedDuration::from_secs(300));
    world.finish(&world.begin().await, &world.code(&ann.secret)).await.unwrap();
    let trail = world.trail().await;
    assert!(trail.iter().any(|it| it.detail == "too many wrong codes" && it.outcome == "refused"));
    assert!(trail.iter().all(|it| !it.detail.contains(&right)));
}

// ASVS 6.3.4
// B26.password, B26.link, B26.factor
/// T8: every way in that knows a person by something else than an API key.
#[tokio::test]
async fn no_way_in_gets_past_the_second_factor() {
    let world = world();
    let ann = world.armed_owner().await;
    let asked = world.resolve(&ann.session.secret).await.unwrap();
    let begun = world.begin().await;
    // Half a sign-in is no session, no key and no token, here or at the page for programs.
    for secret in [Secret::Session(begun.clone()), Secret::ApiKey(begun.clone())] {
        let resolved = world.app.resolve(&gateway(world.tenant), &secret, "").await;
        assert!(matches!(resolved, Err(Error::NotSignedIn)));
    }
    let renamed = begun.replace("of_hs_", "of_sid_");
    assert!(world.resolve(&renamed).await.is_err());
    // Nor does it put another factor in the place of the one that is there.
    let origin = Origin::default();
    let other = world.app.enrol_totp_first(Some(&begun), &origin).await;
    assert!(matches!(other, Err(Error::BadSignIn)));
    let pending = world.app.enrol_totp(&asked).await.unwrap().secret;
    let code = world.code(&pending);
    let other = world.app.confirm_totp_first(Some(&begun), &code, &origin).await;
    assert!(matches!(other, Err(Error::WrongCode)));
    assert!(matches!(world.finish(&begun, &code).await, Err(Error::WrongCode)), "not in force");
    // A link for a new password.
    let link = world.app.create_password_link(&asked, ann.session.user.id).await.unwrap();
    let (_, token) = link.url.split_once("#token=").unwrap();
    let chosen = world.app.use_password_link(token, "another good one", &origin).await.unwrap();
    let (chosen, next) = half(chosen);
    assert_eq!(next, NextStep::Code(Ways { app: true, passkey: false }));
    assert!(world.resolve(&ann.session.secret).await.is_err(), "sessions have ended");
    assert!(matches!(world.finish(&begun, &code).await, Err(Error::BadSignIn)), "so has this");
    let opened = world.finish(&chosen, &world.next_code(&ann.secret)).await.unwrap();
    // A changed password: what comes is worth what there was, and is no younger.
    world.clock.advance(SignedDuration::from_mins(10));
    let asked = world.resolve(&opened.secret).await.unwrap();
    let before = world.app.store.sessions.get(opened.session).await.unwrap().unwrap();
    let passwords = ("another good one", RIGHT.1);
    let changed = world.app.change_password(&asked, passwords).await.unwrap();
    let after = world.app.store.sessions.get(changed.session).await.unwrap().unwrap();
    assert_eq!((after.amr, after.auth_time), (before.amr, before.auth_time));
    // A disabled person, and one who waits too long.
    let begun = world.begin().await;
    world.clock.advance(SignedDuration::from_mins(5));
    let late = world.finish(&begun, &world.code(&ann.secret)).await;
    assert!(matches!(late, Err(Error::BadSignIn)));
    assert!(matches!(world.finish("of_hs_x", "000000").await, Err(Error::BadSignIn)));
    let nobody = world.app.finish_sign_in(None, "000000", &origin).await;
    assert!(matches!(nobody, Err(Error::BadSignIn)));
}

// ASVS 7.5.1
// B29
#[tokio::test]
async fn what_gives_authority_wants_a_person_who_has_just_shown_it() {
    let world = world();
    let ann = world.armed_owner().await;
    let old = world.resolve(&ann.session.secret).await.unwrap();
    world.clock.advance(SignedDuration::from_secs(15 * 60 + 1));
    let (app, id) = (&world.app, ann.session.user.id);
    let scopes = || vec!["devices:read".to_owned()];
    let stale = |tried: Option<Error>| assert!(matches!(tried, Some(Error::StepUpNeeded)));
    stale(app.enrol_totp(&old).await.err());
    stale(app.remove_totp(&old).await.err());
    stale(app.new_recovery_codes(&old).await.err());
    stale(app.change_password(&old, (RIGHT.1, "another good one")).await.err());
    stale(app.create_api_key(&old, "k", scopes(), None).await.err());
    stale(app.create_user(&old, person("bob@example.org", Role::Owner)).await.err());
    stale(app.change_user(&old, id, PersonChange::default()).await.err());
    stale(app.create_password_link(&old, id).await.err());
    stale(app.reset_factors(&old, id).await.err());
    stale(app.change_settings(&old, TenantSettings::default()).await.err());
    stale(app.remove_client(&old, openframe_ids::ClientId::new()).await.err());
    // Reading, and taking authority away, does not wait.
    app.users(&old).await.unwrap();
    assert!(matches!(app.revoke_api_key(&old, ApiKeyId::new()).await, Err(Error::Missing(_))));

    let by_password = app.step_up(&old, Shown::Password(RIGHT.1)).await;
    assert!(matches!(by_password, Err(Error::Invalid(_))), "a password is not enough");
    assert!(matches!(app.step_up(&old, Shown::Code("000000")).await, Err(Error::WrongCode)));
    let code = world.code(&ann.secret);
    let now = app.step_up(&old, Shown::Code(&code)).await.unwrap();
    assert_eq!(now.session, ann.session.session);
    assert!(world.resolve(&ann.session.secret).await.is_err(), "the secret is another");
    let fresh = world.resolve(&now.secret).await.unwrap();
    app.create_api_key(&fresh, "k", scopes(), None).await.unwrap();
    assert!(matches!(app.step_up(&fresh, Shown::Code(&code)).await, Err(Error::WrongCode)));

    // Who has no second factor shows the password.
    app.create_user(&fresh, person("bob@example.org", Role::Technician)).await.unwrap();
    let bob = world.log_in("bob@example.org", "a good long one").await.unwrap();
    let bob = world.resolve(&bob.secret).await.unwrap();
    world.clock.advance(SignedDuration::from_mins(16));
    stale(app.create_api_key(&bob, "k", scopes(), None).await.err());
    assert!(matches!(app.step_up(&bob, Shown::Password("x")).await, Err(Error::WrongPassword)));
    assert!(matches!(app.step_up(&bob, Shown::Code("000000")).await, Err(Error::Invalid(_))));
    let bob = app.step_up(&bob, Shown::Password("a good long one")).await.unwrap();
    let bob = world.resolve(&bob.secret).await.unwrap();
    app.create_api_key(&bob, "k", scopes(), None).await.unwrap();
}

#[tokio::test]
async fn where_everybody_needs_a_factor_who_has_none_only_enrols_one() {
    let world = world();
    let owner = world.owner().await;
    let asked = world.resolve(&owner.secret).await.unwrap();
    world.app.create_user(&asked, person("bob@example.org", Role::Technician)).await.unwrap();
    let bob = world.log_in("bob@example.org", "a good long one").await.unwrap();
    let required = TenantSettings { second_factor_required: true };
    let refused = world.app.change_settings(&asked, required).await;
    assert!(matches!(refused, Err(Error::OwnFactorFirst)));
    let secret = world.app.enrol_totp(&asked).await.unwrap().secret;
    let (owner, _) = world.app.confirm_totp(&asked, &world.code(&secret)).await.unwrap();
    let asked = world.resolve(&owner.secret).await.unwrap();
    world.app.change_settings(&asked, required).await.unwrap();
    assert!(matches!(world.app.remove_totp(&asked).await, Err(Error::FactorRequired)));
    assert!(world.resolve(&bob.secret).await.is_err(), "signed in by a password alone");

    let (email, origin) = (("bob@example.org", "a good long one"), Origin::default());
    let (begun, next) = half(world.app.log_in(email, None, &origin).await.unwrap());
    assert_eq!(next, NextStep::Enrol);
    assert!(matches!(world.finish(&begun, "000000").await, Err(Error::WrongCode)));
    let secret = world.app.enrol_totp_first(Some(&begun), &origin).await.unwrap().secret;
    let wrong = world.app.confirm_totp_first(Some(&begun), "000000", &origin).await;
    assert!(matches!(wrong, Err(Error::WrongCode)));
    let code = world.code(&secret);
    let done = world.app.confirm_totp_first(Some(&begun), &code, &origin).await;
    let (bob, codes) = done.unwrap();
    assert_eq!(codes.len(), 10);
    world.resolve(&bob.secret).await.unwrap();
    assert!(matches!(world.finish(&begun, &codes[0]).await, Err(Error::BadSignIn)), "over");
}

// B26.invitation
#[tokio::test]
async fn an_invitation_gets_nobody_past_the_second_factor() {
    let world = world();
    let ann = world.armed_owner().await;
    let asked = world.resolve(&ann.session.secret).await.unwrap();
    let required = TenantSettings { second_factor_required: true };
    world.app.change_settings(&asked, required).await.unwrap();
    let invited = world.app.invite(&asked, "bob@example.org", Role::Technician).await.unwrap();
    let url = invited.url.unwrap();
    let (_, token) = url.split_once("#token=").unwrap();
    let joins = Joins { name: "Bob".to_owned(), password: "another good one".to_owned() };
    let entered = world.app.accept_invitation(token, joins, &Origin::default()).await.unwrap();
    let (begun, next) = half(entered);
    assert_eq!(next, NextStep::Enrol, "nothing else is open to him");
    assert!(world.resolve(&begun).await.is_err(), "it is no session");
}

// ASVS 6.4.4
#[tokio::test]
async fn an_owner_lets_somebody_in_who_has_lost_the_app() {
    let world = world();
    let ann = world.armed_owner().await;
    let asked = world.resolve(&ann.session.secret).await.unwrap();
    let bob = person("bob@example.org", Role::Technician);
    let bob = world.app.create_user(&asked, bob).await.unwrap();
    let missing = world.app.reset_factors(&asked, bob.id).await;
    assert!(matches!(missing, Err(Error::Missing(_))), "there is none");
    let his = world.log_in("bob@example.org", "a good long one").await.unwrap();
    let his = world.resolve(&his.secret).await.unwrap();
    let secret = world.app.enrol_totp(&his).await.unwrap().secret;
    let (session, codes) = world.app.confirm_totp(&his, &world.code(&secret)).await.unwrap();
    let his = world.resolve(&session.secret).await.unwrap();
    assert!(world.app.reset_factors(&his, bob.id).await.is_err(), "an owner's work");
    // The password alone neither gets in nor puts another app in the place of the lost one.
    let right = ("bob@example.org", "a good long one");
    let (begun, _) = half(world.app.log_in(right, None, &Origin::default()).await.unwrap());
    let other = world.app.enrol_totp_first(Some(&begun), &Origin::default()).await;
    assert!(matches!(other, Err(Error::BadSignIn)));
    // Who adds people is who lets them in again, after showing to be that owner.
    world.clock.advance(SignedDuration::from_mins(16));
    let stale = world.app.reset_factors(&asked, bob.id).await;
    assert!(matches!(stale, Err(Error::StepUpNeeded)));
    let code = world.code(&ann.secret);
    let here = world.app.step_up(&asked, Shown::Code(&code)).await.unwrap();
    let asked = world.resolve(&here.secret).await.unwrap();
    world.app.reset_factors(&asked, bob.id).await.unwrap();
    assert!(world.resolve(&session.secret).await.is_err());
    world.log_in("bob@example.org", "a good long one").await.unwrap();
    let left = world.app.store.factors.recovery_codes(bob.id).await.unwrap();
    assert_eq!((codes.len(), left), (10, 0));
    assert!(world.trail().await.iter().any(|it| it.action == "factors.reset"));
}

#[tokio::test]
async fn a_new_app_takes_the_place_of_the_old_once_it_is_confirmed() {
    let world = world();
    let ann = world.armed_owner().await;
    let other = world.finish(&world.begin().await, &world.next_code(&ann.secret)).await.unwrap();
    let asked = world.resolve(&other.secret).await.unwrap();
    let new = world.app.enrol_totp(&asked).await.unwrap().secret;
    let code = world.next_code(&ann.secret);
    world.finish(&world.begin().await, &code).await.unwrap();
    let wrong = world.app.confirm_totp(&asked, &world.code(&ann.secret)).await;
    assert!(matches!(wrong, Err(Error::WrongCode)));
    let (here, _) = world.app.confirm_totp(&asked, &world.code(&new)).await.unwrap();
    assert!(world.resolve(&ann.session.secret).await.is_err(), "other sessions end");
    world.resolve(&here.secret).await.unwrap();
    let old = world.finish(&world.begin().await, &world.next_code(&ann.secret)).await;
    assert!(matches!(old, Err(Error::WrongCode)));
    world.finish(&world.begin().await, &world.code(&new)).await.unwrap();
    // What is enrolled waits for a quarter of an hour.
    let asked = world.resolve(&here.secret).await.unwrap();
    let late = world.app.enrol_totp(&asked).await.unwrap().secret;
    world.clock.advance(SignedDuration::from_mins(15));
    let late = world.app.confirm_totp(&asked, &world.code(&late)).await;
    assert!(late.is_err());
    // What is kept is sealed.
    let kept = world.app.store.factors.totp(here.user.id).await.unwrap().unwrap();
    let plain = totp_rs::Secret::try_from_base32(&new).unwrap();
    assert!(!kept.sealed.windows(20).any(|part| part == plain.as_bytes()));
}
