//! Reading what other processes have written, each row once.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::future::join_all;
use openframe_cassandra::Failure;
use openframe_monitoring::store::{Follow, LogError, Origin};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::group;
use crate::log::{PART_ROWS, Parts, chapter, failed, locked};
use crate::writing::number;

/// Logs that are read at the same time.
const LOGS_AT_ONCE: usize = 4;
/// Parts of one log that are read at the same time by whoever is far behind.
const PARTS_AT_ONCE: u32 = 4;
/// After so long without a row a log is looked at less often: most have ended.
const QUIET: Duration = Duration::from_mins(5);
/// How often then, and how often chapters are looked at that are over.
const RARELY: Duration = Duration::from_secs(5);
/// How long after a chapter's end, and before its beginning, somebody may write to it, milliseconds:
/// what was received then is on its way, and clocks differ.
const EDGE_MS: i64 = 60_000;

/// One process' part of a chapter.
type Log = (u64, Uuid);

/// Some rows, by number.
type Rows = Vec<(u32, Vec<u8>)>;

/// Where the logs of all other processes have been read to.
#[derive(Debug)]
pub(crate) struct Reader {
    parts: Arc<Parts>,
    state: Mutex<State>,
    /// One reads at a time.
    turn: Semaphore,
}

#[derive(Debug, Default)]
struct State {
    logs: HashMap<Log, Position>,
    /// The chapter up to which everything was read once.
    read_to: Option<u64>,
    /// When the chapters that are over were last looked at.
    swept: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Position {
    /// The next row.
    next: u32,
    /// When there last was a row.
    moved: Instant,
    /// When one was last looked for.
    looked: Instant,
}

impl Position {
    fn is_due(&self, now: Instant) -> bool {
        now.duration_since(self.moved) < QUIET || now.duration_since(self.looked) >= RARELY
    }
}

impl Reader {
    pub(crate) fn new(parts: Arc<Parts>) -> Self {
        Self { parts, state: Mutex::default(), turn: Semaphore::new(1) }
    }

    /// Gives every record that was not read yet, from the chapter `first` on; returns how many.
    pub(crate) async fn read(&self, first: u64, visit: Follow<'_>) -> Result<u64, LogError> {
        // It is never closed.
        let _turn = self.turn.acquire().await.ok();
        let mut count = self.read_late(visit);
        let now = openframe_clock::monotonic();
        let current = chapter(self.parts.clock.now().as_millisecond());
        let (chapters, all) = self.chapters(first, now);
        let writers = chapters.map(async |chapter| (chapter, self.writers(chapter).await));
        let mut due = Vec::new();
        for (chapter, writers) in join_all(writers).await {
            let writers = writers.map_err(failed)?.into_iter();
            due.extend(writers.map(|it| (chapter, it)).filter(|log| self.is_due(*log, now)));
        }
        for logs in due.chunks(LOGS_AT_ONCE) {
            count += self.read_logs(logs.to_vec(), now, visit).await?;
        }
        let mut state = locked(&self.state);
        state.read_to = Some(current);
        if all {
            state.swept = Some(now);
            state.logs.retain(|(chapter, _), _| chapter.saturating_add(2) >= current);
        }
        Ok(count)
    }

    /// The chapters to look at: those that somebody may write to now, by whichever clock; at first
    /// and now and then, which is the second answer, also what somebody may have been late for.
    fn chapters(&self, first: u64, now: Instant) -> (RangeInclusive<u64>, bool) {
        let now_ms = self.parts.clock.now().as_millisecond();
        let last = chapter(now_ms.saturating_add(EDGE_MS));
        let state = locked(&self.state);
        let Some(read_to) = state.read_to else { return (first..=last, true) };
        let swept = state.swept.is_some_and(|swept| now.duration_since(swept) < RARELY);
        if swept && read_to == chapter(now_ms) {
            return (chapter(now_ms.saturating_sub(EDGE_MS))..=last, false);
        }
        (read_to.min(chapter(now_ms)).saturating_sub(1)..=last, true)
    }

