//! How links are told to end: first kindly, then not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// The end of all links of a gateway. Clones are of the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Drain {
    begun: CancellationToken,
    cut: CancellationToken,
    spread_ms: Arc<AtomicU64>,
}

impl Drain {
    /// Asks every agent to connect again within `spread`.
    pub(crate) fn begin(&self, spread: Duration) {
        let spread_ms = u64::try_from(spread.as_millis()).unwrap_or(u64::MAX);
        self.spread_ms.store(spread_ms, Ordering::Release);
        self.begun.cancel();
    }

    /// Closes what is left.
    pub(crate) fn cut(&self) {
        self.cut.cancel();
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.begun.is_cancelled()
    }

    /// Returns once links are asked to end.
    pub(crate) async fn cancelled(&self) {
        self.begun.cancelled().await;
    }

    /// Returns once links are closed.
    pub(crate) async fn was_cut(&self) {
        self.cut.cancelled().await;
    }

    /// Milliseconds over which agents should spread.
    pub(crate) fn spread_ms(&self) -> u32 {
        u32::try_from(self.spread_ms.load(Ordering::Acquire)).unwrap_or(u32::MAX)
    }
}
