//! The auth service's promises about places and grants: rules that every engine keeps, and a log of
//! random operations that must read the same from each.

use std::fmt::Write as _;

use openframe_auth::Stores;
use openframe_auth::domain::{EnrolmentToken, KeptGrant, NamedPlace};
use openframe_auth::store::{Change, Changed, Granted, Joined, Placed};
use openframe_ids::{DeviceId, GrantId, PlaceId};
use openframe_tokens::{Effect, Grant, MOST_GRANTS, Place, Role};
use uuid::Uuid;

use crate::auth::{Step, at, event, id, joining, tenant, token, user};
use crate::enrolment::joined;

fn place_id(n: u8) -> PlaceId {
    PlaceId(id(20, n))
}

/// The place `n`: organisations 0 to 3, sites 4 to 7 in them, groups 8 to 11 in those.
fn place(n: u8) -> Place {
    let steps = (0..=n / 4).map(|depth| place_id(4 * depth + n % 4));
    steps.fold(Place::ROOT, |place, id| place.child(id).unwrap_or(place))
}

fn named(n: u8, name: &str) -> NamedPlace {
    let (place, tenant, name) = (place(n), tenant(n % 2), name.to_owned());
    NamedPlace { place, tenant, name, created: at(n.into()) }
}

fn grant(n: u8, whose: u8, effect: Effect, until: Option<i64>) -> KeptGrant {
    let person = user(whose, Role::ReadOnly);
    KeptGrant {
        id: GrantId(id(21, n)),
        tenant: person.tenant,
        user: person.id,
        grant: Grant { role: Role::Technician, place: place(n % 12), effect, until: until.map(at) },
        created: at(n.into()),
    }
}

/// A place lies in one that is there, has a name of its own there, and goes when nothing is in it.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn a_place_goes_when_nothing_is_in_it(store: &Stores) {
    let (places, whose) = (&store.places, tenant(0));
    let add = async |n, name: &str| places.add(&named(n, name), &event(1)).await.unwrap();
    let remove = async |n, now| places.remove(whose, place_id(n), &event(now)).await.unwrap();
    assert_eq!(add(4, "site").await, Placed::Missing, "there is no organisation");
    assert_eq!(add(0, "one").await, Placed::Done);
    assert_eq!(add(2, "one").await, Placed::NameTaken);
    assert_eq!(add(2, "two").await, Placed::Done);
    assert_eq!(add(4, "one").await, Placed::Done, "beside it nothing is called so");
    let renamed = async |n, name| places.rename(whose, place_id(n), name, &event(2)).await.unwrap();
    assert_eq!(renamed(2, "one").await, Placed::NameTaken);
    assert_eq!(renamed(2, "two").await, Placed::Done, "its own name is not taken");
    assert_eq!(renamed(6, "x").await, Placed::Missing);
    let elsewhere = places.rename(tenant(1), place_id(2), "x", &event(2)).await.unwrap();
    assert_eq!(elsewhere, Placed::Missing, "of another tenant");
    assert_eq!(places.get(whose, place_id(4)).await.unwrap(), Some(named(4, "one")));
    assert_eq!(places.get(tenant(1), place_id(4)).await.unwrap(), None);
    assert_eq!(remove(0, 3).await, Placed::InUse, "a site is in it");

    store.people.add(&user(0, Role::None), &event(1)).await.unwrap();
    let held = grant(4, 0, Effect::Allow, Some(9));
    assert_eq!(store.grants.add(&held, &event(3)).await.unwrap(), Granted::Done);
    assert_eq!(remove(4, 8).await, Placed::InUse, "somebody is granted something there");
    let enrolling = EnrolmentToken { place: place(4), expires: at(20), ..token(0, 1) };
    store.enrolment.add_token(&enrolling, &event(4)).await.unwrap();
    assert_eq!(remove(4, 19).await, Placed::InUse, "devices may enrol there");
    let device = joined(store, 1, 5).await;
    assert_eq!(places.of_device(whose, device.id).await.unwrap(), Some(place(4)));
    let again = async |now| store.enrolment.join(&joining(0, 1), &event(now)).await.unwrap();
    assert_eq!(again(6).await, Joined::Before(device.clone()));
    assert_eq!(remove(4, 21).await, Placed::InUse, "a device is there");
    assert!(!places.move_device(whose, device.id, &place(6)).await.unwrap(), "no such place");
    assert!(!places.move_device(tenant(1), device.id, &place(2)).await.unwrap());
    assert!(places.move_device(whose, device.id, &place(2)).await.unwrap());
    let within = async |n, after, most| {
        places.devices_within(whose, &place(n), (after, most)).await.unwrap()
    };
    assert_eq!(within(2, None, 9).await, [device.id]);
    assert_eq!(within(0, None, 9).await, [], "it is not there any more");
    assert_eq!(again(7).await, Joined::Before(device.clone()));
    assert_eq!(places.of_device(whose, device.id).await.unwrap(), Some(place(2)), "it stays there");
    assert_eq!(remove(4, 21).await, Placed::Done);
    assert_eq!(remove(4, 21).await, Placed::Missing);
    assert_eq!(remove(2, 21).await, Placed::InUse);
    store.enrolment.revoke(whose, device.id, &event(22)).await.unwrap();
    assert_eq!(remove(2, 23).await, Placed::Done, "the device counts no more");
    assert_eq!(places.of_device(whose, DeviceId(Uuid::nil())).await.unwrap(), None);
    assert_eq!(places.list(whose).await.unwrap(), [named(0, "one")]);
    let (last, _) = store.trail.head(whose).await.unwrap().unwrap();
    let trail = store.trail.after(whose, 0, 100).await.unwrap();
    assert_eq!(last, trail.len() as u64, "each change is on the trail, and nothing else");
}

