//! What must be kept, in this service's words.
//!
//! Consistency of every promise: a method that has returned is durable, and every later read in any
//! process sees it. A method that takes an [`Event`] writes it to the tenant's audit trail in the
//! same transaction as its change, and only if it changed something. Nothing updates or deletes
//! what is in the trail.

mod device_grants;
mod enrolment;
mod factors;
mod invitations;
mod mails;
mod memory;
mod oauth;
mod passkeys;
mod places;
mod proofs;
mod provisioning;
mod upstream;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use openframe_fault::BoxError;
use openframe_ids::{ApiKeyId, SessionId, TenantId, UserId};
use openframe_oauth::Amr;
use openframe_tokens::Role;
use openframe_tokens::opaque::SecretHash;
use uuid::Uuid;

use crate::domain::{
    ApiKey, Checkpoint, Entry, Event, Filter, PasswordLink, Session, SetupToken, User,
};

pub use device_grants::{DeviceGrants, Typed};
pub use enrolment::{Enrolment, Issuing, Joined, Joining};
pub use factors::{Confirmation, Factors, Person, Settings, SignIns};
pub use invitations::{EmailLinks, EmailUsed, Invitations};
pub use mails::{Mails, Turn};
pub use memory::MemoryStore;
pub use oauth::{Clients, Families, Logouts, SigningKeys};
pub use passkeys::{Added, Passkeys, Removed, Use};
pub use places::{Granted, Grants, Placed, Places};
pub use proofs::{OneTimes, PushedRequests};
pub use provisioning::{Directory, GroupTo, PersonTo, Provided, Provisioning};
pub use upstream::{IdentityProviders, Known, LinkKept, ProviderKept};

/// Why a store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It did not answer, or its disk is full; the same request may succeed later.
    #[error("the store does not answer")]
    Unavailable(#[source] BoxError),
    /// What it holds cannot be read, or it was asked nonsense.
    #[error("the store failed")]
    Damaged(#[source] BoxError),
}

impl From<StoreError> for crate::Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(cause) => Self::Store(cause),
            StoreError::Damaged(cause) => Self::Damaged(cause),
        }
    }
}

/// What a store answers.
pub type Answer<T> = Result<T, StoreError>;

/// What became of a change of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// It was made; this is the person now.
    Done(User),
    /// There is no such person in the tenant.
    Missing,
    /// It would leave no owner who can sign in, so nothing was changed.
    LastOwner,
    /// Somebody else has the mail address, so nothing was changed.
    EmailTaken,
    /// It would make an owner of somebody who is denied something, so nothing was changed.
    Denied,
}

/// What became of the set-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetUp {
    /// The owner was added and the token is dead.
    Done,
    /// Some owner can sign in already, or the token is another one.
    Refused,
    /// Somebody has the mail address.
    EmailTaken,
}

/// What to change of a person; what is `None` stays as it is at that moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// The name.
    pub name: Option<String>,
    /// The mail address. Another one is not verified, and ends the links that the person has.
    pub email: Option<String>,
    /// The role.
    pub role: Option<Role>,
    /// Whether sign-in is refused. Disabling ends every session, key, link and invitation of the person.
    pub disabled: Option<bool>,
}

impl Change {
    /// The person with this change made.
    pub fn applied_to(&self, user: &User) -> User {
        let same = !self.moves(user);
        User {
            email: self.email.clone().unwrap_or_else(|| user.email.clone()),
            email_verified: user.email_verified && same,
            name: self.name.clone().unwrap_or_else(|| user.name.clone()),
            role: self.role.unwrap_or(user.role),
            disabled: self.disabled.unwrap_or(user.disabled),
            ..user.clone()
        }
    }

    /// Whether it gives the person another mail address.
    pub fn moves(&self, user: &User) -> bool {
        self.email.as_ref().is_some_and(|email| *email != user.email)
    }
}

/// What becomes of a session whose person has shown anew to be that person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewal {
    /// The hash of the secret that was seen.
    pub from: SecretHash,
    /// The hash of the new one.
    pub secret: SecretHash,
    /// When that was.
    pub auth_time: Timestamp,
    /// How.
    pub amr: Amr,
}

