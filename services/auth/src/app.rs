//! What the auth service does: one public method per thing a caller can ask. Authorisation first.

mod addresses;
mod audit;
mod backoff;
mod checkpoints;
mod devices;
mod ended;
mod enrolment;
mod export;
mod factors;
mod grants;
mod groups;
mod invitations;
mod keys;
mod limits;
mod mailing;
mod oauth;
mod passkey_shown;
mod passkeys;
mod password_links;
mod passwords;
mod people;
mod places;
mod provisioning;
mod refusals;
mod revocation;
mod services;
mod sessions;
mod setup;
mod sign_in;
mod step_up;
mod streaming;
#[cfg(test)]
mod tests;
mod upstream;
mod verify;

use std::fmt::Display;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use openframe_clock::Clock;
use openframe_ids::{SessionId, TenantId, UserId};
use openframe_passkeys::Passkeys;
use openframe_pki::{Authority, DeviceStates};
use openframe_tokens::sealing::Sealer;
use openframe_tokens::{Caller, Permission, Reach, Subject};
use openframe_webhook::Webhooks;

use crate::domain::Event;
use crate::mail::Mailer;
use crate::metrics::Metrics;
use crate::store::Stores;
use crate::stream::Streams;
use crate::{Config, Error};
use limits::Limits;
use mailing::Mailing;
use oauth::Keyring;
use passwords::Passwords;
use refusals::Refusals;
use revocation::LastList;
use streaming::Streaming;
use upstream::Upstreams;

pub(crate) use audit::told;
pub(crate) use checkpoints::hex;
pub use devices::Certificate;
pub use ended::Ended;
pub use enrolment::{Made, NewToken};
pub use export::Export;
pub use factors::{Enrolment, OwnFactors};
pub(crate) use grants::held;
pub use grants::{NewGrant, Why};
pub use groups::GroupWanted;
pub use invitations::{Invited, Joins};
pub use keys::MadeKey;
pub use oauth::{
    Answered, ConsentAsked, DeviceAnswered, DeviceAsked, DeviceConsent, Introspected, KeyProof,
    KeyShown, LoggedOut, LogoutAsked, MadeClient, NewClient, OAuthError, PersonClaims, Proven,
    PushedAnswer, Rotation, Sent, Tokens,
};
pub use passkey_shown::{PasskeyAsked, PasskeyShown};
pub use passkeys::NewPasskey;
pub use password_links::MadeLink;
pub use people::{NewPerson, PersonChange};
pub use provisioning::{PersonWanted, Pinned, Search};
pub use services::{JoinKeys, Joined};
pub use sessions::{Resolved, Secret};
pub use setup::new_bootstrap_secret;
pub use sign_in::{Entered, NextStep, SignedIn, Ways};
pub use step_up::Shown;
pub(crate) use streaming::{Round, Stream};
pub use upstream::{NewProvider, ProviderChange, UpstreamBegun, UpstreamEnded};
pub use verify::{Finding, Verdict};

/// Where a request came from. Known for every request, signed in or not.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The client's address, as the gateway saw it.
    pub remote_address: String,
    /// What the client calls itself.
    pub user_agent: String,
    /// The request's id.
    pub request_id: String,
}

/// Who asks, and from where.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Who.
    pub caller: Caller,
    /// From where.
    pub origin: Origin,
}

/// The auth service. Cheap to clone.
#[derive(Clone)]
pub struct Auth {
    store: Stores,
    authority: Arc<Authority>,
    clock: Clock,
    tenant: TenantId,
    config: Arc<Config>,
    passwords: Passwords,
    sign_ins: Limits,
    enrolments: Limits,
    program_asks: Limits,
    refusals: Refusals,
    joins: JoinKeys,
    keyring: Keyring,
    /// Seals the secrets of authenticator apps.
    sealer: Sealer,
    /// Checks passkeys; none where the platform is not reached by a name over TLS.
    passkeys: Option<Passkeys>,
    /// Seals the challenges that browsers hold.
    challenges: Sealer,
    /// Seals the secrets that other providers have given the platform.
    provider_secrets: Sealer,
    /// Seals what browsers hold while they are at another provider.
    upstream_tries: Sealer,
    upstreams: Upstreams,
    /// Writes what devices show of their certificates' generations.
    states: DeviceStates,
    last_list: LastList,
    streaming: Streaming,
    mailing: Mailing,
    pub(crate) metrics: Metrics,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Auth")
    }
}

