//! Reading what other replicas have stored: every replica holds the samples of all.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use openframe_ids::{DeviceId, TenantId};
use uuid::Uuid;

use super::upkeep::READ_AT_ONCE;
use super::{Arrived, Live, Monitoring};
use crate::domain::head::Head;
use crate::domain::labels::{DEVICE, Labels};
use crate::domain::record::{REFUSED, Record, SeriesRef, Table};
use crate::store::{LogError, Origin};

/// How long an answer waits for what other replicas have just stored.
const PATIENCE: Duration = Duration::from_millis(250);

/// What was read of the other replicas' logs.
#[derive(Debug, Default)]
pub(super) struct Followed {
    chapters: HashMap<(Uuid, u64), Chapter>,
    /// When everything that was there had been read.
    at: Option<Instant>,
}

/// The series that one chapter of another replica's log has described, by their numbers there.
type Chapter = HashMap<SeriesRef, Described>;

#[derive(Debug)]
struct Described {
    tenant: TenantId,
    labels: Labels,
    /// Its number here.
    own: SeriesRef,
}

impl Monitoring {
    /// Takes in everything that other replicas have stored by now, so that whoever has written
    /// something finds it whichever replica answers. When that takes too long, or fails, what is
    /// there has to do.
    pub(super) async fn catch_up(&self) {
        if !self.0.shared {
            return;
        }
        match tokio::time::timeout(PATIENCE, self.follow()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::debug!("answers may be old: {error}"),
            Err(_) => tracing::debug!("answers may be old"),
        }
    }

    /// Takes in what other replicas have stored since the last time. Returns how many records that
    /// were.
    pub(crate) async fn follow(&self) -> Result<u64, LogError> {
        let asked = openframe_clock::monotonic();
        // Never closed; one reads at a time.
        let _turn = self.0.follow_turn.acquire().await.ok();
        if self.followed_at().is_some_and(|began| began > asked) {
            // Whoever waited here before has read for all.
            return Ok(0);
        }
        let (began, now_ms) = (openframe_clock::monotonic(), self.now_ms());
        let (mut unknown, mut nameless, mut read) = (0_u64, 0_u64, 0_u64);
        let since_ms = self.oldest_ms(now_ms);
        let count = self
            .0
            .log
            .follow(since_ms, &mut |origin, bytes| {
                match Record::decode(bytes) {
                    Ok(record) => nameless += self.take_in(origin, &record),
                    Err(_) => unknown += 1,
                }
                read += 1;
                if read.is_multiple_of(READ_AT_ONCE) && self.head_is_over() {
                    self.sweep(now_ms);
                }
            })
            .await?;
        if unknown > 0 {
            tracing::error!(unknown, "{unknown} records of other replicas have an unknown form");
        }
        if nameless > 0 {
            self.0.metrics.nameless.inc_by(nameless);
            tracing::error!(
                nameless,
                "{nameless} samples of other replicas are of no known series"
            );
        }
        let mut followed = self.followed();
        followed.at = Some(began);
        // A clock that is ahead may have begun the next one.
        let now = self.0.log.chapter(now_ms);
        followed.chapters.retain(|(_, chapter), _| chapter.saturating_add(1) >= now);
        Ok(count)
    }

    /// When everything that other replicas had stored by then was read here.
    pub(super) fn followed_at(&self) -> Option<Instant> {
        self.followed().at
    }

    /// As if nothing had been read yet.
    #[cfg(test)]
    pub(super) fn lag(&self) {
        self.followed().at = None;
    }

    /// Takes in a record. Returns how many of its samples are of a series that its log has not
    /// described before: nobody can tell what they were.
    fn take_in(&self, origin: Origin, record: &Record) -> u64 {
        self.received(record.received_ms);
        let Some(writer) = origin.writer else {
            self.head_mut().apply(record, origin.chapter);
            return 0;
        };
        let mut nameless = 0;
        let mut followed = self.followed();
        let chapter = followed.chapters.entry((writer, origin.chapter)).or_default();
        {
            let mut head = self.head_mut();
            describe(&mut head, chapter, record);
            let mut own = Record { received_ms: record.received_ms, ..Record::default() };
            let mut own_number = |theirs| {
                number(&mut head, chapter, theirs, record.received_ms).unwrap_or_else(|| {
                    nameless += 1;
                    REFUSED
                })
            };
            for table in &record.tables {
                let series = table.series.iter().map(|theirs| own_number(*theirs)).collect();
                own.tables.push(Table { series, ..table.clone() });
            }
            for (theirs, t, value) in &record.samples {
                let number = own_number(*theirs);
                if number != REFUSED {
                    own.samples.push((number, *t, *value));
                }
            }
            head.apply(&own, origin.chapter);
        }
        self.tell_live(chapter, record);
        nameless
    }

    /// Tells whoever watches which devices have new samples.
    fn tell_live(&self, chapter: &Chapter, record: &Record) {
        if self.0.live.receiver_count() == 0 {
            return;
        }
        let mut newest: HashMap<(TenantId, DeviceId), i64> = HashMap::new();
        for (theirs, t, _) in &record.samples {
            let Some(known) = chapter.get(theirs) else { continue };
            if let Ok(device) = known.labels.get(DEVICE).parse() {
                let at = newest.entry((known.tenant, device)).or_insert(*t);
                *at = (*at).max(*t);
            }
        }
        for ((tenant, device), at_ms) in newest {
            drop(self.0.live.send(Live::Telemetry(Arrived { tenant, device, at_ms })));
        }
    }
}

fn describe(head: &mut Head, chapter: &mut Chapter, record: &Record) {
    for (theirs, tenant, labels) in &record.series {
        let own = resolve(head, *tenant, labels, record.received_ms);
        chapter.insert(*theirs, Described { tenant: *tenant, labels: labels.clone(), own });
    }
}

/// The number here of a series there; none when it was not described there.
fn number(
    head: &mut Head,
    chapter: &mut Chapter,
    theirs: SeriesRef,
    now_ms: i64,
) -> Option<SeriesRef> {
    if theirs == REFUSED {
        return Some(REFUSED);
    }
    let known = chapter.get_mut(&theirs)?;
    if !head.knows(known.own) {
        // Forgotten meanwhile, as it had no samples for long.
        known.own = resolve(head, known.tenant, &known.labels, now_ms);
    }
    Some(known.own)
}

fn resolve(head: &mut Head, tenant: TenantId, labels: &Labels, now_ms: i64) -> SeriesRef {
    // Whoever took it has looked at the limit.
    head.resolve(tenant, labels, usize::MAX, now_ms).unwrap_or(REFUSED)
}

#[cfg(test)]
mod tests;
