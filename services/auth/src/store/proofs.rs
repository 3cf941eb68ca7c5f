//! What must be kept of requests that were pushed ahead of a browser, and of what is good once.

use async_trait::async_trait;
use jiff::Timestamp;
use openframe_ids::PushedId;
use openframe_oauth::{OneTime, Pushed};
use openframe_tokens::opaque::Presented;

use super::Answer;

/// Requests that clients have pushed ahead of the browser (RFC 9126).
#[async_trait]
pub trait PushedRequests: Send + Sync + 'static {
    /// Keeps one. Only if its client is there; says whether it was done.
    async fn add(&self, pushed: &Pushed) -> Answer<bool>;
    /// The one that a browser comes with at `now`, if it has not ended. The first time sets when it was
    /// opened; it then ends [`OPENED_LIFETIME`] later.
    ///
    /// [`OPENED_LIFETIME`]: openframe_oauth::OPENED_LIFETIME
    async fn open(&self, shown: &Presented, now: Timestamp) -> Answer<Option<Pushed>>;
    /// Ends one: of many at once, for one of them it is `true`.
    async fn close(&self, id: PushedId) -> Answer<bool>;
    /// Forgets what has ended.
    async fn forget(&self, now: Timestamp) -> Answer<()>;
}

/// What is good once: proofs of keys, and assertions of clients.
#[async_trait]
pub trait OneTimes: Send + Sync + 'static {
    /// Uses one up: of many at once, for one of them it is `true`, whichever replica they come to.
    async fn spend(&self, it: &OneTime) -> Answer<bool>;
    /// Forgets what would be too old to be good.
    async fn forget(&self, now: Timestamp) -> Answer<()>;
}
