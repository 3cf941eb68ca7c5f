//! What the monitoring service's stores promise.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::SignedDuration;
use openframe_clock::ManualClock;
use openframe_monitoring::store::{LogError, TelemetryLog};
use uuid::Uuid;

/// Everything in the log, in the order in which it is replayed.
pub async fn contents(log: &dyn TelemetryLog) -> Vec<(u64, Vec<u8>)> {
    let mut all = Vec::new();
    let visit = &mut |number: u64, record: &[u8]| all.push((number, record.to_vec()));
    let replayed = log.replay(visit).await.unwrap_or_default();
    assert!(replayed.damage.is_empty(), "{replayed:?}");
    assert_eq!(replayed.records, all.len() as u64);
    all
}

/// Runs every rule of the log's promise against a fresh log. `reopen` gives the same log as after
/// a restart.
pub async fn log<L: TelemetryLog>(fresh: L, reopen: impl Fn(L) -> L) {
    let mut wanted = Vec::new();
    assert_eq!(contents(&fresh).await, wanted);
    for n in 0..50_u8 {
        let record = vec![n; usize::from(n)];
        if let Ok(number) = fresh.append(0, Bytes::from(record.clone())).await {
            wanted.push((number, record));
        }
    }
    assert_eq!(wanted.len(), 50, "a log that works takes records");
    assert!(wanted.is_sorted_by(|a, b| a.0 < b.0), "numbers rise");
    assert_eq!(contents(&fresh).await, wanted);
    let log = reopen(fresh);
    assert_eq!(contents(&log).await, wanted, "a restart loses nothing");
    let keep = wanted.split_off(20);
    let Some((first, _)) = keep.first() else { return };
    let parts = log.parts().await.unwrap_or_default();
    assert!(parts.is_sorted_by(|a, b| a.0 < b.0) && parts.len() > 1, "{parts:?}");
    let kept = Box::new([Bytes::from_static(b"kept")].into_iter());
    assert!(log.trim_to(*first, kept).await.is_ok());
    let keep = {
        let mut keep = keep.clone();
        keep.push((keep.last().map_or(0, |(number, _)| number + 1), b"kept".to_vec()));
        keep
    };
    assert_eq!(contents(&log).await, keep);
    assert!(log.parts().await.unwrap_or_default().len() < parts.len(), "whole parts are freed");
    let log = reopen(log);
    assert_eq!(contents(&log).await, keep, "what was trimmed stays away");
    let next = log.append(0, Bytes::from_static(b"more")).await.unwrap_or_default();
    assert!(keep.iter().all(|(number, _)| *number < next), "numbers are not used twice");
    assert_eq!(log.failure(), None);
    assert!(log.reopen().await.is_ok(), "a log that works may be opened again");
    assert_eq!(contents(&log).await.len(), keep.len() + 1);
}

/// What the others have written and was not read yet: by writer and chapter, in order.
pub type News = BTreeMap<(Option<Uuid>, u64), Vec<Vec<u8>>>;

/// Reads what is new.
pub async fn news(log: &dyn TelemetryLog, since_ms: i64) -> Result<News, LogError> {
    let mut news = News::new();
    let visit = &mut |origin: openframe_monitoring::store::Origin, record: &[u8]| {
        news.entry((origin.writer, origin.chapter)).or_default().push(record.to_vec());
    };
    let count = log.follow(since_ms, visit).await?;
    let found: usize = news.values().map(Vec::len).sum();
    assert_eq!(count, found as u64);
    Ok(news)
}

/// One random operation on the logs of a few replicas.
#[derive(Debug, Clone)]
pub enum Act {
    /// The replica of that number adds as many records at once.
    Append(usize, u8),
    /// The replica reads what is new.
    Follow(usize),
    /// It starts again.
    Restart(usize),
    /// Hours pass.
    Hours(i64),
}

/// Runs the operations on replicas that `open` makes, all by `clock`; writes down what each has read.
pub async fn followed<L: TelemetryLog>(
    open: impl AsyncFn() -> L,
    (replicas, clock): (usize, &ManualClock),
    acts: &[Act],
) -> Result<Vec<String>, LogError> {
    let now_ms = || clock.clock().now().as_millisecond();
    let since_ms = now_ms();
    let mut logs = Vec::new();
    for _ in 0..replicas {
        logs.push(open().await);
    }
    let (mut log, mut made) = (Vec::new(), 0_u32);
    for act in acts {
        match act {
            Act::Append(of, count) => {
                let Some(own) = logs.get(*of) else { continue };
                let records = (0..*count).map(|_| {
                    made += 1;
                    own.append(own.chapter(now_ms()), Bytes::from(made.to_string()))
                });
                for appended in futures::future::join_all(records).await {
                    appended?;
                }
            }
            Act::Follow(of) => {
                let Some(own) = logs.get(*of) else { continue };
                // Which name a process has is its own affair.
                let found = news(own, since_ms).await?.into_iter();
                let found = found.map(|((_, chapter), mut records)| {
                    // Those of one act were added at the same time.
                    records.sort();
                    (chapter, records)
                });
                let mut found: Vec<_> = found.collect();
                found.sort();
                log.push(format!("{of}: {found:?}"));
            }
            Act::Restart(of) => {
                let again = open().await;
                if let Some(own) = logs.get_mut(*of) {
                    *own = again;
                }
            }
            Act::Hours(count) => clock.advance(SignedDuration::from_hours(*count)),
        }
    }
    Ok(log)
}
