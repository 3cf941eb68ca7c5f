//! The auth service's promises to directories: rules that every engine keeps.

use std::collections::BTreeSet;

use futures::future::join_all;
use openframe_auth::Stores;
use openframe_auth::domain::{Group, KeptGrant, Membership, Provisioned, User};
use openframe_auth::store::{Change, Directory, GroupTo, PersonTo, Provided};
use openframe_ids::{GrantId, GroupId, UserId};
use openframe_tokens::{Effect, Grant, Place, Role};

use crate::auth::{at, event, id, session_of, tenant, user};

/// Whom a directory has a hand on.
const ROLES: [Role; 2] = [Role::ReadOnly, Role::None];

fn directory(n: u8) -> Directory {
    (tenant(n % 2), UserId(id(30, n)))
}

fn provisioned(n: u8, external: Option<&str>) -> Provisioned {
    let user = User { password: Vec::new(), ..user(n, Role::None) };
    Provisioned { user, external_id: external.map(str::to_owned) }
}

fn group(n: u8, external: Option<&str>) -> Group {
    Group {
        id: GroupId(id(31, n)),
        tenant: tenant(n % 2),
        name: format!("group {n}"),
        external_id: external.map(str::to_owned),
        created: at(1),
        changed: at(1),
    }
}

fn people(ids: &[u8]) -> BTreeSet<UserId> {
    ids.iter().map(|n| UserId(id(1, *n))).collect()
}

fn called(external: Option<&str>) -> PersonTo {
    let external_id = Some(external.map(str::to_owned));
    PersonTo { external_id, ..PersonTo::default() }
}

/// A person has one address and, for each directory, one id of its own; both are somebody's once.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn a_name_and_an_external_id_are_somebodys_once(store: &Stores) {
    let (store, one, other) = (&store.provisioning, directory(0), directory(2));
    let add = async |n, external| {
        store.add_person(one, &provisioned(n, external), &event(1)).await.unwrap()
    };
    assert_eq!(add(0, Some("a")).await, Provided::Done);
    assert_eq!(add(2, None).await, Provided::EmailTaken, "it has the address of 0");
    assert_eq!(add(4, Some("a")).await, Provided::ExternalIdTaken);
    assert_eq!(store.person(one, UserId(id(1, 4))).await.unwrap(), None, "nothing is left of it");
    assert_eq!(add(4, Some("A")).await, Provided::Done, "case says something");
    assert_eq!(add(8, None).await, Provided::Done);
    let ann = store.person_called(one, "a").await.unwrap().unwrap();
    assert_eq!(ann, provisioned(0, Some("a")));
    // Another directory knows the person, and nothing of what this one calls the person.
    assert_eq!(store.person_called(other, "a").await.unwrap(), None);
    let same = store.person(other, ann.user.id).await.unwrap();
    assert_eq!(same, Some(provisioned(0, None)));
    assert_eq!(store.person(directory(1), ann.user.id).await.unwrap(), None, "another tenant");
    let call = async |by, n, external| {
        let (whose, to) = ((by, UserId(id(1, n))), called(external));
        store.change_person(whose, &to, &ROLES, &event(2)).await.unwrap()
    };
    assert_eq!(call(other, 4, Some("a")).await, Provided::Done, "its own ids");
    assert_eq!(call(one, 8, Some("a")).await, Provided::ExternalIdTaken);
    assert_eq!(call(one, 0, Some("a")).await, Provided::Done, "its own is not taken");
    assert_eq!(call(one, 0, None).await, Provided::Done);
    assert_eq!(call(one, 8, Some("a")).await, Provided::Done, "it is free");
    assert_eq!(call(directory(1), 0, Some("x")).await, Provided::Missing);
    // A group may be called as a person is.
    let made = store.add_group(one, &group(0, Some("a")), &people(&[]), &event(3)).await;
    assert_eq!(made.unwrap(), Provided::Done);
    let won = join_all((0..8_u8).map(|n| {
        let new = provisioned(16 + 4 * n, Some("race"));
        async move { store.add_person(one, &new, &event(4)).await.unwrap() }
    }));
    let won = won.await.into_iter().filter(|it| *it == Provided::Done).count();
    assert_eq!(won, 1, "of many at once one wins");
}

