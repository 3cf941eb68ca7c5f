//! What is too old goes; what still counts can be read without it.

use jiff::{SignedDuration, Timestamp};
use openframe_clock::ManualClock;
use openframe_ids::{SessionId, TenantId, UserId};
use openframe_tokens::{Caller, Role, Subject};
use prost::Message as _;

use super::*;
use crate::domain::labels::NAME;
use crate::remote_write::{Label, Sample, TimeSeries, WriteRequest};
use crate::store::TelemetryLog as _;
use crate::store::memory::MemoryLog;
use crate::{Config, testing};

fn body(t: i64) -> Vec<u8> {
    let labels = vec![Label { name: NAME.into(), value: "up".into() }];
    let samples = vec![Sample { value: 1.0, timestamp: t }];
    let request = WriteRequest { timeseries: vec![TimeSeries { labels, samples }] };
    snap::raw::Encoder::new().compress_vec(&request.encode_to_vec()).unwrap()
}

async fn open(log: &MemoryLog, clock: &ManualClock) -> Monitoring {
    let app = Monitoring::new(Config::default(), clock.clock(), testing::parts(log));
    app.load().await.unwrap();
    app
}

#[tokio::test]
async fn old_samples_go_and_the_rest_survives_a_restart() {
    let subject =
        Subject::User { user: UserId::new(), session: SessionId::new(), role: Role::Owner };
    let caller = Caller { tenant: TenantId::new(), subject };
    let clock = ManualClock::new(Timestamp::from_second(1_700_000_000).unwrap());
    let log = MemoryLog::default();
    let app = open(&log, &clock).await;
    let mut sent = Vec::new();
    // The series is described by the first record only, which goes away.
    for _ in 0..200 {
        let now = clock.clock().now().as_millisecond();
        app.write(&caller, &body(now)).await.unwrap();
        sent.push(now);
        clock.advance(SignedDuration::from_hours(1));
    }
    let before = log.replay(&mut |_, _| {}).await.unwrap().records;
    app.upkeep().await.unwrap();
    let after = log.replay(&mut |_, _| {}).await.unwrap().records;
    assert!(after < before, "{after} of {before}");
    let oldest = clock.clock().now().as_millisecond() - 7 * 86_400_000;
    let kept: Vec<i64> = sent.into_iter().filter(|t| *t >= oldest).collect();
    let again = open(&log, &clock).await;
    for app in [app, again] {
        let found = app.select(&caller, &[], (oldest, i64::MAX)).unwrap();
        let times: Vec<i64> = found[0].1.iter().map(|(t, _)| *t).collect();
        assert_eq!(times, kept);
    }
}
