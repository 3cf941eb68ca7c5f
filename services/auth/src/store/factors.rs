//! What must be kept of second factors, of sign-ins that wait for one, and of what owners have decided.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use openframe_ids::{SessionId, SignInId, TenantId, UserId};
use openframe_tokens::opaque::SecretHash;

use super::{Answer, Removed};
use crate::domain::{Event, HalfSignIn, Rate, SealedTotp, TenantSettings};

/// A person of a tenant.
pub type Person = (TenantId, UserId);

/// What puts the secret of an app in force.
#[derive(Debug)]
pub struct Confirmation<'a> {
    /// The secret that was confirmed, as it is kept.
    pub sealed: &'a [u8],
    /// The step whose code has confirmed it: it counts as used.
    pub step: i64,
    /// The hashes of the recovery codes that come with it.
    pub codes: &'a [SecretHash],
    /// The session that stays, if any.
    pub keep: Option<SessionId>,
    /// Whether it must be the person's first factor.
    pub first: bool,
}

/// Second factors.
#[async_trait]
pub trait Factors: Send + Sync + 'static {
    /// The secret of the person's app that is in force.
    async fn totp(&self, user: UserId) -> Answer<Option<SealedTotp>>;
    /// The secret that waits to be confirmed.
    async fn pending_totp(&self, user: UserId) -> Answer<Option<SealedTotp>>;
    /// Keeps a secret to be confirmed, in the place of the one that waited before. Only if the person
    /// is there and not disabled; says whether it was done.
    async fn enrol_totp(&self, whose: Person, totp: &SealedTotp, event: &Event) -> Answer<bool>;
    /// Puts the secret that waits in force, in the place of the one before, and sets the recovery codes.
    /// All other sessions of the person end, with what programs were allowed in them, and half
    /// sign-ins. Only if that very secret waits; says whether it was done.
    async fn confirm_totp(
        &self,
        whose: Person,
        to: &Confirmation<'_>,
        event: &Event,
    ) -> Answer<bool>;
    /// Uses the code of a step. Each step is used once, and none before the last one used; of many at
    /// once one wins. Says whether it was done.
    async fn use_totp(&self, user: UserId, step: i64) -> Answer<bool>;
    /// Removes the person's app; with the last factor, unless that is to stay (`last_stays`), go the
    /// recovery codes. Ends what [`Factors::confirm_totp`] ends.
    async fn remove_totp(
        &self,
        whose: Person,
        keep: Option<SessionId>,
        last_stays: bool,
        event: &Event,
    ) -> Answer<Removed>;
    /// Removes all factors of a person, passkeys too, and ends what [`Factors::confirm_totp`] ends;
    /// `false` when there was none in force.
    async fn remove(&self, whose: Person, keep: Option<SessionId>, event: &Event) -> Answer<bool>;
    /// Sets the recovery codes of a person who has a factor; says whether it was done.
    async fn replace_recovery_codes(
        &self,
        whose: Person,
        codes: &[SecretHash],
        event: &Event,
    ) -> Answer<bool>;
    /// Uses a recovery code. Each is used once; of many at once one wins. Says whether it was done.
    async fn use_recovery_code(
        &self,
        whose: Person,
        code: SecretHash,
        event: &Event,
    ) -> Answer<bool>;
    /// How many recovery codes are left.
    async fn recovery_codes(&self, user: UserId) -> Answer<u64>;
    /// Takes one try from the person's budget, before it is made; or says how long there is none.
    /// Every replica takes from the same.
    async fn take_try(
        &self,
        user: UserId,
        rate: Rate,
        now: Timestamp,
    ) -> Answer<Result<(), Duration>>;
    /// Makes the budget whole: a try was right.
    async fn forgive_tries(&self, user: UserId) -> Answer<()>;
}

/// Sign-ins that are half done. Who ends all of a person's sessions, or changes a factor, ends them too.
#[async_trait]
pub trait SignIns: Send + Sync + 'static {
    /// Keeps one.
    async fn begin(&self, half: &HalfSignIn, event: &Event) -> Answer<()>;
    /// One of them, ended or not.
    async fn get(&self, id: SignInId) -> Answer<Option<HalfSignIn>>;
    /// Ends one, because it became whole. Of many at once one wins; says whether it was done.
    async fn end(&self, id: SignInId) -> Answer<bool>;
    /// Forgets those that ended at `now` or before.
    async fn forget_ended(&self, now: Timestamp) -> Answer<()>;
}

/// What owners have decided for everybody.
#[async_trait]
pub trait Settings: Send + Sync + 'static {
    /// The settings; those of [`TenantSettings::default`] where nobody has decided.
    async fn get(&self, tenant: TenantId) -> Answer<TenantSettings>;
    /// Changes them.
    async fn set(&self, tenant: TenantId, to: TenantSettings, event: &Event) -> Answer<()>;
}
