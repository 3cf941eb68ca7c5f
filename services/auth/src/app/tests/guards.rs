//! Checks that nothing else looks at: each was turned off once, and no test noticed.

use openframe_tokens::opaque::{Purpose, mint, read};

use super::*;
use crate::app::{Finding, Passwords};
use crate::domain::link;

/// A secret of the same row, with another random part.
fn forged(purpose: Purpose, secret: &str) -> String {
    mint(purpose, read(purpose, secret).unwrap().id).text
}

// ASVS 7.2.1
// B34.expired
#[tokio::test]
async fn a_session_or_key_is_known_by_its_secret_and_not_by_its_id() {
    let world = world();
    let ann = world.owner().await;
    let asked = world.resolve(&ann.secret).await.unwrap();
    let key = world.app.create_api_key(&asked, "k", vec!["devices:read".to_owned()], Some(1)).await;
    let key = key.unwrap().secret;
    for (purpose, secret) in [(Purpose::Session, &ann.secret), (Purpose::ApiKey, &key)] {
        let refused = world.resolve(&forged(purpose, secret)).await;
        assert!(matches!(refused, Err(Error::NotSignedIn)), "{purpose:?}");
        world.resolve(secret).await.unwrap();
    }
    // Nor does a sign-in end the session of somebody whose id is known.
    let (right, origin) = (("ann@example.org", "a good long one"), Origin::default());
    let old = forged(Purpose::Session, &ann.secret);
    world.app.log_in(right, Some(&old), &origin).await.unwrap();
    world.resolve(&ann.secret).await.unwrap();
    world.clock.advance(SignedDuration::from_hours(24));
    assert!(matches!(world.resolve(&key).await, Err(Error::NotSignedIn)), "it lasts a day");
}

#[tokio::test]
async fn keys_and_tokens_last_no_longer_than_they_may() {
    let world = world();
    let owner = world.resolve(&world.owner().await.secret).await.unwrap();
    for days in [0, 366] {
        let scopes = vec!["devices:read".to_owned()];
        let refused = world.app.create_api_key(&owner, "k", scopes, Some(days)).await;
        assert!(matches!(refused.err(), Some(Error::Invalid(_))), "{days} days");
    }
    for (uses, minutes) in [(Some(0), None), (Some(10_001), None), (None, Some(10_081))] {
        let refused = world
            .app
            .create_enrolment_token(&owner, NewToken { uses, minutes, ..NewToken::default() })
            .await;
        assert!(matches!(refused.err(), Some(Error::Invalid(_))), "{uses:?} {minutes:?}");
    }
}

// ASVS 7.4.5, 8.2.2
#[tokio::test]
async fn whoever_does_not_manage_people_ends_own_sessions_only() {
    let world = world();
    let ann = world.owner().await;
    let owner = world.resolve(&ann.secret).await.unwrap();
    let bob = person("bob@example.org", Role::Technician);
    world.app.create_user(&owner, bob).await.unwrap();
    let bob = world.log_in("bob@example.org", "a good long one").await.unwrap();
    let asked = world.resolve(&bob.secret).await.unwrap();
    let refused = world.app.revoke_session(&asked, ann.session).await;
    assert!(matches!(refused, Err(Error::Missing(_))));
    world.resolve(&ann.secret).await.unwrap();
    world.app.revoke_session(&owner, bob.session).await.unwrap();
    assert!(world.resolve(&bob.secret).await.is_err());
}

// B21.work
#[tokio::test]
async fn a_stranger_costs_the_same_hash() {
    let mut world = world();
    let owner = world.resolve(&world.owner().await.secret).await.unwrap();
    let bob = person("bob@example.org", Role::ReadOnly);
    let bob = world.app.create_user(&owner, bob).await.unwrap();
    let disabled = PersonChange { disabled: Some(true), ..PersonChange::default() };
    world.app.change_user(&owner, bob.id, disabled).await.unwrap();
    let config = Config { password_wait_seconds: 0, ..Config::default() };
    world.app.passwords = Passwords::new(&config);
    let all = world.app.passwords.occupy();
    // Whoever gets another answer while nothing can be hashed was answered without a hash.
    for email in ["ann@example.org", "bob@example.org", "nobody@example.org"] {
        for password in ["a good long one", "wrong", ""] {
            let answer = world.log_in(email, password).await;
            assert!(matches!(answer, Err(Error::Busy)), "{email} {password}");
        }
    }
    drop(all);
    world.log_in("ann@example.org", "a good long one").await.unwrap();
}

