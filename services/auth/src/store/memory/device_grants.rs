//! The model of programs that wait for a person's answer.

use async_trait::async_trait;
use jiff::Timestamp;
use openframe_ids::{FamilyId, UserId};
use openframe_oauth::{DeviceGrant, Family};
use openframe_tokens::opaque::SecretHash;

use super::MemoryStore;
use crate::domain::{DEVICE_CODE_MISSES, Event};
use crate::store::{Answer, DeviceGrants, Typed};

#[async_trait]
impl DeviceGrants for MemoryStore {
    async fn add(&self, grant: &DeviceGrant, event: &Event) -> Answer<bool> {
        let mut all = self.lock();
        let taken = all.device_grants.values().any(|it| it.user_code == grant.user_code);
        if taken || !all.clients.contains_key(&grant.client) {
            return Ok(false);
        }
        all.device_grants.insert(grant.id, grant.clone());
        all.record(grant.tenant, event);
        Ok(true)
    }

    async fn get(&self, id: FamilyId) -> Answer<Option<DeviceGrant>> {
        Ok(self.lock().device_grants.get(&id).cloned())
    }

    async fn typed(
        &self,
        who: UserId,
        code: Option<SecretHash>,
        (since, now): (Timestamp, Timestamp),
    ) -> Answer<Typed> {
        let mut all = self.lock();
        let own = |(user, at): &&(UserId, Timestamp)| *user == who && *at > since;
        if all.device_misses.iter().filter(own).count() >= DEVICE_CODE_MISSES {
            return Ok(Typed::TooMany);
        }
        let waits =
            |it: &&DeviceGrant| Some(it.user_code) == code && !it.denied && it.expires > now;
        if let Some(found) = all.device_grants.values().find(waits) {
            return Ok(Typed::Right(Box::new(found.clone())));
        }
        all.device_misses.push((who, now));
        Ok(Typed::Wrong)
    }

    async fn polled(&self, next: &DeviceGrant) -> Answer<()> {
        if let Some(grant) = self.lock().device_grants.get_mut(&next.id) {
            (grant.polled, grant.interval) = (next.polled, next.interval);
        }
        Ok(())
    }

    async fn deny(&self, id: FamilyId, event: &Event) -> Answer<bool> {
        let mut all = self.lock();
        let open = all.device_grants.get_mut(&id);
        let open = open.filter(|grant| !grant.denied && grant.expires > event.at);
        let Some(grant) = open else { return Ok(false) };
        grant.denied = true;
        let tenant = grant.tenant;
        all.record(tenant, event);
        Ok(true)
    }

    async fn allow(&self, family: &Family, event: &Event) -> Answer<bool> {
        let mut all = self.lock();
        let open = all.device_grants.get(&family.id);
        if !open.is_some_and(|grant| !grant.denied && grant.expires > event.at) {
            return Ok(false);
        }
        let done = all.add_family(family, Some(event));
        if done {
            all.device_grants.remove(&family.id);
        }
        Ok(done)
    }

    async fn forget(&self, before: Timestamp) -> Answer<()> {
        let mut all = self.lock();
        all.device_grants.retain(|_, grant| grant.expires > before);
        all.device_misses.retain(|(_, at)| *at > before);
        Ok(())
    }
}
