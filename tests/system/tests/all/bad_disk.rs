//! A disk that is full, or changes what is on it: nothing acknowledged is lost but what was hit, and the
//! server goes on.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::StatusCode;
use openframe_lab::mounts;
use openframe_system::remote_write::{Label, Sample, TimeSeries, WriteRequest};
use openframe_system::{Server, until};
use serde_json::Value;

use crate::crash::one_sample;

/// Size of the disk, MiB: the server starts on it, and then it is soon full.
const DISK_MIB: u32 = 24;
/// Series of one request; with names this long a request is about 60 KB on disk.
const SERIES: i64 = 200;

static NUMBER: AtomicI64 = AtomicI64::new(0);

#[expect(clippy::disallowed_methods, reason = "samples must be of now, or they would be too old")]
pub(crate) fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// A request whose series nothing else has, so that it cannot be compressed away.
fn request() -> Bytes {
    let timestamp = now_ms();
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let one = |n: i64| {
        let label = |name: &str, value: String| Label { name: name.to_owned(), value };
        let noise = (0..16).map(|k| hash(number, n, k).to_string()).collect::<String>();
        let labels = vec![label("__name__", "fill".to_owned()), label("noise", noise)];
        TimeSeries { labels, samples: vec![Sample { value: 1.0, timestamp }] }
    };
    WriteRequest { timeseries: (0..SERIES).map(one).collect() }.body()
}

/// A number that no compressor can guess (splitmix64).
fn hash(number: i64, n: i64, k: u64) -> u64 {
    let seed = u64::try_from(number * 1_000 + n).unwrap() * 31 + k;
    let mut z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

async fn kept(server: &Server) -> Option<i64> {
    let answer = server.monitoring().ok()?.query("count(fill)", None).await.ok()?;
    answer.pointer("/data/result/0/value/1").and_then(Value::as_str)?.parse().ok()
}

/// A command that runs `openframe` with a small disk mounted on `folder`, seen by it only.
fn on_a_small_disk(folder: &Path) -> Command {
    let mut command = mounts::unshare();
    let mount = format!(
        "mount -t tmpfs -o size={DISK_MIB}m tmpfs '{}' && exec \"$0\" \"$@\"",
        folder.display()
    );
    command.args(["sh", "-c", &mount]);
    command
}

#[tokio::test]
async fn a_full_disk_refuses_and_loses_nothing() {
    let mut server = Server::start_under(on_a_small_disk).unwrap();
    let mut taken = 0;
    let refused = loop {
        match server.remote_write(request()).await.unwrap() {
            StatusCode::NO_CONTENT => taken += SERIES,
            refused => break refused,
        }
        assert!(taken < 1_000_000, "the disk is never full");
    };
    assert_eq!(refused, StatusCode::SERVICE_UNAVAILABLE, "after {taken}");
    assert!(taken > 0);
    // Reading goes on, and has what was acknowledged and nothing that was not.
    let found = until("an answer", || kept(&server)).await;
    assert_eq!(found, taken);
    let again = server.remote_write(request()).await.unwrap();
    assert_eq!(again, StatusCode::SERVICE_UNAVAILABLE);
    let pid = server.id();
    // Room is made: the disk grows. The server finds out by itself.
    let grown = mounts::enter(pid)
        .args(["mount", "-o", "remount,size=200m"])
        .arg(server.folder())
        .status()
        .unwrap();
    assert!(grown.success());
    until("a write that is taken", || async {
        let status = server.remote_write(request()).await.ok()?;
        (status == StatusCode::NO_CONTENT).then_some(())
    })
    .await;
    assert_eq!(until("an answer", || kept(&server)).await, taken + SERIES);
}

async fn count(server: &Server, range: &str) -> Option<u64> {
    let expr = format!("sum(count_over_time(crash_test_total[{range}]))");
    let answer = server.monitoring().ok()?.query(&expr, None).await.ok()?;
    let text = answer.pointer("/data/result/0/value/1").and_then(Value::as_str)?;
    text.parse().ok()
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "samples must be of now, or they would be too old")]
async fn a_flipped_and_a_torn_log_cost_what_they_hit_and_no_more() {
    let mut server = Server::start().unwrap();
    let start_ms = jiff::Timestamp::now().as_millisecond() - 60_000;
    for number in 0..100 {
        let status = server.remote_write(one_sample("0", number, start_ms)).await.unwrap();
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
    let status = server.remote_write(one_sample("0", 100, start_ms)).await.unwrap();
    assert_eq!(status, StatusCode::NO_CONTENT, "it goes on");
    assert_eq!(until("an answer", || count(&server, "10m")).await, kept + 1);
}
