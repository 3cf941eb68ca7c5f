//! How replicas tell each other that there is something new.

use async_trait::async_trait;

/// Tells other replicas that this one has stored something. Nothing but freshness depends on it: a
/// hint may be lost, come late, come without a reason, or come back to whoever has told it.
#[async_trait]
pub trait Hints: Send + Sync + 'static {
    /// Tells it, soon; waits for nothing.
    fn tell(&self);

    /// Returns when somebody has told something since the last time.
    async fn heard(&self);

    /// Why nothing is told or heard, if so.
    fn failure(&self) -> Option<String>;
}

/// Nobody else is there.
#[derive(Debug, Clone, Copy)]
pub struct Alone;

#[async_trait]
impl Hints for Alone {
    fn tell(&self) {}

    async fn heard(&self) {
        std::future::pending::<()>().await;
    }

    fn failure(&self) -> Option<String> {
        None
    }
}
