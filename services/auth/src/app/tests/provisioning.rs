//! What directories may, and whom they have a hand on.

use std::collections::BTreeSet;

use openframe_tokens::{Grants, Place};

use super::*;
use crate::app::{GroupWanted, NewGrant, PersonWanted, Pinned, Search};
use crate::config::{ScimConfig, ScimRole};
use crate::domain::Provisioned;

fn asked(world: &World, subject: Subject) -> Asked {
    Asked { caller: Caller { tenant: world.tenant, subject }, origin: Origin::default() }
}

fn key_of(owner: UserId, role: Role, scopes: &[Permission]) -> Subject {
    let scopes = scopes.iter().map(ToString::to_string).collect();
    Subject::ApiKey { key: ApiKeyId::new(), owner, role, grants: Grants::default(), scopes }
}

fn directory(world: &World) -> Asked {
    asked(world, key_of(UserId::new(), Role::Provisioner, &[Permission::PeopleProvision]))
}

fn wanted(email: &str, active: bool) -> PersonWanted {
    PersonWanted { email: email.to_owned(), name: None, external_id: None, active }
}

fn world_of(role: ScimRole, up_to: ScimRole) -> World {
    let World { clock, tenant, .. } = world();
    let authority = Arc::new(Authority::create(clock.clock().now()).unwrap().0);
    let stores = Stores::of(&MemoryStore::default());
    let config = Config { scim: ScimConfig { role, up_to }, ..Config::default() };
    let app = Auth::new(config, (stores, authority, clock.clock(), tenant));
    World { app, clock, tenant }
}

// B35.callers
#[tokio::test]
async fn a_directory_asks_by_a_key_and_nobody_else_does() {
    let world = world();
    let session = SessionId::new();
    let (user, grants) = (UserId::new(), Grants::default());
    let person = |role| Subject::User { user, session, role, grants: grants.clone() };
    let one = [Permission::PeopleProvision];
    for (subject, wanted) in [
        (key_of(user, Role::Provisioner, &one), true),
        (key_of(user, Role::Owner, &one), true),
        (key_of(user, Role::Owner, &Permission::ALL), true),
        (key_of(user, Role::Owner, &Permission::ALL[..11]), false),
        (key_of(user, Role::Technician, &Permission::ALL), false),
        (key_of(user, Role::None, &one), false),
        (person(Role::Owner), false),
        (person(Role::Provisioner), false),
        (Subject::Service { name: "gateway".to_owned() }, false),
        (Subject::Device { device: DeviceId::new() }, false),
    ] {
        let asked = asked(&world, subject);
        let group =
            GroupWanted { name: "g".to_owned(), external_id: None, members: BTreeSet::new() };
        let answers = [
            world.app.provision(&asked, self::wanted("x", true)).await.err(),
            world.app.provisioned_person(&asked, UserId::new()).await.err(),
            world.app.end_provisioned(&asked, UserId::new()).await.err(),
            world.app.add_group(&asked, group).await.err(),
        ];
        for error in answers {
            let let_in = error.is_none_or(|error| error.kind() != Kind::Forbidden);
            assert_eq!(let_in, wanted, "{:?}", asked.caller.subject);
        }
    }
}

// B35.owner
#[tokio::test]
async fn a_directory_has_a_hand_on_those_who_hold_no_more_than_the_settings_say() {
    use ScimRole::{None, ReadOnly, Technician};
    let roles = [Role::Owner, Role::Technician, Role::ReadOnly, Role::Provisioner, Role::None];
    for (role, up_to, in_hand) in [
        (None, None, [false, false, false, false, true]),
        (ReadOnly, None, [false, false, true, false, true]),
        (None, Technician, [false, true, true, false, true]),
        (Technician, ReadOnly, [false, true, true, false, true]),
    ] {
        let world = world_of(role, up_to);
        let owner = world.resolve(&world.owner().await.secret).await.unwrap();
        let by = directory(&world);
        for (held, wanted) in roles.into_iter().zip(in_hand) {
            let email = format!("{held}@example.org");
            let user = world.app.create_user(&owner, person(&email, held)).await.unwrap();
            let now = world.app.provisioned_person(&by, user.id).await.unwrap();
            let out = self::wanted(&email, false);
            let changed = world.app.change_provisioned(&by, &now, out).await;
            assert_eq!(changed.is_ok(), wanted, "{held} in {role:?}, {up_to:?}");
            let ended = world.app.end_provisioned(&by, user.id).await;
            assert_eq!(ended.is_ok(), wanted, "{held} in {role:?}, {up_to:?}");
            assert!(ended.err().is_none_or(|error| matches!(error, Error::OutOfReach)));
        }
    }
}

