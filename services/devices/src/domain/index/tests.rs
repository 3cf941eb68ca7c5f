//! The index against a naive scan.

use openframe_ids::TenantId;
use openframe_tokens::{Access, Effect, Grant, Grants, Permission, Reach, Role};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::Error;
use crate::domain::{Facts, Goodbye, Hello};

/// The tenant, two organisations, and two sites in each.
fn places() -> [Place; 7] {
    let child = |place: Place, n: u128| place.child(PlaceId(Uuid::from_u128(n))).unwrap();
    let [one, two] = [1, 2].map(|n| child(Place::ROOT, n));
    [Place::ROOT, one, two, child(one, 3), child(one, 4), child(two, 5), child(two, 6)]
}

fn place(number: u8) -> Place {
    places()[usize::from(number) % 7]
}

fn device(number: u8, version: u64, name: &str, os: &str, tags: &[String]) -> Device {
    let facts = Facts {
        hostname: name.to_owned(),
        os_family: os.to_owned(),
        addresses: vec![format!("10.0.0.{number}")],
        ..Facts::default()
    };
    Device {
        tenant: TenantId(Uuid::nil()),
        id: DeviceId(Uuid::from_u128(u128::from(number))),
        version,
        given_name: String::new(),
        tags: tags.to_vec(),
        place: place(version.to_be_bytes()[7].wrapping_add(number)),
        hello: Hello { facts, ..Hello::default() },
        enrolled_at: Timestamp::from_second(i64::from(number) * 7 % 5).unwrap(),
        last_seen: Timestamp::UNIX_EPOCH,
        goodbye: Goodbye::None,
    }
}

/// The same promises kept by looking at everything.
#[derive(Default)]
struct Model(BTreeMap<DeviceId, (Device, Timestamp, Presence)>);

impl Model {
    fn has(device: &Device, presence: Presence, attribute: Attribute, value: &str) -> bool {
        match attribute {
            Attribute::Presence => presence.as_str() == value,
            Attribute::Os => device.hello.facts.os_family == value && !value.is_empty(),
            Attribute::Tag => device.tags.iter().any(|tag| tag == value),
            Attribute::Place => device.place.ids().iter().any(|id| id.to_string() == value),
            Attribute::OsVersion
            | Attribute::Arch
            | Attribute::Vendor
            | Attribute::Model
            | Attribute::AgentVersion => false,
        }
    }

    fn matching(&self, (query, reach): (&Query, &Reach)) -> Vec<&(Device, Timestamp, Presence)> {
        let matches = |(device, _, presence): &&(Device, Timestamp, Presence)| {
            let filter = query.filter.iter().all(|(attribute, values)| {
                values.iter().any(|value| Self::has(device, *presence, *attribute, value))
            });
            filter
                && reach.contains(&device.place)
                && query.words.iter().all(|word| {
                    let mut texts = vec![device.name().to_lowercase()];
                    texts.extend(device.hello.facts.addresses.clone());
                    texts.extend(device.tags.iter().map(|tag| tag.to_lowercase()));
                    texts.iter().any(|text| text.contains(word))
                })
        };
        let mut all: Vec<_> = self.0.values().filter(matches).collect();
        all.sort_by_key(|(device, seen, _)| {
            let value = match query.order {
                Order::Name => (device.name().to_lowercase(), 0),
                Order::LastSeen => (String::new(), seen.as_millisecond()),
                Order::Enrolled => (String::new(), device.enrolled_at.as_millisecond()),
            };
            (value, device.id)
        });
        if query.reversed {
            all.reverse();
        }
        all
    }
}

/// Reads every page and compares with the model.
fn check(index: &Index, model: &Model, (query, reach): (&Query, &Reach)) {
    let want: Vec<DeviceId> = model.matching((query, reach)).iter().map(|it| it.0.id).collect();
    let mut query = query.clone();
    let mut got = Vec::new();
    loop {
        let page = index.query(&query, reach);
        assert_eq!(page.total, want.len() as u64);
        for (attribute, counts) in &page.facets {
            for (value, count) in counts {
                let all = model.matching((&query, reach));
                let have = all.iter().filter(|it| Model::has(&it.0, it.2, *attribute, value));
                assert_eq!(*count, have.count() as u64, "{attribute:?} {value}");
            }
        }
        got.extend(page.ids);
        let Some(next) = page.next else { break };
        let sort = match query.order {
            Order::Name => "name",
            Order::LastSeen => "last_seen",
            Order::Enrolled => "enrolled",
        };
        let sort = if query.reversed { format!("-{sort}") } else { sort.to_owned() };
        query = query.sorted(&sort, Some(&next)).unwrap();
    }
    assert_eq!(got, want);
}

