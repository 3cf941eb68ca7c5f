//! Cassandra: the telemetry logs of the monitoring service's replicas.

use std::collections::HashSet;
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
use tokio::task::JoinHandle;

use crate::{CASSANDRA, lab, schema};

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
    let _held = CASSANDRA.shared_blocking();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let acts = proptest::collection::vec(act(), 1..40);
    let database = runtime.block_on(fresh());
    let mut runner = TestRunner::new(ProptestConfig::with_cases(4));
    let agree = runner.run(&acts, |acts| {
        runtime.block_on(async {
            let at = || ManualClock::new(Clock::system().now());
            let model = MemoryLog::of_replicas(CHAPTER_MS);
            let model = followed(async || model.another(), (3, &at()), &acts).await.unwrap();
            // Making tables takes longer.
            database.empty().await.unwrap();
            let clock = at();
            let open = async || open(&database, clock.clock()).await;
            let real = followed(open, (3, &clock), &acts).await;
            prop_assert_eq!(real.unwrap(), model);
            Ok(())
        })
    });
    agree.unwrap();
    runtime.block_on(database.remove_keyspace()).unwrap();
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

/// Records, in the order in which they were appended.
type Appended = Vec<Vec<u8>>;

/// Three replicas that write until they are told to end, and a fourth that reads.
struct Writers {
    database: Database,
    /// Appends that have ended.
    ended: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    /// What was acknowledged to each, and what was refused.
    tasks: Vec<JoinHandle<(Appended, Appended)>>,
    reader: CassandraLog,
    read: Vec<Vec<u8>>,
    since_ms: i64,
}

impl Writers {
    async fn start() -> Self {
        let database = fresh().await;
        let (ended, stop) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let mut tasks = Vec::new();
        for writer in 0..3 {
            let log = open(&database, Clock::system()).await;
            let (ended, stop) = (Arc::clone(&ended), Arc::clone(&stop));
            tasks.push(tokio::spawn(async move {
                let (mut done, mut refused) = (Vec::new(), Vec::new());
                let mut n = 0_u64;
                while !stop.load(Ordering::SeqCst) {
                    let record = format!("{writer} {n}");
                    let appended = log.append(log.chapter(now_ms()), Bytes::from(record.clone()));
                    let of = if appended.await.is_ok() { &mut done } else { &mut refused };
                    of.push(record.into_bytes());
                    n += 1;
                    ended.fetch_add(1, Ordering::SeqCst);
                }
                (done, refused)
            }));
        }
        let reader = open(&database, Clock::system()).await;
        let (read, since_ms) = (Vec::new(), now_ms() - CHAPTER_MS);
        Self { database, ended, stop, tasks, reader, read, since_ms }
    }

    /// Waits for some more appends, and reads what is new.
    async fn more(&mut self) {
        let from = self.ended.load(Ordering::SeqCst);
        lab().until(async || self.ended.load(Ordering::SeqCst) >= from + 300).await.unwrap();
        self.read.extend(read_all(&self.reader, self.since_ms).await.into_values().flatten());
    }

    /// What was acknowledged was read, once and in its order, and so does somebody who begins now.
    /// Returns how many appends were refused.
    async fn end(mut self) -> usize {
        self.stop.store(true, Ordering::SeqCst);
        let (mut written, mut all_refused) = (Vec::new(), HashSet::new());
        for task in self.tasks {
            let (done, refused) = task.await.unwrap();
            written.push(done);
            all_refused.extend(refused);
        }
        self.read.extend(read_all(&self.reader, self.since_ms).await.into_values().flatten());
        let new = open(&self.database, Clock::system()).await;
        let whole: Vec<_> = read_all(&new, self.since_ms).await.into_values().flatten().collect();
        for (writer, done) in written.into_iter().enumerate() {
            let own = format!("{writer} ").into_bytes();
            for read in [&self.read, &whole] {
                // What was refused may be there all the same.
                let own = |it: &&Vec<u8>| it.starts_with(&own) && !all_refused.contains(*it);
                assert_eq!(
                    read.iter().filter(own).collect::<Vec<_>>(),
                    done.iter().collect::<Vec<_>>()
                );
            }
        }
        // The keyspace stays: see `cassandra`.
        all_refused.len()
    }
}

/// A node dies and comes back: nothing fails.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab, and takes a node down"]
async fn nothing_acknowledged_is_lost_with_a_node() {
    let _held = CASSANDRA.alone().await;
    let (lab, mut writers) = (lab(), Writers::start().await);
    writers.more().await;
    lab.kill(Node::Cassandra(2)).await.unwrap();
    writers.more().await;
    lab.start(Node::Cassandra(2)).await.unwrap();
    writers.more().await;
    assert_eq!(writers.end().await, 0, "two of three nodes are enough");
    lab.cassandra_whole().await.unwrap();
}

/// A node's disk is full: it ends itself, the others go on, and once it has room and is back, one of
/// them may die.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab, and takes nodes down"]
async fn nothing_acknowledged_is_lost_with_a_full_disk() {
    let _held = CASSANDRA.alone().await;
    let lab = lab();
    let disk = lab.small_disk(Node::Cassandra(3), 64).await.unwrap();
    let mut writers = Writers::start().await;
    writers.more().await;
    disk.fill().unwrap();
    lab.until(async || !disk.node_runs()).await.unwrap();
    writers.more().await;
    disk.make_room().unwrap();
    disk.start().await.unwrap();
    lab.cassandra_whole().await.unwrap();
    writers.more().await;
    lab.kill(Node::Cassandra(1)).await.unwrap();
    writers.more().await;
    writers.end().await;
    lab.start(Node::Cassandra(1)).await.unwrap();
    disk.end().await.unwrap();
    lab.cassandra_whole().await.unwrap();
}
