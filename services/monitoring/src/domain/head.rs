//! The series in memory: what they are called, what they measured, and which match.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use openframe_ids::{DeviceId, TenantId};
use roaring::RoaringBitmap;

use crate::domain::chunk::{Chunk, Sample};
use crate::domain::labels::Labels;
use crate::domain::record::{Record, SeriesRef, Table};

/// A condition on one label. A label that is not there has the empty value.
#[derive(Clone)]
pub struct Matcher {
    /// The label's name.
    pub name: String,
    /// Which values match.
    pub matches: Arc<dyn Fn(&str) -> bool + Send + Sync>,
}

impl Matcher {
    /// The label has exactly this value.
    pub fn equal(name: &str, value: String) -> Self {
        Self { name: name.to_owned(), matches: Arc::new(move |found| found == value) }
    }
}

/// A tenant has as many series as it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManySeries;

#[derive(Debug)]
struct Series {
    tenant: TenantId,
    labels: Labels,
    /// Whether the log describes it.
    durable: bool,
    column: Column,
}

/// Chunks in order of time, not overlapping.
#[derive(Debug, Default)]
struct Column(Vec<Chunk>);

#[derive(Debug, Default)]
struct Index {
    by_labels: HashMap<Labels, SeriesRef>,
    /// Label name -> value -> series.
    postings: HashMap<String, BTreeMap<String, RoaringBitmap>>,
    all: RoaringBitmap,
}

/// Every series of every tenant.
#[derive(Debug, Default)]
pub struct Head {
    series: HashMap<SeriesRef, Series>,
    tenants: HashMap<TenantId, Index>,
    tables: HashMap<(TenantId, DeviceId, u64), Arc<[SeriesRef]>>,
    /// Samples of series not described yet: once the log was trimmed, a series is described again
    /// behind samples that stay.
    orphans: HashMap<SeriesRef, Column>,
    next: SeriesRef,
}

impl Head {
    /// The number of a series, a new one if it has none yet.
    pub fn resolve(
        &mut self,
        tenant: TenantId,
        labels: &Labels,
        limit: usize,
    ) -> Result<SeriesRef, TooManySeries> {
        let index = self.tenants.entry(tenant).or_default();
        if let Some(known) = index.by_labels.get(labels) {
            return Ok(*known);
        }
        if index.by_labels.len() >= limit {
            return Err(TooManySeries);
        }
        let number = self.next;
        self.next = number.checked_add(1).ok_or(TooManySeries)?;
        self.insert(number, tenant, labels.clone());
        Ok(number)
    }

    fn insert(&mut self, number: SeriesRef, tenant: TenantId, labels: Labels) {
        let index = self.tenants.entry(tenant).or_default();
        for (name, value) in labels.iter() {
            let values = index.postings.entry(name.to_owned()).or_default();
            values.entry(value.to_owned()).or_default().insert(number);
        }
        index.all.insert(number);
        index.by_labels.insert(labels.clone(), number);
        let column = self.orphans.remove(&number).unwrap_or_default();
        let series = Series { tenant, labels, durable: false, column };
        self.series.insert(number, series);
    }

    /// What the log must be told of these series before it can hold samples of them.
    pub fn describe(&self, numbers: &[SeriesRef]) -> Vec<(SeriesRef, TenantId, Labels)> {
        let known = numbers.iter().filter_map(|number| Some((*number, self.series.get(number)?)));
        let new = known.filter(|(_, series)| !series.durable);
        new.map(|(number, series)| (number, series.tenant, series.labels.clone())).collect()
    }

    /// A table that a device named before.
    pub fn table(&self, tenant: TenantId, device: DeviceId, hash: u64) -> Option<Arc<[SeriesRef]>> {
        self.tables.get(&(tenant, device, hash)).cloned()
    }

    /// Whether a series has a sample at this instant.
    pub fn has(&self, number: SeriesRef, t: i64) -> bool {
        self.series.get(&number).is_some_and(|series| series.column.has(t))
    }

