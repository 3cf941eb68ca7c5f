//! What gets nobody in (B25, B26).

use futures::future::join_all;

use super::super::mailing;
use super::*;

// B25.origin
#[tokio::test]
async fn the_page_of_another_site_gets_nobody_in() {
    let world = at_a_name();
    let mut ann = world.keyed_owner().await;
    for (origin, site, why) in [
        ("https://evil.example", "", "another site's page"),
        ("https://of.example:8443", "", "another site's page"),
        (URL, "evil.example", "another site's passkey"),
    ] {
        origin.clone_into(&mut ann.passkey.origin);
        site.clone_into(&mut ann.passkey.site);
        bad(world.sign_in(&mut ann.passkey).await);
        assert_eq!(world.last_refusal().await, why);
    }
}

// B25.verified
#[tokio::test]
async fn a_person_who_was_not_verified_does_not_get_in() {
    let world = at_a_name();
    let mut ann = world.keyed_owner().await;
    ann.passkey.verified = false;
    bad(world.sign_in(&mut ann.passkey).await);
    assert_eq!(world.last_refusal().await, "the person was not verified");
    let asked = world.resolve(&ann.session.secret).await.unwrap();
    let mut other = SoftPasskey::new(URL);
    other.verified = false;
    wrong(world.register(&asked, &mut other).await.err());
}

// B25.kind
#[tokio::test]
async fn a_key_of_an_unknown_kind_is_not_registered() {
    let world = at_a_name();
    let owner = world.owner().await;
    let asked = world.resolve(&owner.secret).await.unwrap();
    let mut passkey = SoftPasskey::new(URL);
    passkey.algorithm = &[0x38, 0x2e];
    wrong(world.register(&asked, &mut passkey).await.err());
    assert_eq!(world.last_refusal().await, "an algorithm that was not asked for");
    assert!(world.app.passkeys(&asked).await.unwrap().is_empty());
}

// B25.challenge
/// The first answer uses a challenge up, right or wrong, and five minutes do.
#[tokio::test]
async fn a_challenge_is_good_once() {
    let world = at_a_name();
    let mut ann = world.keyed_owner().await;
    let wanted = world.app.ask_passkey().unwrap();
    let shown = ann.passkey.show(&wanted.options);
    world.sign_in_with(&shown, &wanted.held).await.unwrap();
    late(world.sign_in_with(&shown, &wanted.held).await.err());
    late(world.show(&wanted, &mut ann.passkey).await.err());
    // Of many at once one gets in.
    let wanted = world.app.ask_passkey().unwrap();
    let shown = ann.passkey.show(&wanted.options);
    let tried = join_all((0..8).map(|_| world.sign_in_with(&shown, &wanted.held))).await;
    assert_eq!(tried.iter().filter(|it| it.is_ok()).count(), 1);
    let wanted = world.app.ask_passkey().unwrap();
    let mut stranger = SoftPasskey::new(URL);
    bad(world.show(&wanted, &mut stranger).await);
    late(world.show(&wanted, &mut ann.passkey).await.err());
    // In time, and too late.
    let wanted = [world.app.ask_passkey().unwrap(), world.app.ask_passkey().unwrap()];
    world.clock.advance(SignedDuration::from_millis(5 * 60_000 - 1));
    world.show(&wanted[0], &mut ann.passkey).await.unwrap();
    world.clock.advance(SignedDuration::from_millis(1));
    late(world.show(&wanted[1], &mut ann.passkey).await.err());
    // A registration's as well.
    let asked = world.resolve(&ann.session.secret).await.unwrap();
    let wanted = world.app.ask_new_passkey(&asked).await.unwrap();
    let mut other = SoftPasskey::new(URL);
    let made = other.make(&wanted.options);
    let new = world.app.add_passkey(&asked, "a", answer(&made, &wanted.held)).await.unwrap();
    let asked = world.resolve(&new.session.secret).await.unwrap();
    late(world.app.add_passkey(&asked, "b", answer(&made, &wanted.held)).await.err());
}

