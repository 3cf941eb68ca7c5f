//! One push of a device at a time.

use openframe_ids::DeviceId;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Devices share so many turns: pushes of different devices wait for each other rarely.
const TURNS: usize = 256;

/// The turns.
#[derive(Debug)]
pub(super) struct Turns(Vec<Semaphore>);

impl Default for Turns {
    fn default() -> Self {
        Self((0..TURNS).map(|_| Semaphore::new(1)).collect())
    }
}

impl Turns {
    /// Waits for the device's turn, which ends when the answer is dropped.
    pub(super) async fn take(&self, device: DeviceId) -> Option<SemaphorePermit<'_>> {
        let [.., last] = device.0.into_bytes();
        // Never closed, so this always gives a turn.
        self.0.get(usize::from(last) % TURNS)?.acquire().await.ok()
    }
}
