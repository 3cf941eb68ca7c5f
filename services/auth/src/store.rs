//! What must be kept, in this service's words.
//!
//! Consistency of every promise: a method that has returned is durable, and every later read in any
//! process sees it. A method that takes an [`Event`] writes it to the tenant's audit trail in the
//! same transaction as its change, and only if it changed something. Nothing updates or deletes
//! what is in the trail.

mod memory;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use openframe_fault::BoxError;
use openframe_ids::{ApiKeyId, DeviceId, EnrolmentTokenId, SessionId, TenantId, UserId};
use openframe_tokens::Role;
use openframe_tokens::opaque::SecretHash;

use crate::domain::{
    ApiKey, Device, DeviceCertificate, EnrolmentToken, Entry, Event, Session, SetupToken, User,
};

pub use memory::MemoryStore;

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
    /// The role.
    pub role: Option<Role>,
    /// Whether sign-in is refused. Disabling ends every session and key of the person.
    pub disabled: Option<bool>,
}

impl Change {
    /// The person with this change made.
    pub fn applied_to(&self, user: &User) -> User {
        User {
            name: self.name.clone().unwrap_or_else(|| user.name.clone()),
            role: self.role.unwrap_or(user.role),
            disabled: self.disabled.unwrap_or(user.disabled),
            ..user.clone()
        }
    }
}

/// A device that asks to join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joining {
    /// The token it shows.
    pub token: EnrolmentTokenId,
    /// The hash of the token's secret.
    pub secret: SecretHash,
    /// The SHA-256 of its key.
    pub spki: [u8; 32],
    /// Its id if it is new.
    pub device: DeviceId,
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
    /// left.
    async fn change(
        &self,
        tenant: TenantId,
        id: UserId,
        to: &Change,
        event: &Event,
    ) -> Answer<Changed>;
    /// Changes a person's password from one hash to another and ends all of the person's sessions.
    /// Only if the hash is still `from` and the person is not disabled; says whether it was done.
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

/// Enrolment tokens and devices.
#[async_trait]
pub trait Enrolment: Send + Sync + 'static {
    /// Adds a token.
    async fn add_token(&self, token: &EnrolmentToken, event: &Event) -> Answer<()>;
    /// The tokens that can be used at `now`, oldest first.
    async fn tokens(&self, tenant: TenantId, now: Timestamp) -> Answer<Vec<EnrolmentToken>>;
    /// Revokes a token; `false` when there is none.
    async fn remove_token(
        &self,
        tenant: TenantId,
        id: EnrolmentTokenId,
        event: &Event,
    ) -> Answer<bool>;
    /// Lets a device join: takes one use of the token, unless the same key has joined with it
    /// before, which gives the same device. `None` when the token is unknown, wrong, used up or
    /// over at `event.at`, or the device was revoked. Of many at once no more succeed than there
    /// are uses. The event's target becomes the device.
    async fn join(&self, joining: &Joining, event: &Event) -> Answer<Option<Device>>;
    /// One device.
    async fn device(&self, tenant: TenantId, id: DeviceId) -> Answer<Option<Device>>;
    /// Writes a certificate down, and binds the device to its key. Only if the device is bound to
    /// `bound` and not revoked; says whether it was done. Certificates of another key than the new
    /// one count no more.
    async fn certify(
        &self,
        issued: &DeviceCertificate,
        bound: [u8; 32],
        event: &Event,
    ) -> Answer<bool>;
    /// Whether a certificate counts at `now`: it was written down for the device and the key that
    /// it is bound to, it has not ended, and the device is not revoked. Any serial counts for a
    /// device of which none was ever written down.
    async fn counts(
        &self,
        device: (TenantId, DeviceId),
        serial: &str,
        now: Timestamp,
    ) -> Answer<bool>;
    /// Forgets certificates that ended at `now` or before.
    async fn forget_certificates(&self, now: Timestamp) -> Answer<()>;
    /// Makes a device's certificates count no more; `false` when there is no such device or it was
    /// revoked before.
    async fn revoke(&self, tenant: TenantId, id: DeviceId, event: &Event) -> Answer<bool>;
}

/// The audit trail: one chain a tenant.
#[async_trait]
pub trait Trail: Send + Sync + 'static {
    /// Adds an event at the end.
    async fn append(&self, tenant: TenantId, event: &Event) -> Answer<()>;
    /// Entries before `before`, newest first.
    async fn page(&self, tenant: TenantId, before: Option<u64>, limit: u32) -> Answer<Vec<Entry>>;
    /// Entries after `after`, oldest first.
    async fn after(&self, tenant: TenantId, after: u64, limit: u32) -> Answer<Vec<Entry>>;
    /// Place and hash of the last entry, kept apart from the entries, so that a missing end is
    /// noticed too.
    async fn head(&self, tenant: TenantId) -> Answer<Option<(u64, [u8; 32])>>;
}

/// Every promise that the service needs kept.
#[derive(Clone)]
pub struct Stores {
    /// People.
    pub people: Arc<dyn People>,
    /// Sign-ins.
    pub sessions: Arc<dyn Sessions>,
    /// API keys.
    pub keys: Arc<dyn Keys>,
    /// Enrolment tokens and devices.
    pub enrolment: Arc<dyn Enrolment>,
    /// The audit trail.
    pub trail: Arc<dyn Trail>,
}

impl std::fmt::Debug for Stores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stores")
    }
}

impl Stores {
    /// All promises kept by one engine.
    pub fn of<S: People + Sessions + Keys + Enrolment + Trail + Clone>(store: &S) -> Self {
        Self {
            people: Arc::new(store.clone()),
            sessions: Arc::new(store.clone()),
            keys: Arc::new(store.clone()),
            enrolment: Arc::new(store.clone()),
            trail: Arc::new(store.clone()),
        }
    }
}
