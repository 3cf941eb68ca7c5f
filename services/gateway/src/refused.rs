//! Requests that somebody known was not allowed, on the audit trail: noted here, in one place,
//! whichever service refused. The auth service counts many as one.

use axum::extract::Request;
use http::StatusCode;
use openframe_auth_api::Outcome;
use openframe_auth_api::internal::AuditRecord;
use openframe_fault::{REQUEST_ID, chain};
use openframe_tokens::Caller;

use crate::identity::Identity;

/// Of a longer path only the beginning is noted.
const PATH_CHARS: usize = 200;

/// What was asked for, noted before the request is sent on.
pub(crate) struct Wanted {
    target: String,
    remote_address: String,
    request_id: String,
}

impl Wanted {
    pub(crate) fn of(request: &Request, remote: &str) -> Self {
        let path: String = request.uri().path().chars().take(PATH_CHARS).collect();
        let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
        Self {
            target: format!("{} {path}", request.method()),
            remote_address: remote.to_owned(),
            request_id: id.unwrap_or_default().to_owned(),
        }
    }

    /// Puts the request on the trail if it was not allowed. That this fails changes no answer.
    pub(crate) async fn note(self, identity: &Identity, caller: &Caller, status: StatusCode) {
        if status != StatusCode::FORBIDDEN {
            return;
        }
        let record = AuditRecord {
            tenant_id: caller.tenant,
            actor_kind: caller.kind().to_owned(),
            actor: caller.id(),
            action: "request".to_owned(),
            target: self.target,
            outcome: Outcome::Refused,
            detail: String::new(),
            remote_address: self.remote_address,
            request_id: self.request_id,
        };
        if let Err(fault) = identity.record(&record).await {
            tracing::warn!("a refusal is not on the audit trail: {}", chain(&fault));
        }
    }
}