/// People are listed in one order, whole and by pages, and who was ended is on none.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn people_are_listed_in_one_order(store: &Stores) {
    let (store, by) = (&store.provisioning, directory(0));
    for n in [12, 4, 8, 0, 16, 5] {
        let (new, external) = (provisioned(n, None), format!("e{n}"));
        let new = Provisioned { external_id: Some(external), ..new };
        store.add_person(directory(n), &new, &event(1)).await.unwrap();
    }
    let page = async |skip, take| {
        let page = store.people(by, (skip, take)).await.unwrap();
        page.into_iter().map(|it| it.user.id).collect::<Vec<_>>()
    };
    let ids = |ns: &[u8]| ns.iter().map(|n| UserId(id(1, *n))).collect::<Vec<_>>();
    assert_eq!(page(0, 99).await, ids(&[0, 4, 8, 12, 16]));
    assert_eq!(page(1, 2).await, ids(&[4, 8]));
    assert_eq!(page(4, 2).await, ids(&[16]));
    assert_eq!(page(9, 2).await, ids(&[]));
    assert_eq!(page(0, 0).await, ids(&[]));
    assert_eq!(store.count_people(by.0).await.unwrap(), 5);
    let ended = store.end_person((by, UserId(id(1, 8))), &ROLES, &event(2)).await.unwrap();
    assert_eq!(ended, Provided::Done);
    assert_eq!(page(1, 2).await, ids(&[4, 12]));
    assert_eq!(store.count_people(by.0).await.unwrap(), 4);
}

/// Whoever holds more than a directory may have to do with is not in its hand, whatever it wants.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn nobody_above_is_in_a_directorys_hand(store: &Stores) {
    let (kept, by) = (&store.provisioning, directory(0));
    for (n, role) in [(0, Role::Owner), (4, Role::Technician), (8, Role::ReadOnly)] {
        store.people.add(&user(n, role), &event(1)).await.unwrap();
    }
    let grant = |effect| KeptGrant {
        id: GrantId(id(32, 0)),
        tenant: tenant(0),
        user: UserId(id(1, 8)),
        grant: Grant { role: Role::Technician, place: Place::ROOT, effect, until: Some(at(50)) },
        created: at(1),
    };
    let disabled = Change { disabled: Some(true), ..Change::default() };
    let to = PersonTo { change: disabled, external_id: None };
    let tries = async |n: u8, now| {
        let (whose, event) = ((by, UserId(id(1, n))), event(now));
        let changed = kept.change_person(whose, &to, &ROLES, &event).await.unwrap();
        let called = kept.change_person(whose, &called(Some("x")), &ROLES, &event).await.unwrap();
        (changed, called)
    };
    let before = store.trail.head(tenant(0)).await.unwrap();
    for n in [0, 4] {
        assert_eq!(tries(n, 2).await, (Provided::Above, Provided::Above), "{n}");
        let whose = (by, UserId(id(1, n)));
        assert_eq!(kept.end_person(whose, &ROLES, &event(2)).await.unwrap(), Provided::Above);
        assert!(!kept.person(by, whose.1).await.unwrap().unwrap().user.disabled);
    }
    assert_eq!(store.trail.head(tenant(0)).await.unwrap(), before, "nothing was changed");
    store.grants.add(&grant(Effect::Allow), &event(2)).await.unwrap();
    assert_eq!(tries(8, 3).await, (Provided::Above, Provided::Above), "by a grant");
    assert_eq!(tries(8, 60).await, (Provided::Done, Provided::Done), "the grant is over");
}

/// Whoever is disabled or ended is out at once, and the address of who was ended is free.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn whoever_is_ended_is_out(store: &Stores) {
    let (kept, by) = (&store.provisioning, directory(0));
    let bob = provisioned(4, Some("b"));
    let whose = (bob.user.tenant, bob.user.id);
    kept.add_person(by, &bob, &event(1)).await.unwrap();
    store.sessions.add(&session_of(whose, 90, 1), &event(1)).await.unwrap();
    let made = kept.add_group(by, &group(0, None), &people(&[4]), &event(1)).await.unwrap();
    assert_eq!(made, Provided::Done);
    let disabled = Change { disabled: Some(true), ..Change::default() };
    let to = PersonTo { change: disabled, external_id: None };
    let done = kept.change_person((by, whose.1), &to, &ROLES, &event(2)).await.unwrap();
    assert_eq!(done, Provided::Done);
    assert!(store.sessions.list(whose.0, Some(whose.1)).await.unwrap().is_empty());
    assert_eq!(kept.members(by.0, group(0, None).id).await.unwrap(), people(&[4]), "still in it");

    let enabled = Change { disabled: Some(false), ..Change::default() };
    let to = PersonTo { change: enabled, external_id: None };
    let done = kept.change_person((by, whose.1), &to, &ROLES, &event(2)).await.unwrap();
    assert_eq!(done, Provided::Done);
    store.sessions.add(&session_of(whose, 91, 2), &event(2)).await.unwrap();
    let ended = kept.end_person((by, whose.1), &ROLES, &event(3)).await.unwrap();
    assert_eq!(ended, Provided::Done);
    assert!(store.sessions.list(whose.0, Some(whose.1)).await.unwrap().is_empty());
    let again = kept.end_person((by, whose.1), &ROLES, &event(3)).await.unwrap();
    assert_eq!(again, Provided::Missing);
    assert_eq!(kept.person(by, whose.1).await.unwrap(), None);
    assert_eq!(kept.person_called(by, "b").await.unwrap(), None);
    assert!(kept.members(by.0, group(0, None).id).await.unwrap().is_empty());
    let left = store.people.get(whose.0, whose.1).await.unwrap().unwrap();
    assert!(left.disabled && left.role == Role::None && left.email != bob.user.email);
    // Who comes again with the same address is somebody else.
    let anew = provisioned(6, Some("b"));
    assert_eq!(anew.user.email, bob.user.email);
    assert_eq!(kept.add_person(by, &anew, &event(4)).await.unwrap(), Provided::Done);
    let nobody = kept.add_group(by, &group(2, None), &people(&[4]), &event(4)).await.unwrap();
    assert_eq!(nobody, Provided::NoMember);
}

