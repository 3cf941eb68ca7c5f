//! Rows of programs that wait for a person's answer.

use jiff::SignedDuration;
use openframe_auth::store::{Answer, StoreError};
use openframe_ids::{ClientId, FamilyId, TenantId};
use openframe_oauth::{DeviceGrant, Scopes};
use uuid::Uuid;

use super::{at, damaged, secret};

pub(crate) struct DeviceGrantRow {
    pub(crate) id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) client_id: Uuid,
    pub(crate) scopes: String,
    pub(crate) device_code: Vec<u8>,
    pub(crate) user_code: Vec<u8>,
    pub(crate) remote_address: String,
    pub(crate) user_agent: String,
    pub(crate) created_ms: i64,
    pub(crate) expires_ms: i64,
    pub(crate) denied: bool,
    pub(crate) polled_ms: Option<i64>,
    pub(crate) interval_ms: i64,
}

impl TryFrom<DeviceGrantRow> for DeviceGrant {
    type Error = StoreError;

    fn try_from(row: DeviceGrantRow) -> Answer<Self> {
        Ok(Self {
            id: FamilyId(row.id),
            tenant: TenantId(row.tenant_id),
            client: ClientId(row.client_id),
            scopes: Scopes::read(&row.scopes).map_err(damaged)?,
            device_code: secret(&row.device_code)?,
            user_code: secret(&row.user_code)?,
            asked_from: (row.remote_address, row.user_agent),
            created: at(row.created_ms)?,
            expires: at(row.expires_ms)?,
            denied: row.denied,
            polled: row.polled_ms.map(at).transpose()?,
            interval: SignedDuration::from_millis(row.interval_ms),
        })
    }
}
