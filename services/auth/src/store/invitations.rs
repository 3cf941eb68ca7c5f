//! What must be kept of who was invited, and of addresses that are to be verified.

use async_trait::async_trait;
use openframe_ids::{TenantId, UserId};
use openframe_tokens::opaque::SecretHash;

use super::Answer;
use crate::domain::{Accepted, EmailLink, Event, Invitation, SealedMail, User};

/// People who were invited. A letter is put into the outbox in the same transaction.
#[async_trait]
pub trait Invitations: Send + Sync + 'static {
    /// Adds a person with an invitation to accept; `false` when the mail address is taken in the tenant.
    async fn invite(
        &self,
        user: &User,
        invitation: Invitation,
        letter: Option<&SealedMail>,
        event: &Event,
    ) -> Answer<bool>;
    /// Puts an invitation in the place of the one that the person had. Only if there is one and the person
    /// is not disabled; says whether it was done.
    async fn invite_again(
        &self,
        tenant: TenantId,
        invitation: Invitation,
        letter: Option<&SealedMail>,
        event: &Event,
    ) -> Answer<bool>;
    /// The invitation that a person has not accepted, good or not.
    async fn invitation(&self, tenant: TenantId, user: UserId) -> Answer<Option<Invitation>>;
    /// Forgets a person who has an invitation to accept; `false` when there is none.
    async fn withdraw(&self, tenant: TenantId, user: UserId, event: &Event) -> Answer<bool>;
    /// Gives a person with an invitation that is good at the event's time a name and a password, and ends
    /// it; the person's address is verified if the invitation went there. Only if the person is not
    /// disabled. One of many at once wins; `None` when it is not good.
    async fn accept(
        &self,
        whose: (TenantId, UserId),
        secret: SecretHash,
        accepted: &Accepted,
        event: &Event,
    ) -> Answer<Option<User>>;
}

/// What became of a link that shows that an address is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EmailUsed {
    /// The address is the person's, and verified: the person before and now.
    Done(Box<(User, User)>),
    /// The link is not good.
    NotGood,
    /// Somebody else has the address, so nothing was changed.
    Taken,
}

/// Addresses that are to be verified.
#[async_trait]
pub trait EmailLinks: Send + Sync + 'static {
    /// Keeps a link in the place of the one that the person had, and its letter. Only if the person is not
    /// disabled; says whether it was done.
    async fn add_email_link(
        &self,
        tenant: TenantId,
        link: &EmailLink,
        letter: &SealedMail,
        event: &Event,
    ) -> Answer<bool>;
    /// Gives a person the address of a link that is good at the event's time, and ends all links that the
    /// person has: they went to the address before. One of many at once wins.
    async fn use_email_link(
        &self,
        whose: (TenantId, UserId),
        secret: SecretHash,
        event: &Event,
    ) -> Answer<EmailUsed>;
}
