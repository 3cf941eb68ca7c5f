//! Rows of invitations.

use openframe_auth::domain::Invitation;
use openframe_auth::store::{Answer, StoreError};
use openframe_ids::UserId;
use uuid::Uuid;

use super::{at, secret};

pub(crate) struct InvitationRow {
    pub(crate) user_id: Uuid,
    pub(crate) inviter_id: Uuid,
    pub(crate) secret: Vec<u8>,
    pub(crate) mailed: bool,
    pub(crate) expires_ms: i64,
}

impl TryFrom<InvitationRow> for Invitation {
    type Error = StoreError;

    fn try_from(row: InvitationRow) -> Answer<Self> {
        Ok(Self {
            user: UserId(row.user_id),
            inviter: UserId(row.inviter_id),
            secret: secret(&row.secret)?,
            mailed: row.mailed,
            expires: at(row.expires_ms)?,
        })
    }
}
