//! What must be kept of other providers that people may sign in at.

use async_trait::async_trait;
use openframe_ids::{IdentityProviderId, TenantId, UserId};

use super::Answer;
use crate::domain::{Event, IdentityProvider, UpstreamLink, User};

/// What became of a provider that was to be added or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderKept {
    /// It is as it was to be.
    Done,
    /// There is none such.
    Missing,
    /// Another one of the tenant has its name, or is the same provider.
    Taken,
    /// There are as many as there may be.
    TooMany,
}

/// How a person that a provider names is known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known<'a> {
    /// By this address, which the person has shown to read.
    ByAddress(&'a str),
    /// By this address, which an invitation went to that is good; the person is called so from now on.
    Invited(&'a str, &'a str),
    /// Not at all: the person is made.
    New(&'a User),
}

/// What became of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkKept {
    /// This is whom the provider means from now on.
    Done(Box<User>),
    /// The provider has meant somebody else by this name, or calls that person otherwise.
    Taken,
    /// Nobody is known so, or is not let in; the provider is gone, or nobody may sign in there.
    NotGood,
}

/// Other providers, and whom they know.
#[async_trait]
pub trait IdentityProviders: Send + Sync + 'static {
    /// Adds one.
    async fn add(&self, provider: &IdentityProvider, event: &Event) -> Answer<ProviderKept>;
    /// One of them.
    async fn get(
        &self,
        tenant: TenantId,
        id: IdentityProviderId,
    ) -> Answer<Option<IdentityProvider>>;
    /// All of them, in the order in which they were added.
    async fn list(&self, tenant: TenantId) -> Answer<Vec<IdentityProvider>>;
    /// Puts what it is now in the place of what it was. What it and the platform are called there, and when
    /// it was added, stay.
    async fn change(&self, provider: &IdentityProvider, event: &Event) -> Answer<ProviderKept>;
    /// Forgets one, and whom it knows; `false` when there is none.
    async fn remove(&self, tenant: TenantId, id: IdentityProviderId, event: &Event)
    -> Answer<bool>;
    /// Whom a provider means by a name.
    async fn linked(
        &self,
        tenant: TenantId,
        provider: IdentityProviderId,
        subject: &str,
    ) -> Answer<Option<UserId>>;
    /// Keeps whom an enabled provider means by a name. A name means one person for ever, and a person has one
    /// name: of many at once one wins. In the same transaction the person is made or joins. Only a person who
    /// is not disabled is linked.
    async fn link(&self, link: &UpstreamLink, known: Known<'_>, event: &Event) -> Answer<LinkKept>;
}
