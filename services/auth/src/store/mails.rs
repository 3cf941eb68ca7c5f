//! What must be kept of mail until it was sent.

use async_trait::async_trait;
use jiff::Timestamp;
use openframe_ids::TenantId;
use uuid::Uuid;

use super::Answer;
use crate::domain::{Event, PasswordLink, SealedMail};

/// Something in the outbox, and the replica that it is the turn of.
pub type Turn = (Uuid, Uuid);

/// The outbox. A replica that takes something has a while to send it, and nobody else takes it then.
#[async_trait]
pub trait Mails: Send + Sync + 'static {
    /// Puts something in, to be sent at once.
    async fn add(&self, mail: &SealedMail, event: Option<&Event>) -> Answer<()>;
    /// Takes for `replica` what has waited longest of what is due at `now`; others may from `until` on.
    /// Of many replicas at once one gets it.
    async fn take(
        &self,
        tenant: TenantId,
        replica: Uuid,
        now_until: (Timestamp, Timestamp),
    ) -> Answer<Option<SealedMail>>;
    /// Has something wait until `due`; `false` when it is another replica's turn.
    async fn put_off(&self, turn: Turn, due: Timestamp) -> Answer<bool>;
    /// Forgets something: it was sent, or is given up, which `event` tells then. `false` when it is
    /// another replica's turn.
    async fn remove(&self, turn: Turn, tenant: TenantId, event: Option<&Event>) -> Answer<bool>;
    /// Puts `letter` in the place of the wish for a link that it answers, and keeps the link in the place
    /// of the one that the person had. Only if it is this replica's turn, and the person is not disabled
    /// and has no invitation to accept; says whether it was done.
    async fn answer_wish(
        &self,
        turn: Turn,
        link: PasswordLink,
        letter: &SealedMail,
        event: &Event,
    ) -> Answer<bool>;
}
