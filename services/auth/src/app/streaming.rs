//! Sending the audit trail on as it grows.
//!
//! Of several replicas one sends to each destination: it holds a lease in the store, where the place is
//! kept too. At least once: after any failure it begins again after the last entry that has arrived.
//! Nothing waits for it but itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use openframe_ids::random;
use openframe_tokens::Permission;
use uuid::Uuid;

use super::{Asked, Auth, backoff, need};
use crate::Error;
use crate::store::{StoreError, StreamState};
use crate::stream::{Sink, Streams};

/// How long a replica sends after it was last heard of.
const LEASE: SignedDuration = SignedDuration::from_secs(30);
/// The lease is renewed when less than this is left: longer than any round lasts.
const RENEW: Duration = Duration::from_secs(25);
/// Entries of one batch at most.
const BATCH: u32 = 200;

/// What one round has come to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Round {
    /// Another replica sends.
    Elsewhere,
    /// All that there is was sent.
    Idle,
    /// There is more to send.
    More,
}

/// Why a round failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    /// The destination did not take it.
    #[error("{0}")]
    There(String),
    /// Our own store did not answer.
    #[error("the store does not answer")]
    Here(#[source] StoreError),
}

/// One destination, as this replica serves it.
pub(crate) struct Stream {
    sink: Box<dyn Sink>,
    own: Uuid,
    /// Until when this replica is the one that sends.
    leads_until: Option<Instant>,
    /// The last place that has arrived, as it is kept.
    arrived: u64,
    /// The last place that was sent.
    sent: u64,
    failures: u32,
    /// Whether the store still shows a failure.
    shown: bool,
}

impl Stream {
    pub(crate) fn new(sink: Box<dyn Sink>) -> Self {
        let own = Uuid::from_bytes(random());
        Self { sink, own, leads_until: None, arrived: 0, sent: 0, failures: 0, shown: true }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.sink.name()
    }

    /// How long to wait after another failure: longer each time, and not as long as the others.
    pub(crate) fn wait(&mut self) -> Duration {
        let wait = backoff::wait(self.failures);
        self.failures = self.failures.saturating_add(1);
        wait
    }
}

impl Auth {
    /// Sends what is new to one destination, if it is this replica that does.
    pub(crate) async fn stream(&self, stream: &mut Stream) -> Result<Round, Failed> {
        if !self.leads(stream).await.map_err(Failed::Here)? {
            return Ok(Round::Elsewhere);
        }
        let sent = self.send(stream).await;
        match &sent {
            Ok(_) => drop(self.streaming.failing().remove(stream.name())),
            Err(error) => {
                self.streaming.failing().insert(stream.name(), error.to_string());
            }
        }
        if let Err(Failed::There(why)) = &sent {
            // What was sent last may be lost: again from what has arrived.
            stream.sent = stream.arrived;
            stream.shown = true;
            self.metrics.stream_failed(stream.name());
            let (name, now) = (stream.name(), self.now());
            let whose = (self.tenant, name, stream.own);
            let noted = self.store.trail.stream_failed(whose, why, now).await;
            noted.map_err(Failed::Here)?;
        }
        self.behind(stream).await.map_err(Failed::Here)?;
        sent
    }

    /// Counts what this replica still has to send.
    async fn behind(&self, stream: &Stream) -> Result<(), StoreError> {
        let head = self.store.trail.head(self.tenant).await?.map_or(0, |(seq, _)| seq);
        self.metrics.stream_behind(stream.name(), head.saturating_sub(stream.sent));
        Ok(())
    }

    async fn send(&self, stream: &mut Stream) -> Result<Round, Failed> {
        self.settle(stream, false).await?;
        let (trail, tenant) = (&self.store.trail, self.tenant);
        let entries = trail.after(tenant, stream.sent, BATCH).await.map_err(Failed::Here)?;
        if let Some(last) = entries.last().map(|last| last.seq) {
            stream.sink.send(tenant, &entries).await.map_err(Failed::There)?;
            stream.sent = last;
            self.metrics.stream_sent(stream.name(), entries.len() as u64);
        }
        self.settle(stream, true).await?;
        stream.failures = 0;
        Ok(if entries.len() < BATCH as usize { Round::Idle } else { Round::More })
    }

