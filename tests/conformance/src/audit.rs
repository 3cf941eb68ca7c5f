//! The audit trail: random entries and random searches, whose answers must read the same from every
//! engine.

use std::fmt::Write as _;
use std::sync::Arc;

use jiff::Timestamp;
use openframe_auth::Stores;
use openframe_auth::domain::{Action, Checkpoint, Event, Filter};
use openframe_auth::store::{Place, StreamState};
use openframe_ids::TenantId;
use openframe_pki::Authority;

use crate::auth::event;

/// One random entry: whose trail, what, who, to what, when.
pub type Deed = (u8, u8, u8, u8, u8);
/// One random search: what, who, to what, how it ended, since and until when. Numbers that stand for
/// nothing leave it open.
pub type Look = (u8, u8, u8, u8, (u8, u8));

const ACTIONS: [&str; 7] =
    ["session.create", "session.end", "session.a.b", "sessions.end", "user.create", "x", ""];
const LOOKED_FOR: [&str; 8] =
    ["session.", "session.a.", "session.create", "session.a", "x", ".", "Session.", "user.%"];
const ACTORS: [&str; 4] = ["ann", "bob", "", "Ä\u{1f600}%"];
const TARGETS: [&str; 3] = ["a", "b", "it's"];
const OUTCOMES: [&str; 3] = ["done", "refused", "failed"];

fn pick<const N: usize>(from: [&str; N], n: u8) -> Option<String> {
    from.get(usize::from(n)).map(|text| (*text).to_owned())
}

fn one_of<const N: usize>(from: [&str; N], n: u8) -> String {
    pick(from, n % u8::try_from(N).unwrap_or(1)).unwrap_or_default()
}

fn at(ms: u8) -> Option<Timestamp> {
    Timestamp::from_millisecond(ms.into()).ok().filter(|_| ms < 40)
}

fn filter((action, actor, target, outcome, (from, to)): Look) -> Filter {
    Filter {
        action: pick(LOOKED_FOR, action).map(Action::read),
        actor: pick(ACTORS, actor),
        target: pick(TARGETS, target),
        outcome: pick(OUTCOMES, outcome),
        from: at(from),
        to: at(to),
        places: None,
    }
}

/// Puts every entry on its trail, makes every search in both directions, page by page, and writes all
/// answers down.
///
/// # Panics
/// When a store fails, or a search of a time finds other entries by its places than without.
#[expect(clippy::unwrap_used, reason = "a store that fails is a failed test")]
pub async fn log(store: &Stores, deeds: &[Deed], looks: &[Look]) -> String {
    let tenants = [1, 2].map(|n| TenantId(uuid::Uuid::from_u128(n)));
    let [first, second] = tenants;
    for (whose, action, actor, target, ms) in deeds {
        let event = Event {
            action: one_of(ACTIONS, *action),
            actor: one_of(ACTORS, *actor),
            target: one_of(TARGETS, *target),
            outcome: one_of(OUTCOMES, action ^ actor),
            // Not in order: replicas' clocks differ.
            ..event(i64::from(*ms))
        };
        let tenant = if whose % 3 == 0 { second } else { first };
        store.trail.append(tenant, &event).await.unwrap();
    }
    let mut log = String::new();
    for look in looks {
        let filter = filter(*look);
        for tenant in tenants {
            let span = store.trail.span(tenant, (filter.from, filter.to)).await.unwrap();
            let found = [Place::NEWEST, Place::OLDEST].map(async |from| {
                let found = pages(store, tenant, &filter, from).await;
                let placed = Filter { places: Some(span.unwrap_or((1, 0))), ..filter.clone() };
                assert_eq!(pages(store, tenant, &placed, from).await, found, "{placed:?}");
                found
            });
            let [newest, oldest] = found;
            writeln!(log, "{look:?} {span:?} {:?} {:?}", newest.await, oldest.await).unwrap();
        }
    }
    log
}

/// What is found from there on, three entries at a time.
#[expect(clippy::unwrap_used, reason = "a store that fails is a failed test")]
async fn pages(store: &Stores, tenant: TenantId, filter: &Filter, mut from: Place) -> Vec<u64> {
    let mut found = Vec::new();
    loop {
        let page = store.trail.search(tenant, filter, from, 3).await.unwrap();
        let Some(last) = page.last() else { return found };
        from = match from {
            Place::Before(_) => Place::Before(last.seq),
            Place::After(_) => Place::After(last.seq),
        };
        found.extend(page.iter().map(|entry| entry.seq));
    }
}

