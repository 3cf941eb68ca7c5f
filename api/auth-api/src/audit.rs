//! The promise that what was asked for is on record.

use async_trait::async_trait;
use http::{HeaderMap, HeaderName};
use openframe_fault::{BoxError, REQUEST_ID};
use openframe_tokens::Caller;
use serde::{Deserialize, Serialize};

use crate::AuthClient;
use crate::internal::AuditRecord;

/// The header in which the gateway says the client's address. The gateway removes what came from
/// outside and writes exactly one address.
pub const REMOTE_ADDRESS: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Who asks, from where, in which request.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Who.
    pub caller: Caller,
    /// From where: an address, or nothing.
    pub remote_address: String,
    /// In which request.
    pub request_id: String,
}

impl Ask {
    /// What the headers of a request from the gateway say of it.
    pub fn of(caller: Caller, headers: &HeaderMap) -> Self {
        let text = |name: HeaderName| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        Self { caller, remote_address: text(REMOTE_ADDRESS), request_id: text(REQUEST_ID) }
    }
}

/// How something ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    #[default]
    Done,
    /// It was not allowed. Many of these are told together.
    Refused,
    /// It was tried and did not work.
    Failed,
}

impl Outcome {
    /// Its text form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// One thing that somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Who.
    pub caller: Caller,
    /// What: `command.create`, `device.change`, ….
    pub action: &'static str,
    /// To what: an id.
    pub target: String,
    /// How it ended: [`Outcome::Done`] for what is recorded before it is done.
    pub outcome: Outcome,
    /// More, as short text.
    pub detail: String,
    /// From where: an address, or nothing.
    pub remote_address: String,
    /// In which request.
    pub request_id: String,
}

impl Entry {
    /// What `ask` has done: to `target`, without more.
    pub fn of(ask: &Ask, action: &'static str, target: impl Into<String>) -> Self {
        Self {
            caller: ask.caller.clone(),
            action,
            target: target.into(),
            outcome: Outcome::default(),
            detail: String::new(),
            remote_address: ask.remote_address.clone(),
            request_id: ask.request_id.clone(),
        }
    }
}

/// Keeps the audit trail.
#[async_trait]
pub trait Audit: Send + Sync + 'static {
    /// Records `entry`; returns once it is durable, or, for a refusal, once it is counted. Recorded
    /// before something is done, a failure means that it may not be done.
    async fn record(&self, entry: Entry) -> Result<(), BoxError>;
}

#[async_trait]
impl Audit for AuthClient {
    async fn record(&self, entry: Entry) -> Result<(), BoxError> {
        let record = AuditRecord {
            tenant_id: entry.caller.tenant,
            actor_kind: entry.caller.kind().to_owned(),
            actor: entry.caller.id(),
            action: entry.action.to_owned(),
            target: entry.target,
            outcome: entry.outcome,
            detail: entry.detail,
            remote_address: entry.remote_address,
            request_id: entry.request_id,
        };
        Self::record(self, &record).await.map_err(Into::into)
    }
}
