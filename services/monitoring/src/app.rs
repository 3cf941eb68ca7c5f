//! What the monitoring service does: one public method per thing a caller can ask.

pub mod alerting;
mod channels;
mod evaluation;
mod following;
mod ingest;
mod intake;
pub mod labels;
mod leading;
pub mod query;
mod sight;
mod turns;
mod upkeep;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use openframe_auth_api::Audit;
use openframe_clock::Clock;
use openframe_ids::{DeviceId, TenantId};
use openframe_tokens::{Caller, Permission};
use tokio::sync::{Notify, Semaphore, broadcast};

use crate::domain::chunk::Sample;
use crate::domain::head::{Head, Matcher};
use crate::domain::labels::{DEVICE, Labels};
use crate::metrics::Metrics;
use crate::notify::Sender;
use crate::places::Places;
use crate::store::alerts::Alerts;
use crate::store::hints::Hints;
use crate::store::{Stores, TelemetryLog};
use crate::{Config, Error};

/// Requests that are decoded at the same time.
const DECODED_AT_ONCE: usize = 4;

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

/// Something to tell those who watch.
#[derive(Debug, Clone, PartialEq)]
pub enum Live {
    /// New values of a device.
    Telemetry(Arrived),
    /// An alert has changed.
    Alert(Box<alerting::AlertShown>),
}

/// What the service needs beside its settings and the time.
pub struct Parts {
    /// Where it keeps things.
    pub stores: Stores,
    /// The audit trail.
    pub audit: Arc<dyn Audit>,
    /// Where devices are.
    pub places: Arc<dyn Places>,
    /// Sends notifications.
    pub sender: Arc<dyn Sender>,
    /// Its counters.
    pub metrics: Metrics,
}

/// The service. Cheap to clone.
#[derive(Clone)]
pub struct Monitoring(Arc<Inner>);

struct Inner {
    config: Config,
    clock: Clock,
    log: Arc<dyn TelemetryLog>,
    head: RwLock<Head>,
    /// Whether there are other replicas.
    shared: bool,
    /// Tells them of new samples.
    hints: Arc<dyn Hints>,
    /// What was read of the logs of other replicas.
    followed: Mutex<following::Followed>,
    /// Held while they are read.
    follow_turn: Semaphore,
    /// Whether this replica decides about alerts.
    lease: leading::Lease,
    /// What is kept, and until when.
    kept: Mutex<upkeep::Kept>,
    /// Places for those who decode a request.
    decoding: Arc<Semaphore>,
    queries: query::Queries,
    /// What those see who are let in at some places only.
    sights: sight::Sights,
    live: broadcast::Sender<Live>,
    alerts: Arc<dyn Alerts>,
    audit: Arc<dyn Audit>,
    sender: Arc<dyn Sender>,
    /// What it shows is what the store has. Locked for a few lines.
    board: Mutex<alerting::Board>,
    /// Held while a change of the board is being kept, so that changes come one by one.
    turn: Semaphore,
    /// Held by a device's push until it is durable.
    turns: turns::Turns,
    /// There is something to deliver.
    wake: Notify,
    metrics: Metrics,
}

impl Monitoring {
    /// The service on an empty head; [`Monitoring::load`] fills it.
    pub(crate) fn new(config: Config, clock: Clock, parts: Parts) -> Self {
        let Parts { stores, audit, places, sender, metrics } = parts;
        let Stores { log, alerts, hints, shared } = stores;
        let (live, _) = broadcast::channel(config.live_queue.max(1));
        let (head, kept) = (RwLock::default(), Mutex::default());
        let decoding = Arc::new(Semaphore::new(DECODED_AT_ONCE));
        let queries = query::Queries::new(&config, clock.now());
        let (board, turn, wake) = (Mutex::default(), Semaphore::new(1), Notify::new());
        Self(Arc::new(Inner {
            config,
            clock,
            log,
            head,
            shared,
            hints,
            followed: Mutex::default(),
            follow_turn: Semaphore::new(1),
            lease: leading::Lease::default(),
            kept,
            decoding,
            queries,
            sights: sight::Sights::new(places),
            live,
            alerts,
            audit,
            sender,
            board,
            turn,
            turns: turns::Turns::default(),
            wake,
            metrics,
        }))
    }

