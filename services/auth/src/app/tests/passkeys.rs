//! Passkeys: what they let in.

mod refused;

use openframe_oauth::Amr;
use serde_json::Value;

use super::soft::SoftPasskey;
use super::*;
use crate::app::{NewPasskey, NextStep, PasskeyAsked, PasskeyShown, Shown, Ways};
use crate::domain::TenantSettings;

const URL: &str = "https://of.example";
const ANN: (&str, &str) = ("ann@example.org", "a good long one");
const BOB: (&str, &str) = ("bob@example.org", "a good long one");

/// Somebody with a passkey.
struct Keyed {
    passkey: SoftPasskey,
    session: SignedIn,
    codes: Vec<String>,
    id: PasskeyId,
}

fn at_a_name() -> World {
    let mut world = world();
    world.app.passkeys = openframe_passkeys::Passkeys::of(URL);
    world
}

fn answer<'a>(credential: &'a Value, held: &'a str) -> PasskeyShown<'a> {
    PasskeyShown { credential, held: Some(held) }
}

fn half(entered: Entered) -> (String, NextStep) {
    match entered {
        Entered::Half(secret, next) => (secret, next),
        Entered::Whole(_) => panic!("there is a session already"),
    }
}

impl World {
    async fn register(
        &self,
        asked: &Asked,
        passkey: &mut SoftPasskey,
    ) -> Result<NewPasskey, Error> {
        let wanted = self.app.ask_new_passkey(asked).await?;
        let made = passkey.make(&wanted.options);
        self.app.add_passkey(asked, " my key ", answer(&made, &wanted.held)).await
    }

    async fn keyed(&self, session: &SignedIn) -> Keyed {
        let asked = self.resolve(&session.secret).await.unwrap();
        let mut passkey = SoftPasskey::new(URL);
        let new = self.register(&asked, &mut passkey).await.unwrap();
        assert_eq!(new.passkey.name, "my key");
        let NewPasskey { session, recovery_codes: codes, passkey: kept } = new;
        Keyed { passkey, session, codes, id: kept.id }
    }

    async fn keyed_owner(&self) -> Keyed {
        self.keyed(&self.owner().await).await
    }

    /// A technician, added by an owner.
    async fn bob(&self, owner: &SignedIn) -> SignedIn {
        let asked = self.resolve(&owner.secret).await.unwrap();
        self.app.create_user(&asked, person(BOB.0, Role::Technician)).await.unwrap();
        self.log_in(BOB.0, BOB.1).await.unwrap()
    }

    async fn show(
        &self,
        asked: &PasskeyAsked,
        passkey: &mut SoftPasskey,
    ) -> Result<SignedIn, Error> {
        let shown = passkey.show(&asked.options);
        self.sign_in_with(&shown, &asked.held).await
    }

    async fn sign_in_with(&self, shown: &Value, held: &str) -> Result<SignedIn, Error> {
        self.app.sign_in_by_passkey(answer(shown, held), None, &Origin::default()).await
    }

    async fn sign_in(&self, passkey: &mut SoftPasskey) -> Result<SignedIn, Error> {
        self.show(&self.app.ask_passkey().unwrap(), passkey).await
    }

    async fn refusals(&self) -> Vec<String> {
        let entries = self.app.store.trail.after(self.tenant, 0, 1000).await.unwrap();
        let refused = entries.into_iter().filter(|it| it.event.outcome == "refused");
        refused.map(|it| it.event.detail).collect()
    }

    async fn last_refusal(&self) -> String {
        self.refusals().await.pop().unwrap()
    }
}

fn bad(tried: Result<SignedIn, Error>) {
    assert!(matches!(tried.err(), Some(Error::BadPasskey)));
}

fn late(tried: Option<Error>) {
    let tried = tried.unwrap();
    assert!(matches!(tried, Error::LatePasskey), "{tried:?}");
}