#[tokio::test]
async fn whoever_is_disabled_is_nobody_even_before_the_store_has_forgotten_them() {
    let world = world();
    let owner = world.resolve(&world.owner().await.secret).await.unwrap();
    let bob = world.app.create_user(&owner, person("bob@example.org", Role::Owner)).await.unwrap();
    world.app.enabled(world.tenant, bob.id).await.unwrap();
    let disabled = PersonChange { disabled: Some(true), ..PersonChange::default() };
    world.app.change_user(&owner, bob.id, disabled).await.unwrap();
    let refused = world.app.enabled(world.tenant, bob.id).await;
    assert!(matches!(refused, Err(Error::NotSignedIn)));
}

// ASVS 6.2.1
#[tokio::test]
async fn a_password_link_is_made_by_whoever_manages_people_and_judged_like_any() {
    let world = world();
    let ann = world.owner().await;
    let owner = world.resolve(&ann.secret).await.unwrap();
    let bob = person("bob@example.org", Role::ReadOnly);
    let bob = world.app.create_user(&owner, bob).await.unwrap();
    let asked = world.log_in("bob@example.org", "a good long one").await.unwrap();
    let asked = world.resolve(&asked.secret).await.unwrap();
    let refused = world.app.create_password_link(&asked, ann.user.id).await;
    assert!(matches!(refused, Err(Error::NotPermitted(_))));
    let made = world.app.create_password_link(&owner, bob.id).await.unwrap();
    let origin = Origin::default();
    let token = made.url.split_once("#token=").unwrap().1;
    for bad in ["short", "password1"] {
        let refused = world.app.use_password_link(token, bad, &origin).await;
        assert!(matches!(refused.err(), Some(Error::Invalid(_))), "{bad}");
    }
    let forged = forged(Purpose::PasswordLink, token);
    let refused = world.app.use_password_link(&forged, "a better long one", &origin);
    assert!(matches!(refused.await.err(), Some(Error::BadPasswordLink)));
    let chosen = world.app.use_password_link(token, "a better long one", &origin);
    let Entered::Whole(signed_in) = chosen.await.unwrap() else { panic!("bob has no factor") };
    assert_eq!(signed_in.user.id, bob.id);
}

#[tokio::test]
async fn what_the_gateway_asks_nobody_else_may() {
    let world = world();
    let owner = world.resolve(&world.owner().await.secret).await.unwrap();
    let devices = Subject::Service { name: "devices".to_owned() };
    let devices = Caller { tenant: world.tenant, subject: devices };
    for caller in [&owner.caller, &devices] {
        let whose = (world.tenant, DeviceId::new());
        let refused = world.app.check_device(caller, whose, "00").await;
        assert!(matches!(refused, Err(Error::ServicesOnly)));
        let shown = (DeviceId::new(), "a nonce");
        let refused = world.app.spend_nonce(caller, shown, Timestamp::MAX).await;
        assert!(matches!(refused, Err(Error::ServicesOnly)));
        let refused = world.app.certify_server(caller, "", Vec::new());
        assert!(matches!(refused, Err(Error::ServicesOnly)));
    }
}

// ASVS 16.4.2
#[tokio::test]
async fn no_text_moves_from_one_field_of_an_entry_to_the_next() {
    let world = world();
    let event = world.app.own_event("a.b", "c");
    let moved = Event { action: "a.".to_owned(), target: "bc".to_owned(), ..event.clone() };
    let hash = |event: &Event| link(&[0; 32], world.tenant, 1, event);
    assert_ne!(hash(&event), hash(&moved));
    assert_ne!(hash(&event), link(&[0; 32], world.tenant, 2, &event), "another place");
    assert_ne!(hash(&event), link(&[0; 32], TenantId::new(), 1, &event), "another trail");
}

