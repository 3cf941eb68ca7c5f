//! Rows of other providers that people may sign in at.

use openframe_auth::domain::IdentityProvider;
use openframe_auth::store::{Answer, StoreError};
use openframe_ids::{IdentityProviderId, TenantId};
use uuid::Uuid;

use super::{at, damaged};

pub(crate) struct ProviderRow {
    pub(crate) id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) name: String,
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    pub(crate) secret: Vec<u8>,
    pub(crate) scopes: String,
    pub(crate) domains: String,
    pub(crate) creates: Option<String>,
    pub(crate) trusts_mfa: bool,
    pub(crate) enabled: bool,
    pub(crate) created_ms: i64,
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

impl TryFrom<ProviderRow> for IdentityProvider {
    type Error = StoreError;

    fn try_from(row: ProviderRow) -> Answer<Self> {
        Ok(Self {
            id: IdentityProviderId(row.id),
            tenant: TenantId(row.tenant_id),
            name: row.name,
            issuer: row.issuer,
            client_id: row.client_id,
            secret: row.secret,
            scopes: words(&row.scopes),
            domains: words(&row.domains),
            creates: row.creates.map(|role| role.parse().map_err(damaged)).transpose()?,
            trusts_mfa: row.trusts_mfa,
            enabled: row.enabled,
            created: at(row.created_ms)?,
        })
    }
}
