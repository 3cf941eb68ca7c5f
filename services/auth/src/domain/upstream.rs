//! Other providers that people may sign in at, and whom they know.

use std::fmt;

use jiff::Timestamp;
use openframe_ids::{IdentityProviderId, TenantId, UserId};
use openframe_tokens::Role;

/// Another provider (OpenID Connect) that people may sign in at.
#[derive(Clone, PartialEq, Eq)]
pub struct IdentityProvider {
    /// The id.
    pub id: IdentityProviderId,
    /// The tenant.
    pub tenant: TenantId,
    /// What people are shown; no other one of the tenant is called so.
    pub name: String,
    /// What it calls itself; no other one of the tenant does.
    pub issuer: String,
    /// What the platform is called there.
    pub client_id: String,
    /// The secret that the platform shows there, sealed.
    pub secret: Vec<u8>,
    /// What is asked for there.
    pub scopes: Vec<String>,
    /// The parts after the `@` of the addresses by which people are known here, or are made. None: nobody is.
    pub domains: Vec<String>,
    /// What people become who are known there and not here; nobody does without.
    pub creates: Option<Role>,
    /// Whether several factors that were shown there count here.
    pub trusts_mfa: bool,
    /// Whether people may sign in there.
    pub enabled: bool,
    /// When it was added.
    pub created: Timestamp,
}

impl fmt::Debug for IdentityProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdentityProvider({}, {})", self.id, self.issuer)
    }
}

impl IdentityProvider {
    /// How many a tenant has at most.
    pub const MOST: usize = 20;

    /// Whether people are known by such an address. All that comes after the first `@` counts.
    pub fn knows(&self, email: &str) -> bool {
        let domain = email.split_once('@').map(|(_, domain)| domain);
        domain.is_some_and(|domain| self.domains.iter().any(|it| it == domain))
    }
}

/// Whom a provider means by a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamLink {
    /// The provider.
    pub provider: IdentityProviderId,
    /// What it calls the person (`sub`): never another one.
    pub subject: String,
    /// The tenant.
    pub tenant: TenantId,
    /// The person.
    pub user: UserId,
    /// Since when.
    pub created: Timestamp,
}
