//! The routes, over a memory log.

use std::sync::Arc;

use http_body_util::BodyExt as _;
use openframe_agent_api::link::{Label, Series, SeriesTable, Snapshot, TelemetryPush};
use openframe_agent_api::table;
use openframe_ids::{SessionId, TenantId, UserId};
use openframe_tokens::internal::Minter;
use openframe_tokens::{Caller, Grants, Role, Subject};
use prometheus_client::registry::Registry;
use prost::Message as _;
use tower::ServiceExt as _;

use super::*;
use crate::remote_write::{self, TimeSeries, WriteRequest};
use crate::store::memory::{self, MemoryLog};
use crate::store::{Stores, TelemetryLog as _};
use crate::testing::{Map, Nobody, Trail};
use crate::{Config, Deps, Running, start};

mod prometheus;
mod sight;

const NOW_MS: i64 = 1_700_000_000_000;

struct World {
    running: Running,
    minter: Minter,
    clock: Clock,
    log: MemoryLog,
    places: Map,
}

impl World {
    async fn new(log: MemoryLog) -> Self {
        Self::with(log, Config::default()).await
    }

    async fn with(log: MemoryLog, config: Config) -> Self {
        let now = Timestamp::from_millisecond(NOW_MS).unwrap();
        let clock = openframe_clock::ManualClock::new(now).clock();
        let (minter, places) = (Minter::generate(), Map::default());
        let mut registry = Registry::default();
        let deps = Deps {
            stores: Stores { log: Arc::new(log.clone()), ..memory::stores() },
            clock: clock.clone(),
            verifier: minter.verifier("monitoring"),
            audit: Arc::new(Trail::default()),
            places: Arc::new(places.clone()),
            sender: Arc::new(Nobody),
            metrics: &mut registry,
        };
        let running = start(config, deps).await.unwrap();
        Self { running, minter, clock, log, places }
    }

