//! Rows of passkeys.

use openframe_auth::domain::Passkey;
use openframe_auth::store::{Answer, StoreError};
use openframe_ids::{PasskeyId, TenantId, UserId};
use uuid::Uuid;

use super::at;

pub(crate) struct PasskeyRow {
    pub(crate) id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) name: String,
    pub(crate) credential: Vec<u8>,
    pub(crate) key: String,
    pub(crate) counter: i64,
    pub(crate) created_ms: i64,
    pub(crate) last_used_ms: Option<i64>,
}

impl TryFrom<PasskeyRow> for Passkey {
    type Error = StoreError;

    fn try_from(row: PasskeyRow) -> Answer<Self> {
        let counter = row.counter.try_into();
        Ok(Self {
            id: PasskeyId(row.id),
            tenant: TenantId(row.tenant_id),
            user: UserId(row.user_id),
            name: row.name,
            credential: row.credential,
            key: row.key,
            counter: counter.map_err(|error| StoreError::Damaged(Box::new(error)))?,
            created: at(row.created_ms)?,
            last_used: row.last_used_ms.map(at).transpose()?,
        })
    }
}
