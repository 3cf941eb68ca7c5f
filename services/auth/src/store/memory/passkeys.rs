//! The model of passkeys.

use async_trait::async_trait;
use openframe_ids::{PasskeyId, SessionId, TenantId, UserId};
use openframe_tokens::opaque::SecretHash;

use super::MemoryStore;
use crate::domain::{Event, PASSKEYS_MAX, Passkey};
use crate::store::{Added, Answer, Passkeys, Person, Removed, Use};

#[async_trait]
impl Passkeys for MemoryStore {
    async fn list(&self, user: UserId) -> Answer<Vec<Passkey>> {
        // Their ids are in the order in which they were made.
        let all = self.lock();
        Ok(all.passkeys.values().filter(|it| it.user == user).cloned().collect())
    }

    async fn by_credential(&self, tenant: TenantId, credential: &[u8]) -> Answer<Option<Passkey>> {
        let all = self.lock();
        let mut found = all.passkeys.values();
        Ok(found.find(|it| it.tenant == tenant && it.credential == credential).cloned())
    }

    async fn add(
        &self,
        passkey: &Passkey,
        codes: &[SecretHash],
        keep: SessionId,
        event: &Event,
    ) -> Answer<Added> {
        let mut all = self.lock();
        let (tenant, user) = (passkey.tenant, passkey.user);
        if all.person((tenant, user)).is_none_or(|person| person.disabled) {
            return Ok(Added::Refused);
        }
        if all.passkeys.values().filter(|it| it.user == user).count() >= PASSKEYS_MAX {
            return Ok(Added::Full);
        }
        let same = |it: &Passkey| it.tenant == tenant && it.credential == passkey.credential;
        if all.passkeys.values().any(same) {
            return Ok(Added::Taken);
        }
        let first = !all.has_factor(user);
        if first {
            all.set_codes(user, codes);
        }
        all.passkeys.insert(passkey.id, passkey.clone());
        all.end_sessions_of(user, Some(keep), event.at);
        all.record(tenant, event);
        Ok(if first { Added::First } else { Added::More })
    }

    async fn used(&self, id: PasskeyId, to: Use<'_>) -> Answer<bool> {
        let mut all = self.lock();
        let later =
            |it: &&mut Passkey| it.counter < to.counter || (it.counter == 0 && to.counter == 0);
        let Some(kept) = all.passkeys.get_mut(&id).filter(later) else { return Ok(false) };
        to.key.clone_into(&mut kept.key);
        (kept.counter, kept.last_used) = (to.counter, Some(to.at));
        Ok(true)
    }

    async fn rename(
        &self,
        (tenant, user): Person,
        id: PasskeyId,
        name: &str,
        event: &Event,
    ) -> Answer<bool> {
        let mut all = self.lock();
        let own = |it: &&mut Passkey| it.tenant == tenant && it.user == user;
        let Some(kept) = all.passkeys.get_mut(&id).filter(own) else { return Ok(false) };
        name.clone_into(&mut kept.name);
        all.record(tenant, event);
        Ok(true)
    }

    async fn remove(
        &self,
        ((tenant, user), id): (Person, PasskeyId),
        keep: Option<SessionId>,
        last_stays: bool,
        event: &Event,
    ) -> Answer<Removed> {
        let mut all = self.lock();
        let own = |it: &Passkey| it.tenant == tenant && it.user == user;
        let Some(kept) = all.passkeys.remove(&id) else { return Ok(Removed::Missing) };
        if !own(&kept) {
            all.passkeys.insert(id, kept);
            return Ok(Removed::Missing);
        }
        if last_stays && !all.has_factor(user) {
            all.passkeys.insert(id, kept);
            return Ok(Removed::Last);
        }
        all.forget_without_factor(user);
        all.end_sessions_of(user, keep, event.at);
        all.record(tenant, event);
        Ok(Removed::Done)
    }
}
