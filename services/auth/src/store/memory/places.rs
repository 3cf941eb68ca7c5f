//! The model of places and grants.

use async_trait::async_trait;
use jiff::Timestamp;
use openframe_ids::{DeviceId, GrantId, PlaceId, TenantId, UserId};
use openframe_tokens::{Effect, MOST_GRANTS, Place, Role};

use super::{Everything, MemoryStore};
use crate::domain::{Event, KeptGrant, MOST_PLACES, NamedPlace};
use crate::store::{Answer, Granted, Grants, Placed, Places};

impl Everything {
    /// Whether the place is there; the whole tenant always is.
    fn has_place(&self, tenant: TenantId, place: &Place) -> bool {
        let kept = |id| self.places.get(&id).is_some_and(|it| it.place == *place);
        let here = |id| self.places.get(&id).is_some_and(|it| it.tenant == tenant);
        place.id().is_none_or(|id| kept(id) && here(id))
    }

    fn is_name_taken(&self, tenant: TenantId, place: &Place, name: &str) -> bool {
        self.places.values().any(|it| {
            it.tenant == tenant
                && it.name == name
                && it.place != *place
                && it.place.parent() == place.parent()
        })
    }

    fn is_in_use(&self, place: &Place, now: Timestamp) -> bool {
        let devices = |(id, at): (&DeviceId, &Place)| {
            at == place && self.devices.get(id).is_some_and(|it| !it.revoked)
        };
        self.places.values().any(|it| it.place.parent() == Some(*place))
            || self.grants.values().any(|it| it.grant.place == *place && it.grant.is_in_force(now))
            || self
                .tokens
                .values()
                .any(|it| it.place == *place && it.uses_left > 0 && it.expires > now)
            || self.placed.iter().any(devices)
    }

    /// Whether the person is denied something.
    pub(super) fn is_denied(&self, user: UserId, now: Timestamp) -> bool {
        self.grants.values().any(|it| {
            it.user == user && it.grant.effect == Effect::Deny && it.grant.is_in_force(now)
        })
    }
}

#[async_trait]
impl Places for MemoryStore {
    async fn add(&self, place: &NamedPlace, event: &Event) -> Answer<Placed> {
        let mut all = self.lock();
        let (tenant, Some(id)) = (place.tenant, place.place.id()) else {
            return Ok(Placed::Missing);
        };
        if !place.place.parent().is_some_and(|parent| all.has_place(tenant, &parent)) {
            return Ok(Placed::Missing);
        }
        if all.is_name_taken(tenant, &place.place, &place.name) {
            return Ok(Placed::NameTaken);
        }
        if all.places.values().filter(|it| it.tenant == tenant).count() >= MOST_PLACES {
            return Ok(Placed::TooMany);
        }
        all.places.insert(id, place.clone());
        all.record(tenant, event);
        Ok(Placed::Done)
    }

    async fn get(&self, tenant: TenantId, id: PlaceId) -> Answer<Option<NamedPlace>> {
        Ok(self.lock().places.get(&id).filter(|it| it.tenant == tenant).cloned())
    }

    async fn list(&self, tenant: TenantId) -> Answer<Vec<NamedPlace>> {
        Ok(self.lock().places.values().filter(|it| it.tenant == tenant).cloned().collect())
    }

    async fn rename(
        &self,
        tenant: TenantId,
        id: PlaceId,
        name: &str,
        event: &Event,
    ) -> Answer<Placed> {
        let mut all = self.lock();
        let Some(known) = all.places.get(&id).filter(|it| it.tenant == tenant).cloned() else {
            return Ok(Placed::Missing);
        };
        if all.is_name_taken(tenant, &known.place, name) {
            return Ok(Placed::NameTaken);
        }
        all.places.insert(id, NamedPlace { name: name.to_owned(), ..known });
        all.record(tenant, event);
        Ok(Placed::Done)
    }

    async fn remove(&self, tenant: TenantId, id: PlaceId, event: &Event) -> Answer<Placed> {
        let mut all = self.lock();
        let Some(known) = all.places.get(&id).filter(|it| it.tenant == tenant).cloned() else {
            return Ok(Placed::Missing);
        };
        if all.is_in_use(&known.place, event.at) {
            return Ok(Placed::InUse);
        }
        all.places.remove(&id);
        all.record(tenant, event);
        Ok(Placed::Done)
    }

    async fn of_device(&self, tenant: TenantId, id: DeviceId) -> Answer<Option<Place>> {
        let all = self.lock();
        let there = all.devices.get(&id).is_some_and(|it| it.tenant == tenant);
        Ok(there.then(|| all.placed.get(&id).copied().unwrap_or(Place::ROOT)))
    }

    async fn devices_within(
        &self,
        tenant: TenantId,
        place: &Place,
        (after, most): (Option<DeviceId>, usize),
    ) -> Answer<Vec<DeviceId>> {
        let all = self.lock();
        let at = |id| all.placed.get(id).copied().unwrap_or(Place::ROOT);
        let there = all.devices.iter().filter(|(id, it)| {
            it.tenant == tenant && after.is_none_or(|after| **id > after) && place.contains(&at(id))
        });
        Ok(there.map(|(id, _)| *id).take(most).collect())
    }

    async fn move_device(&self, tenant: TenantId, id: DeviceId, to: &Place) -> Answer<bool> {
        let mut all = self.lock();
        let there = all.devices.get(&id).is_some_and(|it| it.tenant == tenant);
        let done = there && all.has_place(tenant, to);
        if done {
            all.placed.insert(id, *to);
        }
        Ok(done)
    }
}

#[async_trait]
impl Grants for MemoryStore {
    async fn add(&self, grant: &KeptGrant, event: &Event) -> Answer<Granted> {
        let mut all = self.lock();
        let (tenant, id) = (grant.tenant, grant.user);
        let Some(user) = all.users.get(&id).filter(|user| user.tenant == tenant) else {
            return Ok(Granted::NoPerson);
        };
        if user.role == Role::Owner && grant.grant.effect == Effect::Deny {
            return Ok(Granted::Owner);
        }
        if !all.has_place(tenant, &grant.grant.place) {
            return Ok(Granted::NoPlace);
        }
        let counts = |it: &KeptGrant| it.user != id || it.grant.is_in_force(event.at);
        if all.grants.values().filter(|it| it.user == id && counts(it)).count() >= MOST_GRANTS {
            return Ok(Granted::TooMany);
        }
        all.grants.retain(|_, it| counts(it));
        all.grants.insert(grant.id, grant.clone());
        all.record(tenant, event);
        Ok(Granted::Done)
    }

    async fn of(&self, tenant: TenantId, user: UserId, now: Timestamp) -> Answer<Vec<KeptGrant>> {
        let wanted =
            |it: &&KeptGrant| it.tenant == tenant && it.user == user && it.grant.is_in_force(now);
        Ok(self.lock().grants.values().filter(wanted).cloned().collect())
    }

    async fn remove(
        &self,
        (tenant, user): (TenantId, UserId),
        id: GrantId,
        event: &Event,
    ) -> Answer<bool> {
        let mut all = self.lock();
        let there = all.grants.get(&id).is_some_and(|it| it.tenant == tenant && it.user == user);
        if there {
            all.grants.remove(&id);
            all.record(tenant, event);
        }
        Ok(there)
    }
}
