//! What is kept, as it is told.

use openframe_agent_api::enrolment::Certified;
use openframe_auth_api as wire;
use openframe_ids::SessionId;
use openframe_tokens::{Permission, Reach, Role};

use crate::Error;
use crate::app::{Certificate, Finding, Verdict, hex};
use crate::domain::{
    ApiKey, Checkpoint, Device, EnrolmentToken, Group, KeptGrant, NamedPlace, Passkey, Session,
    User, WaitingDevice,
};
use crate::store::StreamState;

pub(super) fn user(user: User) -> wire::User {
    wire::User {
        id: user.id,
        email: user.email,
        email_verified: user.email_verified,
        name: user.name,
        role: user.role.to_string(),
        disabled: user.disabled,
        created_at: user.created,
        invited_until: user.invited,
    }
}

/// The permissions that hold in the whole tenant, and those that hold somewhere.
pub(super) fn permissions(reach: impl Fn(Permission) -> Reach) -> (Vec<String>, Vec<String>) {
    let holding = |wanted: fn(&Reach) -> bool| {
        let held = Permission::ALL.into_iter().filter(|permission| wanted(&reach(*permission)));
        held.map(|permission| permission.to_string()).collect()
    };
    (holding(|reach| *reach == Reach::Everywhere), holding(|reach| *reach != Reach::Nowhere))
}

pub(super) fn place(named: NamedPlace) -> wire::Place {
    wire::Place {
        id: named.id(),
        kind: named.kind().as_str().to_owned(),
        path: named.place.ids().to_vec(),
        name: named.name,
        created_at: named.created,
    }
}

pub(super) fn grant(kept: &KeptGrant) -> wire::Grant {
    let grant = kept.grant;
    wire::Grant {
        id: kept.id,
        role: grant.role.to_string(),
        place: grant.place.ids().to_vec(),
        effect: grant.effect.as_str().to_owned(),
        until: grant.until,
        created_at: kept.created,
    }
}

pub(super) fn group((members, group): (usize, Group)) -> wire::PeopleGroup {
    wire::PeopleGroup {
        id: group.id,
        name: group.name,
        members: members as u64,
        created_at: group.created,
        changed_at: group.changed,
    }
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
        authenticated_at: it.auth_time,
        amr: it.amr.words().iter().map(|word| (*word).to_owned()).collect(),
    }
}

pub(super) fn passkey(it: Passkey) -> wire::Passkey {
    let (created_at, last_used_at) = (it.created, it.last_used);
    wire::Passkey { id: it.id, name: it.name, created_at, last_used_at }
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
        place: token.place.ids().to_vec(),
        networks: token.terms.networks.iter().map(ToString::to_string).collect(),
        serials: token.terms.serials,
        approval: token.terms.approval,
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
        state: Some(it.state),
        not_after: it.not_after,
    }
}

pub(super) fn quarantined(it: &Device) -> Option<wire::QuarantinedDevice> {
    it.quarantined.map(|since| wire::QuarantinedDevice { device_id: it.id, since })
}

pub(super) fn waiting(it: WaitingDevice) -> wire::WaitingDevice {
    wire::WaitingDevice {
        device_id: it.id,
        place: it.place.ids().to_vec(),
        hostname: it.claims.hostname,
        serial: it.claims.serial,
        remote_address: it.claims.remote_address,
        key: hex(&it.spki),
        since: it.since,
    }
}

pub(super) fn page<T>(items: Vec<T>) -> wire::Page<T> {
    wire::Page { items, next_cursor: None }
}

pub(super) fn verdict(verdict: Verdict) -> wire::AuditVerdict {
    let told = |last: Checkpoint| wire::AuditCheckpoint {
        seq: last.seq,
        at: last.at,
        hash: hex(&last.hash),
    };
    wire::AuditVerdict {
        entries: verdict.entries,
        checkpoints: verdict.checkpoints,
        last_checkpoint: verdict.last.map(told),
        broken_at: verdict.broken.map(|(at, _)| at),
        finding: verdict.broken.map(|(_, finding)| finding.as_str().to_owned()),
        explanation: verdict.broken.map(|(_, finding)| explanation(finding).to_owned()),
    }
}

fn explanation(finding: Finding) -> &'static str {
    match finding {
        Finding::Chain => {
            "this entry does not follow from those before it: one was changed, removed or inserted"
        }
        Finding::End => "the entries end before the place where the last one was written",
        Finding::Added => "this entry, and what follows, was not written by the platform",
        Finding::Cut => "the trail ends here, but a checkpoint shows that it went on",
        Finding::Rewritten => {
            "the entries up to here follow from each other, but they are not those that the \
             checkpoint of this place was made of"
        }
        Finding::Forged => "the checkpoint of this place was not made by this platform",
    }
}

pub(super) fn stream((to, state, behind): (String, StreamState, u64)) -> wire::AuditStream {
    wire::AuditStream {
        name: state.name,
        to,
        arrived: state.arrived,
        arrived_at: state.arrived_at,
        behind,
        error: Some(state.error).filter(|error| !error.is_empty()),
        failing_since: state.failing_since,
    }
}