// B35.owner, B35.roles
#[tokio::test]
async fn who_was_granted_more_is_out_of_its_hand() {
    let world = world_of(ScimRole::ReadOnly, ScimRole::None);
    let owner = world.resolve(&world.owner().await.secret).await.unwrap();
    let by = directory(&world);
    let bob = world.app.provision(&by, wanted("bob@example.org", true)).await.unwrap();
    assert_eq!((bob.user.role, bob.user.has_password()), (Role::ReadOnly, false));
    let new = NewGrant {
        role: Role::Technician,
        place: None,
        effect: openframe_tokens::Effect::Allow,
        until: None,
    };
    let grant = world.app.add_grant(&owner, bob.user.id, new).await.unwrap();
    assert_eq!(grant.grant.place, Place::ROOT);
    let out = || wanted("bob@example.org", false);
    let refused = world.app.change_provisioned(&by, &bob, out()).await;
    assert!(matches!(refused, Err(Error::OutOfReach)));
    world.app.remove_grant(&owner, bob.user.id, grant.id).await.unwrap();
    let now = world.app.change_provisioned(&by, &bob, out()).await.unwrap();
    assert!(now.user.disabled);
    // Nothing changed is nothing on the trail.
    let before = world.app.store.trail.head(world.tenant).await.unwrap();
    world.app.change_provisioned(&by, &now, out()).await.unwrap();
    assert_eq!(world.app.store.trail.head(world.tenant).await.unwrap(), before);
}

// B35.filter
#[tokio::test]
async fn an_index_answers_as_a_look_through_all_does() {
    let world = world();
    let by = directory(&world);
    for n in 0..5 {
        let email = format!("p{n}@example.org");
        let external_id = Some(format!("e{n}"));
        world
            .app
            .provision(&by, PersonWanted { external_id, ..wanted(&email, n != 3) })
            .await
            .unwrap();
    }
    let active = |it: &Provisioned| !it.user.disabled;
    let search = async |pinned, page| {
        let search = Search { pinned, fits: Some(&active), page };
        let (total, found) = world.app.provisioned_people(&by, search).await.unwrap();
        (total, found.into_iter().map(|it| it.user.email).collect::<Vec<_>>())
    };
    let one = |email: &str| (1, vec![email.to_owned()]);
    let email = |text: &str| Some(Pinned::Email(text.to_owned()));
    let external = |text: &str| Some(Pinned::ExternalId(text.to_owned()));
    assert_eq!(search(email("P1@Example.org"), (0, 9)).await, one("p1@example.org"));
    assert_eq!(search(external("e2"), (0, 9)).await, one("p2@example.org"));
    assert_eq!(search(external("e3"), (0, 9)).await, (0, Vec::new()), "it fits no filter");
    assert_eq!(search(email("no address"), (0, 9)).await, (0, Vec::new()));
    assert_eq!(search(external("e2"), (1, 9)).await, (1, Vec::new()), "the page after");
    assert_eq!(search(None, (3, 9)).await, (4, vec!["p4@example.org".to_owned()]));
}

// B35.callers
#[tokio::test]
async fn owners_make_a_provisioners_key_and_of_nothing_more() {
    let world = world();
    let owner = world.resolve(&world.owner().await.secret).await.unwrap();
    let new = |email: &str, role| person(email, role);
    let hand =
        world.app.create_user(&owner, new("d@example.org", Role::Provisioner)).await.unwrap();
    let bob = world.app.create_user(&owner, new("b@example.org", Role::Technician)).await.unwrap();
    let make = async |by: &Asked, of, scopes: &[&str]| {
        let scopes = scopes.iter().map(|it| (*it).to_owned()).collect();
        world.app.create_provisioner_key(by, of, ("k", scopes), None).await
    };
    let own = "people:provision";
    let made = make(&owner, hand.id, &[own]).await.unwrap();
    let key = world.resolve(&made.secret).await.unwrap();
    assert_eq!(world.app.directory(&key).unwrap(), (world.tenant, hand.id));
    for scopes in [&["users:manage"][..], &[own, "devices:read"], &["x"], &[]] {
        assert!(
            matches!(make(&owner, hand.id, scopes).await, Err(Error::Invalid(_))),
            "{scopes:?}"
        );
    }
    assert!(matches!(make(&owner, bob.id, &[own]).await, Err(Error::Missing(_))));
    let bob = world.log_in("b@example.org", "a good long one").await.unwrap();
    for by in [&key, &world.resolve(&bob.secret).await.unwrap()] {
        let refused = make(by, hand.id, &[own]).await.err().unwrap();
        assert_eq!(refused.kind(), Kind::Forbidden);
    }
}
