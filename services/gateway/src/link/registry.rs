//! Which device's link is here. A device has one link: a new one replaces the old.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use openframe_agent_api::link::Frame;
use openframe_ids::{DeviceId, LinkId, TenantId};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Frames that may wait for one device to read.
pub(crate) const WAITING: usize = 32;

/// What came of a frame for a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pushed {
    Written,
    NoLink,
    Full,
}

struct Entry {
    link: LinkId,
    tenant: TenantId,
    frames: mpsc::Sender<Frame>,
    replaced: CancellationToken,
}

/// The links of this gateway, by device.
#[derive(Default)]
pub(crate) struct Registry(Mutex<HashMap<DeviceId, Entry>>);

/// A link's half of its entry; the entry goes when this is dropped.
pub(crate) struct Registered {
    registry: Arc<Registry>,
    device: DeviceId,
    pub(crate) link: LinkId,
    pub(crate) frames: mpsc::Receiver<Frame>,
    pub(crate) replaced: CancellationToken,
}

impl Registry {
    /// Enters a link; the device's old link is told to end.
    pub(crate) fn enter(self: &Arc<Self>, tenant: TenantId, device: DeviceId) -> Registered {
        let (sender, frames) = mpsc::channel(WAITING);
        let (link, replaced) = (LinkId::new(), CancellationToken::new());
        let entry = Entry { link, tenant, frames: sender, replaced: replaced.clone() };
        if let Some(old) = self.lock().insert(device, entry) {
            old.replaced.cancel();
        }
        Registered { registry: Arc::clone(self), device, link, frames, replaced }
    }

    /// Gives a frame to the link of `device`.
    pub(crate) fn push(&self, tenant: TenantId, device: DeviceId, frame: Frame) -> Pushed {
        let links = self.lock();
        let Some(entry) = links.get(&device).filter(|entry| entry.tenant == tenant) else {
            return Pushed::NoLink;
        };
        match entry.frames.try_send(frame) {
            Ok(()) => Pushed::Written,
            Err(mpsc::error::TrySendError::Full(_)) => Pushed::Full,
            Err(mpsc::error::TrySendError::Closed(_)) => Pushed::NoLink,
        }
    }

    // A poisoned map is still a whole map: no method leaves it half written.
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<DeviceId, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut links = self.registry.lock();
        if links.get(&self.device).is_some_and(|entry| entry.link == self.link) {
            links.remove(&self.device);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_link_replaces_the_old() {
        let registry = Arc::new(Registry::default());
        let (tenant, device) = (TenantId::new(), DeviceId::new());
        assert_eq!(registry.push(tenant, device, Frame::default()), Pushed::NoLink);
        let old = registry.enter(tenant, device);
        let mut new = registry.enter(tenant, device);
        assert!(old.replaced.is_cancelled());
        drop(old);
        assert_eq!(registry.push(TenantId::new(), device, Frame::default()), Pushed::NoLink);
        for _ in 0..WAITING {
            assert_eq!(registry.push(tenant, device, Frame::default()), Pushed::Written);
        }
        assert_eq!(registry.push(tenant, device, Frame::default()), Pushed::Full);
        assert!(new.frames.try_recv().is_ok());
        drop(new);
        assert_eq!(registry.push(tenant, device, Frame::default()), Pushed::NoLink);
    }
}