    async fn ask(
        &self,
        caller: &Caller,
        request: http::request::Builder,
        body: Vec<u8>,
    ) -> (u16, String) {
        let token = self.minter.mint(caller, "monitoring", self.clock.now());
        let request = request.header("authorization", format!("Bearer {token}"));
        let request = request.body(Body::from(body)).unwrap();
        let answer = self.running.router.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    async fn push(&self, caller: &Caller, snapshots: Vec<Snapshot>) -> (u16, String) {
        let body = TelemetryPush { snapshots }.encode_to_vec();
        self.ask(caller, Request::builder().method("POST").uri(TELEMETRY), body).await
    }

    async fn latest(&self, caller: &Caller, id: DeviceId) -> (u16, String) {
        let uri = format!("{PREFIX}/devices/{id}/latest");
        self.ask(caller, Request::builder().uri(uri), Vec::new()).await
    }

    async fn write(&self, caller: &Caller, kind: &str, body: Vec<u8>) -> (u16, String) {
        let request = Request::builder().method("POST").uri(format!("{PROMETHEUS}/write"));
        let request = request.header("content-type", kind).header("content-encoding", "snappy");
        self.ask(caller, request, body).await
    }
}

fn user(tenant: TenantId, role: Role) -> Caller {
    granted(tenant, role, Grants::default())
}

fn granted(tenant: TenantId, role: Role, grants: Grants) -> Caller {
    Caller {
        tenant,
        subject: Subject::User { user: UserId::new(), session: SessionId::new(), role, grants },
    }
}

fn device(tenant: TenantId) -> (Caller, DeviceId) {
    let device = DeviceId::new();
    (Caller { tenant, subject: Subject::Device { device } }, device)
}

fn sample_table() -> SeriesTable {
    let label = Label { name: "cpu".into(), value: "0".into() };
    let forged = Label { name: DEVICE.into(), value: "another".into() };
    SeriesTable {
        series: vec![
            Series { name: "load".into(), labels: vec![] },
            Series { name: "busy".into(), labels: vec![label] },
            Series { name: "forged".into(), labels: vec![forged] },
        ],
    }
}

fn snapshot(time_ms: i64, with_table: bool, values: &[f64]) -> Snapshot {
    let table = sample_table();
    Snapshot {
        time_ms,
        table_hash: table::hash(&table),
        table: with_table.then_some(table),
        values: table::pack(values).into(),
    }
}

fn remote(name: &str, t: i64) -> Vec<u8> {
    let label = remote_write::Label { name: NAME.into(), value: name.into() };
    let samples = vec![remote_write::Sample { value: 5.0, timestamp: t }];
    let request = WriteRequest { timeseries: vec![TimeSeries { labels: vec![label], samples }] };
    snap::raw::Encoder::new().compress_vec(&request.encode_to_vec()).unwrap()
}

#[tokio::test]
async fn what_a_device_sends_is_there_once_and_after_a_restart() {
    let tenant = TenantId::new();
    let world = World::new(MemoryLog::default()).await;
    let (agent, id) = device(tenant);
    let (status, body) = world.push(&agent, vec![snapshot(NOW_MS, false, &[1.0, 2.0, 3.0])]).await;
    assert_eq!(status, 409);
    assert!(body.contains("unknown_series_table"), "{body}");
    let first = vec![
        snapshot(NOW_MS - 10_000, true, &[1.0, f64::NAN, 3.0]),
        snapshot(NOW_MS, false, &[1.5, 2.0, 3.0]),
    ];
    assert_eq!(world.push(&agent, first.clone()).await.0, 204);
    let far = snapshot(NOW_MS + 601_000, false, &[9.0, 9.0, 9.0]);
    assert_eq!(world.push(&agent, vec![far]).await.0, 204, "dropped, and acknowledged");
    let reader = user(tenant, Role::ReadOnly);
    let (status, told) = world.latest(&reader, id).await;
    assert_eq!(status, 200);
    assert!(
        told.contains(r#""name":"load","labels":{},"at":"2023-11-14T22:13:20Z","value":1.5"#),
        "{told}"
    );
    assert!(told.contains(r#""labels":{"cpu":"0"}"#) && !told.contains("forged"), "{told}");

    let again = World::new(world.log.clone()).await;
    assert_eq!(again.latest(&reader, id).await, (200, told.clone()));
    let records = again.log.replay(&mut |_, _| {}).await.unwrap().records;
    assert_eq!(again.push(&agent, first).await.0, 204);
    assert_eq!(again.log.replay(&mut |_, _| {}).await.unwrap().records, records, "stored once");
    assert_eq!(
        again.push(&agent, vec![snapshot(NOW_MS + 1, false, &[7.0, 7.0, 7.0])]).await.0,
        204
    );
}

#[tokio::test]
async fn each_caller_may_do_what_it_may() {
    let (tenant, world) = (TenantId::new(), World::new(MemoryLog::default()).await);
    let (agent, id) = device(tenant);
    let values = [1.0, 2.0, 3.0];
    assert_eq!(world.push(&agent, vec![snapshot(NOW_MS, true, &values)]).await.0, 204);
    let stranger = user(TenantId::new(), Role::Owner);
    let callers = [
        (agent, [204, 403, 403]),
        (user(tenant, Role::Owner), [403, 204, 200]),
        (user(tenant, Role::ReadOnly), [403, 403, 200]),
        (stranger, [403, 204, 404]),
    ];
    for (caller, want) in callers {
        let push = world.push(&caller, vec![snapshot(NOW_MS, true, &values)]).await.0;
        let write = world.write(&caller, "application/x-protobuf", remote("up", NOW_MS)).await.0;
        let latest = world.latest(&caller, id).await.0;
        assert_eq!([push, write, latest], want, "{caller:?}");
    }
}

#[tokio::test]
async fn remote_write_says_what_is_wrong() {
    let world = World::new(MemoryLog::default()).await;
    let owner = user(TenantId::new(), Role::Owner);
    let good = "application/x-protobuf";
    let two = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
    let (status, body) = world.write(&owner, two, remote("up", NOW_MS)).await;
    assert!(status == 415 && body.contains("2.0 is not taken"), "{body}");
    assert_eq!(world.write(&owner, good, b"junk".to_vec()).await.0, 400);
    let bomb = [0xff, 0xff, 0xff, 0xff, 0x0f];
    assert_eq!(world.write(&owner, good, bomb.to_vec()).await.0, 400);
}

fn series(pairs: &[(&str, &str)], times: &[i64]) -> TimeSeries {
    let label = |(name, value): &(&str, &str)| remote_write::Label {
        name: (*name).to_owned(),
        value: (*value).to_owned(),
    };
    let sample = |t: &i64| remote_write::Sample { value: 5.0, timestamp: *t };
    TimeSeries {
        labels: pairs.iter().map(label).collect(),
        samples: times.iter().map(sample).collect(),
    }
}

#[tokio::test]
async fn what_is_wrong_with_some_series_keeps_no_other_out() {
    let world = World::new(MemoryLog::default()).await;
    let (tenant, kind) = (TenantId::new(), "application/x-protobuf");
    let owner = user(tenant, Role::Owner);
    let old_ms = NOW_MS - 8 * 86_400_000;
    let (utf8, long) = ("température.°C", "x".repeat(2_049));
    let timeseries = vec![
        series(&[(NAME, utf8), ("naïve key", "a\nb\u{1}c")], &[NOW_MS, NOW_MS]),
        series(&[(NAME, "bad"), ("a", &long)], &[NOW_MS, NOW_MS - 1]),
        series(&[("job", "nameless")], &[NOW_MS]),
        series(&[(NAME, "aged")], &[old_ms, NOW_MS - 5]),
        series(&[(NAME, "ahead")], &[NOW_MS + 601_000]),
    ];
    let body = WriteRequest { timeseries }.encode_to_vec();
    let body = snap::raw::Encoder::new().compress_vec(&body).unwrap();
    let (status, told) = world.write(&owner, kind, body.clone()).await;
    assert_eq!(status, 400, "{told}");
    for wanted in [
        "partly_stored",
        "5 samples were refused",
        "3 with bad labels (the first: the value of the label \\\"a\\\" has more than 2048",
        "1 older than what is kept",
        "1 too far in the future",
    ] {
        assert!(told.contains(wanted), "{wanted}: {told}");
    }
    let found = |world: &World| {
        let found = world.running.app.select(owner.tenant, &[], (i64::MIN, i64::MAX));
        let one = |(labels, samples): (Labels, Vec<Sample>)| {
            let labels: Vec<_> = labels.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
            (labels, samples)
        };
        found.into_iter().map(one).collect::<Vec<_>>()
    };
    let kept = found(&world);
    let pair = |n: &str, v: &str| (n.to_owned(), v.to_owned());
    let want = vec![pair(NAME, utf8), pair("naïve key", "a\nb\u{1}c")];
    assert_eq!(
        kept,
        [(want, vec![(NOW_MS, 5.0)]), (vec![pair(NAME, "aged")], vec![(NOW_MS - 5, 5.0)]),]
    );
    let again = World::new(world.log.clone()).await;
    assert_eq!(found(&again), kept);
}

#[tokio::test]
async fn a_large_request_is_stored_in_parts() {
    let world = World::new(MemoryLog::default()).await;
    let owner = user(TenantId::new(), Role::Owner);
    let noise = "x".repeat(2_000);
    let one = |n: usize| series(&[(NAME, &format!("m{n}")), ("noise", &noise)], &[NOW_MS]);
    let request = WriteRequest { timeseries: (0..10_000).map(one).collect() };
    let body = snap::raw::Encoder::new().compress_vec(&request.encode_to_vec()).unwrap();
    let (status, told) = world.write(&owner, "application/x-protobuf", body).await;
    assert_eq!((status, told.as_str()), (204, ""));
    let mut sizes = Vec::new();
    world.log.replay(&mut |_, record| sizes.push(record.len())).await.unwrap();
    assert!(sizes.len() > 4 && sizes.iter().all(|size| *size < 5 << 20), "{sizes:?}");
    let again = World::new(world.log.clone()).await;
    for world in [world, again] {
        let all = world.running.app.select(owner.tenant, &[], (NOW_MS, NOW_MS));
        assert_eq!(all.len(), 10_000);
    }
}

#[tokio::test]
async fn a_log_that_fails_acknowledges_nothing_and_comes_back() {
    let (tenant, world) = (TenantId::new(), World::new(MemoryLog::default()).await);
    let owner = user(tenant, Role::Owner);
    world.log.break_down();
    let kind = "application/x-protobuf";
    let (status, body) = world.write(&owner, kind, remote("up", NOW_MS)).await;
    assert!(status == 503 && body.contains("log_unavailable"), "{body}");
    assert!(world.running.ready()[0].waiting_for.is_some());
    world.log.reopen().await.unwrap_err();
    world.log.mend();
    world.log.reopen().await.unwrap();
    assert_eq!(world.write(&owner, kind, remote("up", NOW_MS)).await.0, 204);
    assert!(world.running.ready()[0].waiting_for.is_none());
}

#[tokio::test]
async fn opentelemetry_is_taken_and_durable() {
    let world = World::new(MemoryLog::default()).await;
    let owner = user(TenantId::new(), Role::Owner);
    let send = async |kind: &str, encoding: &str, body: Vec<u8>| {
        let request = Request::builder().method("POST").uri(OTLP_METRICS);
        let request = request.header("content-type", kind).header("content-encoding", encoding);
        world.ask(&owner, request, body).await
    };
    // The request was made by an SDK later than this world's clock says: each point is refused.
    let sdk = include_bytes!("../otlp/fixtures/python-sdk.bin").to_vec();
    let (status, told) = send("application/x-protobuf", "", sdk.clone()).await;
    assert!(status == 200 && told.contains("5 too far in the future"), "{told}");
    assert_eq!(send("application/json", "", b"{}".to_vec()).await.0, 415);
    assert_eq!(send("application/x-protobuf", "br", sdk.clone()).await.0, 415);
    assert_eq!(send("application/x-protobuf", "gzip", sdk).await.0, 400);
    assert_eq!(send("application/x-protobuf", "", b"\xff".to_vec()).await.0, 400);
    let reader = user(TenantId::new(), Role::ReadOnly);
    let request = Request::builder().method("POST").uri(OTLP_METRICS);
    assert_eq!(world.ask(&reader, request, Vec::new()).await.0, 403);
}