impl Auth {
    pub(crate) fn new(config: Config, deps: (Stores, Arc<Authority>, Clock, TenantId)) -> Self {
        let (store, authority, clock, tenant) = deps;
        Self {
            keyring: Keyring::new(&authority),
            mailing: Mailing::new(&authority),
            states: authority.device_states(),
            last_list: LastList::default(),
            sealer: Sealer::new(&authority.derived_key("secrets of authenticator apps")),
            passkeys: Passkeys::of(&config.url),
            challenges: Sealer::new(&authority.derived_key("challenges of passkeys")),
            provider_secrets: Sealer::new(&authority.derived_key("secrets of identity providers")),
            upstream_tries: Sealer::new(&authority.derived_key("sign-ins at other providers")),
            upstreams: Upstreams::default(),
            store,
            authority,
            clock,
            tenant,
            passwords: Passwords::new(&config),
            sign_ins: Limits::of_sign_ins(&config),
            enrolments: Limits::of_enrolments(&config),
            program_asks: Limits::of_sign_ins(&config),
            refusals: Refusals::default(),
            joins: JoinKeys::default(),
            streaming: Streaming::default(),
            config: Arc::new(config),
            metrics: Metrics::default(),
        }
    }

    /// The same, with services that join by these keys.
    pub(crate) fn joined_by(self, joins: JoinKeys) -> Self {
        Self { joins, ..self }
    }

    /// The same, sending the audit trail to these destinations.
    pub(crate) fn sending_to(self, streams: &Streams) -> Self {
        Self { streaming: Streaming::of(streams), ..self }
    }

    /// The same, sending mail by this.
    pub(crate) fn mailing_by(self, mailer: &Mailer) -> Self {
        Self { mailing: self.mailing.by(mailer), ..self }
    }

    /// The same, asking other providers by this.
    pub(crate) fn asking_by(self, webhooks: Webhooks) -> Self {
        Self { upstreams: self.upstreams.by(webhooks), ..self }
    }

    /// The address that people reach the platform at, without the slash at its end; empty when it is not
    /// known.
    fn own_url(&self) -> &str {
        self.config.url.trim_end_matches('/')
    }

    /// The time, as exact as stores keep it.
    fn now(&self) -> Timestamp {
        let now = self.clock.now();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }

    fn idle(&self) -> SignedDuration {
        SignedDuration::from_mins(i64::from(self.config.session_idle_minutes))
    }

    /// What `asked` has done, for the audit trail.
    fn event(&self, asked: &Asked, action: &str, target: impl Display) -> Event {
        let (kind, actor) = (asked.caller.kind(), asked.caller.id());
        self.event_by((kind, actor), &asked.origin, action, target)
    }

    /// What the platform itself has done.
    fn own_event(&self, action: &str, target: impl Display) -> Event {
        let caller = Caller { tenant: self.tenant, subject: setup::itself() };
        self.event(&Asked { caller, origin: Origin::default() }, action, target)
    }

    fn event_by(
        &self,
        (kind, actor): (&str, String),
        origin: &Origin,
        action: &str,
        target: impl Display,
    ) -> Event {
        Event {
            at: self.now(),
            actor_kind: kind.to_owned(),
            actor,
            action: action.to_owned(),
            target: target.to_string(),
            outcome: "done".to_owned(),
            detail: String::new(),
            remote_address: origin.remote_address.clone(),
            request_id: origin.request_id.clone(),
        }
    }
}

/// Refuses a caller without `permission`.
fn need(caller: &Caller, permission: Permission) -> Result<(), Error> {
    if caller.may(permission) { Ok(()) } else { Err(Error::NotPermitted(permission.as_str())) }
}

/// Where the caller has `permission`; refuses a caller who has it nowhere.
fn somewhere(caller: &Caller, permission: Permission) -> Result<Reach, Error> {
    match caller.reach(permission) {
        Reach::Nowhere => Err(Error::NotPermitted(permission.as_str())),
        reach @ (Reach::Everywhere | Reach::Within { .. }) => Ok(reach),
    }
}

/// Refuses everybody but people in a session, and owners' keys that no scope holds back; returns
/// whom they are or act for. A key of less must not manage people, sessions or keys: a stolen one
/// would gain rights, or outlive its revocation.
fn need_whole(caller: &Caller, permission: Permission) -> Result<UserId, Error> {
    need(caller, permission)?;
    whole(caller)
}

fn whole(caller: &Caller) -> Result<UserId, Error> {
    match &caller.subject {
        Subject::User { user, .. } => Ok(*user),
        Subject::ApiKey { owner, .. } if Permission::ALL.iter().all(|it| caller.may(*it)) => {
            Ok(*owner)
        }
        Subject::ApiKey { .. }
        | Subject::App { .. }
        | Subject::Device { .. }
        | Subject::Service { .. } => Err(Error::PeopleOnly),
    }
}

/// The person and the session that ask; nothing else has a session.
fn in_session(caller: &Caller) -> Result<(UserId, SessionId), Error> {
    match &caller.subject {
        Subject::User { user, session, .. } => Ok((*user, *session)),
        Subject::ApiKey { .. }
        | Subject::App { .. }
        | Subject::Device { .. }
        | Subject::Service { .. } => Err(Error::PeopleOnly),
    }
}
