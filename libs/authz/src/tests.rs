//! Both answers, held against each other and against two others that know nothing of them.

mod cedar;

use std::sync::OnceLock;

use jiff::Timestamp;
use openframe_ids::PlaceId;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

/// The tenant, two organisations, and two places in each place down to groups.
fn tree() -> &'static [Place] {
    static TREE: OnceLock<Vec<Place>> = OnceLock::new();
    TREE.get_or_init(|| {
        let mut places = vec![Place::ROOT];
        let mut at = 0;
        while let Some(place) = places.get(at).copied() {
            let ids = [1, 2].map(|n| PlaceId(Uuid::from_u128((at as u128) * 2 + n)));
            places.extend(ids.into_iter().filter_map(|id| place.child(id)));
            at += 1;
        }
        places
    })
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn grants() -> impl Strategy<Value = Vec<Grant>> {
    let grant = (0..Role::ALL.len(), 0..tree().len(), any::<bool>(), proptest::option::of(0..4i64));
    let grant = grant.prop_map(|(role, place, allow, until)| Grant {
        role: Role::ALL[role],
        place: tree()[place],
        effect: if allow { Effect::Allow } else { Effect::Deny },
        until: until.map(at),
    });
    proptest::collection::vec(grant, 0..7)
}

/// What somebody would say who walks from the place up to the tenant, and at each step looks through
/// everything that was said there.
fn walked(role: Role, grants: &[Grant], permission: Permission, place: Place, now: i64) -> bool {
    let (mut step, mut allowed, mut denied) = (Some(place), role.permits(permission), false);
    while let Some(here) = step {
        for grant in grants {
            let over = matches!(grant.until, Some(until) if until <= at(now));
            if grant.place == here && grant.role.permits(permission) && !over {
                allowed |= grant.effect == Effect::Allow;
                denied |= grant.effect == Effect::Deny;
            }
        }
        step = here.parent();
    }
    allowed && !denied
}

proptest! {
    // ASVS 8.2.2
    #[test]
    fn lists_points_walks_and_policies_agree(
        role in 0..Role::ALL.len(),
        grants in grants(),
        now in 0..4i64,
        asked in proptest::collection::vec((0..Permission::ALL.len(), 0..tree().len()), 3),
    ) {
        let role = Role::ALL[role];
        let held = Grants::try_from(grants.clone()).unwrap().at(at(now));
        let access = Access { role, grants: &held };
        let policies = cedar::Person::new(role, &held);
        for permission in Permission::ALL {
            let reach = access.reach(permission);
            let mut whole = true;
            for place in tree() {
                let permitted = access.permits(permission, place);
                prop_assert_eq!(permitted, walked(role, &grants, permission, *place, now));
                prop_assert_eq!(permitted, reach.contains(place));
                whole &= permitted;
                let below = tree().iter().filter(|it| place.contains(it));
                let all = below.into_iter().all(|it| access.permits(permission, it));
                prop_assert_eq!(all, reach.covers(place));
            }
            prop_assert_eq!(whole, reach == Reach::Everywhere);
            prop_assert_eq!(tree().iter().any(|it| reach.contains(it)), reach != Reach::Nowhere);
        }
        for (permission, place) in asked {
            let (permission, place) = (Permission::ALL[permission], tree()[place]);
            prop_assert_eq!(access.permits(permission, &place), policies.permits(permission, &place));
        }
    }

    #[test]
    fn grants_read_back(grants in grants()) {
        let grants = Grants::try_from(grants).unwrap();
        let text = serde_json::to_string(&grants).unwrap();
        prop_assert_eq!(serde_json::from_str::<Grants>(&text).unwrap(), grants);
    }
}

#[test]
fn no_grants_are_no_access() {
    let none = Grants::default();
    let access = Access { role: Role::None, grants: &none };
    for permission in Permission::ALL {
        assert_eq!(access.reach(permission), Reach::Nowhere);
        assert!(!access.permits(permission, &Place::ROOT));
    }
    assert!(!Reach::Nowhere.contains(&Place::ROOT) && !Reach::Nowhere.covers(&Place::ROOT));
}

#[test]
fn a_grant_counts_until_its_end_and_not_at_it() {
    let (role, effect) = (Role::ReadOnly, Effect::Allow);
    let grant = Grant { role, place: Place::ROOT, effect, until: Some(at(2)) };
    let grants = Grants::try_from(vec![grant]).unwrap();
    assert_eq!(grants.at(at(1)), grants);
    assert!(grants.at(at(2)).is_empty());
}

#[test]
fn what_is_no_grant_is_not_believed() {
    let org = "AAAAAAAAAAAAAAAAAAAAAQ";
    let good = format!("\"t+{org} t-{org}~5\"");
    assert_eq!(serde_json::from_str::<Grants>(&good).unwrap().iter().count(), 2);
    for bad in ["t", "t*", "x+", "t+AAAA", "t+~x", "t+~", "t+ t", "t-  t+"] {
        let read = serde_json::from_str::<Grants>(&format!("{bad:?}"));
        assert!(read.is_err(), "{bad}");
    }
    let many = vec!["r+"; MOST_GRANTS + 1].join(" ");
    assert!(serde_json::from_str::<Grants>(&format!("{many:?}")).is_err());
}

/// They travel in a header of each request between services.
#[test]
fn the_most_grants_are_short() {
    let deep = tree().last().copied().unwrap();
    let until = Some(Timestamp::from_second(4_000_000_000).unwrap());
    let grant = Grant { role: Role::Technician, place: deep, effect: Effect::Deny, until };
    let grants = Grants::try_from(vec![grant; MOST_GRANTS]).unwrap();
    assert!(serde_json::to_string(&grants).unwrap().len() <= 82 * MOST_GRANTS);
    assert!(Grants::try_from(vec![grant; MOST_GRANTS + 1]).is_err());
}