fn wrong(tried: Option<Error>) {
    let tried = tried.unwrap();
    assert!(matches!(tried, Error::WrongPasskey), "{tried:?}");
}

#[tokio::test]
async fn a_passkey_alone_signs_in_and_is_two_factors() {
    let world = at_a_name();
    let owner = world.owner().await;
    let elsewhere = world.log_in(ANN.0, ANN.1).await.unwrap();
    let mut ann = world.keyed(&owner).await;
    assert!(world.resolve(&owner.secret).await.is_err(), "the session has another secret");
    assert!(world.resolve(&elsewhere.secret).await.is_err(), "other sessions end");
    assert_eq!(ann.codes.len(), 10);
    let registered = world.app.store.sessions.get(ann.session.session).await;
    assert_eq!(registered.unwrap().unwrap().amr, Amr::PasswordAndPasskey);
    world.clock.advance(SignedDuration::from_mins(3));
    let opened = world.sign_in(&mut ann.passkey).await.unwrap();
    assert_eq!(opened.user.id, ann.session.user.id);
    let now = world.app.now();
    let kept = world.app.store.sessions.get(opened.session).await.unwrap().unwrap();
    assert_eq!((kept.amr, kept.auth_time), (Amr::Passkey, now));
    let asked = world.resolve(&opened.secret).await.unwrap();
    let own = world.app.passkeys(&asked).await.unwrap();
    assert_eq!((own[0].last_used, own[0].counter), (Some(now), 2));
    // It is enough where everybody needs a second factor, and to make a session fresh.
    let required = TenantSettings { second_factor_required: true };
    world.app.change_settings(&asked, required).await.unwrap();
    let opened = world.sign_in(&mut ann.passkey).await.unwrap();
    world.resolve(&opened.secret).await.unwrap();
    // The session that the same browser had before ends.
    let wanted = world.app.ask_passkey().unwrap();
    let shown = ann.passkey.show(&wanted.options);
    let (shown, old) = (answer(&shown, &wanted.held), Some(opened.secret.as_str()));
    world.app.sign_in_by_passkey(shown, old, &Origin::default()).await.unwrap();
    assert!(world.resolve(&opened.secret).await.is_err());
}

// ASVS 6.3.4
/// Whoever has a passkey and no app is asked for it after the password, and has recovery codes.
#[tokio::test]
async fn after_a_password_a_passkey_takes_the_place_of_a_code() {
    let world = at_a_name();
    let mut ann = world.keyed_owner().await;
    let origin = Origin::default();
    let begin = async || half(world.app.log_in(ANN, None, &origin).await.unwrap());
    let (begun, next) = begin().await;
    assert_eq!(next, NextStep::Code(Ways { app: false, passkey: true }));
    let code = world.app.finish_sign_in(Some(&begun), "000000", &origin).await;
    assert!(matches!(code, Err(Error::WrongCode)));
    assert!(matches!(
        world.app.enrol_totp_first(Some(&begun), &origin).await.err(),
        Some(Error::BadSignIn)
    ));
    let wanted = world.app.ask_second_passkey(Some(&begun)).await.unwrap();
    let allowed = wanted.options.pointer("/publicKey/allowCredentials").unwrap();
    assert_eq!(allowed.as_array().unwrap().len(), 1);
    let shown = ann.passkey.show(&wanted.options);
    let shown = answer(&shown, &wanted.held);
    let opened = world.app.finish_by_passkey(Some(&begun), shown, &origin).await.unwrap();
    let kept = world.app.store.sessions.get(opened.session).await.unwrap().unwrap();
    assert_eq!(kept.amr, Amr::PasswordAndPasskey);
    let again = world.app.finish_by_passkey(Some(&begun), shown, &origin).await;
    assert!(matches!(again.err(), Some(Error::BadSignIn)), "this sign-in is over");
    // Where there is only one to show, it need not say whose it is.
    let (begun, _) = begin().await;
    let wanted = world.app.ask_second_passkey(Some(&begun)).await.unwrap();
    ann.passkey.user.clear();
    let shown = ann.passkey.show(&wanted.options);
    let shown = answer(&shown, &wanted.held);
    world.app.finish_by_passkey(Some(&begun), shown, &origin).await.unwrap();
    let (begun, _) = begin().await;
    world.app.finish_sign_in(Some(&begun), &ann.codes[3], &origin).await.unwrap();
    let nobody = world.app.ask_second_passkey(None).await;
    assert!(matches!(nobody.err(), Some(Error::BadSignIn)));
}

