//! What must be kept of rules, alerts and notifications.

use async_trait::async_trait;
use openframe_fault::BoxError;
use openframe_ids::{ChannelId, RuleId, TenantId};

use crate::domain::alert::{Alert, AlertLabels, Channel, Rule};

/// Notifications that may wait for one channel; beyond that the oldest go.
pub const MAX_WAITING: u32 = 1_000;

/// The store did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[error("the store of alerts failed")]
pub struct StoreError(#[source] pub BoxError);

/// A message that has to reach somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// The same for every attempt, different for every transition: receivers tell repeats by it.
    pub key: String,
    /// By which channel.
    pub channel: ChannelId,
    /// When it was made, Unix milliseconds.
    pub made_ms: i64,
    /// When to try next, Unix milliseconds.
    pub due_ms: i64,
    /// How often it was tried.
    pub attempts: u32,
    /// What is sent: JSON.
    pub body: String,
}

/// Everything that one evaluation changes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Step {
    /// Alerts as they are now.
    pub put: Vec<Alert>,
    /// Alerts that are no more.
    pub gone: Vec<(RuleId, AlertLabels)>,
    /// Who has to be told. A key that is there already is left as it is. Of more than
    /// [`MAX_WAITING`] for one channel the oldest go.
    pub notify: Vec<Notification>,
}

/// Everything kept of rules, for a start.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Kept {
    /// The rules of every tenant.
    pub rules: Vec<Rule>,
    /// Their alerts.
    pub alerts: Vec<Alert>,
}

/// How an attempt to deliver went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// It arrived.
    Delivered,
    /// It did not; to be tried again at that time, Unix milliseconds.
    Again(i64, String),
    /// It did not, and will not be tried again.
    GivenUp(String),
}

/// Keeps rules, alerts, channels and notifications not delivered yet. What has returned is durable;
/// each method is one transaction and reads what was written before.
#[async_trait]
pub trait Alerts: Send + Sync + 'static {
    /// All rules and alerts.
    async fn load(&self) -> Result<Kept, StoreError>;

    /// Makes or replaces a rule. `false` when the tenant has another one of that name.
    async fn put_rule(&self, rule: &Rule) -> Result<bool, StoreError>;

    /// Removes a rule with its alerts, and tells whom it concerns.
    async fn delete_rule(&self, id: RuleId, notify: &[Notification]) -> Result<(), StoreError>;

    /// A tenant's channels, by name.
    async fn channels(&self, tenant: TenantId) -> Result<Vec<Channel>, StoreError>;

    /// One channel of any tenant.
    async fn channel(&self, id: ChannelId) -> Result<Option<Channel>, StoreError>;

    /// Makes a channel. `false` when there is one of that id, or of that name in the tenant.
    async fn add_channel(&self, channel: &Channel) -> Result<bool, StoreError>;

    /// Removes a channel with what was to be sent by it. `false` when there is none.
    async fn delete_channel(&self, tenant: TenantId, id: ChannelId) -> Result<bool, StoreError>;

    /// Does all of `step`, or nothing. Notifications by a channel that is gone are left out.
    async fn commit(&self, step: &Step) -> Result<(), StoreError>;

    /// For each channel the oldest notification, if it is due: so they arrive in order.
    async fn due(&self, now_ms: i64, limit: u32) -> Result<Vec<Notification>, StoreError>;

    /// Keeps how an attempt at `now_ms` went: with the notification and with its channel.
    async fn tried(
        &self,
        notification: &Notification,
        attempt: &Attempt,
        now_ms: i64,
    ) -> Result<(), StoreError>;
}
