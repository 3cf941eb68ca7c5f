//! What is too old goes; what still counts can be read without it.

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use openframe_clock::ManualClock;
use openframe_ids::{SessionId, TenantId, UserId};
use openframe_tokens::{Caller, Grants, Role, Subject};
use prost::Message as _;

use super::*;
use crate::domain::labels::NAME;
use crate::remote_write::{Label, Sample, TimeSeries, WriteRequest};
use crate::store::TelemetryLog as _;
use crate::store::memory::MemoryLog;
use crate::{Config, testing};

const START_MS: i64 = 1_700_000_000_000;
const HOUR: SignedDuration = SignedDuration::from_hours(1);

fn body(name: &str, t: i64) -> Bytes {
    let labels = vec![Label { name: NAME.into(), value: name.into() }];
    let samples = vec![Sample { value: 1.0, timestamp: t }];
    let request = WriteRequest { timeseries: vec![TimeSeries { labels, samples }] };
    snap::raw::Encoder::new().compress_vec(&request.encode_to_vec()).unwrap().into()
}

/// A service on one log, at one time.
struct World {
    log: MemoryLog,
    clock: ManualClock,
    caller: Caller,
    config: Config,
}

impl World {
    fn new(config: Config) -> Self {
        let role = Role::Owner;
        let subject = Subject::User {
            user: UserId::new(),
            session: SessionId::new(),
            role,
            grants: Grants::default(),
        };
        let caller = Caller { tenant: TenantId::new(), subject };
        let clock = ManualClock::new(Timestamp::from_millisecond(START_MS).unwrap());
        Self { log: MemoryLog::default(), clock, caller, config }
    }

    async fn open(&self) -> (Monitoring, Vec<String>) {
        let parts = testing::parts(&self.log);
        let app = Monitoring::new(self.config.clone(), self.clock.clock(), parts);
        let found = app.load().await.unwrap();
        (app, found.damage)
    }

    fn now_ms(&self) -> i64 {
        self.clock.clock().now().as_millisecond()
    }

    async fn write(&self, app: &Monitoring, name: &str) {
        app.write(&self.caller, body(name, self.now_ms())).await.unwrap();
    }

    /// Each series with the instants of its samples.
    fn all(&self, app: &Monitoring) -> Vec<(String, Vec<i64>)> {
        let found = app.select(self.caller.tenant, &[], (i64::MIN, i64::MAX)).into_iter();
        let mut found: Vec<_> = found
            .map(|(labels, samples)| {
                (labels.get(NAME).to_owned(), samples.into_iter().map(|(t, _)| t).collect())
            })
            .collect();
        found.sort();
        found
    }

    async fn records(&self) -> u64 {
        self.log.replay(&mut |_, _| {}).await.unwrap().records
    }
}

#[tokio::test]
async fn old_samples_go_and_the_rest_survives_a_restart() {
    let world = World::new(Config::default());
    let (app, _) = world.open().await;
    let mut sent = Vec::new();
    // The series is described by the first record only, which goes away.
    for _ in 0..200 {
        world.write(&app, "up").await;
        sent.push(world.now_ms());
        world.clock.advance(HOUR);
    }
    let before = world.records().await;
    app.upkeep().await.unwrap();
    let after = world.records().await;
    assert!(after < before, "{after} of {before}");
    let oldest = world.now_ms() - 7 * 86_400_000;
    let kept: Vec<i64> = sent.into_iter().filter(|t| *t >= oldest).collect();
    let (again, damage) = world.open().await;
    assert!(damage.is_empty(), "{damage:?}");
    for app in [app, again] {
        let found = app.select(world.caller.tenant, &[], (oldest, i64::MAX));
        let times: Vec<i64> = found[0].1.iter().map(|(t, _)| *t).collect();
        assert_eq!(times, kept);
    }
}

#[tokio::test]
async fn a_lost_description_gives_its_samples_to_nobody() {
    let world = World::new(Config::default());
    let (app, _) = world.open().await;
    // The first record describes the series; the second has a sample of it only.
    world.write(&app, "a").await;
    world.clock.advance(HOUR);
    world.write(&app, "a").await;
    world.log.damage(1);
    let (app, damage) = world.open().await;
    assert!(damage.iter().any(|line| line.contains("1 samples belong")), "{damage:?}");
    world.clock.advance(HOUR);
    world.write(&app, "b").await;
    let want = vec![("b".to_owned(), vec![world.now_ms()])];
    assert_eq!(world.all(&app), want);
    let (again, _) = world.open().await;
    assert_eq!(world.all(&again), want);
}

#[tokio::test]
async fn a_series_that_has_ended_makes_room_for_others() {
    let world = World::new(Config { max_series: 1, ..Config::default() });
    let (app, _) = world.open().await;
    world.write(&app, "old").await;
    let refused = app.write(&world.caller, body("new", world.now_ms())).await.unwrap_err();
    assert_eq!(refused.kind(), openframe_fault::Kind::TooMany, "{refused}");
    world.clock.advance(HOUR);
    world.write(&app, "old").await;
    world.clock.advance(HOUR * (7 * 24 + 1));
    app.upkeep().await.unwrap();
    world.write(&app, "new").await;
    assert_eq!(world.all(&app), [("new".to_owned(), vec![world.now_ms()])]);
}

#[tokio::test]
async fn a_full_log_loses_its_oldest_records_and_says_so() {
    let world = World::new(Config { log_bytes: 1_000, ..Config::default() });
    let (app, _) = world.open().await;
    for _ in 0..100 {
        world.write(&app, "up").await;
        world.clock.advance(HOUR);
    }
    assert_eq!(app.kept_less(), None);
    app.upkeep().await.unwrap();
    let said = app.kept_less().unwrap();
    assert!(said.contains("log_bytes"), "{said}");
    let kept = world.all(&app);
    assert!((10..60).contains(&kept[0].1.len()), "{kept:?}");
    let (again, _) = world.open().await;
    assert_eq!(world.all(&again), kept, "memory and log have the same");
    let gone = body("up", kept[0].1[0] - 1);
    let refused = app.write(&world.caller, gone).await.unwrap_err();
    assert!(refused.to_string().contains("older than what is kept"), "{refused}");
}

#[tokio::test]
async fn a_full_head_loses_its_oldest_samples_and_says_so() {
    let mut world = World::new(Config::default());
    let (app, _) = world.open().await;
    for n in 0..100 {
        world.write(&app, &format!("up{}", n / 2)).await;
        world.clock.advance(HOUR);
    }
    let limit = app.head().bytes() - 500;
    world.config.head_bytes = limit;
    let (app, _) = world.open().await;
    app.upkeep().await.unwrap();
    let said = app.kept_less().unwrap();
    assert!(said.contains("head_bytes"), "{said}");
    let kept = world.all(&app);
    assert!((1..50).contains(&kept.len()) && kept.iter().any(|it| it.0 == "up49"), "{kept:?}");
    assert!(app.head().bytes() < limit, "{}", app.head().bytes());
    assert!(app.head().len() < 50, "series without samples go");
}
