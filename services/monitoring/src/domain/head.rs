//! The series in memory: what they are called, what they measured, and which match.

mod column;
mod index;
mod listing;
mod tables;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use column::Column;
use index::Index;
use openframe_ids::{DeviceId, TenantId};
use tables::Tables;

use crate::domain::chunk::{self, Chunk, Sample};
use crate::domain::labels::Labels;
use crate::domain::record::{REFUSED, Record, SeriesRef, Table};

pub use index::Matcher;
pub use listing::Statistics;

/// Bytes of a series beside its samples and labels, about: the index is most of it.
const SERIES_BYTES: usize = 600;

/// A tenant has as many series as it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManySeries;

#[derive(Debug)]
struct Series {
    tenant: TenantId,
    labels: Labels,
    /// The last chapter of the log that describes it.
    described: Option<u64>,
    /// When it was last written to, Unix milliseconds.
    used_ms: i64,
    column: Column,
}

/// A series as it was when it was looked up: cheap to make, and decoded without the head.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Its labels.
    pub labels: Labels,
    chunks: Vec<Arc<Chunk>>,
    range: (i64, i64),
}

impl Snapshot {
    /// As many samples as there can be, without decoding them.
    pub fn at_most(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.len()).sum()
    }

    /// The samples in the range that was asked for.
    pub fn samples(&self) -> Vec<Sample> {
        let samples = self.chunks.iter().flat_map(|chunk| chunk.samples());
        samples.filter(|(t, _)| (self.range.0..=self.range.1).contains(t)).collect()
    }
}

/// Every series of every tenant.
#[derive(Debug, Default)]
pub struct Head {
    series: HashMap<SeriesRef, Series>,
    tenants: HashMap<TenantId, Index>,
    tables: Tables,
    /// While the log is read back: samples of series not described yet. Once the log was trimmed, a
    /// series is described again behind samples that stay.
    orphans: HashMap<SeriesRef, Column>,
    /// Whether the log was read back.
    settled: bool,
    next: SeriesRef,
    bytes: usize,
}

impl Head {
    /// The number of a series, a new one if it has none yet.
    pub fn resolve(
        &mut self,
        tenant: TenantId,
        labels: &Labels,
        limit: usize,
        now_ms: i64,
    ) -> Result<SeriesRef, TooManySeries> {
        let index = self.tenants.entry(tenant).or_default();
        if let Some(known) = index.get(labels) {
            self.touch(known, now_ms);
            return Ok(known);
        }
        if index.len() >= limit || self.next == REFUSED {
            return Err(TooManySeries);
        }
        let number = self.next;
        self.next += 1;
        self.insert(number, tenant, labels.clone());
        self.touch(number, now_ms);
        Ok(number)
    }

    fn insert(&mut self, number: SeriesRef, tenant: TenantId, labels: Labels) {
        self.tenants.entry(tenant).or_default().insert(number, &labels);
        // Their bytes are counted already.
        let column = self.orphans.remove(&number).unwrap_or_default();
        let series = Series { tenant, labels, described: None, used_ms: i64::MIN, column };
        self.bytes += overhead(&series);
        self.series.insert(number, series);
    }

    fn touch(&mut self, number: SeriesRef, now_ms: i64) {
        if let Some(series) = self.series.get_mut(&number) {
            series.used_ms = series.used_ms.max(now_ms);
        }
    }

    /// What a chapter of the log must be told of these series before it can hold samples of them.
    pub fn describe(
        &self,
        numbers: &[SeriesRef],
        chapter: u64,
    ) -> Vec<(SeriesRef, TenantId, Labels)> {
        let known = numbers.iter().filter_map(|number| Some((*number, self.series.get(number)?)));
        let new = known.filter(|(_, series)| series.described != Some(chapter));
        new.map(|(number, series)| (number, series.tenant, series.labels.clone())).collect()
    }

    /// The series of a table that a device named before; they count as used.
    pub fn use_table(
        &mut self,
        (tenant, device): (TenantId, DeviceId),
        hash: u64,
        now_ms: i64,
    ) -> Option<Arc<[SeriesRef]>> {
        let series = self.tables.find((tenant, device), hash, now_ms)?;
        for number in series.iter() {
            self.touch(*number, now_ms);
        }
        Some(series)
    }

    /// Whether there is a series of this number.
    pub fn knows(&self, number: SeriesRef) -> bool {
        self.series.contains_key(&number)
    }

    /// Whether a series has a sample at this instant.
    pub fn has(&self, number: SeriesRef, t: i64) -> bool {
        self.series.get(&number).is_some_and(|series| series.column.at(t).is_some())
    }

    /// Takes in what has become durable in a chapter of the log. The same again changes nothing.
    /// Returns how many samples were new.
    pub fn apply(&mut self, record: &Record, chapter: u64) -> usize {
        for (number, tenant, labels) in &record.series {
            self.reserve(*number);
            if !self.series.contains_key(number) {
                self.insert(*number, *tenant, labels.clone());
            }
            if let Some(series) = self.series.get_mut(number) {
                series.described = Some(chapter);
            }
        }
        for table in &record.tables {
            table.series.iter().for_each(|number| self.reserve(*number));
            self.tables.insert(table, record.received_ms);
        }
        let mut new = 0;
        for (number, t, value) in &record.samples {
            self.reserve(*number);
            let column = match self.series.get_mut(number) {
                Some(series) => {
                    series.used_ms = series.used_ms.max(record.received_ms);
                    &mut series.column
                }
                None if !self.settled => self.orphans.entry(*number).or_default(),
                None => continue,
            };
            self.bytes -= column.bytes();
            new += usize::from(column.add((*t, *value)));
            self.bytes += column.bytes();
        }
        new
    }