/// Of many checkpoints of one end one is kept, whoever made them; they are read back as they were made,
/// in order, for their tenant.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn a_checkpoint_is_kept_once(store: &Stores) {
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let (authority, _) = Authority::create(now).unwrap();
    let [tenant, other] = [1, 2].map(|n| TenantId(uuid::Uuid::from_u128(n)));
    let make =
        |tenant, seq: u64| Checkpoint::make(&authority, tenant, (seq, [7; 32]), now).unwrap();
    let trail = &store.trail;
    assert_eq!(trail.last_checkpoint(tenant).await.unwrap(), None);
    assert!(trail.add_checkpoint(&make(other, 3), None).await.unwrap());
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let (trail, made) = (Arc::clone(trail), make(tenant, 5));
        tasks.push(tokio::spawn(async move { trail.add_checkpoint(&made, None).await.unwrap() }));
    }
    let mut kept = 0;
    for task in tasks {
        kept += u32::from(task.await.unwrap());
    }
    assert_eq!(kept, 1);
    for (seq, after, kept) in [(9, None, false), (9, Some(4), false), (9, Some(5), true)] {
        let done = trail.add_checkpoint(&make(tenant, seq), after).await.unwrap();
        assert_eq!(done, kept, "{seq} after {after:?}");
    }
    let last = make(tenant, 12);
    assert!(trail.add_checkpoint(&last, Some(9)).await.unwrap());
    assert_eq!(trail.last_checkpoint(tenant).await.unwrap(), Some(last.clone()));
    let seqs = async |after: u64, limit: u32| {
        let found = trail.checkpoints(tenant, after, limit).await.unwrap();
        assert!(found.iter().all(|it| it.is_sealed(authority.root_pem())));
        found.iter().map(|it| it.seq).collect::<Vec<_>>()
    };
    assert_eq!(seqs(0, 10).await, [5, 9, 12]);
    assert_eq!(seqs(5, 1).await, [9]);
    assert!(seqs(12, 10).await.is_empty());
}

/// One replica at a time sends to a destination; the place is kept by whoever does, and outlives it.
///
/// # Panics
/// When the rule is broken.
#[expect(clippy::unwrap_used, reason = "a rule that fails is a failed test")]
pub async fn one_replica_sends_the_trail(store: &Stores) {
    let at = |second| Timestamp::from_second(second).unwrap();
    let (tenant, trail) = (TenantId(uuid::Uuid::from_u128(1)), &store.trail);
    let [ann, bob] = [1, 2].map(uuid::Uuid::from_u128);
    let lead = async |name: &str, own, now, until| {
        trail.lead_stream((tenant, name, own), at(now), at(until)).await.unwrap()
    };
    assert!(trail.streams(tenant).await.unwrap().is_empty());
    assert_eq!(lead("x", ann, 10, 20).await, Some(0));
    assert_eq!(lead("x", bob, 19, 29).await, None);
    assert_eq!(lead("y", bob, 10, 20).await, Some(0), "another destination");
    assert_eq!(lead("x", ann, 19, 30).await, Some(0));
    assert!(trail.stream_arrived((tenant, "x", ann), 7, at(20)).await.unwrap());
    assert!(!trail.stream_arrived((tenant, "x", bob), 9, at(20)).await.unwrap());
    assert!(!trail.stream_arrived((tenant, "z", ann), 9, at(20)).await.unwrap());
    trail.stream_failed((tenant, "x", ann), "one", at(21)).await.unwrap();
    trail.stream_failed((tenant, "x", ann), "two", at(22)).await.unwrap();
    trail.stream_failed((tenant, "x", bob), "three", at(23)).await.unwrap();
    let x = StreamState {
        name: "x".to_owned(),
        arrived: 7,
        arrived_at: Some(at(20)),
        error: "two".to_owned(),
        failing_since: Some(at(21)),
    };
    let y = StreamState {
        name: "y".to_owned(),
        arrived: 0,
        arrived_at: None,
        error: String::new(),
        failing_since: None,
    };
    assert_eq!(trail.streams(tenant).await.unwrap(), [x.clone(), y]);
    assert!(trail.streams(TenantId(uuid::Uuid::from_u128(2))).await.unwrap().is_empty());
    assert_eq!(lead("x", bob, 30, 40).await, Some(7), "it is over at its end");
    assert!(!trail.stream_arrived((tenant, "x", ann), 9, at(31)).await.unwrap());
    assert!(trail.stream_arrived((tenant, "x", bob), 8, at(32)).await.unwrap());
    let well = StreamState {
        arrived: 8,
        arrived_at: Some(at(32)),
        error: String::new(),
        failing_since: None,
        ..x
    };
    assert_eq!(trail.streams(tenant).await.unwrap().first(), Some(&well));
    assert_eq!(lead("x", bob, 33, 33).await, Some(8), "it gives up its turn");
    assert_eq!(lead("x", ann, 33, 40).await, Some(8));
}
