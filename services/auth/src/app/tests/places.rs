//! Places, what people are granted there, and what that makes of them.

use openframe_ids::PlaceId;
use openframe_pki::DeviceKey;
use openframe_tokens::{Effect, Place};

use super::mailing::from;
use super::*;
use crate::app::NewGrant;
use crate::domain::{NamedPlace, Terms, User};

struct Company {
    world: World,
    owner: Asked,
    north: NamedPlace,
    berlin: NamedPlace,
    south: NamedPlace,
}

async fn company() -> Company {
    let world = world();
    let owner = world.resolve(&world.owner().await.secret).await.unwrap();
    let add = async |within, name| world.app.add_place(&owner, within, name).await.unwrap();
    let north = add(None, "North").await;
    let berlin = add(Some(north.id()), "Berlin").await;
    let south = add(None, "South").await;
    Company { world, owner, north, berlin, south }
}

fn grant(role: Role, place: Option<PlaceId>, effect: Effect) -> NewGrant {
    NewGrant { role, place, effect, until: None }
}

impl Company {
    async fn person(&self, name: &str, role: Role) -> User {
        let person = person(&format!("{name}@example.org"), role);
        self.world.app.create_user(&self.owner, person).await.unwrap()
    }

    async fn give(&self, user: &User, grant: NewGrant) -> openframe_ids::GrantId {
        self.world.app.add_grant(&self.owner, user.id, grant).await.unwrap().id
    }

    async fn signed_in(&self, name: &str) -> (String, Asked) {
        let email = format!("{name}@example.org");
        let opened = self.world.log_in(&email, "a good long one").await.unwrap();
        let asked = self.world.resolve(&opened.secret).await.unwrap();
        (opened.secret, asked)
    }
}

// ASVS 7.4.2
#[tokio::test]
async fn a_grant_counts_at_once_and_until_its_end() {
    let it = company().await;
    let bob = it.person("bob", Role::None).await;
    let (secret, asked) = it.signed_in("bob").await;
    let may = |asked: &Asked, place| asked.caller.may_at(Permission::CommandsRun, place);
    assert!(!may(&asked, &it.north.place));
    let until = it.world.clock.clock().now() + SignedDuration::from_mins(5);
    let new = grant(Role::Technician, Some(it.north.id()), Effect::Allow);
    let given = it.give(&bob, NewGrant { until: Some(until), ..new }).await;
    let asked = it.world.resolve(&secret).await.unwrap();
    assert!(may(&asked, &it.north.place) && may(&asked, &it.berlin.place));
    assert!(!may(&asked, &it.south.place) && !may(&asked, &Place::ROOT));
    assert!(!asked.caller.may(Permission::CommandsRun));
    it.give(&bob, grant(Role::Owner, Some(it.berlin.id()), Effect::Deny)).await;
    let asked = it.world.resolve(&secret).await.unwrap();
    assert!(may(&asked, &it.north.place) && !may(&asked, &it.berlin.place));
    it.world.app.remove_grant(&it.owner, bob.id, given).await.unwrap();
    let asked = it.world.resolve(&secret).await.unwrap();
    assert!(!may(&asked, &it.north.place));
    let new = grant(Role::Technician, Some(it.south.id()), Effect::Allow);
    it.give(&bob, NewGrant { until: Some(until), ..new }).await;
    it.world.clock.advance(SignedDuration::from_mins(5));
    let asked = it.world.resolve(&secret).await.unwrap();
    assert!(!may(&asked, &it.south.place), "its time is over");
}

// ASVS 8.2.1
#[tokio::test]
async fn who_is_let_in_at_places_only_manages_nothing() {
    let it = company().await;
    let bob = it.person("bob", Role::None).await;
    it.give(&bob, grant(Role::Owner, Some(it.north.id()), Effect::Allow)).await;
    let (_, asked) = it.signed_in("bob").await;
    // One's own sessions, and enrolment tokens of places that there are.
    assert_eq!(row(&it.world.app, &asked).await, "---x-x----x-x--------");
    let app = &it.world.app;
    let refused = |error: Error| error.kind();
    let new = || grant(Role::ReadOnly, Some(it.north.id()), Effect::Allow);
    for kind in [
        app.add_grant(&asked, bob.id, new()).await.map(drop).unwrap_err(),
        app.grants(&asked, bob.id).await.map(drop).unwrap_err(),
        app.add_place(&asked, Some(it.north.id()), "x").await.map(drop).unwrap_err(),
        app.rename_place(&asked, it.north.id(), "x").await.map(drop).unwrap_err(),
        app.remove_place(&asked, it.berlin.id()).await.unwrap_err(),
        app.why(&asked, Some(bob.id), ("devices:read", None)).await.map(drop).unwrap_err(),
        app.find_place(&asked.caller, it.north.id()).await.map(drop).unwrap_err(),
        app.move_device(&asked.caller, DeviceId::new(), &Place::ROOT).await.unwrap_err(),
        app.place_of_device(&asked.caller, DeviceId::new()).await.map(drop).unwrap_err(),
        app.devices_within(&asked.caller, &Place::ROOT, (None, 1)).await.map(drop).unwrap_err(),
    ]
    .map(refused)
    {
        assert_eq!(kind, Kind::Forbidden);
    }
}

