//! The model of second factors, half sign-ins and settings.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use openframe_ids::{SessionId, SignInId, TenantId, UserId};
use openframe_tokens::opaque::SecretHash;

use super::{Everything, MemoryStore};
use crate::domain::{Event, HalfSignIn, Rate, SealedTotp, TenantSettings, User};
use crate::store::{Answer, Confirmation, Factors, Person, Removed, Settings, SignIns};

/// What one person has.
#[derive(Debug, Default)]
pub(super) struct Kept {
    totp: Option<(SealedTotp, i64)>,
    pending: Option<SealedTotp>,
    codes: BTreeSet<[u8; 32]>,
    tries_whole_at: i64,
}

fn kept(codes: &[SecretHash]) -> BTreeSet<[u8; 32]> {
    codes.iter().map(|code| code.0).collect()
}

impl Everything {
    /// Ends a person's sessions but one, what programs were allowed in them, and half sign-ins.
    pub(super) fn end_sessions_of(&mut self, user: UserId, keep: Option<SessionId>, at: Timestamp) {
        self.sign_ins.retain(|_, half| half.user != user);
        self.sessions.retain(|id, session| session.user != user || Some(*id) == keep);
        self.end_logins(at);
        self.end_families(|it| {
            it.holder.is_some_and(|holder| holder.user == user && Some(holder.session) != keep)
        });
    }

    /// Whether a person has a factor in force.
    pub(super) fn has_factor(&self, user: UserId) -> bool {
        let app = self.factors.get(&user).is_some_and(|kept| kept.totp.is_some());
        app || self.passkeys.values().any(|it| it.user == user)
    }

    /// Forgets what is of no use without a factor.
    pub(super) fn forget_without_factor(&mut self, user: UserId) {
        if !self.has_factor(user) {
            self.factors.remove(&user);
        }
    }

    pub(super) fn set_codes(&mut self, user: UserId, codes: &[SecretHash]) {
        self.factors.entry(user).or_default().codes = kept(codes);
    }

    pub(super) fn person(&self, (tenant, user): Person) -> Option<&User> {
        self.users.get(&user).filter(|user| user.tenant == tenant)
    }
}

#[async_trait]
impl Factors for MemoryStore {
    async fn totp(&self, user: UserId) -> Answer<Option<SealedTotp>> {
        let all = self.lock();
        Ok(all.factors.get(&user).and_then(|kept| Some(kept.totp.as_ref()?.0.clone())))
    }

    async fn pending_totp(&self, user: UserId) -> Answer<Option<SealedTotp>> {
        Ok(self.lock().factors.get(&user).and_then(|kept| kept.pending.clone()))
    }

    async fn enrol_totp(&self, whose: Person, totp: &SealedTotp, event: &Event) -> Answer<bool> {
        let mut all = self.lock();
        if all.person(whose).is_none_or(|user| user.disabled) {
            return Ok(false);
        }
        all.factors.entry(whose.1).or_default().pending = Some(totp.clone());
        all.record(whose.0, event);
        Ok(true)
    }

    async fn confirm_totp(
        &self,
        whose: Person,
        to: &Confirmation<'_>,
        event: &Event,
    ) -> Answer<bool> {
        let mut all = self.lock();
        let there = all.person(whose).is_some() && !(to.first && all.has_factor(whose.1));
        let Some(own) = all.factors.get_mut(&whose.1).filter(|_| there) else { return Ok(false) };
        if own.pending.as_ref().is_none_or(|it| it.sealed != to.sealed) {
            return Ok(false);
        }
        own.totp = own.pending.take().map(|it| (it, to.step));
        own.codes = kept(to.codes);
        all.end_sessions_of(whose.1, to.keep, event.at);
        all.record(whose.0, event);
        Ok(true)
    }

    async fn use_totp(&self, user: UserId, step: i64) -> Answer<bool> {
        let mut all = self.lock();
        let own = all.factors.get_mut(&user).and_then(|kept| kept.totp.as_mut());
        let Some((_, last)) = own.filter(|(_, last)| *last < step) else { return Ok(false) };
        *last = step;
        Ok(true)
    }

