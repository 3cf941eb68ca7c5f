//! What must be kept of programs that ask for access, of what people have allowed them, and of the keys
//! that sign ID tokens.

use async_trait::async_trait;
use jiff::Timestamp;
use openframe_ids::{ClientId, FamilyId, TenantId, UserId};
use openframe_oauth::{Client, Family, Scopes};

use super::Answer;
use crate::domain::{Consent, Event, LogoutNotice, SealedKey};

/// Programs that may ask for access.
#[async_trait]
pub trait Clients: Send + Sync + 'static {
    /// Adds a client.
    async fn add(&self, client: &Client, event: &Event) -> Answer<()>;
    /// One client.
    async fn get(&self, id: ClientId) -> Answer<Option<Client>>;
    /// Every client, oldest first.
    async fn list(&self, tenant: TenantId) -> Answer<Vec<Client>>;
    /// Removes a client, what people have allowed it, and every token of it; `false` when there is
    /// none.
    async fn remove(&self, tenant: TenantId, id: ClientId, event: &Event) -> Answer<bool>;
}

/// Token families. Who ends a person's session (not who forgets one that is over), disables the person
/// or changes the password ends the families that came of it in the same transaction.
#[async_trait]
pub trait Families: Send + Sync + 'static {
    /// Adds a family. Where a person has allowed it, that is remembered together with what the person
    /// has allowed the client before, and, where the client learns who the person is, that it was
    /// signed in to in the session. Only if its client is there, and its session; says whether it was
    /// done.
    async fn add(&self, family: &Family, event: Option<&Event>) -> Answer<bool>;
    /// One family.
    async fn get(&self, id: FamilyId) -> Answer<Option<Family>>;
    /// Puts a family in the place of what it was one version before. Of several at once one wins; says
    /// whether it was done.
    async fn replace(&self, next: &Family, event: Option<&Event>) -> Answer<bool>;
    /// Ends a family; `false` when there is none.
    async fn end(&self, tenant: TenantId, id: FamilyId, event: &Event) -> Answer<bool>;
    /// What a person has allowed a client.
    async fn allowed(&self, user: UserId, client: ClientId) -> Answer<Scopes>;
    /// What a person has allowed, by client.
    async fn consents(&self, tenant: TenantId, user: UserId) -> Answer<Vec<Consent>>;
    /// Forgets what a person has allowed a client, and ends all families that came of it; `false` when
    /// there was nothing.
    async fn withdraw(
        &self,
        tenant: TenantId,
        user: UserId,
        client: ClientId,
        event: &Event,
    ) -> Answer<bool>;
    /// Forgets families that ended at `now` or before.
    async fn forget_ended(&self, now: Timestamp) -> Answer<()>;
}

/// Clients that are told when a session ends in which they were signed in to ([`Families::add`]).
/// Whatever ends a session, also that it is forgotten when it is over, keeps in the same transaction
/// that they are to be told.
#[async_trait]
pub trait Logouts: Send + Sync + 'static {
    /// Takes what is due at `now`, so many at most, what is due longest first: nobody else gets it
    /// before `until`.
    async fn take(&self, now: Timestamp, until: Timestamp, most: u32) -> Answer<Vec<LogoutNotice>>;
    /// Puts off until another time what was taken; forgets it when there is none. `false` when it was
    /// taken once more meanwhile.
    async fn put_off(&self, notice: &LogoutNotice, until: Option<Timestamp>) -> Answer<bool>;
}

/// The keys that sign ID tokens: the same for every replica.
#[async_trait]
pub trait SigningKeys: Send + Sync + 'static {
    /// Every key, oldest first.
    async fn keys(&self) -> Answer<Vec<SealedKey>>;
    /// Adds a key, unless there is one that is younger than `unless_since`. Of several at once one
    /// wins; says whether it was done.
    async fn add_key(&self, key: &SealedKey, unless_since: Timestamp) -> Answer<bool>;
    /// Adds a key that somebody has asked for; `alone`: the others are forgotten with that.
    async fn rotate(
        &self,
        tenant: TenantId,
        key: &SealedKey,
        alone: bool,
        event: &Event,
    ) -> Answer<()>;
    /// Forgets keys made before `since`.
    async fn forget_keys(&self, since: Timestamp) -> Answer<()>;
}
