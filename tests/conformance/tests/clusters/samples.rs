//! Cassandra: the telemetry logs of the monitoring service's replicas.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use openframe_cassandra::Database;
use openframe_clock::{Clock, ManualClock};
use openframe_conformance::monitoring::{Act, News, followed};
use openframe_lab::Node;
use openframe_monitoring::store::memory::MemoryLog;
use openframe_monitoring::store::{LogError, Origin, TelemetryLog as _};
use openframe_monitoring_cassandra::{CHAPTER_MS, CassandraLog, MIGRATIONS, Options};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::{lab, schema};

async fn fresh() -> Database {
    let keyspace = schema("samples");
    let database = Database::connect(&lab().cassandra().unwrap(), &keyspace).await.unwrap();
    database.migrate(MIGRATIONS).await.unwrap();
    database.check(MIGRATIONS).await.unwrap();
    database
}

async fn open(database: &Database, clock: Clock) -> CassandraLog {
    let options = Options { retention_days: 1, clock };
    CassandraLog::new(database.clone(), options).await.unwrap()
}

fn now_ms() -> i64 {
    Clock::system().now().as_millisecond()
}

fn act() -> impl Strategy<Value = Act> {
    // Also more than the rows that are read at once, and than those of a part.
    let count = prop_oneof![3 => 1..5_u8, 1 => Just(30_u8), 1 => Just(150)];
    prop_oneof![
        5 => (0..3_usize, count).prop_map(|(of, count)| Act::Append(of, count)),
        4 => (0..3_usize).prop_map(Act::Follow),
        1 => (0..3_usize).prop_map(Act::Restart),
        1 => prop_oneof![Just(5_i64), Just(20)].prop_map(Act::Hours),
    ]
}

#[test]
#[ignore = "needs the lab"]
fn cassandra_and_the_model_agree_on_logs_of_replicas() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let acts = proptest::collection::vec(act(), 1..40);
    let mut runner = TestRunner::new(ProptestConfig::with_cases(4));
    let agree = runner.run(&acts, |acts| {
        runtime.block_on(async {
            let at = || ManualClock::new(Clock::system().now());
            let model = MemoryLog::of_replicas(CHAPTER_MS);
            let model = followed(async || model.another(), (3, &at()), &acts).await.unwrap();
            let (database, clock) = (fresh().await, at());
            let open = async || open(&database, clock.clock()).await;
            let real = followed(open, (3, &clock), &acts).await;
            database.remove_keyspace().await.unwrap();
            prop_assert_eq!(real.unwrap(), model);
            Ok(())
        })
    });
    agree.unwrap();
}

/// Reads all there is. What fails while a node dies is tried again, and goes on where it was.
async fn read_all(log: &CassandraLog, since_ms: i64) -> News {
    let mut all = News::new();
    while read_more(log, since_ms, &mut all).await.is_err() {}
    all
}

async fn read_more(log: &CassandraLog, since_ms: i64, all: &mut News) -> Result<u64, LogError> {
    let visit = &mut |origin: Origin, record: &[u8]| {
        all.entry((origin.writer, origin.chapter)).or_default().push(record.to_vec());
    };
    log.follow(since_ms, visit).await
}

/// Three replicas write while a node dies and comes back: nothing fails, and what was acknowledged is
/// read by a fourth, once and in its order.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab, and takes a node down"]
async fn nothing_acknowledged_is_lost_with_a_node() {
    let (lab, database) = (lab(), fresh().await);
    let (acknowledged, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let mut writers = Vec::new();
    for writer in 0..3 {
        let log = open(&database, Clock::system()).await;
        let (acknowledged, stop) = (Arc::clone(&acknowledged), Arc::clone(&stop));
        writers.push(tokio::spawn(async move {
            let (mut done, mut refused) = (Vec::new(), 0);
            for n in 0_u64.. {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                let record = format!("{writer} {n}");
                let chapter = log.chapter(now_ms());
                match log.append(chapter, Bytes::from(record.clone())).await {
                    Ok(_) => done.push(record.into_bytes()),
                    Err(_) => refused += 1,
                }
                acknowledged.fetch_add(1, Ordering::SeqCst);
            }
            (done, refused)
        }));
    }
    let reader = open(&database, Clock::system()).await;
    let mut read: Vec<Vec<u8>> = Vec::new();
    let since_ms = now_ms() - CHAPTER_MS;
    let mut more = async |reader: &CassandraLog| {
        let from = acknowledged.load(Ordering::SeqCst);
        lab.until(async || acknowledged.load(Ordering::SeqCst) >= from + 300).await.unwrap();
        read.extend(read_all(reader, since_ms).await.into_values().flatten());
    };
    more(&reader).await;
    lab.kill(Node::Cassandra(2)).await.unwrap();
    more(&reader).await;
    lab.start(Node::Cassandra(2)).await.unwrap();
    more(&reader).await;
    stop.store(true, Ordering::SeqCst);
    let mut written = Vec::new();
    for writer in writers {
        let (done, refused) = writer.await.unwrap();
        assert_eq!(refused, 0, "two of three nodes are enough");
        written.push(done);
    }
    read.extend(read_all(&reader, since_ms).await.into_values().flatten());
    let whole = read_all(&open(&database, Clock::system()).await, since_ms).await;
    for (writer, done) in written.into_iter().enumerate() {
        let own = format!("{writer} ").into_bytes();
        let followed: Vec<_> = read.iter().filter(|it| it.starts_with(&own)).cloned().collect();
        assert_eq!(followed, done);
        assert!(whole.values().any(|log| log.starts_with(&done)), "what one that begins now reads");
    }
    // The keyspace stays: see `cassandra`.
    lab.whole().await.unwrap();
}
