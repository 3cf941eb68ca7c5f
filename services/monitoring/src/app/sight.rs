//! What of a tenant's telemetry a caller may see: that depends on where devices are.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use openframe_fault::Fault;
use openframe_ids::DeviceId;
use openframe_tokens::{Caller, Permission, Place, Reach};

use super::Monitoring;
use crate::Error;
use crate::domain::alert::Alert;
use crate::domain::head::Matcher;
use crate::domain::labels::DEVICE;
use crate::places::Places;

/// How long an answer to where devices are is believed: so long after a device was moved it may still be
/// seen where it was.
const BELIEVED: Duration = Duration::from_secs(1);
/// Answers that are remembered at most: one for each set of places that somebody is let in at.
const REMEMBERED: u64 = 1_000;

type Devices = Arc<HashSet<DeviceId>>;

/// Whose telemetry somebody sees.
#[derive(Debug, Clone)]
pub(super) enum Sight {
    /// All of the tenant's.
    Everything,
    /// That of these devices. What is of no device is not theirs to see.
    Only(Devices),
    /// All but that of these devices.
    AllBut(Devices),
}

impl Sight {
    /// Whether what is of a device, or of none, is seen.
    fn sees(&self, device: Option<DeviceId>) -> bool {
        match self {
            Self::Everything => true,
            Self::Only(devices) => device.is_some_and(|id| devices.contains(&id)),
            Self::AllBut(devices) => device.is_none_or(|id| !devices.contains(&id)),
        }
    }

    pub(super) fn sees_device(&self, id: DeviceId) -> bool {
        self.sees(Some(id))
    }

    pub(super) fn sees_alert(&self, alert: &Alert) -> bool {
        self.sees(alert.labels.get(DEVICE).and_then(|id| id.parse().ok()))
    }

    /// The condition that series which are seen meet, if that is not every one.
    pub(super) fn condition(&self) -> Option<Matcher> {
        if matches!(self, Self::Everything) {
            return None;
        }
        let sight = self.clone();
        Some(Matcher::when(DEVICE, Arc::new(move |device| sight.sees(device.parse().ok()))))
    }
}

/// What somebody who is let in at some places sees, as it was up to a second ago.
pub(super) struct Sights {
    places: Arc<dyn Places>,
    known: Cache<Reach, Sight>,
}

impl Sights {
    pub(super) fn new(places: Arc<dyn Places>) -> Self {
        let known = Cache::builder().max_capacity(REMEMBERED).time_to_live(BELIEVED).build();
        Self { places, known }
    }

    async fn of(&self, allowed: &[Place], denied: &[Place]) -> Result<Sight, Fault> {
        let (allowed_everywhere, mut out) = (allowed.iter().any(Place::is_root), HashSet::new());
        for place in denied {
            out.extend(self.places.devices_within(place).await?);
        }
        if allowed_everywhere {
            return Ok(Sight::AllBut(Arc::new(out)));
        }
        let mut seen = HashSet::new();
        for place in allowed {
            seen.extend(self.places.devices_within(place).await?);
        }
        seen.retain(|id| !out.contains(id));
        Ok(Sight::Only(Arc::new(seen)))
    }
}

impl Monitoring {
    /// What of the tenant's telemetry the caller sees; refuses one who sees none of it.
    pub(super) async fn sight(&self, caller: &Caller) -> Result<Sight, Error> {
        let reach = caller.reach(Permission::TelemetryRead);
        let (allowed, denied) = match &reach {
            Reach::Everywhere => return Ok(Sight::Everything),
            Reach::Nowhere => return Err(Error::Forbidden(Permission::TelemetryRead.as_str())),
            Reach::Within { allowed, denied } => (allowed, denied),
        };
        let sights = &self.0.sights;
        let asked = sights.known.try_get_with_by_ref(&reach, sights.of(allowed, denied));
        asked.await.map_err(|fault| Error::Places(Box::new(Arc::unwrap_or_clone(fault))))
    }
}
