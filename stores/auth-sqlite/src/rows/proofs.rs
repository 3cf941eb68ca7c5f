//! Rows of requests that were pushed ahead of a browser.

use openframe_auth::store::{Answer, StoreError};
use openframe_ids::{ClientId, PushedId, TenantId};
use openframe_oauth::Pushed;
use uuid::Uuid;

use super::{at, secret};

pub(crate) struct PushedRow {
    pub(crate) id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) client_id: Uuid,
    pub(crate) secret: Vec<u8>,
    pub(crate) query: String,
    pub(crate) expires_ms: i64,
    pub(crate) opened_ms: Option<i64>,
}

impl TryFrom<PushedRow> for Pushed {
    type Error = StoreError;

    fn try_from(row: PushedRow) -> Answer<Self> {
        Ok(Self {
            id: PushedId(row.id),
            tenant: TenantId(row.tenant_id),
            client: ClientId(row.client_id),
            secret: secret(&row.secret)?,
            query: row.query,
            expires: at(row.expires_ms)?,
            opened: row.opened_ms.map(at).transpose()?,
        })
    }
}
