//! What the tests of this service put in the place of its neighbours.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use openframe_auth_api::{Ask, Audit, Entry};
use openframe_fault::{BoxError, Fault};
use openframe_ids::DeviceId;
use openframe_tokens::{Caller, Place};

use crate::app::Parts;
use crate::metrics::Metrics;
use crate::notify::{Refusal, Sender};
use crate::places::Places;
use crate::store::memory::{self, MemoryLog};
use crate::store::{Stores, TelemetryLog};

/// The audit trail in memory.
#[derive(Debug, Default)]
pub(crate) struct Trail(Mutex<Vec<Entry>>);

#[async_trait]
impl Audit for Trail {
    async fn record(&self, entry: Entry) -> Result<(), BoxError> {
        self.0.lock().unwrap().push(entry);
        Ok(())
    }
}

/// Which devices are in which place.
#[derive(Debug, Clone, Default)]
pub(crate) struct Map(pub(crate) Arc<Mutex<Vec<(DeviceId, Place)>>>);

#[async_trait]
impl Places for Map {
    async fn devices_within(&self, place: &Place) -> Result<HashSet<DeviceId>, Fault> {
        let all = self.0.lock().unwrap();
        Ok(all.iter().filter(|(_, at)| place.contains(at)).map(|(id, _)| *id).collect())
    }
}

/// A receiver that is down.
#[derive(Debug)]
pub(crate) struct Nobody;

#[async_trait]
impl Sender for Nobody {
    async fn post(&self, _url: &str, _key: &str, _body: &str) -> Result<(), Refusal> {
        Err(Refusal::Temporary("down".to_owned()))
    }
}

/// A service on `log`.
pub(crate) fn parts(log: &MemoryLog) -> Parts {
    let log = Arc::new(log.clone()) as Arc<dyn TelemetryLog>;
    Parts {
        stores: Stores { log, ..memory::stores() },
        audit: Arc::new(Trail::default()),
        places: Arc::new(Map::default()),
        sender: Arc::new(Nobody),
        metrics: Metrics::default(),
    }
}

/// A request of `caller`.
pub(crate) fn ask(caller: Caller) -> Ask {
    Ask::of(caller, &http::HeaderMap::new())
}