/// Grants are a person's, at places that are there, as many as there may be; and nobody who is denied
/// something is or becomes an owner.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn a_grant_is_given_and_taken_back(store: &Stores) {
    let (grants, bob) = (&store.grants, user(0, Role::ReadOnly));
    let add = async |it: KeptGrant, now| grants.add(&it, &event(now)).await.unwrap();
    assert_eq!(add(grant(0, 0, Effect::Allow, None), 1).await, Granted::NoPerson);
    store.people.add(&bob, &event(1)).await.unwrap();
    store.people.add(&user(4, Role::Owner), &event(1)).await.unwrap();
    assert_eq!(add(grant(0, 0, Effect::Allow, None), 1).await, Granted::NoPlace);
    store.places.add(&named(0, "one"), &event(1)).await.unwrap();
    let denied = grant(0, 0, Effect::Deny, Some(50));
    assert_eq!(add(denied.clone(), 2).await, Granted::Done);
    assert_eq!(add(grant(0, 4, Effect::Deny, None), 2).await, Granted::Owner);
    let promoted = Change { role: Some(Role::Owner), ..Change::default() };
    let change =
        async |now| store.people.change(bob.tenant, bob.id, &promoted, &event(now)).await.unwrap();
    assert_eq!(change(49).await, Changed::Denied);
    let held = grants.of(bob.tenant, bob.id, at(49)).await.unwrap();
    assert_eq!(held, std::slice::from_ref(&denied));
    assert_eq!(grants.of(bob.tenant, bob.id, at(50)).await.unwrap(), []);
    assert_eq!(grants.of(tenant(1), bob.id, at(2)).await.unwrap(), []);
    let remove = async |whose, id| grants.remove(whose, id, &event(3)).await.unwrap();
    assert!(!remove((bob.tenant, user(4, Role::Owner).id), denied.id).await, "not theirs");
    assert!(!remove((tenant(1), bob.id), denied.id).await);

    for n in 1..u8::try_from(MOST_GRANTS).unwrap() {
        let more = grant(0, 0, Effect::Allow, None);
        let more = KeptGrant { id: GrantId(id(22, n)), ..more };
        assert_eq!(add(more, 4).await, Granted::Done);
    }
    let more = KeptGrant { id: GrantId(Uuid::from_u128(9)), ..grant(0, 0, Effect::Allow, None) };
    assert_eq!(add(more.clone(), 49).await, Granted::TooMany);
    assert_eq!(add(more, 50).await, Granted::Done, "the denial is over");
    assert!(!remove((bob.tenant, bob.id), denied.id).await, "and forgotten");
    assert!(matches!(change(51).await, Changed::Done(_)));
}

/// Runs the operations and writes down what each answered.
///
/// # Panics
/// When the store fails.
#[expect(clippy::unwrap_used, reason = "a store that fails is a failed test")]
pub async fn log(store: &Stores, steps: &[Step]) -> String {
    let mut log = String::new();
    for (turn, (what, n, value)) in steps.iter().copied().enumerate() {
        let (now, whose) = (i64::try_from(turn).unwrap(), tenant(n % 2));
        let event = event(now);
        let answer = match what % 7 {
            0 | 1 => {
                let place = named(n % 12, &format!("place {}", value % 3));
                if store.places.get(whose, place.id()).await.unwrap().is_some() {
                    continue;
                }
                format!("{:?}", store.places.add(&place, &event).await.unwrap())
            }
            2 => {
                let name = format!("place {}", value % 3);
                let done = store.places.rename(whose, place_id(n % 12), &name, &event).await;
                format!("{:?}", done.unwrap())
            }
            3 => {
                let done = store.places.remove(whose, place_id(n % 12), &event).await;
                format!("{:?}", done.unwrap())
            }
            4 => {
                let effect = if value.is_multiple_of(3) { Effect::Deny } else { Effect::Allow };
                let until = value.is_multiple_of(2).then(|| now + i64::from(value % 8));
                let grant = KeptGrant {
                    id: GrantId(Uuid::from_u128(u128::try_from(now).unwrap())),
                    ..grant(n, n % 6, effect, until)
                };
                format!("{:?}", store.grants.add(&grant, &event).await.unwrap())
            }
            5 => {
                let role = Role::ALL.into_iter().cycle().nth(value.into()).unwrap();
                let change = Change { role: Some(role), ..Change::default() };
                let id = user(n % 6, role).id;
                let added = store.people.add(&user(n % 6, role), &event).await.unwrap();
                format!(
                    "{added} {:?}",
                    store.people.change(whose, id, &change, &event).await.unwrap()
                )
            }
            _ => {
                let person = user(n % 6, Role::None);
                let id = GrantId(Uuid::from_u128(value.into()));
                let done = store.grants.remove((person.tenant, person.id), id, &event).await;
                format!("{:?}", done.unwrap())
            }
        };
        writeln!(log, "{what} {n} {value}: {answer}").unwrap();
    }
    for n in 0..6 {
        let person = user(n, Role::None);
        let grants = store.grants.of(person.tenant, person.id, at(0)).await.unwrap();
        let places = store.places.list(tenant(n)).await.unwrap();
        writeln!(log, "{grants:?} {places:?}").unwrap();
    }
    log
}