// ASVS 7.5.1
#[tokio::test]
async fn a_passkey_makes_a_session_fresh() {
    let world = at_a_name();
    let mut ann = world.keyed_owner().await;
    world.clock.advance(SignedDuration::from_mins(16));
    let old = world.resolve(&ann.session.secret).await.unwrap();
    let mut other = SoftPasskey::new(URL);
    let stale = |tried: Option<Error>| assert!(matches!(tried, Some(Error::StepUpNeeded)));
    stale(world.register(&old, &mut other).await.err());
    stale(world.app.remove_passkey(&old, ann.id).await.err());
    stale(world.app.remove_passkey_of(&old, (ann.session.user.id, ann.id)).await.err());
    let password = world.app.step_up(&old, Shown::Password(ANN.1)).await;
    assert!(matches!(password, Err(Error::Invalid(_))), "a password is not enough");
    let wanted = world.app.ask_step_up_passkey(&old).await.unwrap();
    let shown = ann.passkey.show(&wanted.options);
    let now = world.app.step_up(&old, Shown::Passkey(answer(&shown, &wanted.held))).await.unwrap();
    assert_eq!(now.session, ann.session.session);
    assert!(world.resolve(&ann.session.secret).await.is_err(), "the secret is another");
    let fresh = world.resolve(&now.secret).await.unwrap();
    let more = world.register(&fresh, &mut other).await.unwrap();
    assert!(more.recovery_codes.is_empty(), "there are some already");
}

// ASVS 6.3.1
#[tokio::test]
async fn tries_by_passkey_are_limited_as_those_by_password() {
    let world = at_a_name();
    let mut ann = world.keyed_owner().await;
    let mut stranger = SoftPasskey::new(URL);
    for _ in 0..Config::default().login_network_burst {
        bad(world.sign_in(&mut stranger).await);
    }
    let tried = world.sign_in(&mut ann.passkey).await;
    assert!(matches!(tried.err(), Some(Error::TooManyLogins(_))));
    let wanted = world.app.ask_passkey().unwrap();
    let shown = ann.passkey.show(&wanted.options);
    let origin = Origin { remote_address: "198.51.100.1".to_owned(), ..Origin::default() };
    world.app.sign_in_by_passkey(answer(&shown, &wanted.held), None, &origin).await.unwrap();
}

