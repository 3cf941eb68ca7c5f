//! What the monitoring service does: one public method per thing a caller can ask.

mod ingest;
pub mod query;
mod upkeep;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use openframe_clock::Clock;
use openframe_ids::{DeviceId, TenantId};
use openframe_tokens::{Caller, Permission};
use tokio::sync::broadcast;

use crate::domain::chunk::Sample;
use crate::domain::head::{Head, Matcher};
use crate::domain::labels::{DEVICE, Labels};
use crate::metrics::Metrics;
use crate::store::TelemetryLog;
use crate::{Config, Error};

/// New values of a device are durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrived {
    /// The device's tenant.
    pub tenant: TenantId,
    /// The device.
    pub device: DeviceId,
    /// The newest instant, Unix milliseconds.
    pub at_ms: i64,
}

/// The service. Cheap to clone.
#[derive(Clone)]
pub struct Monitoring(Arc<Inner>);

struct Inner {
    config: Config,
    clock: Clock,
    log: Arc<dyn TelemetryLog>,
    head: RwLock<Head>,
    /// About one record of each hour: when received, and its number. Tells what may be trimmed.
    hours: Mutex<VecDeque<(i64, u64)>>,
    live: broadcast::Sender<Arrived>,
    metrics: Metrics,
}

impl Monitoring {
    /// The service on an empty head; [`Monitoring::load`] fills it.
    pub(crate) fn new(
        config: Config,
        clock: Clock,
        log: Arc<dyn TelemetryLog>,
        metrics: Metrics,
    ) -> Self {
        let (live, _) = broadcast::channel(config.live_queue.max(1));
        let (head, hours) = (RwLock::default(), Mutex::default());
        Self(Arc::new(Inner { config, clock, log, head, hours, live, metrics }))
    }

    /// The time now, Unix milliseconds.
    pub(crate) fn now_ms(&self) -> i64 {
        self.0.clock.now().as_millisecond()
    }

    /// The largest body that carries samples.
    pub(crate) fn max_body_bytes(&self) -> usize {
        self.0.config.max_body_bytes
    }

    /// The newest value of each series of a device.
    pub fn latest(&self, caller: &Caller, id: DeviceId) -> Result<Vec<(Labels, Sample)>, Error> {
        need(caller, Permission::TelemetryRead)?;
        let head = self.head();
        let found = head.matching(caller.tenant, &[Matcher::equal(DEVICE, id.to_string())]);
        if found.is_empty() {
            return Err(Error::NoSuchDevice);
        }
        let values = found
            .into_iter()
            .filter_map(|number| Some((head.labels(number)?.clone(), head.newest(number)?)));
        let mut values: Vec<_> = values.collect();
        values.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(values)
    }

    /// The series of the caller's tenant that match, with their samples in `[start, end]`.
    pub fn select(
        &self,
        caller: &Caller,
        matchers: &[Matcher],
        (start_ms, end_ms): (i64, i64),
    ) -> Result<Vec<(Labels, Vec<Sample>)>, Error> {
        need(caller, Permission::TelemetryRead)?;
        let head = self.head();
        let found = head.matching(caller.tenant, matchers).into_iter().filter_map(|number| {
            let samples = head.samples(number, start_ms, end_ms);
            (!samples.is_empty()).then_some(())?;
            Some((head.labels(number)?.clone(), samples))
        });
        Ok(found.collect())
    }

    /// What happens from now on, of every tenant: the caller of this passes on only its own.
    pub fn live(&self, caller: &Caller) -> Result<broadcast::Receiver<Arrived>, Error> {
        need(caller, Permission::TelemetryRead)?;
        Ok(self.0.live.subscribe())
    }

    /// Why telemetry cannot be stored, if so.
    pub fn failure(&self) -> Option<String> {
        self.0.log.failure()
    }

    // A poisoned head is still usable: samples are added one by one.
    fn head(&self) -> RwLockReadGuard<'_, Head> {
        self.0.head.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn head_mut(&self) -> RwLockWriteGuard<'_, Head> {
        self.0.head.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn need(caller: &Caller, permission: Permission) -> Result<(), Error> {
    if caller.may(permission) { Ok(()) } else { Err(Error::Forbidden(permission.as_str())) }
}