    /// Makes sure that a number which the log mentions is not given to another series, whether or
    /// not the log still says whose it is.
    fn reserve(&mut self, number: SeriesRef) {
        if number != REFUSED {
            self.next = self.next.max(number + 1);
        }
    }

    /// Ends the reading back of the log: what nothing describes is nobody's. Tables that name such
    /// series go as well, so that their devices send them again. Returns how many samples that
    /// were still wanted, those since `from_ms`, are lost.
    pub fn settle(&mut self, from_ms: i64, now_ms: i64) -> usize {
        self.settled = true;
        let mut lost = 0;
        for (_, column) in std::mem::take(&mut self.orphans) {
            self.bytes -= column.bytes();
            lost += column.count_from(from_ms);
        }
        for series in self.series.values_mut().filter(|series| series.column.is_empty()) {
            // When it was used is not known; from now on it is.
            series.used_ms = now_ms;
        }
        self.tables.retain(|number| self.series.contains_key(&number), i64::MIN);
        lost
    }

    /// The series of a tenant that match all conditions and may have samples in `[start, end]`.
    pub fn select(
        &self,
        tenant: TenantId,
        matchers: &[Matcher],
        range: (i64, i64),
    ) -> Vec<Snapshot> {
        let numbers: Vec<SeriesRef> = self.find(tenant, matchers).into_iter().collect();
        self.snapshots(&numbers, range)
    }

    /// The newest sample of each series of a tenant that matches all conditions; none of a series
    /// that has ended.
    pub fn newest(&self, tenant: TenantId, matchers: &[Matcher]) -> Vec<(Labels, Sample)> {
        let found = self.matching(tenant, matchers).into_iter();
        let found = found.filter_map(|number| {
            let series = self.series.get(&number)?;
            let last = series.column.last().filter(|(_, value)| !chunk::is_stale(*value))?;
            Some((series.labels.clone(), last))
        });
        found.collect()
    }

    /// Whether a tenant has a series that matches all conditions.
    pub fn any(&self, tenant: TenantId, matchers: &[Matcher]) -> bool {
        !self.matching(tenant, matchers).is_empty()
    }

    fn matching(&self, tenant: TenantId, matchers: &[Matcher]) -> roaring::RoaringBitmap {
        self.tenants.get(&tenant).map(|index| index.matching(matchers)).unwrap_or_default()
    }

    /// The numbers of all series, to look at them in parts.
    pub fn numbers(&self) -> Vec<SeriesRef> {
        self.series.keys().copied().collect()
    }

    /// Adds the bytes of these series' chunks to the minute in which each chunk ends.
    pub fn ages(&self, numbers: &[SeriesRef], minutes: &mut BTreeMap<i64, usize>) {
        let known = numbers.iter().filter_map(|number| self.series.get(number));
        for (last_ms, bytes) in known.flat_map(|series| series.column.ages()) {
            *minutes.entry(last_ms.div_euclid(60_000)).or_default() += bytes;
        }
    }

    /// Forgets those of these series' chunks that end before `before_ms`, and series that have none
    /// and were not written to since `unused_ms`.
    pub fn forget(&mut self, numbers: &[SeriesRef], before_ms: i64, unused_ms: i64) {
        for number in numbers {
            let Some(series) = self.series.get_mut(number) else { continue };
            self.bytes -= series.column.bytes();
            series.column.forget(before_ms);
            self.bytes += series.column.bytes();
            if series.column.is_empty() && series.used_ms < unused_ms {
                self.remove(*number);
            }
        }
    }

    fn remove(&mut self, number: SeriesRef) {
        let Some(series) = self.series.remove(&number) else { return };
        self.bytes -= overhead(&series);
        if let Some(index) = self.tenants.get_mut(&series.tenant) {
            index.remove(number, &series.labels);
            if index.len() == 0 {
                self.tenants.remove(&series.tenant);
            }
        }
    }

    /// Forgets tables not used since `unused_ms`, and those that name a series which is gone: their
    /// devices send them again.
    pub fn forget_tables(&mut self, unused_ms: i64) {
        self.tables.retain(|number| self.series.contains_key(&number), unused_ms);
    }

    /// Everything but samples: what must stand in the log before its oldest part may go.
    pub fn descriptions(&self) -> (Vec<(SeriesRef, TenantId, Labels)>, Vec<Table>) {
        let described = self.series.iter().filter(|(_, series)| series.described.is_some());
        let series = described.map(|(n, series)| (*n, series.tenant, series.labels.clone()));
        (series.collect(), self.tables.all())
    }

    /// Bytes in memory, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many series there are.
    pub fn len(&self) -> usize {
        self.series.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }
}

fn overhead(series: &Series) -> usize {
    SERIES_BYTES + 2 * series.labels.as_text().len()
}

#[cfg(test)]
mod tests;
