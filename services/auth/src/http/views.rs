//! What is kept, as it is told.

use openframe_agent_api::enrolment::Certified;
use openframe_auth_api as wire;
use openframe_ids::SessionId;
use openframe_tokens::{Permission, Role};

use crate::Error;
use crate::app::Certificate;
use crate::domain::{ApiKey, EnrolmentToken, Entry, Session, User};

pub(super) fn user(user: User) -> wire::User {
    wire::User {
        id: user.id,
        email: user.email,
        name: user.name,
        role: user.role.to_string(),
        disabled: user.disabled,
        created_at: user.created,
    }
}

pub(super) fn permissions(may: impl Fn(Permission) -> bool) -> Vec<String> {
    let held = Permission::ALL.into_iter().filter(|permission| may(*permission));
    held.map(|permission| permission.to_string()).collect()
}

pub(super) fn role(text: &str) -> Result<Role, Error> {
    text.parse().map_err(|_| Error::Invalid(format!("{text:?} is no role")))
}

pub(super) fn session(it: Session, email: String, current: Option<SessionId>) -> wire::Session {
    wire::Session {
        current: current == Some(it.id),
        id: it.id,
        user_id: it.user,
        user_email: email,
        created_at: it.created,
        last_seen_at: it.last_seen,
        expires_at: it.expires,
        remote_address: it.remote_address,
        user_agent: it.user_agent,
    }
}

pub(super) fn key(key: ApiKey) -> wire::ApiKey {
    wire::ApiKey {
        id: key.id,
        name: key.name,
        owner_id: key.owner,
        scopes: key.scopes,
        created_at: key.created,
        expires_at: key.expires,
        last_used_at: key.last_used,
    }
}

pub(super) fn token(token: EnrolmentToken) -> wire::EnrolmentToken {
    wire::EnrolmentToken {
        id: token.id,
        name: token.name,
        uses_left: token.uses_left,
        uses: token.uses,
        expires_at: token.expires,
        created_at: token.created,
        last_used_at: token.last_used,
    }
}

pub(super) fn certified(it: Certificate) -> Certified {
    Certified {
        device_id: it.device,
        tenant_id: it.tenant,
        chain_pem: it.chain_pem,
        root_pem: it.root_pem,
        not_after: it.not_after,
    }
}

pub(super) fn entry(entry: Entry) -> wire::AuditEntry {
    let mut hash = String::with_capacity(64);
    for byte in entry.hash {
        for digit in [byte >> 4, byte & 15] {
            hash.extend(char::from_digit(digit.into(), 16));
        }
    }
    let event = entry.event;
    wire::AuditEntry {
        seq: entry.seq,
        at: event.at,
        actor_kind: event.actor_kind,
        actor: event.actor,
        action: event.action,
        target: event.target,
        outcome: event.outcome,
        detail: event.detail,
        remote_address: event.remote_address,
        request_id: event.request_id,
        hash,
    }
}

pub(super) fn page<T>(items: Vec<T>) -> wire::Page<T> {
    wire::Page { items, next_cursor: None }
}