// ASVS 16.4.2
// B36.chain
#[tokio::test]
async fn a_trail_that_was_rewritten_as_a_whole_does_not_fit_its_checkpoint() {
    let mut world = world();
    let memory = MemoryStore::default();
    world.app.store = Stores::of(&memory);
    let owner = world.resolve(&world.owner().await.secret).await.unwrap();
    let checkpoint = world.app.checkpoint(true).await.unwrap().unwrap();
    // All hashes follow; only who did what is another.
    let other = MemoryStore::default();
    for entry in crate::store::Trail::after(&memory, world.tenant, 0, 100).await.unwrap() {
        let event = Event { actor: "somebody else".to_owned(), ..entry.event };
        crate::store::Trail::append(&other, world.tenant, &event).await.unwrap();
    }
    let kept = crate::store::Trail::add_checkpoint(&other, &checkpoint, None).await.unwrap();
    assert!(kept);
    world.app.store = Stores::of(&other);
    let verdict = world.app.verify_audit(&owner).await.unwrap();
    assert_eq!(verdict.broken, Some((checkpoint.seq, Finding::Rewritten)));
}

#[tokio::test]
async fn a_setup_link_that_is_left_over_sets_nothing_up_and_the_try_is_on_the_trail() {
    let world = world();
    let token = world.app.issue_setup_token().await.unwrap().unwrap();
    // An owner comes by another way than the link.
    let key = new_bootstrap_secret();
    assert!(world.app.bootstrap(&key).await.unwrap());
    let asked = world.resolve(&key).await.unwrap();
    world.app.create_user(&asked, person("ann@example.org", Role::Owner)).await.unwrap();
    let bob = person("bob@example.org", Role::Owner);
    let refused = world.app.set_up(&token, bob, &Origin::default()).await;
    assert!(matches!(refused.err(), Some(Error::NoSetup)));
    let (trail, _) = world.app.audit(&asked, Filter::default(), None, None).await.unwrap();
    let last = trail.first().map(|it| (it.event.action.as_str(), it.event.outcome.as_str()));
    assert_eq!(last, Some(("setup", "refused")));
}

// ASVS 6.2.5, 6.2.8, 6.2.9
#[tokio::test]
async fn a_password_is_taken_as_it_was_typed() {
    let world = world();
    let owner = world.resolve(&world.owner().await.secret).await.unwrap();
    let typed = format!(" Größe {} ", "Ab".repeat(60));
    let bob = NewPerson { password: typed.clone(), ..person("bob@example.org", Role::ReadOnly) };
    world.app.create_user(&owner, bob).await.unwrap();
    let last = typed.chars().count() - 1;
    let short: String = typed.chars().take(last).collect();
    for other in [typed.trim(), &typed.to_lowercase(), &short] {
        let refused = world.log_in("bob@example.org", other).await;
        assert!(matches!(refused.err(), Some(Error::BadLogin)), "{other:?}");
    }
    world.log_in("bob@example.org", &typed).await.unwrap();
}

// ASVS 16.2.1, 16.3.1
// B36.sign-in
#[tokio::test]
async fn a_sign_in_is_on_the_trail_whether_it_succeeds_or_not() {
    let world = world();
    let owner = world.resolve(&world.owner().await.secret).await.unwrap();
    let origin = Origin {
        remote_address: "192.0.2.7".to_owned(),
        request_id: "r1".to_owned(),
        ..Origin::default()
    };
    for password in ["wrong", "a good long one"] {
        world.app.log_in(("ann@example.org", password), None, &origin).await.ok();
    }
    let (trail, _) = world.app.audit(&owner, Filter::default(), None, Some(2)).await.unwrap();
    let told: Vec<_> = trail
        .iter()
        .map(|it| &it.event)
        .map(|it| (it.action.as_str(), it.outcome.as_str(), it.actor_kind.as_str()))
        .collect();
    assert_eq!(told, [("session.create", "done", "user"), ("session.create", "refused", "nobody")]);
    for event in trail.iter().map(|it| &it.event) {
        assert_eq!((event.remote_address.as_str(), event.request_id.as_str()), ("192.0.2.7", "r1"));
        assert_eq!(event.at, world.app.now());
        assert!(!event.actor.is_empty());
    }
}