/// People, and the token that makes the first.
#[async_trait]
pub trait People: Send + Sync + 'static {
    /// Whether an enabled owner has a password to sign in with.
    async fn owner_signs_in(&self, tenant: TenantId) -> Answer<bool>;
    /// Keeps a setup token beside those before, of which the [`SETUP_TOKENS`] that last longest stay;
    /// unless an owner can sign in. Says whether it was done.
    ///
    /// [`SETUP_TOKENS`]: crate::domain::SETUP_TOKENS
    async fn add_setup_token(
        &self,
        tenant: TenantId,
        token: SetupToken,
        event: &Event,
    ) -> Answer<bool>;
    /// Whether this is the secret of a setup token that has not ended.
    async fn has_setup_token(
        &self,
        tenant: TenantId,
        secret: SecretHash,
        now: Timestamp,
    ) -> Answer<bool>;
    /// Adds the first owner who can sign in and forgets the setup tokens. Only if there is none and
    /// `setup` is the secret of a token that is good at the event's time. One of many at once wins.
    async fn set_up(&self, user: &User, setup: SecretHash, event: &Event) -> Answer<SetUp>;
    /// Adds an owner without a password and the key to act by, both or neither. Only if nobody is
    /// there; says whether it was done. One of many at once wins.
    async fn bootstrap(&self, user: &User, key: &ApiKey, event: &Event) -> Answer<bool>;
    /// Adds a person; `false` when the mail address is taken in the tenant.
    async fn add(&self, user: &User, event: &Event) -> Answer<bool>;
    /// One person.
    async fn get(&self, tenant: TenantId, id: UserId) -> Answer<Option<User>>;
    /// The person with this mail address.
    async fn by_email(&self, tenant: TenantId, email: &str) -> Answer<Option<User>>;
    /// Everybody, in the order in which they were added.
    async fn list(&self, tenant: TenantId) -> Answer<Vec<User>>;
    /// Changes a person, unless an enabled owner stops being one and no other who can sign in is
    /// left, or a person becomes an owner who is denied something at the event's time.
    async fn change(
        &self,
        tenant: TenantId,
        id: UserId,
        to: &Change,
        event: &Event,
    ) -> Answer<Changed>;
    /// Keeps a link in the place of the one that the person had. Only if the person is not disabled and
    /// has no invitation to accept; says whether it was done.
    async fn add_password_link(
        &self,
        tenant: TenantId,
        link: PasswordLink,
        event: &Event,
    ) -> Answer<bool>;
    /// Sets the password of whom a link that is good at the event's time belongs to, and ends the link
    /// and all of the person's sessions; the person's address is verified if the link went there. One of
    /// many at once wins; `None` when the link is not good.
    async fn use_password_link(
        &self,
        whose: (TenantId, UserId),
        secret: SecretHash,
        to: &[u8],
        event: &Event,
    ) -> Answer<Option<User>>;
    /// Changes a person's password from one hash to another and ends all of the person's sessions, and
    /// the link for another password. Only if the hash is still `from` and the person is not disabled;
    /// says whether it was done.
    async fn set_password(
        &self,
        whose: (TenantId, UserId),
        from_to: (&[u8], &[u8]),
        event: &Event,
    ) -> Answer<bool>;
}

/// Sign-ins.
#[async_trait]
pub trait Sessions: Send + Sync + 'static {
    /// Adds a session.
    async fn add(&self, session: &Session, event: &Event) -> Answer<()>;
    /// One session, ended or not.
    async fn get(&self, id: SessionId) -> Answer<Option<Session>>;
    /// The sessions of one person or of everybody, oldest first, ended ones included.
    async fn list(&self, tenant: TenantId, user: Option<UserId>) -> Answer<Vec<Session>>;
    /// Writes down a use.
    async fn touch(&self, id: SessionId, at: Timestamp, remote_address: &str) -> Answer<()>;
    /// Gives a session another secret, because the person has shown anew to be that person. Only if
    /// its secret is still the one that was seen; says whether it was done.
    async fn renew(&self, id: SessionId, to: &Renewal, event: &Event) -> Answer<bool>;
    /// Ends a session; `false` when there is none, or it is not this person's.
    async fn remove(
        &self,
        tenant: TenantId,
        id: SessionId,
        user: Option<UserId>,
        event: &Event,
    ) -> Answer<bool>;
    /// Forgets sessions that ended at `now` or before, or were last used before `idle_since`.
    async fn remove_ended(&self, now: Timestamp, idle_since: Timestamp) -> Answer<u64>;
}