#[derive(Debug, Clone)]
enum Step {
    Put(u8, u64, String, String, Vec<String>),
    Touch(u8, i64, Presence),
    Remove(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let presence =
        prop_oneof![Just(Presence::Online), Just(Presence::Sleeping), Just(Presence::Lost)];
    let tags = proptest::collection::btree_set("[ab]", 0..3);
    prop_oneof![
        3 => (0..12_u8, 0..5_u64, "[aAbÜ<\n]{0,3}", "(linux|windows|)", tags).prop_map(
            |(number, version, name, os, tags)| {
                Step::Put(number, version, name, os, tags.into_iter().collect())
            }
        ),
        2 => (0..12_u8, 0..9_i64, presence).prop_map(|(n, at, p)| Step::Touch(n, at, p)),
        1 => (0..12_u8).prop_map(Step::Remove),
    ]
}

fn query() -> impl Strategy<Value = Query> {
    let filter = proptest::sample::select(vec![
        "",
        "os:linux",
        "os:linux,os:windows,presence:online",
        "tag:a,tag:b",
        "tag:a,presence:lost",
        "place:00000000-0000-0000-0000-000000000001",
        "place:00000000-0000-0000-0000-000000000001,place:00000000-0000-0000-0000-000000000005",
    ]);
    let sort = proptest::sample::select(vec![
        "name",
        "-name",
        "last_seen",
        "-last_seen",
        "enrolled",
        "-enrolled",
    ]);
    let q = proptest::sample::select(vec!["", "a", "Ü", "a 10.0", "zzz"]);
    (q, filter, sort, 1..6_u32).prop_map(|(q, filter, sort, limit)| {
        let query = Query::parse(q, filter, "os,presence,tag,place").unwrap();
        query.sorted(sort, None).unwrap().limited(Some(limit)).unwrap()
    })
}

/// Where somebody with some grants reads devices.
fn reach() -> impl Strategy<Value = Reach> {
    let grant = (0..7_u8, any::<bool>()).prop_map(|(n, allow)| Grant {
        role: Role::ReadOnly,
        place: place(n),
        effect: if allow { Effect::Allow } else { Effect::Deny },
        until: None,
    });
    let grants = proptest::collection::vec(grant, 0..5);
    (proptest::sample::select(vec![Role::None, Role::ReadOnly]), grants).prop_map(
        |(role, grants)| {
            let grants = Grants::try_from(grants).unwrap();
            Access { role, grants: &grants }.reach(Permission::DevicesRead)
        },
    )
}

proptest! {
    // ASVS 8.2.2
    #[test]
    fn the_index_answers_as_a_scan_does(
        steps in proptest::collection::vec(step(), 0..60),
        queries in proptest::collection::vec((query(), reach()), 1..6),
    ) {
        let (mut index, mut model) = (Index::default(), Model::default());
        for step in steps {
            match step {
                Step::Put(number, version, name, os, tags) => {
                    let device = device(number, version, &name, &os, &tags);
                    let (seen, presence) = (Timestamp::UNIX_EPOCH, Presence::Lost);
                    index.put(&device, seen, presence);
                    let older = |known: &(Device, _, _)| known.0.version > version;
                    if !model.0.get(&device.id).is_some_and(older) {
                        model.0.insert(device.id, (device, seen, presence));
                    }
                }
                Step::Touch(number, second, presence) => {
                    let id = DeviceId(Uuid::from_u128(u128::from(number)));
                    let seen = Timestamp::from_second(second).unwrap();
                    index.touch(id, seen, presence);
                    if let Some(known) = model.0.get_mut(&id) {
                        (known.1, known.2) = (seen, presence);
                    }
                }
                Step::Remove(number) => {
                    let id = DeviceId(Uuid::from_u128(u128::from(number)));
                    index.remove(id);
                    model.0.remove(&id);
                }
            }
        }
        for (query, reach) in queries {
            check(&index, &model, (&query, &reach));
        }
    }
}

#[test]
fn values_may_hold_commas_and_colons() {
    let query = Query::parse("", "vendor:VMware, Inc.,os:linux,tag:a:b,c", "").unwrap();
    assert_eq!(query.filter[&Attribute::Vendor], ["VMware, Inc."]);
    assert_eq!(query.filter[&Attribute::Os], ["linux"]);
    assert_eq!(query.filter[&Attribute::Tag], ["a:b,c"]);
}

#[test]
fn wrong_questions_are_refused() {
    assert!(Query::parse("", "colour:red", "").is_err());
    assert!(Query::parse("", "", "colour").is_err());
    let query = || Query::parse("", "", "").unwrap();
    assert!(query().sorted("colour", None).is_err());
    assert!(query().limited(Some(0)).is_err());
    assert!(query().limited(Some(501)).is_err());
    for cursor in ["", "x", "00", "6e"] {
        assert!(matches!(query().sorted("name", Some(cursor)), Err(Error::BadCursor)));
    }
    let key = Key { value: b"x".to_vec(), id: DeviceId(Uuid::nil()) };
    assert!(query().sorted("last_seen", Some(&key.encode(b's'))).is_err());
}

#[test]
fn only_the_most_frequent_values_are_counted() {
    let mut index = Index::default();
    for number in 0..=250 {
        let own = format!("own {number:03}");
        let tags = [own, "all".to_owned()];
        index.put(&device(number, 1, "n", "linux", &tags), Timestamp::UNIX_EPOCH, Presence::Online);
    }
    let page = index.query(&Query::parse("", "", "tag").unwrap(), &Reach::Everywhere);
    let tags = &page.facets[&Attribute::Tag];
    assert_eq!((tags.len(), &tags[0]), (100, &("all".to_owned(), 251)));
}
