//! What must be kept of passkeys.

use async_trait::async_trait;
use jiff::Timestamp;
use openframe_ids::{PasskeyId, SessionId, TenantId, UserId};
use openframe_tokens::opaque::SecretHash;

use super::{Answer, Person};
use crate::domain::{Event, Passkey};

/// What became of a passkey that was to be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It is the person's first factor: the recovery codes that came with it are in force.
    First,
    /// It is one more factor: the recovery codes are those that there were.
    More,
    /// The person has as many as one may have.
    Full,
    /// Somebody has registered it before.
    Taken,
    /// There is no such person, or sign-in is refused.
    Refused,
}

/// What became of a factor that was to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// It is gone.
    Done,
    /// There was none.
    Missing,
    /// It is the person's last factor, which was to stay.
    Last,
}

/// What becomes of a passkey that was used.
#[derive(Debug, Clone, Copy)]
pub struct Use<'a> {
    /// What checks its signatures from now on.
    pub key: &'a str,
    /// Its counter.
    pub counter: u32,
    /// When that was.
    pub at: Timestamp,
}

/// Passkeys. Whoever adds or removes one ends all other sessions of the person, what programs were allowed
/// in them, and half sign-ins.
#[async_trait]
pub trait Passkeys: Send + Sync + 'static {
    /// Those of a person, oldest first.
    async fn list(&self, user: UserId) -> Answer<Vec<Passkey>>;
    /// The one that its authenticator calls so.
    async fn by_credential(&self, tenant: TenantId, credential: &[u8]) -> Answer<Option<Passkey>>;
    /// Adds one, for a person who is let in and has fewer than [`PASSKEYS_MAX`]; `codes` are the recovery
    /// codes if it is the first factor. The session `keep` stays.
    ///
    /// [`PASSKEYS_MAX`]: crate::domain::PASSKEYS_MAX
    async fn add(
        &self,
        passkey: &Passkey,
        codes: &[SecretHash],
        keep: SessionId,
        event: &Event,
    ) -> Answer<Added>;
    /// Writes a use down, unless its counter is not later than the one that is kept (or both are 0, of one
    /// that does not count); says whether it was done. Of many at once with one counter, one wins.
    async fn used(&self, id: PasskeyId, to: Use<'_>) -> Answer<bool>;
    /// Gives one of a person's another name; says whether there is such a one.
    async fn rename(&self, whose: Person, id: PasskeyId, name: &str, event: &Event)
    -> Answer<bool>;
    /// Removes one of a person's; with the last factor, unless that is to stay (`last_stays`), go the
    /// recovery codes. The session `keep` stays, if any.
    async fn remove(
        &self,
        which: (Person, PasskeyId),
        keep: Option<SessionId>,
        last_stays: bool,
        event: &Event,
    ) -> Answer<Removed>;
}