    /// Takes in what has become durable. The same again changes nothing. Returns how many samples
    /// were new.
    pub fn apply(&mut self, record: &Record) -> usize {
        for (number, tenant, labels) in &record.series {
            if !self.series.contains_key(number) {
                self.insert(*number, *tenant, labels.clone());
                self.next = self.next.max(number.saturating_add(1));
            }
            if let Some(series) = self.series.get_mut(number) {
                series.durable = true;
            }
        }
        for Table { tenant, device, hash, series } in &record.tables {
            self.tables.insert((*tenant, *device, *hash), series.as_slice().into());
        }
        let mut new = 0;
        for (number, t, value) in &record.samples {
            let column = match self.series.get_mut(number) {
                Some(series) => &mut series.column,
                None => self.orphans.entry(*number).or_default(),
            };
            new += usize::from(column.add((*t, *value)));
        }
        new
    }

    /// The series of a tenant that match all conditions, by number.
    pub fn matching(&self, tenant: TenantId, matchers: &[Matcher]) -> Vec<SeriesRef> {
        let Some(index) = self.tenants.get(&tenant) else { return Vec::new() };
        let mut found = index.all.clone();
        for matcher in matchers {
            found &= index.matching(matcher);
        }
        found.into_iter().collect()
    }

    /// The labels of a series.
    pub fn labels(&self, number: SeriesRef) -> Option<&Labels> {
        self.series.get(&number).map(|series| &series.labels)
    }

    /// The samples of a series in `[start, end]`.
    pub fn samples(&self, number: SeriesRef, start_ms: i64, end_ms: i64) -> Vec<Sample> {
        let Some(series) = self.series.get(&number) else { return Vec::new() };
        let after = series.column.0.partition_point(|chunk| chunk.last().0 < start_ms);
        let wanted =
            series.column.0.iter().skip(after).take_while(|chunk| chunk.first_ms() <= end_ms);
        let samples = wanted.flat_map(Chunk::samples);
        samples.filter(|(t, _)| (start_ms..=end_ms).contains(t)).collect()
    }

    /// The newest sample of a series.
    pub fn newest(&self, number: SeriesRef) -> Option<Sample> {
        self.series.get(&number)?.column.0.last().map(Chunk::last)
    }

    /// Forgets chunks that end before `before_ms`.
    pub fn forget(&mut self, before_ms: i64) {
        for series in self.series.values_mut() {
            series.column.0.retain(|chunk| chunk.last().0 >= before_ms);
        }
    }

