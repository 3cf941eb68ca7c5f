//! What must be kept of rules, alerts and notifications.

use async_trait::async_trait;
use openframe_fault::BoxError;
use openframe_ids::{ChannelId, RuleId, TenantId};
use uuid::Uuid;

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

/// Everything kept of rules.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Kept {
    /// Rises with every change of a rule or an alert.
    pub version: i64,
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

/// How a change of rules or alerts went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is durable; this is the version since.
    Done(i64),
    /// Nothing was done: another replica has changed something since the version that was seen.
    Stale,
    /// Nothing was done, for the method's own reason.
    Refused,
}

/// Keeps rules, alerts, channels and notifications not delivered yet. What has returned is durable;
/// each method is one transaction and reads what was written before.
///
/// Several replicas may use one store. Whoever changes rules or alerts says which version it has
/// `seen`, so that nothing is decided on what is no longer true.
#[async_trait]
pub trait Alerts: Send + Sync + 'static {
    /// The version of rules and alerts.
    async fn version(&self) -> Result<i64, StoreError>;

    /// All rules and alerts.
    async fn load(&self) -> Result<Kept, StoreError>;

    /// Makes or replaces a rule. Refused when the tenant has another one of that name.
    async fn put_rule(&self, rule: &Rule, seen: i64) -> Result<Written, StoreError>;

    /// Removes a rule with its alerts, and tells whom it concerns.
    async fn delete_rule(
        &self,
        id: RuleId,
        notify: &[Notification],
        seen: i64,
    ) -> Result<Written, StoreError>;

    /// A tenant's channels, by name.
    async fn channels(&self, tenant: TenantId) -> Result<Vec<Channel>, StoreError>;

    /// One channel of any tenant.
    async fn channel(&self, id: ChannelId) -> Result<Option<Channel>, StoreError>;

    /// Makes a channel. `false` when there is one of that id, or of that name in the tenant.
    async fn add_channel(&self, channel: &Channel) -> Result<bool, StoreError>;

    /// Removes a channel with what was to be sent by it. Refused when there is none.
    async fn delete_channel(
        &self,
        tenant: TenantId,
        id: ChannelId,
        seen: i64,
    ) -> Result<Written, StoreError>;

    /// Does all of `step`, or nothing. Notifications by a channel that is gone are left out.
    async fn commit(&self, step: &Step, seen: i64) -> Result<Written, StoreError>;

    /// Makes `holder` the one that decides about alerts until `until_ms`, unless another one is at
    /// `now_ms`; both in Unix milliseconds. Says whether it is. It only saves work that would be
    /// refused as stale: nothing depends on clocks.
    async fn lead(&self, holder: Uuid, now_ms: i64, until_ms: i64) -> Result<bool, StoreError>;

    /// For each channel the oldest notification, if it is due: so they arrive in order.
    async fn due(&self, now_ms: i64, limit: u32) -> Result<Vec<Notification>, StoreError>;

    /// Takes a notification that is due, so that no other replica tries it before `until_ms`. `false`
    /// when another one has taken it since it was read.
    async fn claim(&self, notification: &Notification, until_ms: i64) -> Result<bool, StoreError>;

    /// Keeps how an attempt at `now_ms` went: with the notification and with its channel.
    async fn tried(
        &self,
        notification: &Notification,
        attempt: &Attempt,
        now_ms: i64,
    ) -> Result<(), StoreError>;
}