// ASVS 8.2.2
#[tokio::test]
async fn tokens_and_places_are_seen_from_where_one_is() {
    let it = company().await;
    let bob = it.person("bob", Role::None).await;
    it.give(&bob, grant(Role::Technician, Some(it.berlin.id()), Effect::Allow)).await;
    let (_, asked) = it.signed_in("bob").await;
    let names = async |asked| {
        let places = it.world.app.places(asked).await.unwrap();
        places.into_iter().map(|place| place.name).collect::<Vec<_>>()
    };
    assert_eq!(names(&asked).await, ["North", "Berlin"], "and what it lies in");
    assert_eq!(names(&it.owner).await, ["North", "Berlin", "South"]);
    let make = async |asked, place| {
        let new = NewToken { place, ..NewToken::default() };
        it.world.app.create_enrolment_token(asked, new).await.map(|made| made.token.id)
    };
    let own = make(&asked, Some(it.berlin.id())).await.unwrap();
    let other = make(&it.owner, Some(it.south.id())).await.unwrap();
    for place in [None, Some(it.north.id()), Some(it.south.id())] {
        assert!(matches!(make(&asked, place).await, Err(Error::NotPermitted(_))));
    }
    let seen = it.world.app.enrolment_tokens(&asked).await.unwrap();
    assert_eq!(seen.iter().map(|token| token.id).collect::<Vec<_>>(), [own]);
    let refused = it.world.app.revoke_enrolment_token(&asked, other).await;
    assert!(matches!(refused, Err(Error::Missing(_))));
    it.world.app.revoke_enrolment_token(&asked, own).await.unwrap();
}

// B60
#[tokio::test]
async fn a_waiting_device_is_let_in_from_where_it_will_be() {
    let it = company().await;
    let bob = it.person("bob", Role::None).await;
    it.give(&bob, grant(Role::Technician, Some(it.berlin.id()), Effect::Allow)).await;
    let (_, bobs) = it.signed_in("bob").await;
    let app = &it.world.app;
    let come = async |place: PlaceId, key: &DeviceKey| {
        let terms = Terms { approval: true, ..Terms::default() };
        let new = NewToken { place: Some(place), terms, ..NewToken::default() };
        let made = app.create_enrolment_token(&it.owner, new).await.unwrap();
        let token = made.secret.split_once('.').unwrap().0.to_owned();
        let csr = key.csr_pem("host").unwrap();
        let ask = async || app.enrol(&token, &csr, ("host", Some("X1")), &from("192.0.2.1")).await;
        assert!(matches!(ask().await, Err(Error::DeviceWaits)));
        let waiting = app.waiting_devices(&it.owner).await.unwrap();
        (waiting.last().unwrap().id, token, csr)
    };
    let key = DeviceKey::generate().unwrap();
    let (own, token, csr) = come(it.berlin.id(), &key).await;
    let (other, ..) = come(it.south.id(), &DeviceKey::generate().unwrap()).await;
    let seen = app.waiting_devices(&bobs).await.unwrap();
    assert_eq!(seen.iter().map(|it| it.id).collect::<Vec<_>>(), [own]);
    assert_eq!(
        (seen[0].claims.serial.as_str(), seen[0].place),
        ("X1", it.berlin.place),
        "as it says, and where it will be"
    );
    assert!(matches!(app.admit_device(&bobs, other).await, Err(Error::Missing(_))));
    assert!(matches!(app.turn_away_device(&bobs, other).await, Err(Error::Missing(_))));
    app.admit_device(&bobs, own).await.unwrap();
    let enrolled = app.enrol(&token, &csr, ("host", None), &from("192.0.2.1")).await.unwrap();
    assert_eq!(enrolled.device, own);
    assert!(matches!(app.turn_away_device(&bobs, own).await, Err(Error::Missing(_))), "it is in");
    app.turn_away_device(&it.owner, other).await.unwrap();
    assert_eq!(app.waiting_devices(&it.owner).await.unwrap(), []);
}