    /// Everything but samples: what must stand in the log before its oldest part may go.
    pub fn descriptions(&self) -> (Vec<(SeriesRef, TenantId, Labels)>, Vec<Table>) {
        let durable = self.series.iter().filter(|(_, series)| series.durable);
        let series = durable.map(|(n, series)| (*n, series.tenant, series.labels.clone()));
        let tables = self.tables.iter().map(|((tenant, device, hash), numbers)| Table {
            tenant: *tenant,
            device: *device,
            hash: *hash,
            series: numbers.to_vec(),
        });
        (series.collect(), tables.collect())
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

impl Index {
    fn matching(&self, matcher: &Matcher) -> RoaringBitmap {
        let values = self.postings.get(&matcher.name);
        let all = values.into_iter().flatten();
        if (matcher.matches)("") {
            // Also those without the label: take away what does not match.
            let wrong = all.filter(|(value, _)| !(matcher.matches)(value));
            return wrong.fold(self.all.clone(), |found, (_, series)| found - series);
        }
        let right = all.filter(|(value, _)| (matcher.matches)(value));
        right.fold(RoaringBitmap::new(), |found, (_, series)| found | series)
    }
}

impl Column {
    /// Where the chunk that covers `t`, or the one before it, stands.
    fn place(&self, t: i64) -> usize {
        self.0.partition_point(|chunk| chunk.first_ms() <= t).saturating_sub(1)
    }

    fn has(&self, t: i64) -> bool {
        let chunk = self.0.get(self.place(t));
        chunk.is_some_and(|chunk| {
            chunk.last().0 == t
                || (chunk.first_ms()..chunk.last().0).contains(&t)
                    && chunk.samples().iter().any(|(at, _)| *at == t)
        })
    }

    /// Adds a sample unless there is one at its instant.
    fn add(&mut self, sample: Sample) -> bool {
        match self.0.last_mut() {
            Some(last) if last.last().0 < sample.0 && !last.is_full() => last.push(sample),
            Some(last) if last.last().0 < sample.0 => {
                last.close();
                self.0.push(Chunk::new(sample));
            }
            None => self.0.push(Chunk::new(sample)),
            Some(_) => return self.add_late(sample),
        }
        true
    }

    fn add_late(&mut self, sample: Sample) -> bool {
        if self.has(sample.0) {
            return false;
        }
        let at = self.place(sample.0);
        let Some(chunk) = self.0.get(at) else { return false };
        let mut samples = chunk.samples();
        samples.insert(samples.partition_point(|(t, _)| *t < sample.0), sample);
        // Two halves when it has grown too long, so that late samples stay cheap.
        let half = if chunk.is_full() { samples.len().div_ceil(2) } else { samples.len() };
        let parts: Vec<Chunk> = samples.chunks(half).filter_map(Chunk::of).collect();
        self.0.splice(at..=at, parts);
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    const TENANT: TenantId = TenantId(Uuid::from_u128(1));
    const OTHER: TenantId = TenantId(Uuid::from_u128(2));

    fn labels(name: &str, job: &str) -> Labels {
        Labels::new(vec![("__name__".into(), name.into()), ("job".into(), job.into())]).unwrap()
    }

    fn record(samples: &[(SeriesRef, i64, f64)]) -> Record {
        Record { samples: samples.to_vec(), ..Record::default() }
    }

    #[test]
    fn series_match_by_their_labels_and_tenants_do_not_see_each_other() {
        let mut head = Head::default();
        let a = head.resolve(TENANT, &labels("up", "a"), 10).unwrap();
        let b = head.resolve(TENANT, &labels("up", ""), 10).unwrap();
        let c = head.resolve(OTHER, &labels("up", "a"), 10).unwrap();
        assert_eq!(head.resolve(TENANT, &labels("up", "a"), 10), Ok(a));
        let job = |value: &str| [Matcher::equal("job", value.to_owned())];
        assert_eq!(head.matching(TENANT, &job("a")), [a]);
        assert_eq!(head.matching(TENANT, &job("")), [b]);
        assert_eq!(head.matching(OTHER, &[]), [c]);
        assert_eq!(head.resolve(TENANT, &labels("down", "a"), 2), Err(TooManySeries));
    }

    #[test]
    fn a_series_is_described_until_the_log_knows_it() {
        let mut head = Head::default();
        let number = head.resolve(TENANT, &labels("up", "a"), 10).unwrap();
        let series = head.describe(&[number]);
        assert_eq!(series.len(), 1);
        let record = Record { series, ..Record::default() };
        head.apply(&record);
        assert!(head.describe(&[number]).is_empty());
        let mut again = Head::default();
        again.apply(&record);
        assert_eq!(again.resolve(TENANT, &labels("up", "a"), 10), Ok(number));
        assert_eq!(again.resolve(TENANT, &labels("up", "b"), 10), Ok(number + 1));
    }

    proptest! {
        #[test]
        fn samples_in_any_order_read_back_in_order_and_once(
            times in prop::collection::vec(0..400_i64, 0..600)
        ) {
            let mut head = Head::default();
            let number = head.resolve(TENANT, &labels("up", "a"), 10).unwrap();
            let mut model = BTreeMap::new();
            for (n, t) in times.into_iter().enumerate() {
                let value = f64::from(u32::try_from(n).unwrap());
                prop_assert_eq!(head.has(number, t), model.contains_key(&t));
                let new = head.apply(&record(&[(number, t, value)]));
                prop_assert_eq!(new == 1, !model.contains_key(&t));
                model.entry(t).or_insert(value);
            }
            let all: Vec<Sample> = model.iter().map(|(t, v)| (*t, *v)).collect();
            prop_assert_eq!(head.samples(number, i64::MIN, i64::MAX), all.clone());
            prop_assert_eq!(head.newest(number), all.last().copied());
            let part: Vec<Sample> =
                all.into_iter().filter(|(t, _)| (100..=200).contains(t)).collect();
            prop_assert_eq!(head.samples(number, 100, 200), part);
        }
    }
}
