//! What a caller may do with a device depends on where it is.

use openframe_ids::PlaceId;
use openframe_tokens::Effect;

use super::*;
use crate::http::seen;

/// The auth service, as far as it knows places.
#[async_trait::async_trait]
impl Places for Wire {
    async fn of_device(&self, _: DeviceId) -> Result<Option<Place>, Fault> {
        Ok(Some(*self.enrolled_at.lock().unwrap()))
    }

    async fn find(&self, id: PlaceId) -> Result<Option<Place>, Fault> {
        Ok(self.places.lock().unwrap().iter().find(|place| place.id() == Some(id)).copied())
    }

    async fn move_device(&self, _: DeviceId, to: &Place) -> Result<bool, Fault> {
        Ok(to.is_root() || self.places.lock().unwrap().contains(to))
    }
}

/// An organisation, a site and a group in it, and another organisation.
struct Tree {
    one: Place,
    site: Place,
    group: Place,
    other: Place,
}

fn tree(world: &World) -> Tree {
    let child = |place: Place| place.child(PlaceId::new()).unwrap();
    let [one, other] = [1, 2].map(|_| child(Place::ROOT));
    let site = child(one);
    let group = child(site);
    *world.wire.places.lock().unwrap() = vec![one, site, group, other];
    Tree { one, site, group, other }
}

fn grant(role: Role, place: Place, effect: Effect) -> Grant {
    Grant { role, place, effect, until: None }
}

impl World {
    /// Where the device is, from now on.
    async fn is_at(&self, place: Place) {
        let change = Change { place: Some(place), ..Change::default() };
        self.app.change(&self.person(Role::Owner), self.device, change).await.unwrap();
    }

    /// What becomes of every operation: `x` is let in, `h` is not there, `-` is not allowed. To read:
    /// device, inventory, section, history, commands, command, output, list. To change: rename, move
    /// within, run, cancel.
    async fn row(&self, ask: &Ask, command: openframe_ids::CommandId) -> String {
        fn mark<T>(answer: Result<T, Error>) -> char {
            match answer.map(drop) {
                Err(Error::NoSuchDevice(_) | Error::NoSuchCommand(_)) => 'h',
                Err(error) if error.kind() == Kind::Forbidden => '-',
                Ok(()) | Err(_) => 'x',
            }
        }
        let (app, id) = (&self.app, self.device);
        let place = app.device(&self.person(Role::Owner), id).await.unwrap().device.place;
        let all = Query::parse("", "", "tag,place").unwrap();
        let listed = app.devices(ask, &all).await.map(|page| {
            let shown = !page.devices.is_empty();
            assert_eq!(u64::from(shown), page.total);
            assert!(shown || page.facets.values().all(Vec::is_empty), "{:?}", page.facets);
            shown
        });
        let listed = match listed {
            Ok(true) => 'x',
            Ok(false) => 'h',
            Err(_) => '-',
        };
        let change = |place| Change { name: Some("n".to_owned()), place, ..Change::default() };
        [
            mark(app.device(ask, id).await),
            mark(app.inventory(ask, id).await),
            mark(app.section(ask, (id, "os"), None).await),
            mark(app.history(ask, (id, "os")).await),
            mark(app.commands(ask, id, None, 9).await),
            mark(app.command(ask, command).await),
            mark(app.output(ask, command, 0).await),
            listed,
            mark(app.change(ask, id, change(None)).await),
            mark(app.change(ask, id, change(Some(place))).await),
            mark(app.run(ask, id, wanted(), None).await),
            mark(app.cancel(ask, command).await),
        ]
        .into_iter()
        .collect()
    }
}

// ASVS 8.2.2, 8.2.3
#[tokio::test]
async fn each_operation_is_judged_where_the_device_is() {
    let world = world();
    let Tree { one, site, group, other } = tree(&world);
    world.connect().await;
    let command = world.run().await.id;
    let (allow, deny) = (Effect::Allow, Effect::Deny);
    let technician = |place| grant(Role::Technician, place, allow);
    let here = world.granted(Role::None, vec![technician(one)]);
    let but = vec![technician(one), grant(Role::Owner, site, deny)];
    let but_the_site = world.granted(Role::None, but);
    let reader = vec![grant(Role::ReadOnly, Place::ROOT, allow), technician(site)];
    let reads_all = world.granted(Role::None, reader);
    let denied = world.granted(Role::Technician, vec![grant(Role::Technician, other, deny)]);
    let nobody = world.person(Role::None);
    let (all, reads, hidden) = ("xxxxxxxxxxxx", "xxxxxxxx----", "hhhhhhhhhhhh");
    for (name, ask, [at_root, at_one, at_site, at_group, at_other]) in [
        ("here", &here, [hidden, all, all, all, hidden]),
        ("but the site", &but_the_site, [hidden, all, hidden, hidden, hidden]),
        ("reads all", &reads_all, [reads, reads, all, all, reads]),
        ("denied", &denied, [all, all, all, all, hidden]),
        ("nobody", &nobody, ["------------"; 5]),
        ("owner", &world.person(Role::Owner), [all; 5]),
    ] {
        for (place, want) in [
            (Place::ROOT, at_root),
            (one, at_one),
            (site, at_site),
            (group, at_group),
            (other, at_other),
        ] {
            world.is_at(place).await;
            assert_eq!(world.row(ask, command).await, want, "{name} at {place}");
        }
    }
}

