//! How sessions begin, who sees and ends them.

use openframe_tokens::opaque::{Purpose, mint};

use super::*;

// ASVS 7.2.2
#[tokio::test]
async fn each_sign_in_makes_a_secret_of_its_own_and_a_key_is_no_session() {
    let world = world();
    let first = world.owner().await;
    let second = world.log_in("ann@example.org", "a good long one").await.unwrap();
    assert!(first.secret != second.secret && first.session != second.session);
    let asked = world.resolve(&first.secret).await.unwrap();
    let renewed = world.app.step_up(&asked, crate::app::Shown::Password("a good long one")).await;
    let renewed = renewed.unwrap();
    assert!(renewed.session == first.session && renewed.secret != first.secret);
    let asked = world.resolve(&renewed.secret).await.unwrap();
    let key = world.app.create_api_key(&asked, "k", vec!["devices:read".to_owned()], None).await;
    let key = key.unwrap().secret;
    let own = key.replace(Purpose::ApiKey.prefix(), Purpose::Session.prefix());
    let same_row = mint(Purpose::Session, first.session.0).text;
    for shown in [key, own, same_row] {
        let secret = Secret::Session(shown);
        let refused = world.app.resolve(&gateway(world.tenant), &secret, "").await;
        assert!(matches!(refused, Err(Error::NotSignedIn)));
    }
}

// ASVS 7.5.2
#[tokio::test]
async fn people_see_their_sessions_and_end_any_after_a_fresh_sign_in() {
    let world = world();
    let ann = world.owner().await;
    let owner = world.resolve(&ann.secret).await.unwrap();
    world.app.create_user(&owner, person("bob@example.org", Role::ReadOnly)).await.unwrap();
    let right = ("bob@example.org", "a good long one");
    let old = world.log_in(right.0, right.1).await.unwrap();
    let others = [
        world.log_in(right.0, right.1).await.unwrap(),
        world.log_in(right.0, right.1).await.unwrap(),
    ];
    let asked = world.resolve(&old.secret).await.unwrap();
    let own = world.app.sessions(&asked, false).await.unwrap();
    let seen: Vec<SessionId> = own.iter().map(|(session, _)| session.id).collect();
    assert_eq!(seen.len(), 3);
    for session in [old.session, others[0].session, others[1].session] {
        assert!(seen.contains(&session), "{session}");
    }
    world.clock.advance(SignedDuration::from_mins(16));
    let stale = world.app.revoke_session(&asked, others[0].session).await;
    assert!(matches!(stale, Err(Error::StepUpNeeded)));
    let here = world.app.step_up(&asked, crate::app::Shown::Password(right.1)).await.unwrap();
    let asked = world.resolve(&here.secret).await.unwrap();
    for other in &others {
        world.app.revoke_session(&asked, other.session).await.unwrap();
        assert!(matches!(world.resolve(&other.secret).await, Err(Error::NotSignedIn)));
    }
    world.app.revoke_session(&asked, here.session).await.unwrap();
    assert!(matches!(world.resolve(&here.secret).await, Err(Error::NotSignedIn)));
}

// ASVS 6.2.10
#[tokio::test]
async fn a_password_does_not_expire() {
    let world = world();
    world.owner().await;
    for _ in 0..10 {
        world.clock.advance(SignedDuration::from_hours(24 * 366));
        let opened = world.log_in("ann@example.org", "a good long one").await.unwrap();
        let asked = world.resolve(&opened.secret).await.unwrap();
        world.app.users(&asked).await.unwrap();
    }
}

// ASVS 6.3.2
#[tokio::test]
async fn nobody_is_there_before_somebody_is_made() {
    let world = world();
    let none = async || world.app.store.people.list(world.tenant).await.unwrap();
    assert_eq!(none().await, []);
    // Neither the start nor the link that it shows makes anybody.
    world.app.issue_setup_token().await.unwrap().unwrap();
    assert_eq!(none().await, []);
    for name in ["admin", "root", "openframe", "bootstrap"] {
        let email = if name == "bootstrap" { "bootstrap@openframe.invalid" } else { name };
        for password in ["", "admin", "password", "openframe", "changeme"] {
            let origin =
                Origin { remote_address: format!("{name} {password}"), ..Origin::default() };
            let refused = world.app.log_in((email, password), None, &origin).await;
            assert!(matches!(refused.err(), Some(Error::BadLogin)), "{name} {password}");
        }
    }
    // The owner without a password is nobody who could sign in.
    assert!(world.app.bootstrap(&new_bootstrap_secret()).await.unwrap());
    let made = none().await;
    assert!(made.len() == 1 && !made[0].has_password());
    world.clock.advance(SignedDuration::from_hours(1));
    let refused = world.log_in("bootstrap@openframe.invalid", "").await;
    assert!(matches!(refused.err(), Some(Error::BadLogin)));
}

// ASVS 10.3.3
#[tokio::test]
async fn a_person_keeps_one_id_and_nobody_else_ever_gets_it() {
    let world = world();
    let owner = world.resolve(&world.owner().await.secret).await.unwrap();
    let bob = person("bob@example.org", Role::Technician);
    let bob = world.app.create_user(&owner, bob).await.unwrap();
    let change = |name: Option<&str>, disabled| PersonChange {
        name: name.map(str::to_owned),
        disabled,
        ..PersonChange::default()
    };
    for change in [change(Some("Robert"), None), change(None, Some(true))] {
        assert_eq!(world.app.change_user(&owner, bob.id, change).await.unwrap().id, bob.id);
    }
    // The address of somebody who has left stays taken, so nobody is taken for that person.
    let again = world.app.create_user(&owner, person("Bob@example.org", Role::Owner)).await;
    assert!(matches!(again.err(), Some(Error::EmailTaken)));
    let other = world.app.create_user(&owner, person("bob2@example.org", Role::Owner)).await;
    assert_ne!(other.unwrap().id, bob.id);
}
