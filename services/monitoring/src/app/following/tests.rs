//! Several replicas on one log: each holds everything.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use openframe_agent_api::link::{Label as OwnLabel, Series, SeriesTable, Snapshot, TelemetryPush};
use openframe_agent_api::table;
use openframe_clock::ManualClock;
use openframe_ids::{DeviceId, SessionId, TenantId, UserId};
use openframe_tokens::{Caller, Grants, Role, Subject};
use proptest::prelude::*;
use prost::Message as _;

use crate::app::{Live, Monitoring};
use crate::domain::labels::NAME;
use crate::remote_write::{Label, Sample, TimeSeries, WriteRequest};
use crate::store::memory::MemoryLog;
use crate::{Config, Error, testing};

const START_MS: i64 = 1_700_000_000_000;
const CHAPTER_MS: i64 = 6 * 3_600_000;

struct World {
    clock: ManualClock,
    tenant: TenantId,
    log: MemoryLog,
}

impl World {
    fn new() -> Self {
        let clock = ManualClock::new(Timestamp::from_millisecond(START_MS).unwrap());
        Self { clock, tenant: TenantId::new(), log: MemoryLog::of_replicas(CHAPTER_MS) }
    }

    /// Another replica.
    async fn open(&self) -> Monitoring {
        self.open_on(&self.log.another()).await
    }

    async fn open_on(&self, log: &MemoryLog) -> Monitoring {
        let mut parts = testing::parts(log);
        parts.stores.shared = true;
        let app = Monitoring::new(Config::default(), self.clock.clock(), parts);
        app.load().await.unwrap();
        app
    }

    fn owner(&self) -> Caller {
        let subject = Subject::User {
            user: UserId::new(),
            session: SessionId::new(),
            role: Role::Owner,
            grants: Grants::default(),
        };
        Caller { tenant: self.tenant, subject }
    }

    fn now_ms(&self) -> i64 {
        self.clock.clock().now().as_millisecond()
    }

    async fn write(&self, app: &Monitoring, name: &str, value: f64) {
        let labels = vec![Label { name: NAME.into(), value: name.into() }];
        let samples = vec![Sample { value, timestamp: self.now_ms() }];
        let request = WriteRequest { timeseries: vec![TimeSeries { labels, samples }] };
        let body = snap::raw::Encoder::new().compress_vec(&request.encode_to_vec()).unwrap();
        app.write(&self.owner(), Bytes::from(body)).await.unwrap();
    }

    /// Each series with its samples.
    fn all(&self, app: &Monitoring) -> BTreeMap<String, Vec<(i64, u64)>> {
        let found = app.select(self.owner().tenant, &[], (i64::MIN, i64::MAX)).into_iter();
        let bits = |samples: Vec<(i64, f64)>| {
            samples.into_iter().map(|(t, value)| (t, value.to_bits())).collect()
        };
        found.map(|(labels, samples)| (labels.get(NAME).to_owned(), bits(samples))).collect()
    }
}

