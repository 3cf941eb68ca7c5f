//! The promise that what is about to be done is on record first.

use async_trait::async_trait;
use openframe_fault::BoxError;
use openframe_tokens::Caller;

use crate::AuthClient;
use crate::internal::AuditRecord;

/// Who asks, in which request.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Who.
    pub caller: Caller,
    /// In which request.
    pub request_id: String,
}

/// What comes of a thing on the trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Done,
    /// It was tried in vain.
    Failed,
}

impl Outcome {
    /// Its text form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// One thing that somebody is about to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Who.
    pub caller: Caller,
    /// What: `command.create`, `device.change`, ….
    pub action: &'static str,
    /// To what: an id.
    pub target: String,
    /// What came of it.
    pub outcome: Outcome,
    /// More, as short text.
    pub detail: String,
    /// In which request.
    pub request_id: String,
}

/// Keeps the audit trail.
#[async_trait]
pub trait Audit: Send + Sync + 'static {
    /// Records `entry`; returns once it is durable. A failure means that nothing may be done.
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
            outcome: entry.outcome.as_str().to_owned(),
            detail: entry.detail,
            remote_address: String::new(),
            request_id: entry.request_id,
        };
        Self::record(self, &record).await.map_err(Into::into)
    }
}