/// Groups have people who are there, each once; of changes at once none undoes another.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn groups_have_people_who_are_there(store: &Stores) {
    let (kept, by) = (&store.provisioning, directory(0));
    for n in [0, 4, 8, 12, 1] {
        kept.add_person(directory(n), &provisioned(n, None), &event(1)).await.unwrap();
    }
    let ops = group(0, Some("g"));
    let add = async |new: &Group, members: &[u8]| {
        kept.add_group(by, new, &people(members), &event(2)).await.unwrap()
    };
    assert_eq!(add(&ops, &[0, 1]).await, Provided::NoMember, "1 is of another tenant");
    assert_eq!(add(&ops, &[0, 99]).await, Provided::NoMember);
    assert_eq!(kept.group(by, ops.id).await.unwrap(), None, "nothing is left of it");
    assert_eq!(add(&ops, &[0, 4]).await, Provided::Done);
    assert_eq!(add(&group(2, Some("g")), &[]).await, Provided::ExternalIdTaken);
    assert_eq!(add(&group(4, None), &[8]).await, Provided::Done);
    assert_eq!(kept.group(by, ops.id).await.unwrap(), Some(ops.clone()));
    assert_eq!(kept.group(directory(1), ops.id).await.unwrap(), None);
    assert_eq!(kept.group_called(by, "g").await.unwrap(), Some(ops.clone()));
    let named = async |skip, take| {
        let page = kept.groups(by, (skip, take)).await.unwrap();
        page.into_iter().map(|it| it.name).collect::<Vec<_>>()
    };
    assert_eq!(named(0, 9).await, ["group 0", "group 4"]);
    assert_eq!(
        (named(1, 9).await, kept.count_groups(by.0).await.unwrap()),
        (vec!["group 4".to_owned()], 2)
    );
    let moves = |joins: &[u8], leaves: &[u8]| GroupTo {
        members: Membership { joins: people(joins), leaves: people(leaves) },
        ..GroupTo::default()
    };
    let both = [moves(&[8], &[0]), moves(&[12], &[]), moves(&[8, 12], &[])];
    let change = async |to: &GroupTo| kept.change_group(by, ops.id, to, &event(3)).await.unwrap();
    let done = join_all(both.iter().map(change)).await;
    assert_eq!(done, [Provided::Done; 3]);
    assert_eq!(kept.members(by.0, ops.id).await.unwrap(), people(&[4, 8, 12]));
    assert_eq!(change(&moves(&[1], &[4])).await, Provided::NoMember);
    assert_eq!(kept.members(by.0, ops.id).await.unwrap(), people(&[4, 8, 12]), "nobody left");
    let sizes = kept.group_sizes(by.0).await.unwrap();
    assert_eq!(sizes.get(&ops.id), Some(&3));
    let name = Some("Ops".to_owned());
    let renamed = GroupTo { name, external_id: Some(None), ..GroupTo::default() };
    assert_eq!(change(&renamed).await, Provided::Done);
    let now = kept.group(by, ops.id).await.unwrap().unwrap();
    assert_eq!((now.name.as_str(), now.external_id, now.changed), ("Ops", None, at(3)));
    assert!(!kept.remove_group(tenant(1), ops.id, &event(4)).await.unwrap());
    assert!(kept.remove_group(by.0, ops.id, &event(4)).await.unwrap());
    assert!(!kept.remove_group(by.0, ops.id, &event(4)).await.unwrap());
    assert!(kept.members(by.0, ops.id).await.unwrap().is_empty());
    assert_eq!(change(&renamed).await, Provided::Missing);
}