#[tokio::test]
async fn what_one_replica_takes_all_have_also_after_a_restart() {
    let world = World::new();
    let (a, b) = (world.open().await, world.open().await);
    world.write(&a, "one", 1.0).await;
    world.write(&b, "two", 2.0).await;
    world.write(&b, "one", 3.0).await;
    world.clock.advance(SignedDuration::from_hours(7));
    // Another chapter, which has to be read without the one before.
    world.write(&a, "one", 4.0).await;
    world.write(&b, "one", 5.0).await;
    for app in [&a, &b] {
        app.follow().await.unwrap();
        assert_eq!(app.follow().await.unwrap(), 0, "everything is read once");
    }
    let want = world.all(&a);
    assert_eq!(want.keys().collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!(want["one"].len(), 2);
    assert_eq!(want["one"][0].1, 3.0_f64.to_bits(), "two values of one instant: the greater one");
    assert_eq!(world.all(&b), want);
    assert_eq!(world.all(&world.open().await), want);
}

fn push(hash: u64, table: Option<SeriesTable>, time_ms: i64) -> Bytes {
    let values = table::pack(&[1.5]).into();
    let snapshots = vec![Snapshot { table_hash: hash, table, time_ms, values }];
    Bytes::from(TelemetryPush { snapshots }.encode_to_vec())
}

#[tokio::test]
async fn a_device_may_go_on_with_another_replica() {
    let world = World::new();
    let (a, b) = (world.open().await, world.open().await);
    let device = DeviceId::new();
    let caller = Caller { tenant: world.tenant, subject: Subject::Device { device } };
    let labels = vec![OwnLabel { name: "cpu".into(), value: "0".into() }];
    let sent = SeriesTable { series: vec![Series { name: "load".into(), labels }] };
    let hash = table::hash(&sent);
    let unknown = b.push(&caller, push(hash, None, world.now_ms())).await;
    assert!(matches!(unknown, Err(Error::UnknownTable(_))), "{unknown:?}");
    let mut live = b.live(&world.owner()).await.unwrap();
    a.push(&caller, push(hash, Some(sent), world.now_ms())).await.unwrap();
    b.follow().await.unwrap();
    let Live::Telemetry(arrived) = live.recv().await.unwrap() else { panic!("not telemetry") };
    assert_eq!((arrived.device, arrived.at_ms), (device, world.now_ms()));
    world.clock.advance(SignedDuration::from_secs(10));
    b.push(&caller, push(hash, None, world.now_ms())).await.unwrap();
    a.follow().await.unwrap();
    assert_eq!(world.all(&a)["load"].len(), 2);
    assert_eq!(world.all(&a), world.all(&b));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is written where, and whenever it is read: replicas that have read everything hold
    /// the same, and so does one that begins then.
    #[test]
    fn replicas_that_have_read_everything_hold_the_same(
        acts in prop::collection::vec((0..3_usize, 0..4_u8, 0..3_u8, any::<bool>()), 1..40)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let world = World::new();
            let mut replicas = vec![world.open().await, world.open().await, world.open().await];
            for (of, name, value, then) in acts {
                match name {
                    0 => { replicas[of].follow().await.unwrap(); }
                    1 if then => replicas[of] = world.open().await,
                    _ => {
                        let name = format!("series {name}");
                        world.write(&replicas[of], &name, f64::from(value)).await;
                    }
                }
                if then {
                    world.clock.advance(SignedDuration::from_mins(97));
                }
            }
            replicas.push(world.open().await);
            for replica in &replicas {
                replica.follow().await.unwrap();
            }
            let want = world.all(&replicas[3]);
            for replica in &replicas {
                assert_eq!(world.all(replica), want);
            }
        });
    }
}

#[tokio::test]
async fn a_series_that_was_forgotten_is_found_again() {
    let world = World::new();
    let (a, b) = (world.open().await, world.open().await);
    world.write(&a, "one", 1.0).await;
    b.follow().await.unwrap();
    // Its samples have gone, and it with them; the log does not describe it anew.
    world.clock.advance(SignedDuration::from_hours(2));
    let before = b.head().numbers();
    b.head_mut().forget(&before, i64::MAX, i64::MAX);
    assert!(world.all(&b).is_empty());
    world.write(&a, "one", 2.0).await;
    b.follow().await.unwrap();
    assert_eq!(world.all(&b)["one"], [(world.now_ms(), 2.0_f64.to_bits())]);
}

#[tokio::test]
async fn a_sample_of_a_series_that_nobody_described_is_counted() {
    let (world, log) = (World::new(), MemoryLog::of_replicas(CHAPTER_MS));
    let a = world.open_on(&log).await;
    for (name, value) in [("one", 1.0), ("one", 2.0), ("two", 3.0)] {
        world.write(&a, name, value).await;
        world.clock.advance(SignedDuration::from_secs(1));
    }
    // What says which series the first two are of.
    log.damage(1);
    let b = world.open_on(&log.another()).await;
    b.follow().await.unwrap();
    assert_eq!(b.0.metrics.nameless.get(), 1);
    assert_eq!(world.all(&b).keys().collect::<Vec<_>>(), ["two"]);
}