/// API keys.
#[async_trait]
pub trait Keys: Send + Sync + 'static {
    /// Adds a key.
    async fn add(&self, key: &ApiKey, event: &Event) -> Answer<()>;
    /// One key, ended or not.
    async fn get(&self, id: ApiKeyId) -> Answer<Option<ApiKey>>;
    /// The keys of one person or of everybody, oldest first.
    async fn list(&self, tenant: TenantId, owner: Option<UserId>) -> Answer<Vec<ApiKey>>;
    /// Writes down a use.
    async fn touch(&self, id: ApiKeyId, at: Timestamp) -> Answer<()>;
    /// Revokes a key; `false` when there is none, or it is not this person's.
    async fn remove(
        &self,
        tenant: TenantId,
        owner: Option<UserId>,
        id: ApiKeyId,
        event: &Event,
    ) -> Answer<bool>;
}

/// Where a search of the audit trail goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Before this one, newest first.
    Before(u64),
    /// After this one, oldest first.
    After(u64),
}

impl Place {
    /// Before the newest: where newest first begins.
    pub const NEWEST: Self = Self::Before(u64::MAX);
    /// After nothing: where oldest first begins.
    pub const OLDEST: Self = Self::After(0);
}

/// A destination that the trail is sent to, and the replica that means itself: tenant, name, replica.
pub type Whose<'a> = (TenantId, &'a str, Uuid);

/// How a destination is that the trail is sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamState {
    /// Its name.
    pub name: String,
    /// The last place that has arrived; 0 for none.
    pub arrived: u64,
    /// When that was seen.
    pub arrived_at: Option<Timestamp>,
    /// Why sending fails; empty when it does not.
    pub error: String,
    /// Since when it does.
    pub failing_since: Option<Timestamp>,
}