    /// Keeps the place up to which all has arrived, and, when it `works`, that it does.
    async fn settle(&self, stream: &mut Stream, works: bool) -> Result<(), Failed> {
        let arrived = stream.sink.arrived().await.map_err(Failed::There)?.unwrap_or(0);
        if arrived > stream.arrived || (works && stream.shown) {
            let place = arrived.max(stream.arrived);
            let whose = (self.tenant, stream.name(), stream.own);
            let kept = self.store.trail.stream_arrived(whose, place, self.now()).await;
            if !kept.map_err(Failed::Here)? {
                // Another replica has taken over meanwhile.
                stream.leads_until = None;
                return Ok(());
            }
            (stream.arrived, stream.shown) = (place, false);
        }
        Ok(())
    }

    /// Whether this replica sends, and goes on to.
    async fn leads(&self, stream: &mut Stream) -> Result<bool, StoreError> {
        let now = openframe_clock::monotonic();
        let held = stream.leads_until.is_some_and(|until| until > now + RENEW);
        if held {
            return Ok(true);
        }
        let (name, at) = (stream.name(), self.now());
        let whose = (self.tenant, name, stream.own);
        let until = at.saturating_add(LEASE).unwrap_or(at);
        let place = self.store.trail.lead_stream(whose, at, until).await?;
        let led = stream.leads_until.is_some();
        stream.leads_until = place.map(|_| now + LEASE.unsigned_abs());
        match place {
            Some(place) if !led => {
                (stream.arrived, stream.sent) = (place, place);
                tracing::info!(
                    "this replica sends the audit trail to {name} from entry {place} on"
                );
            }
            None if led => tracing::info!("another replica sends the audit trail to {name}"),
            Some(_) | None => {}
        }
        if place.is_none() {
            self.metrics.stream_behind(name, 0);
        }
        Ok(place.is_some())
    }

    /// Lets another replica send at once.
    pub(crate) async fn resign(&self, stream: &mut Stream) -> Result<(), StoreError> {
        if stream.leads_until.take().is_some() {
            let (whose, now) = ((self.tenant, stream.name(), stream.own), self.now());
            self.store.trail.lead_stream(whose, now, now).await?;
        }
        Ok(())
    }

    /// How each destination is: where it is, how far it has got, how many entries it lacks.
    pub async fn audit_streams(
        &self,
        asked: &Asked,
    ) -> Result<Vec<(String, StreamState, u64)>, Error> {
        need(&asked.caller, Permission::AuditRead)?;
        let trail = &self.store.trail;
        let head = trail.head(self.tenant).await?.map_or(0, |(seq, _)| seq);
        let kept = trail.streams(self.tenant).await?;
        let known = kept.into_iter().filter_map(|state| {
            let to = self.streaming.to.get(state.name.as_str())?;
            Some((to.clone(), head.saturating_sub(state.arrived), state))
        });
        Ok(known.map(|(to, behind, state)| (to, state, behind)).collect())
    }

    /// Each destination, and why this replica cannot send to it; empty when it can, or does not send.
    pub fn streams_failing(&self) -> Vec<(&'static str, String)> {
        let failing = self.streaming.failing();
        let why = |name| failing.get(name).cloned().unwrap_or_default();
        self.streaming.to.keys().map(|name| (*name, why(name))).collect()
    }
}

/// What this replica knows of the destinations. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Streaming {
    /// Where each is.
    to: Arc<BTreeMap<&'static str, String>>,
    failing: Arc<Mutex<BTreeMap<&'static str, String>>>,
}

impl Streaming {
    pub(super) fn of(streams: &Streams) -> Self {
        let to = streams.0.iter().map(|sink| (sink.name(), sink.to())).collect();
        Self { to: Arc::new(to), failing: Arc::default() }
    }

    fn failing(&self) -> MutexGuard<'_, BTreeMap<&'static str, String>> {
        // Poisoned by a panicking test at most: a map is a whole map.
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
