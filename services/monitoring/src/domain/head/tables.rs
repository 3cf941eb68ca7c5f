//! The tables of series that devices refer to.

use std::collections::HashMap;
use std::sync::Arc;

use openframe_ids::{DeviceId, TenantId};

use crate::domain::record::{REFUSED, SeriesRef, Table};

/// Tables of one device at most; the one used longest ago goes first.
const MAX_TABLES: usize = 4;

#[derive(Debug)]
struct Known {
    hash: u64,
    series: Arc<[SeriesRef]>,
    used_ms: i64,
}

/// The last few tables of each device.
#[derive(Debug, Default)]
pub(super) struct Tables(HashMap<(TenantId, DeviceId), Vec<Known>>);

impl Tables {
    /// The series of a table, which counts as used.
    pub(super) fn find(
        &mut self,
        device: (TenantId, DeviceId),
        hash: u64,
        now_ms: i64,
    ) -> Option<Arc<[SeriesRef]>> {
        let known = self.0.get_mut(&device)?.iter_mut().find(|table| table.hash == hash)?;
        known.used_ms = known.used_ms.max(now_ms);
        Some(Arc::clone(&known.series))
    }

    /// Adds a table, or replaces the one of that hash.
    pub(super) fn insert(&mut self, table: &Table, now_ms: i64) {
        let own = self.0.entry((table.tenant, table.device)).or_default();
        own.retain(|known| known.hash != table.hash);
        let series = table.series.as_slice().into();
        own.push(Known { hash: table.hash, series, used_ms: now_ms });
        if own.len() > MAX_TABLES {
            let oldest = own.iter().enumerate().min_by_key(|(_, known)| known.used_ms);
            if let Some((at, _)) = oldest {
                own.remove(at);
            }
        }
    }

    /// Keeps the tables used since `unused_ms` whose every series is `known`.
    pub(super) fn retain(&mut self, known: impl Fn(SeriesRef) -> bool, unused_ms: i64) {
        let whole = |series: &[SeriesRef]| series.iter().all(|it| *it == REFUSED || known(*it));
        self.0.retain(|_, own| {
            own.retain(|table| table.used_ms >= unused_ms && whole(&table.series));
            !own.is_empty()
        });
    }

    /// Every table.
    pub(super) fn all(&self) -> Vec<Table> {
        let one = |(tenant, device): (TenantId, DeviceId), known: &Known| Table {
            tenant,
            device,
            hash: known.hash,
            series: known.series.to_vec(),
        };
        self.0.iter().flat_map(|(device, own)| own.iter().map(|it| one(*device, it))).collect()
    }
}