// ASVS 8.2.1, 8.2.2
// B33.grant
#[tokio::test]
async fn nobody_gives_what_they_do_not_hold() {
    let it = company().await;
    let [eve, bob] = [it.person("eve", Role::None).await, it.person("bob", Role::None).await];
    it.give(&eve, grant(Role::Owner, None, Effect::Allow)).await;
    it.give(&eve, grant(Role::Technician, Some(it.berlin.id()), Effect::Deny)).await;
    let (_, eves) = it.signed_in("eve").await;
    let app = &it.world.app;
    let give = async |place| {
        let new = grant(Role::Technician, place, Effect::Allow);
        app.add_grant(&eves, bob.id, new).await.map(drop)
    };
    // Not where she is denied it, nor around it.
    for place in [Some(it.berlin.id()), Some(it.north.id()), None] {
        assert!(matches!(give(place).await, Err(Error::NotHeld(_))), "{place:?}");
    }
    give(Some(it.south.id())).await.unwrap();
    let denials = app.grants(&it.owner, eve.id).await.unwrap();
    let denial = denials.iter().find(|it| it.grant.effect == Effect::Deny).unwrap();
    let own = app.remove_grant(&eves, eve.id, denial.id).await;
    assert!(matches!(own, Err(Error::NotHeld(_))), "taking back a denial gives");
    let ann = it.owner.caller.user().unwrap();
    let promoted = PersonChange { role: Some(Role::Owner), ..PersonChange::default() };
    for refused in [
        app.create_user(&eves, person("eva@example.org", Role::Owner)).await.map(drop),
        app.change_user(&eves, bob.id, promoted).await.map(drop),
        app.change_user(&eves, ann, PersonChange::default()).await.map(drop),
        app.create_password_link(&eves, ann).await.map(drop),
        app.reset_factors(&eves, ann).await,
    ] {
        assert!(matches!(refused, Err(Error::NotHeld(_))), "{refused:?}");
    }
    app.create_user(&eves, person("cat@example.org", Role::None)).await.unwrap();
}

// ASVS 8.2.1
#[tokio::test]
async fn an_owner_is_denied_nothing() {
    let it = company().await;
    let app = &it.world.app;
    let bob = it.person("bob", Role::Technician).await;
    let deny = || grant(Role::Technician, Some(it.north.id()), Effect::Deny);
    let denial = it.give(&bob, deny()).await;
    let promoted = || PersonChange { role: Some(Role::Owner), ..PersonChange::default() };
    let refused = app.change_user(&it.owner, bob.id, promoted()).await;
    assert!(matches!(refused, Err(Error::OwnerDenied)));
    app.remove_grant(&it.owner, bob.id, denial).await.unwrap();
    app.change_user(&it.owner, bob.id, promoted()).await.unwrap();
    let refused = app.add_grant(&it.owner, bob.id, deny()).await;
    assert!(matches!(refused, Err(Error::OwnerDenied)));
    let everywhere = app.add_grant(&it.owner, bob.id, grant(Role::ReadOnly, None, Effect::Deny));
    assert!(matches!(everywhere.await, Err(Error::Invalid(_))));
    let nothing = app.add_grant(&it.owner, bob.id, grant(Role::None, None, Effect::Allow));
    assert!(matches!(nothing.await, Err(Error::Invalid(_))));
}

// ASVS 8.2.1
#[tokio::test]
async fn a_key_reaches_no_further_than_its_owner() {
    let it = company().await;
    let bob = it.person("bob", Role::Technician).await;
    let (_, asked) = it.signed_in("bob").await;
    let scopes = vec!["devices:read".to_owned()];
    let key = it.world.app.create_api_key(&asked, "k", scopes, None).await.unwrap().secret;
    it.give(&bob, grant(Role::Technician, Some(it.north.id()), Effect::Deny)).await;
    let asked = it.world.resolve(&key).await.unwrap();
    let may = |permission, place| asked.caller.may_at(permission, place);
    assert!(!may(Permission::DevicesRead, &it.north.place));
    assert!(may(Permission::DevicesRead, &it.south.place));
    assert!(!may(Permission::CommandsRun, &it.south.place));
}

#[tokio::test]
async fn it_is_said_why_somebody_may_or_may_not() {
    let it = company().await;
    let bob = it.person("bob", Role::ReadOnly).await;
    let allow = it.give(&bob, grant(Role::Technician, Some(it.north.id()), Effect::Allow)).await;
    let deny = it.give(&bob, grant(Role::Technician, Some(it.berlin.id()), Effect::Deny)).await;
    let why = async |what, place| {
        let answer = it.world.app.why(&it.owner, Some(bob.id), (what, place)).await.unwrap();
        let ids: Vec<_> = answer.grants.iter().map(|grant| grant.id).collect();
        (answer.allowed, answer.role, ids)
    };
    let (run, read) = ("commands:run", "devices:read");
    let reader = Some(Role::ReadOnly);
    assert_eq!(why(run, Some(it.north.id())).await, (true, None, vec![allow]));
    assert_eq!(why(run, Some(it.berlin.id())).await, (false, None, vec![deny]));
    assert_eq!(why(run, Some(it.south.id())).await, (false, None, Vec::new()));
    assert_eq!(why(read, Some(it.south.id())).await, (true, reader, Vec::new()));
    assert_eq!(why(read, None).await, (false, reader, vec![deny]), "not all of the tenant is left");
    let unknown = it.world.app.why(&it.owner, Some(bob.id), ("devices:x", None)).await;
    assert!(matches!(unknown, Err(Error::Invalid(_))));
}
