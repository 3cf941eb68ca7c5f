//! The model of enrolment tokens and devices.

use async_trait::async_trait;
use jiff::Timestamp;
use openframe_ids::{DeviceId, EnrolmentTokenId, TenantId};
use openframe_pki::Withdrawn;

use super::MemoryStore;
use crate::domain::{Device, DeviceCertificate, EnrolmentToken, Event, Generation};
use crate::store::{Answer, Enrolment, Issuing, Joined, Joining};

#[async_trait]
impl Enrolment for MemoryStore {
    async fn add_token(&self, token: &EnrolmentToken, event: &Event) -> Answer<()> {
        let mut all = self.lock();
        all.tokens.insert(token.id, token.clone());
        all.record(token.tenant, event);
        Ok(())
    }

    async fn tokens(&self, tenant: TenantId, now: Timestamp) -> Answer<Vec<EnrolmentToken>> {
        let usable = |token: &&EnrolmentToken| {
            token.tenant == tenant && token.uses_left > 0 && token.expires > now
        };
        Ok(self.lock().tokens.values().filter(usable).cloned().collect())
    }

    async fn remove_token(
        &self,
        tenant: TenantId,
        id: EnrolmentTokenId,
        event: &Event,
    ) -> Answer<bool> {
        let mut all = self.lock();
        let there = all.tokens.get(&id).is_some_and(|token| token.tenant == tenant);
        if there {
            all.tokens.remove(&id);
            all.record(tenant, event);
        }
        Ok(there)
    }

    async fn join(&self, joining: &Joining, event: &Event) -> Answer<Joined> {
        let mut all = self.lock();
        let all = &mut *all;
        let Joining { token, secret, first } = joining;
        let good = |it: &&mut EnrolmentToken| {
            it.secret == *secret && it.tenant == first.tenant && it.expires > event.at
        };
        let Some(token) = all.tokens.get_mut(token).filter(good) else {
            return Ok(Joined::Refused);
        };
        let same = |it: &&Device| it.token == token.id && it.spki == first.spki;
        if let Some(known) = all.devices.values().find(same) {
            let known = known.is_in().then(|| known.clone());
            return Ok(known.map_or(Joined::Refused, Joined::Before));
        }
        let Some(left) = token.uses_left.checked_sub(1) else { return Ok(Joined::Refused) };
        token.uses_left = left;
        token.uses += 1;
        token.last_used = Some(event.at);
        let device = Device {
            id: first.device,
            tenant: first.tenant,
            token: token.id,
            spki: first.spki,
            revoked: false,
            quarantined: None,
            generation: Generation::FIRST,
            certified_until: first.expires,
            created: event.at,
        };
        let place = token.place;
        all.placed.insert(device.id, place);
        all.devices.insert(device.id, device);
        all.certificates.insert(first.serial.clone(), first.clone());
        all.record(first.tenant, event);
        Ok(Joined::New)
    }

    async fn device(&self, tenant: TenantId, id: DeviceId) -> Answer<Option<Device>> {
        Ok(self.lock().devices.get(&id).filter(|device| device.tenant == tenant).cloned())
    }

    async fn certify(&self, issuing: &Issuing, event: &Event) -> Answer<bool> {
        let mut all = self.lock();
        let all = &mut *all;
        let Issuing { certificate: issued, bound, seen, generation } = issuing;
        let device = all.devices.get(&issued.device);
        let as_seen = |it: &Device| it.spki == *bound && it.generation.number == *seen;
        let held = |it: &&Device| it.tenant == issued.tenant && it.is_in() && as_seen(it);
        let Some(device) = device.filter(held).cloned() else { return Ok(false) };
        let taken =
            |it: &Device| it.id != device.id && it.token == device.token && it.spki == issued.spki;
        if all.devices.values().any(taken) {
            return Ok(false);
        }
        all.certificates.retain(|_, it| it.device != device.id || it.spki == issued.spki);
        let certified_until = device.certified_until.max(issued.expires);
        let (spki, generation) = (issued.spki, *generation);
        let device = Device { spki, generation, certified_until, ..device };
        all.devices.insert(device.id, device);
        all.certificates.insert(issued.serial.clone(), issued.clone());
        all.record(issued.tenant, event);
        Ok(true)
    }

    async fn quarantine(&self, tenant: TenantId, id: DeviceId, event: &Event) -> Answer<bool> {
        let mut all = self.lock();
        let device = all.devices.get_mut(&id);
        let Some(device) = device.filter(|it| it.tenant == tenant && it.is_in()) else {
            return Ok(false);
        };
        device.quarantined = Some(event.at);
        all.record(tenant, event);
        Ok(true)
    }

    async fn readmit(&self, tenant: TenantId, id: DeviceId, event: &Event) -> Answer<bool> {
        let mut all = self.lock();
        let kept =
            |it: &&mut Device| it.tenant == tenant && !it.revoked && it.quarantined.is_some();
        let Some(device) = all.devices.get_mut(&id).filter(kept) else { return Ok(false) };
        device.quarantined = None;
        device.generation = Generation { shown: false, request: None, ..device.generation };
        all.record(tenant, event);
        Ok(true)
    }

    async fn quarantined(&self, tenant: TenantId, limit: u32) -> Answer<Vec<Device>> {
        let all = self.lock();
        let kept = |it: &&Device| it.tenant == tenant && !it.revoked && it.quarantined.is_some();
        let mut found: Vec<Device> = all.devices.values().filter(kept).cloned().collect();
        found.sort_by_key(|it| std::cmp::Reverse((it.quarantined, it.id)));
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(found)
    }

    async fn counts(
        &self,
        (tenant, id): (TenantId, DeviceId),
        serial: &str,
        now: Timestamp,
    ) -> Answer<bool> {
        let all = self.lock();
        let device = all.devices.get(&id).filter(|it| it.tenant == tenant && it.is_in());
        Ok(device.is_some_and(|device| {
            let good = |it: &DeviceCertificate| {
                it.device == id && it.spki == device.spki && it.expires > now
            };
            all.certificates.get(serial).is_some_and(good)
        }))
    }

    async fn forget_certificates(&self, now: Timestamp) -> Answer<()> {
        self.lock().certificates.retain(|_, it| it.expires > now);
        Ok(())
    }

    async fn withdrawn(&self, tenant: TenantId, now: Timestamp) -> Answer<Vec<Withdrawn>> {
        let all = self.lock();
        let lasting = all.certificates.values();
        let lasting = lasting.filter(|it| it.tenant == tenant && it.expires > now);
        let withdrawn = lasting.filter_map(|it| {
            let device = all.devices.get(&it.device).filter(|device| !device.is_in())?;
            let (serial, expires) = (it.serial.clone(), it.expires);
            Some(Withdrawn { serial, expires, held: !device.revoked })
        });
        Ok(withdrawn.collect())
    }

    async fn revoke(&self, tenant: TenantId, id: DeviceId, event: &Event) -> Answer<bool> {
        let mut all = self.lock();
        let device = all.devices.get_mut(&id);
        let Some(device) = device.filter(|it| it.tenant == tenant && !it.revoked) else {
            return Ok(false);
        };
        device.revoked = true;
        all.record(tenant, event);
        Ok(true)
    }
}
