//! Killed at any time: nothing acknowledged is lost, nothing is stored twice.

use bytes::Bytes;
use http::StatusCode;
use openframe_system::remote_write::{Label, Sample, TimeSeries, WriteRequest};
use openframe_system::{Server, until};
use prost::Message as _;
use serde_json::Value;

fn one_sample(number: i64, start_ms: i64) -> Bytes {
    let label = |name: &str, value: &str| Label { name: name.into(), value: value.into() };
    let series = TimeSeries {
        labels: vec![label("__name__", "crash_test_total"), label("job", "test")],
        samples: vec![Sample { value: 1.0, timestamp: start_ms + number * 10 }],
    };
    let request = WriteRequest { timeseries: vec![series] }.encode_to_vec();
    snap::raw::Encoder::new().compress_vec(&request).unwrap().into()
}

async fn count(server: &Server, range: &str) -> Option<u64> {
    let expr = format!("sum(count_over_time(crash_test_total[{range}]))");
    let answer = server.monitoring().ok()?.query(&expr, None).await.ok()?;
    let text = answer.pointer("/data/result/0/value/1").and_then(Value::as_str)?;
    text.parse().ok()
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "samples must be of now, or they would be too old")]
async fn a_killed_server_keeps_each_acknowledged_sample_once() {
    let mut server = Server::start().unwrap();
    let start_ms = jiff::Timestamp::now().as_millisecond() - 60_000;
    let (mut number, mut acknowledged) = (0, 0);
    for _round in 0..50 {
        for _ in 0..10 {
            let body = one_sample(number, start_ms);
            // The same sample goes twice: it must be stored once.
            for _ in 0..2 {
                let status = server.remote_write(body.clone()).await.unwrap();
                assert_eq!(status, StatusCode::NO_CONTENT);
            }
            (number, acknowledged) = (number + 1, acknowledged + 1);
        }
        server.crash_and_restart().unwrap();
        let kept = until("an answer", || count(&server, "10m")).await;
        assert_eq!(kept, acknowledged);
    }
}

#[tokio::test]
async fn an_agent_comes_back_to_a_killed_server() {
    let mut server = Server::start().unwrap();
    let (_agent, device) = server.agent().await.unwrap();
    server.crash_and_restart().unwrap();
    assert_eq!(server.online().await.unwrap().id, device.id);
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "samples must be of now, or they would be too old")]
async fn a_flipped_and_a_torn_log_cost_what_they_hit_and_no_more() {
    let mut server = Server::start().unwrap();
    let start_ms = jiff::Timestamp::now().as_millisecond() - 60_000;
    for number in 0..100 {
        let status = server.remote_write(one_sample(number, start_ms)).await.unwrap();
        assert_eq!(status, StatusCode::NO_CONTENT);
    }
    server.process().kill().unwrap();
    let log = server.data().join("monitoring/telemetry");
    let mut segments: Vec<_> =
        std::fs::read_dir(log).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.retain(|path| path.extension().is_some_and(|end| end == "wal"));
    segments.sort();
    let last = segments.last().unwrap();
    let mut bytes = std::fs::read(last).unwrap();
    // In the middle, one byte; at the end, half a frame that was never acknowledged.
    let middle = bytes.len() / 2;
    *bytes.get_mut(middle).unwrap() ^= 0x40;
    bytes.extend([7; 11]);
    std::fs::write(last, bytes).unwrap();
    server.crash_and_restart().unwrap();
    let kept = until("an answer", || count(&server, "10m")).await;
    assert!((98..100).contains(&kept), "{kept} of 100");
    let status = server.remote_write(one_sample(100, start_ms)).await.unwrap();
    assert_eq!(status, StatusCode::NO_CONTENT, "it goes on");
    assert_eq!(until("an answer", || count(&server, "10m")).await, kept + 1);
}
