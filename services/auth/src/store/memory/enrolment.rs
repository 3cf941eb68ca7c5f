//! The model of enrolment tokens and devices.

use async_trait::async_trait;
use jiff::Timestamp;
use openframe_ids::{DeviceId, EnrolmentTokenId, TenantId};
use openframe_pki::Withdrawn;
use openframe_tokens::Place;

use super::{Everything, MemoryStore};
use crate::domain::{
    Device, DeviceCertificate, EnrolmentToken, Event, Generation, Judged, WaitingDevice,
};
use crate::store::{Answer, Enrolment, Issuing, Joined, Joining};

impl Everything {
    /// A device that waits to be let in.
    fn waiting(&mut self, tenant: TenantId, id: DeviceId) -> Option<&mut Device> {
        let waits = |it: &&mut Device| it.tenant == tenant && !it.revoked && it.waits;
        self.devices.get_mut(&id).filter(waits)
    }
}

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
        let Joining { token, secret, first, claims, waits: waiting } = joining;
        let good = |it: &&mut EnrolmentToken| it.secret == *secret && it.tenant == first.tenant;
        let Some(token) = all.tokens.get_mut(token).filter(good) else {
            return Ok(Joined::Refused);
        };
        let (same, over) = (
            |it: &&Device| it.token == token.id && it.spki == first.spki,
            token.expires <= event.at,
        );
        if let Some(known) = all.devices.values().find(same) {
            let has_waited = known.certified_until <= known.created;
            return Ok(if known.revoked || (over && !has_waited) {
                Joined::Refused
            } else if known.waits {
                Joined::Waiting(known.id)
            } else if known.is_in() {
                Joined::Before(known.clone())
            } else {
                Joined::Refused
            });
        }
        if over {
            return Ok(Joined::Refused);
        }
        let judged = token.terms.judge(claims);
        let waits = match judged {
            Judged::In => false,
            Judged::Waits => true,
            Judged::OtherNetwork | Judged::OtherSerial if token.uses_left == 0 => {
                return Ok(Joined::Refused);
            }
            Judged::OtherNetwork | Judged::OtherSerial => return Ok(Joined::Elsewhere(judged)),
        };
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
            quarantined: waits.then_some(event.at),
            waits,
            generation: Generation::FIRST,
            certified_until: if waits { event.at } else { first.expires },
            created: event.at,
        };
        let (place, id) = (token.place, device.id);
        all.placed.insert(id, place);
        all.devices.insert(id, device);
        if waits {
            all.claims.insert(id, claims.clone());
            all.record(first.tenant, waiting);
            return Ok(Joined::Waiting(id));
        }
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
        let kept = |it: &&mut Device| {
            it.tenant == tenant && !it.revoked && it.quarantined.is_some() && !it.waits
        };
        let Some(device) = all.devices.get_mut(&id).filter(kept) else { return Ok(false) };
        device.quarantined = None;
        device.generation = Generation { shown: false, request: None, ..device.generation };
        all.record(tenant, event);
        Ok(true)
    }

    async fn waiting(&self, tenant: TenantId, limit: u32) -> Answer<Vec<WaitingDevice>> {
        let all = self.lock();
        let waiting = all.devices.values().filter_map(|it| {
            let since =
                it.quarantined.filter(|_| it.tenant == tenant && !it.revoked && it.waits)?;
            let place = all.placed.get(&it.id).copied().unwrap_or(Place::ROOT);
            let claims = all.claims.get(&it.id).cloned().unwrap_or_default();
            Some(WaitingDevice { id: it.id, tenant, place, spki: it.spki, claims, since })
        });
        let mut waiting: Vec<_> = waiting.collect();
        waiting.sort_by_key(|it| (it.since, it.id));
        waiting.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(waiting)
    }

    async fn admit(&self, tenant: TenantId, id: DeviceId, event: &Event) -> Answer<bool> {
        let mut all = self.lock();
        let Some(device) = all.waiting(tenant, id) else { return Ok(false) };
        (device.quarantined, device.waits) = (None, false);
        all.claims.remove(&id);
        all.record(tenant, event);
        Ok(true)
    }

    async fn turn_away(&self, tenant: TenantId, id: DeviceId, event: &Event) -> Answer<bool> {
        let mut all = self.lock();
        let Some(device) = all.waiting(tenant, id) else { return Ok(false) };
        device.revoked = true;
        all.record(tenant, event);
        Ok(true)
    }

    async fn quarantined(&self, tenant: TenantId, limit: u32) -> Answer<Vec<Device>> {
        let all = self.lock();
        let kept = |it: &&Device| {
            it.tenant == tenant && !it.revoked && it.quarantined.is_some() && !it.waits
        };
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