// ASVS 8.2.2
#[tokio::test]
async fn a_device_is_retired_by_who_may_change_it_there() {
    let world = world();
    let Tree { one, other, .. } = tree(&world);
    *world.wire.enrolled_at.lock().unwrap() = other;
    world.connect().await;
    let [here, there] = [one, other].map(|place| {
        world.granted(Role::None, vec![grant(Role::Technician, place, Effect::Allow)])
    });
    let refused = world.app.retire(&here, world.device).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::NotFound);
    assert_eq!(world.trail.actions(), [""; 0], "nothing was done");
    world.app.retire(&there, world.device).await.unwrap();
}

#[tokio::test]
async fn a_device_is_where_it_enrolled_until_it_is_moved() {
    let world = world();
    let Tree { one, other, .. } = tree(&world);
    *world.wire.enrolled_at.lock().unwrap() = one;
    world.connect().await;
    let owner = world.person(Role::Owner);
    let place = async || world.app.device(&owner, world.device).await.unwrap().device.place;
    assert_eq!(place().await, one);
    world.is_at(other).await;
    world.connect().await;
    assert_eq!(place().await, other, "its token counts once");
    let unknown = Place::ROOT.child(PlaceId::new()).unwrap();
    let change = Change { place: Some(unknown), ..Change::default() };
    let refused = world.app.change(&owner, world.device, change).await.unwrap_err();
    assert!(matches!(refused, Error::NoSuchPlace));
}

// ASVS 8.2.2
#[tokio::test]
async fn a_device_is_moved_by_who_may_change_devices_at_both_places() {
    let world = world();
    let Tree { one, site, other, .. } = tree(&world);
    *world.wire.enrolled_at.lock().unwrap() = one;
    world.connect().await;
    let allow = Effect::Allow;
    let here = world.granted(Role::None, vec![grant(Role::Technician, one, allow)]);
    let both = vec![grant(Role::Technician, one, allow), grant(Role::Technician, other, allow)];
    let both = world.granted(Role::None, both);
    let to = |place| Change { place: Some(place), ..Change::default() };
    for place in [other, Place::ROOT] {
        let refused = world.app.change(&here, world.device, to(place)).await.unwrap_err();
        assert_eq!(refused.kind(), Kind::Forbidden);
    }
    world.app.change(&here, world.device, to(site)).await.unwrap();
    world.app.change(&both, world.device, to(other)).await.unwrap();
    let refused = world.app.change(&here, world.device, to(one)).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::NotFound);
    let called = async |ask, place: Place| {
        world.app.place_called(ask, &place.id().unwrap().to_string()).await
    };
    assert_eq!(called(&both, other).await.unwrap(), other);
    assert!(matches!(called(&here, other).await, Err(Error::NoSuchPlace)), "nor is it known");
}

// ASVS 8.2.2
#[tokio::test]
async fn followers_hear_of_what_they_may_see() {
    let world = world();
    let Tree { one, other, .. } = tree(&world);
    *world.wire.enrolled_at.lock().unwrap() = one;
    let [here, there] = [one, other].map(|place| {
        world.granted(Role::None, vec![grant(Role::Technician, place, Effect::Allow)])
    });
    let mut events = world.app.follow(&here).unwrap();
    assert!(world.app.follow(&world.person(Role::None)).is_err());
    let mut told = || {
        let events: Vec<_> = std::iter::from_fn(|| events.try_recv().ok()).collect();
        [&here, &there].map(|ask| {
            let seen = events.iter().filter_map(|event| seen(&world.app, &ask.caller, event));
            seen.map(|event| event.kind).collect::<Vec<_>>().join(" ")
        })
    };
    world.connect().await;
    assert_eq!(told(), ["device", ""]);
    world.app.run(&here, world.device, wanted(), None).await.unwrap();
    world.idle().await;
    let [heard, elsewhere] = told();
    assert!(heard.starts_with("command"), "{heard}");
    assert_eq!(elsewhere, "");
    world.is_at(other).await;
    assert_eq!(told(), ["retired", "device"], "out of sight is gone");
    world.app.retire(&there, world.device).await.unwrap();
    assert_eq!(told(), ["", "retired"]);
}