    fn is_due(&self, log: Log, now: Instant) -> bool {
        locked(&self.state).logs.get(&log).is_none_or(|position| position.is_due(now))
    }

    /// What this process has written after it had said that it could not.
    fn read_late(&self, visit: Follow<'_>) -> u64 {
        let late = std::mem::take(&mut *locked(&self.parts.late));
        for (chapter, record) in &late {
            visit(Origin { writer: None, chapter: *chapter }, record);
        }
        late.len() as u64
    }

    async fn writers(&self, chapter: u64) -> Result<Vec<Uuid>, Failure> {
        let (database, statements) = (&self.parts.database, &self.parts.statements);
        let key = i64::try_from(chapter).unwrap_or(i64::MAX);
        let rows: Vec<(Uuid,)> = database.rows(&statements.writers, (key,)).await?;
        Ok(rows.into_iter().map(|(writer,)| writer).filter(|it| *it != self.parts.own).collect())
    }

    async fn read_logs(
        &self,
        mut logs: Vec<Log>,
        now: Instant,
        visit: Follow<'_>,
    ) -> Result<u64, LogError> {
        // Most logs have a few new rows; one that had a whole part may have many.
        let (mut count, mut parts) = (0, 1);
        while !logs.is_empty() {
            let found = join_all(logs.iter().map(|log| self.rows(*log, parts))).await;
            let mut more = Vec::new();
            for (log, found) in logs.into_iter().zip(found) {
                let (rows, is_last) = found.map_err(failed)?;
                count += self.take(log, (&rows, now), visit);
                if !is_last {
                    more.push(log);
                }
            }
            (logs, parts) = (more, PARTS_AT_ONCE);
        }
        Ok(count)
    }

    /// The next rows of a log, from as many parts, and whether there are no more.
    async fn rows(&self, log: Log, parts: u32) -> Result<(Rows, bool), Failure> {
        let mut next = locked(&self.state).logs.get(&log).map_or(0, |it| it.next);
        let first = next / PART_ROWS;
        let asked = (first..first.saturating_add(parts)).map(|part| self.part(log, part, next));
        let mut all = Rows::new();
        for (rows, part) in join_all(asked).await.into_iter().zip(first..) {
            all.extend(rows?);
            next = all.last().map_or(next, |(seq, _)| seq.saturating_add(1));
            if next / PART_ROWS == part {
                // It is not full, so there is nothing behind it.
                return Ok((all, true));
            }
        }
        Ok((all, false))
    }

    async fn part(&self, (chapter, writer): Log, part: u32, next: u32) -> Result<Rows, Failure> {
        let (database, statements) = (&self.parts.database, &self.parts.statements);
        let key = i64::try_from(chapter).unwrap_or(i64::MAX);
        let wanted = (key, writer, number(part), number(next));
        let rows: Vec<(i32, Vec<u8>)> = database.rows(&statements.read, wanted).await?;
        let rows = rows.into_iter().map(|(seq, body)| (u32::try_from(seq).unwrap_or(0), body));
        Ok(rows.collect())
    }

    /// Gives the records of rows, and goes on behind them; returns how many.
    fn take(
        &self,
        (chapter, writer): Log,
        (rows, now): (&Rows, Instant),
        visit: Follow<'_>,
    ) -> u64 {
        let mut count = 0;
        for (seq, body) in rows {
            let Some(records) = group::split(body) else {
                tracing::error!("row {seq} of the log {writer}, chapter {chapter}, is damaged");
                continue;
            };
            for record in records {
                visit(Origin { writer: Some(writer), chapter }, record);
                count += 1;
            }
        }
        let mut state = locked(&self.state);
        let fresh = Position { next: 0, moved: now, looked: now };
        let position = state.logs.entry((chapter, writer)).or_insert(fresh);
        position.looked = now;
        if let Some((last, _)) = rows.last() {
            (position.next, position.moved) = (last.saturating_add(1), now);
        }
        count
    }
}