    async fn remove_totp(
        &self,
        whose: Person,
        keep: Option<SessionId>,
        last_stays: bool,
        event: &Event,
    ) -> Answer<Removed> {
        let mut all = self.lock();
        let there = all.person(whose).is_some();
        let last = all.passkeys.values().all(|it| it.user != whose.1);
        let own = all.factors.get_mut(&whose.1).filter(|own| there && own.totp.is_some());
        let Some(own) = own else { return Ok(Removed::Missing) };
        if last && last_stays {
            return Ok(Removed::Last);
        }
        (own.totp, own.pending) = (None, None);
        all.forget_without_factor(whose.1);
        all.end_sessions_of(whose.1, keep, event.at);
        all.record(whose.0, event);
        Ok(Removed::Done)
    }

    async fn remove(&self, whose: Person, keep: Option<SessionId>, event: &Event) -> Answer<bool> {
        let mut all = self.lock();
        if !all.has_factor(whose.1) || all.person(whose).is_none() {
            return Ok(false);
        }
        all.factors.remove(&whose.1);
        all.passkeys.retain(|_, it| it.user != whose.1);
        all.end_sessions_of(whose.1, keep, event.at);
        all.record(whose.0, event);
        Ok(true)
    }

    async fn replace_recovery_codes(
        &self,
        whose: Person,
        codes: &[SecretHash],
        event: &Event,
    ) -> Answer<bool> {
        let mut all = self.lock();
        if all.person(whose).is_none() || !all.has_factor(whose.1) {
            return Ok(false);
        }
        all.set_codes(whose.1, codes);
        all.record(whose.0, event);
        Ok(true)
    }

    async fn use_recovery_code(
        &self,
        whose: Person,
        code: SecretHash,
        event: &Event,
    ) -> Answer<bool> {
        let mut all = self.lock();
        let own = all.factors.get_mut(&whose.1);
        let used = own.is_some_and(|own| own.codes.remove(&code.0));
        if used {
            all.record(whose.0, event);
        }
        Ok(used)
    }

    async fn recovery_codes(&self, user: UserId) -> Answer<u64> {
        Ok(self.lock().factors.get(&user).map_or(0, |own| own.codes.len() as u64))
    }

    async fn take_try(
        &self,
        user: UserId,
        rate: Rate,
        now: Timestamp,
    ) -> Answer<Result<(), Duration>> {
        let mut all = self.lock();
        let own = all.factors.entry(user).or_default();
        let next = rate.next(own.tries_whole_at, now.as_millisecond());
        Ok(next.map(|next| own.tries_whole_at = next))
    }

    async fn forgive_tries(&self, user: UserId) -> Answer<()> {
        self.lock().factors.entry(user).or_default().tries_whole_at = 0;
        Ok(())
    }
}

#[async_trait]
impl SignIns for MemoryStore {
    async fn begin(&self, half: &HalfSignIn, event: &Event) -> Answer<()> {
        let mut all = self.lock();
        all.sign_ins.insert(half.id, half.clone());
        all.record(half.tenant, event);
        Ok(())
    }

    async fn get(&self, id: SignInId) -> Answer<Option<HalfSignIn>> {
        Ok(self.lock().sign_ins.get(&id).cloned())
    }

    async fn end(&self, id: SignInId) -> Answer<bool> {
        Ok(self.lock().sign_ins.remove(&id).is_some())
    }

    async fn forget_ended(&self, now: Timestamp) -> Answer<()> {
        self.lock().sign_ins.retain(|_, half| half.expires > now);
        Ok(())
    }
}

#[async_trait]
impl Settings for MemoryStore {
    async fn get(&self, tenant: TenantId) -> Answer<TenantSettings> {
        Ok(self.lock().settings.get(&tenant).copied().unwrap_or_default())
    }

    async fn set(&self, tenant: TenantId, to: TenantSettings, event: &Event) -> Answer<()> {
        let mut all = self.lock();
        all.settings.insert(tenant, to);
        all.record(tenant, event);
        Ok(())
    }
}
