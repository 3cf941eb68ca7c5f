//! What the monitoring service's stores promise.

use bytes::Bytes;
use openframe_monitoring::store::TelemetryLog;

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
        if let Ok(number) = fresh.append(Bytes::from(record.clone())).await {
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
    let next = log.append(Bytes::from_static(b"more")).await.unwrap_or_default();
    assert!(keep.iter().all(|(number, _)| *number < next), "numbers are not used twice");
    assert_eq!(log.failure(), None);
    assert!(log.reopen().await.is_ok(), "a log that works may be opened again");
    assert_eq!(contents(&log).await.len(), keep.len() + 1);
}