/// The audit trail: one chain a tenant.
#[async_trait]
pub trait Trail: Send + Sync + 'static {
    /// Adds an event at the end.
    async fn append(&self, tenant: TenantId, event: &Event) -> Answer<()>;
    /// Entries that the filter finds, in one direction from a place.
    async fn search(
        &self,
        tenant: TenantId,
        filter: &Filter,
        from: Place,
        limit: u32,
    ) -> Answer<Vec<Entry>>;
    /// The first and the last place of entries at or after one time and before another, if there are
    /// any: what a search by time is narrowed to once, and not for each page.
    async fn span(
        &self,
        tenant: TenantId,
        from_to: (Option<Timestamp>, Option<Timestamp>),
    ) -> Answer<Option<(u64, u64)>>;
    /// Entries after `after`, oldest first.
    async fn after(&self, tenant: TenantId, after: u64, limit: u32) -> Answer<Vec<Entry>>;
    /// Place and hash of the last entry, kept apart from the entries, so that a missing end is
    /// noticed too.
    async fn head(&self, tenant: TenantId) -> Answer<Option<(u64, [u8; 32])>>;
    /// Keeps a checkpoint, if the last one that is kept is that of the place `after`; says whether it
    /// was done. Of several replicas at once one does it.
    async fn add_checkpoint(&self, checkpoint: &Checkpoint, after: Option<u64>) -> Answer<bool>;
    /// Checkpoints of later places than `after`, in their order.
    async fn checkpoints(
        &self,
        tenant: TenantId,
        after: u64,
        limit: u32,
    ) -> Answer<Vec<Checkpoint>>;
    /// The checkpoint of the latest place.
    async fn last_checkpoint(&self, tenant: TenantId) -> Answer<Option<Checkpoint>>;
    /// Makes a replica the one that sends to a destination until `until`, if none other is at `now`;
    /// gives the last place that has arrived there. One that ends its own turn names a time that is over.
    async fn lead_stream(
        &self,
        whose: Whose<'_>,
        now: Timestamp,
        until: Timestamp,
    ) -> Answer<Option<u64>>;
    /// Keeps the last place that has arrived, and that all is well; `false` when another replica sends.
    async fn stream_arrived(&self, whose: Whose<'_>, place: u64, now: Timestamp) -> Answer<bool>;
    /// Keeps why sending fails, if this replica is the one that sends.
    async fn stream_failed(&self, whose: Whose<'_>, why: &str, now: Timestamp) -> Answer<()>;
    /// How each destination is, by its name.
    async fn streams(&self, tenant: TenantId) -> Answer<Vec<StreamState>>;
}

/// Every promise that the service needs kept.
#[derive(Clone)]
pub struct Stores {
    /// People.
    pub people: Arc<dyn People>,
    /// Invitations.
    pub invitations: Arc<dyn Invitations>,
    /// Links that show that a mail address is read.
    pub email_links: Arc<dyn EmailLinks>,
    /// Sign-ins.
    pub sessions: Arc<dyn Sessions>,
    /// API keys.
    pub keys: Arc<dyn Keys>,
    /// Enrolment tokens and devices.
    pub enrolment: Arc<dyn Enrolment>,
    /// The audit trail.
    pub trail: Arc<dyn Trail>,
    /// Programs that may ask for access.
    pub clients: Arc<dyn Clients>,
    /// Token families.
    pub families: Arc<dyn Families>,
    /// Programs that wait for a person's answer.
    pub device_grants: Arc<dyn DeviceGrants>,
    /// Requests that were pushed ahead of a browser.
    pub pushed: Arc<dyn PushedRequests>,
    /// What is good once.
    pub one_times: Arc<dyn OneTimes>,
    /// Clients to be told that a session has ended.
    pub logouts: Arc<dyn Logouts>,
    /// The keys that sign ID tokens.
    pub signing_keys: Arc<dyn SigningKeys>,
    /// Second factors.
    pub factors: Arc<dyn Factors>,
    /// Passkeys.
    pub passkeys: Arc<dyn Passkeys>,
    /// Sign-ins that are half done.
    pub sign_ins: Arc<dyn SignIns>,
    /// What owners have decided for everybody.
    pub settings: Arc<dyn Settings>,
    /// Mail that waits to be sent.
    pub mails: Arc<dyn Mails>,
    /// The parts of a tenant.
    pub places: Arc<dyn Places>,
    /// What people are granted there.
    pub grants: Arc<dyn Grants>,
    /// Other providers that people may sign in at.
    pub identity_providers: Arc<dyn IdentityProviders>,
    /// People and groups, for directories.
    pub provisioning: Arc<dyn Provisioning>,
}

impl std::fmt::Debug for Stores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stores")
    }
}

impl Stores {
    /// All promises kept by one engine.
    pub fn of<S>(store: &S) -> Self
    where
        S: People + Sessions + Keys + Enrolment + Trail + Clone,
        S: Clients + Families + DeviceGrants + PushedRequests + OneTimes + Logouts + SigningKeys,
        S: Factors
            + Passkeys
            + SignIns
            + Settings
            + Mails
            + Invitations
            + EmailLinks
            + Places
            + Grants
            + IdentityProviders
            + Provisioning,
    {
        Self {
            people: Arc::new(store.clone()),
            invitations: Arc::new(store.clone()),
            email_links: Arc::new(store.clone()),
            sessions: Arc::new(store.clone()),
            keys: Arc::new(store.clone()),
            enrolment: Arc::new(store.clone()),
            trail: Arc::new(store.clone()),
            clients: Arc::new(store.clone()),
            families: Arc::new(store.clone()),
            device_grants: Arc::new(store.clone()),
            pushed: Arc::new(store.clone()),
            one_times: Arc::new(store.clone()),
            logouts: Arc::new(store.clone()),
            signing_keys: Arc::new(store.clone()),
            factors: Arc::new(store.clone()),
            passkeys: Arc::new(store.clone()),
            sign_ins: Arc::new(store.clone()),
            settings: Arc::new(store.clone()),
            mails: Arc::new(store.clone()),
            places: Arc::new(store.clone()),
            grants: Arc::new(store.clone()),
            identity_providers: Arc::new(store.clone()),
            provisioning: Arc::new(store.clone()),
        }
    }
}