// B25.session
/// A challenge opens for what it was made for: not for another person or session, nor for anything
/// else of the same one.
#[tokio::test]
async fn a_challenge_of_another_session_or_person_is_none() {
    let world = at_a_name();
    let mut ann = world.keyed_owner().await;
    let bob = world.bob(&ann.session).await;
    let mut bob = world.keyed(&bob).await;
    let hers = world.resolve(&ann.session.secret).await.unwrap();
    let his = world.resolve(&bob.session.secret).await.unwrap();
    let origin = Origin::default();
    // Of another session.
    let wanted = world.app.ask_step_up_passkey(&hers).await.unwrap();
    let shown = bob.passkey.show(&wanted.options);
    late(world.app.step_up(&his, Shown::Passkey(answer(&shown, &wanted.held))).await.err());
    let wanted = world.app.ask_new_passkey(&hers).await.unwrap();
    let made = SoftPasskey::new(URL).make(&wanted.options);
    late(world.app.add_passkey(&his, "k", answer(&made, &wanted.held)).await.err());
    // Of another sign-in.
    let begin = async |who| half(world.app.log_in(who, None, &origin).await.unwrap()).0;
    let (first, second) = (begin(ANN).await, begin(ANN).await);
    let wanted = world.app.ask_second_passkey(Some(&first)).await.unwrap();
    let shown = ann.passkey.show(&wanted.options);
    let shown = answer(&shown, &wanted.held);
    late(world.app.finish_by_passkey(Some(&second), shown, &origin).await.err());
    // For something else.
    let alone = world.app.ask_passkey().unwrap();
    let shown = ann.passkey.show(&alone.options);
    late(world.app.step_up(&hers, Shown::Passkey(answer(&shown, &alone.held))).await.err());
    let wanted = world.app.ask_step_up_passkey(&hers).await.unwrap();
    late(world.show(&wanted, &mut ann.passkey).await.err());
    // None, another's seal, and what is none.
    let shown = ann.passkey.show(&alone.options);
    let none = PasskeyShown { credential: &shown, held: None };
    late(world.app.sign_in_by_passkey(none, None, &origin).await.err());
    let foreign = at_a_name().app.ask_passkey().unwrap();
    let long = "A".repeat(5000);
    for held in [foreign.held.as_str(), "", "AAAA", "not base64!", &long] {
        late(world.sign_in_with(&shown, held).await.err());
    }
}

// B25.person
#[tokio::test]
async fn another_persons_passkey_gets_nobody_in() {
    let world = at_a_name();
    let mut ann = world.keyed_owner().await;
    let bob = world.bob(&ann.session).await;
    let mut bob = world.keyed(&bob).await;
    let origin = Origin::default();
    // After a password, and in a session.
    let (begun, _) = half(world.app.log_in(ANN, None, &origin).await.unwrap());
    let wanted = world.app.ask_second_passkey(Some(&begun)).await.unwrap();
    let shown = bob.passkey.show(&wanted.options);
    let shown = answer(&shown, &wanted.held);
    wrong(world.app.finish_by_passkey(Some(&begun), shown, &origin).await.err());
    assert_eq!(world.last_refusal().await, "another person's passkey");
    let hers = world.resolve(&ann.session.secret).await.unwrap();
    let wanted = world.app.ask_step_up_passkey(&hers).await.unwrap();
    bob.passkey.user.clear();
    let shown = bob.passkey.show(&wanted.options);
    wrong(world.app.step_up(&hers, Shown::Passkey(answer(&shown, &wanted.held))).await.err());
    // Alone it has to say whose it is, and that must be true.
    bad(world.sign_in(&mut bob.passkey).await);
    bob.passkey.user = ann.passkey.user.clone();
    bad(world.sign_in(&mut bob.passkey).await);
    assert_eq!(world.last_refusal().await, "another person's passkey");
    // One that calls itself as hers does, and one that she has herself but for somebody else.
    let mut forged = SoftPasskey::new(URL);
    (forged.id, forged.user) = (ann.passkey.id.clone(), ann.passkey.user.clone());
    bad(world.sign_in(&mut forged).await);
    let his = world.resolve(&bob.session.secret).await.unwrap();
    let taken = world.register(&his, &mut ann.passkey).await;
    assert!(matches!(taken.err(), Some(Error::PasskeyTaken)));
}