#[tokio::test]
async fn passkeys_are_few_and_named_and_the_last_factor_may_have_to_stay() {
    let world = at_a_name();
    let ann = world.keyed_owner().await;
    let mut asked = world.resolve(&ann.session.secret).await.unwrap();
    for _ in 1..10 {
        let new = world.register(&asked, &mut SoftPasskey::new(URL)).await.unwrap();
        asked = world.resolve(&new.session.secret).await.unwrap();
    }
    let full = world.register(&asked, &mut SoftPasskey::new(URL)).await;
    assert!(matches!(full.err(), Some(Error::PasskeysFull)));
    let own = world.app.passkeys(&asked).await.unwrap();
    assert_eq!((own.len(), own[0].id), (10, ann.id));
    for name in ["", " ", "a\u{7}b", &"x".repeat(201)] {
        let named = world.app.rename_passkey(&asked, ann.id, name).await;
        assert!(matches!(named, Err(Error::Invalid(_))), "{name:?}");
    }
    world.app.rename_passkey(&asked, ann.id, " on my ring ").await.unwrap();
    let missing = world.app.rename_passkey(&asked, PasskeyId::new(), "x").await;
    assert!(matches!(missing, Err(Error::Missing(_))));
    assert_eq!(world.app.passkeys(&asked).await.unwrap()[0].name, "on my ring");
    let required = TenantSettings { second_factor_required: true };
    world.app.change_settings(&asked, required).await.unwrap();
    for passkey in own.iter().skip(1) {
        world.app.remove_passkey(&asked, passkey.id).await.unwrap();
    }
    let last = world.app.remove_passkey(&asked, ann.id).await;
    assert!(matches!(last, Err(Error::FactorRequired)));
    world.app.change_settings(&asked, TenantSettings::default()).await.unwrap();
    world.app.remove_passkey(&asked, ann.id).await.unwrap();
    let left = world.app.factors(&asked).await.unwrap();
    assert_eq!((left.passkeys, left.recovery_codes), (0, 0));
    // Only people have them, and only here.
    let key = world.app.create_api_key(&asked, "k", vec!["devices:read".to_owned()], Some(1)).await;
    let key = world.resolve(&key.unwrap().secret).await.unwrap();
    assert!(matches!(world.app.passkeys(&key).await, Err(Error::PeopleOnly)));
    let nameless = super::world();
    assert!(matches!(nameless.app.ask_passkey().err(), Some(Error::NoPasskeys)));
}

// ASVS 6.4.4
#[tokio::test]
async fn an_owner_removes_a_passkey_that_somebody_has_lost() {
    let world = at_a_name();
    let ann = world.keyed_owner().await;
    let bob = world.bob(&ann.session).await;
    let mut bob = world.keyed(&bob).await;
    let owner = world.resolve(&ann.session.secret).await.unwrap();
    let id = bob.session.user.id;
    let his = world.resolve(&bob.session.secret).await.unwrap();
    assert!(matches!(world.app.passkeys_of(&his, id).await, Err(Error::NotPermitted(_))));
    let tried = world.app.remove_passkey_of(&his, (id, bob.id)).await;
    assert!(matches!(tried, Err(Error::NotPermitted(_))));
    assert!(matches!(world.app.remove_passkey(&his, ann.id).await, Err(Error::Missing(_))));
    assert_eq!(world.app.passkeys_of(&owner, id).await.unwrap().len(), 1);
    let nobody = world.app.passkeys_of(&owner, UserId::new()).await;
    assert!(matches!(nobody, Err(Error::Missing(_))));
    let hers = world.app.remove_passkey_of(&owner, (id, ann.id)).await;
    assert!(matches!(hers, Err(Error::Missing(_))), "it is not his");
    world.app.remove_passkey_of(&owner, (id, bob.id)).await.unwrap();
    assert!(world.resolve(&bob.session.secret).await.is_err(), "his sessions end");
    bad(world.sign_in(&mut bob.passkey).await);
    world.log_in(BOB.0, BOB.1).await.unwrap();
    // All at once, with whatever else there is.
    let again = world.log_in(BOB.0, BOB.1).await.unwrap();
    let mut bob = world.keyed(&again).await;
    world.app.reset_factors(&owner, id).await.unwrap();
    bad(world.sign_in(&mut bob.passkey).await);
    let entries = world.app.store.trail.after(world.tenant, 0, 1000).await.unwrap();
    for action in ["passkey.add", "passkey.remove", "factors.reset"] {
        assert!(entries.iter().any(|it| it.event.action == action), "{action}");
    }
    // What is kept is no secret, and what the trail says neither.
    let kept = world.app.store.passkeys.list(ann.session.user.id).await.unwrap();
    assert!(kept[0].key.contains("ES256"), "{}", kept[0].key);
    assert!(entries.iter().all(|it| !it.event.detail.contains(&kept[0].key)));
}
