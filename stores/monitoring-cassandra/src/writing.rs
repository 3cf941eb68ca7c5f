//! Making records durable: many by one write, one write after the other.
//!
//! A row is written before the next one is begun, and a row that was not answered is written again,
//! the same, until it is: so rows stand without a gap, and whoever has read one has read all before it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use openframe_cassandra::Failure;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::{Interval, MissedTickBehavior};

use crate::group;
use crate::log::{PART_ROWS, Parts, locked};

/// Bytes of a row, about, if no single record is larger.
const GROUP_BYTES: usize = 256 << 10;
/// Two rows begin this far apart, unless the next one is full already: few rows are read faster.
const PACE: Duration = Duration::from_millis(25);
/// The wait before a row is written again.
const AGAIN: Duration = Duration::from_millis(200);

/// A record on its way.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) chapter: u64,
    pub(crate) record: Bytes,
    /// Told the record's number.
    pub(crate) done: oneshot::Sender<u64>,
    /// Its bytes in the queue.
    pub(crate) _room: OwnedSemaphorePermit,
}

/// An entry and what goes with it: all that comes until it is time for a row, or the row is full; and
/// the next entry, if that is of another chapter.
async fn gather(
    first: Entry,
    queue: &mut mpsc::UnboundedReceiver<Entry>,
    pace: &mut Interval,
) -> (Vec<Entry>, Option<Entry>) {
    let (chapter, mut bytes) = (first.chapter, first.record.len());
    let mut all = vec![first];
    while bytes < GROUP_BYTES {
        let entry = tokio::select! {
            biased;
            entry = queue.recv() => entry,
            _ = pace.tick() => break,
        };
        match entry {
            Some(entry) if entry.chapter == chapter => {
                bytes += entry.record.len();
                all.push(entry);
            }
            other => return (all, other),
        }
    }
    (all, None)
}

/// Writes what comes until nobody can send any more.
pub(crate) async fn write(parts: Arc<Parts>, mut queue: mpsc::UnboundedReceiver<Entry>) {
    // Four a day, never forgotten: a row must not be written over by one that comes very late.
    let mut rows: HashMap<u64, u32> = HashMap::new();
    let (mut next, mut number) = (None, 0);
    let mut pace = tokio::time::interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let first = match next.take() {
            Some(entry) => entry,
            None => match queue.recv().await {
                Some(entry) => entry,
                None => return,
            },
        };
        let chapter = first.chapter;
        let all;
        (all, next) = gather(first, &mut queue, &mut pace).await;
        let row = rows.entry(chapter).or_insert(0);
        parts.persist(chapter, *row, &all).await;
        *row += 1;
        for entry in all {
            number += 1;
            if entry.done.send(number).is_err() {
                locked(&parts.late).push((chapter, entry.record));
            }
        }
    }
}

impl Parts {
    /// Writes a row until it is durable.
    async fn persist(&self, chapter: u64, seq: u32, entries: &[Entry]) {
        let body = group::join(entries.iter().map(|entry| &entry.record));
        while let Err(error) = self.put(chapter, seq, &body).await {
            let why = format!("samples cannot be stored: {}", openframe_fault::chain(&error));
            if locked(&self.failure).replace(why.clone()).is_none() {
                tracing::error!("{why}");
            }
            tokio::time::sleep(AGAIN).await;
        }
        locked(&self.failure).take();
    }

    async fn put(&self, chapter: u64, seq: u32, body: &[u8]) -> Result<(), Failure> {
        let key = i64::try_from(chapter).unwrap_or(i64::MAX);
        if seq == 0 {
            self.database.write(&self.statements.register, (key, self.own, self.keep_s)).await?;
        }
        let (part, seq) = (number(seq / PART_ROWS), number(seq));
        let values = (key, self.own, part, seq, body, self.keep_s);
        self.database.write(&self.statements.append, values).await
    }
}

/// As Cassandra counts: a chapter never has so many rows.
pub(crate) fn number(of: u32) -> i32 {
    i32::try_from(of).unwrap_or(i32::MAX)
}
