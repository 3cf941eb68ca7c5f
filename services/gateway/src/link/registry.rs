//! Which device's link is here. A device has one link: a new one replaces the old.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use openframe_agent_api::link::Frame;
use openframe_ids::{DeviceId, LinkId, TenantId};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Frames that may wait for one device to read.
pub(crate) const WAITING: usize = 32;
/// How long a frame waits for room among them.
const PATIENCE: Duration = Duration::from_secs(5);

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
    revoked: CancellationToken,
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
    /// A newer link of the device has come.
    pub(crate) replaced: CancellationToken,
    /// The device does not belong to the fleet any more.
    pub(crate) revoked: CancellationToken,
}

impl Registry {
    /// Enters a link; the device's old link is told to end.
    pub(crate) fn enter(self: &Arc<Self>, tenant: TenantId, device: DeviceId) -> Registered {
        let (sender, frames) = mpsc::channel(WAITING);
        let mut links = self.lock();
        // Under the lock: the newest link has the highest name.
        let link = LinkId::new();
        let (replaced, revoked) = (CancellationToken::new(), CancellationToken::new());
        let entry = Entry {
            link,
            tenant,
            frames: sender,
            replaced: replaced.clone(),
            revoked: revoked.clone(),
        };
        if let Some(old) = links.insert(device, entry) {
            old.replaced.cancel();
        }
        Registered { registry: Arc::clone(self), device, link, frames, replaced, revoked }
    }

    /// Gives a frame to the link of `device`; waits for room for a while.
    pub(crate) async fn push(&self, tenant: TenantId, device: DeviceId, frame: Frame) -> Pushed {
        let known = self.lock().get(&device).filter(|entry| entry.tenant == tenant).map(known);
        let Some((frames, replaced)) = known else { return Pushed::NoLink };
        let sent = tokio::select! {
            sent = frames.send_timeout(frame, PATIENCE) => sent,
            () = replaced.cancelled() => return Pushed::NoLink,
        };
        match sent {
            Ok(()) => Pushed::Written,
            Err(mpsc::error::SendTimeoutError::Timeout(_)) => Pushed::Full,
            Err(mpsc::error::SendTimeoutError::Closed(_)) => Pushed::NoLink,
        }
    }

    /// Ends the link of a device that does not belong to the fleet any more. False when it has none.
    pub(crate) fn revoke(&self, tenant: TenantId, device: DeviceId) -> bool {
        let links = self.lock();
        let entry = links.get(&device).filter(|entry| entry.tenant == tenant);
        entry.map(|entry| entry.revoked.cancel()).is_some()
    }

    // A poisoned map is still a whole map: no method leaves it half written.
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<DeviceId, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn known(entry: &Entry) -> (mpsc::Sender<Frame>, CancellationToken) {
    (entry.frames.clone(), entry.replaced.clone())
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

    #[tokio::test]
    async fn a_new_link_replaces_the_old() {
        let registry = Arc::new(Registry::default());
        let (tenant, device) = (TenantId::new(), DeviceId::new());
        let push = |tenant| registry.push(tenant, device, Frame::default());
        assert_eq!(push(tenant).await, Pushed::NoLink);
        let old = registry.enter(tenant, device);
        let mut new = registry.enter(tenant, device);
        assert!(old.replaced.is_cancelled());
        drop(old);
        assert_eq!(push(TenantId::new()).await, Pushed::NoLink);
        for _ in 0..WAITING {
            assert_eq!(push(tenant).await, Pushed::Written);
        }
        // One that finds no room is written as soon as there is some.
        let (pushed, read) = tokio::join!(push(tenant), new.frames.recv());
        assert_eq!((pushed, read), (Pushed::Written, Some(Frame::default())));
        drop(new);
        assert_eq!(push(tenant).await, Pushed::NoLink);
    }

    // B50.cut
    #[test]
    fn a_device_that_left_the_fleet_is_cut_off() {
        let registry = Arc::new(Registry::default());
        let (tenant, device) = (TenantId::new(), DeviceId::new());
        assert!(!registry.revoke(tenant, device));
        let link = registry.enter(tenant, device);
        assert!(!registry.revoke(TenantId::new(), device));
        assert!(!link.revoked.is_cancelled());
        assert!(registry.revoke(tenant, device));
        assert!(link.revoked.is_cancelled());
    }
}