    /// The time now, Unix milliseconds.
    pub(crate) fn now_ms(&self) -> i64 {
        self.0.clock.now().as_millisecond()
    }

    /// The largest body that carries samples.
    pub(crate) fn max_body_bytes(&self) -> usize {
        self.0.config.max_body_bytes
    }

    /// The newest value of each series of a device that has not ended.
    pub async fn latest(
        &self,
        caller: &Caller,
        id: DeviceId,
    ) -> Result<Vec<(Labels, Sample)>, Error> {
        let own = [Matcher::equal(DEVICE, id.to_string())];
        if !self.sight(caller).await?.sees_device(id) {
            return Err(Error::NoSuchDevice);
        }
        self.catch_up().await;
        let mut values = {
            let head = self.head();
            if !head.any(caller.tenant, &own) {
                return Err(Error::NoSuchDevice);
            }
            head.newest(caller.tenant, &own)
        };
        values.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(values)
    }

    /// The series of a tenant that match, with their samples in `[start, end]`.
    #[cfg(test)]
    pub(crate) fn select(
        &self,
        tenant: TenantId,
        matchers: &[Matcher],
        (start_ms, end_ms): (i64, i64),
    ) -> Vec<(Labels, Vec<Sample>)> {
        // Chunks are forgotten as a whole; what is too old in one is not to be seen any more.
        let start_ms = start_ms.max(self.oldest_ms(self.now_ms()));
        let found = self.head().select(tenant, matchers, (start_ms, end_ms)).into_iter();
        let found = found.map(|series| {
            let samples = series.samples();
            (series.labels, samples)
        });
        found.filter(|(_, samples)| !samples.is_empty()).collect()
    }

    /// What happens from now on, of every tenant: whoever listens passes on only what
    /// [`Monitoring::may_hear`] lets through.
    pub async fn live(&self, caller: &Caller) -> Result<broadcast::Receiver<Live>, Error> {
        self.sight(caller).await?;
        Ok(self.0.live.subscribe())
    }

    /// Whether the caller sees what has happened.
    pub async fn may_hear(&self, caller: &Caller, what: &Live) -> Result<bool, Error> {
        let tenant = match what {
            Live::Telemetry(arrived) => arrived.tenant,
            Live::Alert(shown) => shown.rule.tenant,
        };
        if tenant != caller.tenant {
            return Ok(false);
        }
        let sight = self.sight(caller).await?;
        Ok(match what {
            Live::Telemetry(arrived) => sight.sees_device(arrived.device),
            Live::Alert(shown) => sight.sees_alert(&shown.alert),
        })
    }

    /// Why telemetry cannot be stored, if so.
    pub fn failure(&self) -> Option<String> {
        self.0.log.failure()
    }

    /// Why other replicas are not told of new samples at once, if so.
    pub(crate) fn hint_failure(&self) -> Option<String> {
        self.0.hints.failure()
    }

    /// Returns when another replica may have new samples.
    pub(crate) async fn something_to_read(&self) {
        self.0.hints.heard().await;
    }

    // A poisoned head is still usable: samples are added one by one.
    fn head(&self) -> RwLockReadGuard<'_, Head> {
        self.0.head.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn followed(&self) -> MutexGuard<'_, following::Followed> {
        // What a record described is complete or will be described again.
        self.0.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn head_mut(&self) -> RwLockWriteGuard<'_, Head> {
        self.0.head.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn need(caller: &Caller, permission: Permission) -> Result<(), Error> {
    if caller.may(permission) { Ok(()) } else { Err(Error::Forbidden(permission.as_str())) }
}
