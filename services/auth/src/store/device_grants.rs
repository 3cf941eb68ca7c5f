//! What must be kept of programs on devices without a browser that wait for a person's answer.

use async_trait::async_trait;
use jiff::Timestamp;
use openframe_ids::{FamilyId, UserId};
use openframe_oauth::{DeviceGrant, Family};
use openframe_tokens::opaque::SecretHash;

use super::Answer;
use crate::domain::Event;

/// What a person's code leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    /// A program that waits for an answer.
    Right(Box<DeviceGrant>),
    /// Nothing; the person's miss is kept.
    Wrong,
    /// Nobody has looked: the person has typed too many wrong ones.
    TooMany,
}

/// Programs that wait for a person's answer (RFC 8628).
#[async_trait]
pub trait DeviceGrants: Send + Sync + 'static {
    /// Keeps what a program waits for. Only if its client is there, and no other that waits has its
    /// user code; says whether it was done.
    async fn add(&self, grant: &DeviceGrant, event: &Event) -> Answer<bool>;
    /// What a program waits for; none once a person has allowed it, which makes it a family.
    async fn get(&self, id: FamilyId) -> Answer<Option<DeviceGrant>>;
    /// What a person's code leads to, if it can be answered at `now`; unless the person has missed as
    /// often as [`DEVICE_CODE_MISSES`] says since `since`. Of many at once no more are looked up.
    ///
    /// [`DEVICE_CODE_MISSES`]: crate::domain::DEVICE_CODE_MISSES
    async fn typed(
        &self,
        who: UserId,
        code: Option<SecretHash>,
        since_now: (Timestamp, Timestamp),
    ) -> Answer<Typed>;
    /// Keeps when the program has asked, and how long it has to wait.
    async fn polled(&self, next: &DeviceGrant) -> Answer<()>;
    /// Keeps that the person has said no; `false` when it cannot be answered any more at the event's
    /// time.
    async fn deny(&self, id: FamilyId, event: &Event) -> Answer<bool>;
    /// Keeps that the person has said yes: the family takes the place of what was waited for, as in
    /// [`Families::add`]. `false` when it cannot be answered any more at the event's time.
    ///
    /// [`Families::add`]: super::Families::add
    async fn allow(&self, family: &Family, event: &Event) -> Answer<bool>;
    /// Forgets what ended, and misses, before this time.
    async fn forget(&self, before: Timestamp) -> Answer<()>;
}
