//! What directories keep, as it is in its tables.

use openframe_auth::domain::{Group, Provisioned, User};
use openframe_auth::store::{Answer, StoreError};
use openframe_ids::{GroupId, TenantId};
use uuid::Uuid;

use super::{UserRow, at};

pub(crate) struct GroupRow {
    pub(crate) id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) name: String,
    pub(crate) created_ms: i64,
    pub(crate) changed_ms: i64,
    pub(crate) external_id: Option<String>,
}

pub(crate) struct SizeRow {
    pub(crate) id: Uuid,
    pub(crate) size: i64,
}

pub(crate) struct ProvisionedRow {
    pub(crate) id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) email: String,
    pub(crate) email_verified: bool,
    pub(crate) name: String,
    pub(crate) role: String,
    pub(crate) disabled: bool,
    pub(crate) password: Vec<u8>,
    pub(crate) created_ms: i64,
    pub(crate) invited_until_ms: Option<i64>,
    pub(crate) external_id: Option<String>,
}

impl TryFrom<ProvisionedRow> for Provisioned {
    type Error = StoreError;

    fn try_from(row: ProvisionedRow) -> Answer<Self> {
        let external_id = row.external_id;
        let user = UserRow {
            id: row.id,
            tenant_id: row.tenant_id,
            email: row.email,
            email_verified: row.email_verified,
            name: row.name,
            role: row.role,
            disabled: row.disabled,
            password: row.password,
            created_ms: row.created_ms,
            invited_until_ms: row.invited_until_ms,
        };
        Ok(Self { user: User::try_from(user)?, external_id })
    }
}

impl TryFrom<GroupRow> for Group {
    type Error = StoreError;

    fn try_from(row: GroupRow) -> Answer<Self> {
        Ok(Self {
            id: GroupId(row.id),
            tenant: TenantId(row.tenant_id),
            name: row.name,
            external_id: row.external_id,
            created: at(row.created_ms)?,
            changed: at(row.changed_ms)?,
        })
    }
}
