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

use crate::group;
use crate::log::{PART_ROWS, Parts, chapter, locked};

/// Bytes of a row, about, if no single record is larger.
const GROUP_BYTES: usize = 256 << 10;
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

/// Writes what comes until nobody can send any more.
pub(crate) async fn write(parts: Arc<Parts>, mut queue: mpsc::UnboundedReceiver<Entry>) {
    let mut rows: HashMap<u64, u32> = HashMap::new();
    let (mut next, mut number) = (None, 0);
    loop {
        let first = match next.take() {
            Some(entry) => entry,
            None => match queue.recv().await {
                Some(entry) => entry,
                None => return,
            },
        };
        let chapter = first.chapter;
        let mut bytes = first.record.len();
        let mut all = vec![first];
        while bytes < GROUP_BYTES
            && next.is_none()
            && let Ok(entry) = queue.try_recv()
        {
            if entry.chapter == chapter {
                bytes += entry.record.len();
                all.push(entry);
            } else {
                next = Some(entry);
            }
        }
        let row = rows.entry(chapter).or_insert(0);
        parts.persist(chapter, *row, &all).await;
        *row += 1;
        for entry in all {
            number += 1;
            if entry.done.send(number).is_err() {
                locked(&parts.late).push((chapter, entry.record));
            }
        }
        parts.forget(&mut rows);
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

    /// Forgets how many rows there are in chapters that nothing is written to any more.
    fn forget(&self, rows: &mut HashMap<u64, u32>) {
        let now = chapter(self.clock.now().as_millisecond());
        rows.retain(|known, _| known.saturating_add(2) >= now);
    }
}

/// As Cassandra counts: a chapter never has so many rows.
pub(crate) fn number(of: u32) -> i32 {
    i32::try_from(of).unwrap_or(i32::MAX)
}
