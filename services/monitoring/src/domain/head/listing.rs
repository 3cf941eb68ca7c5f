//! Which series and labels there are, from the index and the bounds of chunks: no sample is decoded.

use std::collections::BTreeSet;

use openframe_ids::TenantId;
use roaring::RoaringBitmap;

use super::{Head, Matcher, Snapshot};
use crate::domain::labels::{Labels, NAME};
use crate::domain::record::SeriesRef;

/// Names in a list of those with most series.
const TOP: usize = 10;

/// How much there is of a tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Series.
    pub series: u64,
    /// Different pairs of a label's name and value.
    pub label_pairs: usize,
    /// The metrics with most series, and how many.
    pub by_metric: Vec<(String, u64)>,
    /// The labels with most values, and how many.
    pub by_label: Vec<(String, u64)>,
}

impl Head {
    /// The numbers of the series of a tenant that match all conditions.
    pub fn find(&self, tenant: TenantId, matchers: &[Matcher]) -> RoaringBitmap {
        self.matching(tenant, matchers)
    }

    /// Those of these series that may have samples in `[start, end]`, as they are now.
    pub fn snapshots(&self, numbers: &[SeriesRef], range: (i64, i64)) -> Vec<Snapshot> {
        let known = numbers.iter().filter_map(|number| self.series.get(number));
        let found = known.filter_map(|series| {
            let chunks = series.column.within(range.0, range.1).to_vec();
            (!chunks.is_empty()).then(|| Snapshot { labels: series.labels.clone(), chunks, range })
        });
        found.collect()
    }

    /// The labels of the tenant's series that match any of `selectors` and may have samples in
    /// `[start, end]`, at most `most`.
    pub fn list_series(
        &self,
        tenant: TenantId,
        selectors: &[Vec<Matcher>],
        range: (i64, i64),
        most: usize,
    ) -> Vec<Labels> {
        let known = self.active(tenant, selectors, range);
        let known = known.iter().take(most).filter_map(|number| self.series.get(&number));
        known.map(|series| series.labels.clone()).collect()
    }

    /// The names of the labels of such series.
    pub fn list_names(
        &self,
        tenant: TenantId,
        selectors: &[Vec<Matcher>],
        range: (i64, i64),
    ) -> BTreeSet<String> {
        let active = self.active(tenant, selectors, range);
        let names = self.tenants.get(&tenant).into_iter().flat_map(super::index::Index::names);
        let has = |(_, values): &(&String, &super::index::Values)| {
            values.values().any(|series| !series.is_disjoint(&active))
        };
        names.filter(has).map(|(name, _)| name.clone()).collect()
    }

    /// The values of a label of such series, at most `most`.
    pub fn list_values(
        &self,
        tenant: TenantId,
        name: &str,
        (selectors, range): (&[Vec<Matcher>], (i64, i64)),
        most: usize,
    ) -> Vec<String> {
        let active = self.active(tenant, selectors, range);
        let values = self.tenants.get(&tenant).and_then(|index| index.values_of(name));
        let found = values.into_iter().flatten().filter(|(_, series)| !series.is_disjoint(&active));
        found.map(|(value, _)| value.clone()).take(most).collect()
    }

    /// How much there is of a tenant.
    pub fn statistics(&self, tenant: TenantId) -> Statistics {
        let Some(index) = self.tenants.get(&tenant) else { return Statistics::default() };
        let metrics = index.values_of(NAME).into_iter().flatten();
        let labels = index.names().map(|(name, values)| (name.clone(), values.len() as u64));
        Statistics {
            series: index.len() as u64,
            label_pairs: index.names().map(|(_, values)| values.len()).sum(),
            by_metric: top(metrics.map(|(name, series)| (name.clone(), series.len()))),
            by_label: top(labels),
        }
    }

    fn active(
        &self,
        tenant: TenantId,
        selectors: &[Vec<Matcher>],
        range: (i64, i64),
    ) -> RoaringBitmap {
        let found = selectors.iter().map(|matchers| self.matching(tenant, matchers));
        let found = found.fold(RoaringBitmap::new(), |all, own| all | own);
        let active = |number: &SeriesRef| {
            let series = self.series.get(number);
            series.is_some_and(|series| !series.column.within(range.0, range.1).is_empty())
        };
        found.into_iter().filter(active).collect()
    }
}

fn top(all: impl Iterator<Item = (String, u64)>) -> Vec<(String, u64)> {
    let mut all: Vec<_> = all.collect();
    all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    all.truncate(TOP);
    all
}