// B25.counter
/// Refused, on the trail, and its person is told.
#[tokio::test]
async fn a_counter_that_goes_back_is_refused_and_told() {
    let world = at_a_name();
    let mut ann = world.keyed_owner().await;
    ann.passkey.counter = Some(10);
    world.sign_in(&mut ann.passkey).await.unwrap();
    for back in [Some(3), Some(10), None] {
        ann.passkey.counter = back;
        bad(world.sign_in(&mut ann.passkey).await);
        let entries = world.app.store.trail.after(world.tenant, 0, 1000).await.unwrap();
        let event = entries.into_iter().next_back().unwrap().event;
        assert!(event.detail.contains("there may be a copy"), "{}", event.detail);
        let who = ann.session.user.id.to_string();
        assert_eq!((event.actor, event.action.as_str()), (who, "session.create"));
    }
    ann.passkey.counter = Some(11);
    world.sign_in(&mut ann.passkey).await.unwrap();
    // Two replicas that have both read the counter before: one of both uses is written down.
    let kept = world.app.store.passkeys.list(ann.session.user.id).await.unwrap().remove(0);
    let to = crate::store::Use { key: &kept.key, counter: 13, at: world.app.now() };
    assert!(world.app.store.passkeys.used(kept.id, to).await.unwrap());
    ann.passkey.counter = Some(12);
    bad(world.sign_in(&mut ann.passkey).await);
}

/// Whatever is wrong, a stranger is told the same.
#[tokio::test]
async fn strangers_learn_nothing_of_who_has_which_passkey() {
    let world = at_a_name();
    let ann = world.keyed_owner().await;
    let bob = world.bob(&ann.session).await;
    let mut bob = world.keyed(&bob).await;
    let owner = world.resolve(&ann.session.secret).await.unwrap();
    let mut told = Vec::new();
    let mut tell = |tried: Result<SignedIn, Error>| {
        let error = tried.err().unwrap();
        told.push((error.kind(), error.code(), error.to_string()));
    };
    let mut nobodys = SoftPasskey::new(URL);
    nobodys.user.clone_from(&bob.passkey.user);
    tell(world.sign_in(&mut nobodys).await);
    nobodys.id.clone_from(&bob.passkey.id);
    tell(world.sign_in(&mut nobodys).await);
    let disable = |disabled| PersonChange { disabled: Some(disabled), ..PersonChange::default() };
    let id = bob.session.user.id;
    world.app.change_user(&owner, id, disable(true)).await.unwrap();
    tell(world.sign_in(&mut bob.passkey).await);
    assert_eq!(world.last_refusal().await, "sign-in is refused to its person");
    world.app.change_user(&owner, id, disable(false)).await.unwrap();
    world.sign_in(&mut bob.passkey).await.unwrap();
    world.app.remove_passkey_of(&owner, (id, bob.id)).await.unwrap();
    tell(world.sign_in(&mut bob.passkey).await);
    assert_eq!(world.last_refusal().await, "nobody's passkey");
    for malformed in [Value::Null, "x".into(), vec![1, 2].into()] {
        let wanted = world.app.ask_passkey().unwrap();
        tell(world.sign_in_with(&malformed, &wanted.held).await);
    }
    assert!(told.iter().all(|it| *it == told[0]), "{told:?}");
    let asked = [world.app.ask_passkey().unwrap(), world.app.ask_passkey().unwrap()];
    let without = |asked: &PasskeyAsked| {
        let mut options = asked.options.clone();
        *options.pointer_mut("/publicKey/challenge").unwrap() = Value::Null;
        options
    };
    assert_eq!(without(&asked[0]), without(&asked[1]));
}

#[tokio::test]
async fn its_person_is_told_by_mail_of_a_passkey_that_may_have_a_copy() {
    let (mut world, server) = mailing::mailing();
    world.app.passkeys = openframe_passkeys::Passkeys::of(URL);
    let mut ann = world.keyed_owner().await;
    world.clock.advance(SignedDuration::from_secs(1));
    ann.passkey.counter = Some(0);
    bad(world.sign_in(&mut ann.passkey).await);
    world.clock.advance(SignedDuration::from_secs(1));
    ann.passkey.counter = Some(7);
    let opened = world.sign_in(&mut ann.passkey).await.unwrap();
    let asked = world.resolve(&opened.secret).await.unwrap();
    world.app.remove_passkey(&asked, ann.id).await.unwrap();
    while world.app.send_mail().await.unwrap() {}
    let told: Vec<_> = server.letters().into_iter().map(|it| it.subject).collect();
    let wanted = [
        "A passkey was added",
        "A passkey was refused, because there may be a copy of it",
        "A passkey was removed",
    ];
    assert_eq!(told, wanted);
}
