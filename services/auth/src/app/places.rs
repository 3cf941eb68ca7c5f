//! The parts of a tenant: organisations, their sites, and groups of devices there.

use openframe_ids::{DeviceId, PlaceId, TenantId};
use openframe_tokens::{Caller, Permission, Place, Reach};

use super::people::checked_name;
use super::{Asked, Auth, need_whole};
use crate::Error;
use crate::domain::NamedPlace;
use crate::store::Placed;

impl Auth {
    /// The places that the caller reads devices of, and those that they lie in.
    pub async fn places(&self, asked: &Asked) -> Result<Vec<NamedPlace>, Error> {
        let reach = asked.caller.reach(Permission::DevicesRead);
        let leads_to = match &reach {
            Reach::Everywhere => Vec::new(),
            Reach::Within { allowed, .. } => allowed.clone(),
            Reach::Nowhere => {
                return Err(Error::NotPermitted(Permission::DevicesRead.as_str()));
            }
        };
        let mut places = self.store.places.list(asked.caller.tenant).await?;
        places.retain(|it| {
            reach.contains(&it.place) || leads_to.iter().any(|below| it.place.contains(below))
        });
        Ok(places)
    }

    /// Makes a place within another one, or within the tenant.
    pub async fn add_place(
        &self,
        asked: &Asked,
        within: Option<PlaceId>,
        name: &str,
    ) -> Result<NamedPlace, Error> {
        need_whole(&asked.caller, Permission::UsersManage)?;
        let (tenant, id) = (asked.caller.tenant, PlaceId::new());
        let place = self.place(tenant, within).await?.child(id).ok_or_else(|| {
            Error::Invalid("a group is in a site, a site in an organisation, no deeper".to_owned())
        })?;
        let name = checked_name(name)?;
        let named = NamedPlace { place, tenant, name, created: self.now() };
        let mut event = self.event(asked, "place.create", id);
        event.detail = format!("{} {:?}", named.kind().as_str(), named.name);
        placed(self.store.places.add(&named, &event).await?)?;
        Ok(named)
    }

    /// Gives a place another name.
    pub async fn rename_place(
        &self,
        asked: &Asked,
        id: PlaceId,
        name: &str,
    ) -> Result<NamedPlace, Error> {
        need_whole(&asked.caller, Permission::UsersManage)?;
        let (tenant, name) = (asked.caller.tenant, checked_name(name)?);
        let mut event = self.event(asked, "place.rename", id);
        event.detail = format!("{name:?}");
        placed(self.store.places.rename(tenant, id, &name, &event).await?)?;
        self.store.places.get(tenant, id).await?.ok_or(Error::Missing("place"))
    }

    /// Removes a place in which nothing is.
    pub async fn remove_place(&self, asked: &Asked, id: PlaceId) -> Result<(), Error> {
        need_whole(&asked.caller, Permission::UsersManage)?;
        let event = self.event(asked, "place.remove", id);
        placed(self.store.places.remove(asked.caller.tenant, id, &event).await?)
    }

    /// The place of this id; without one the whole tenant.
    pub(super) async fn place(
        &self,
        tenant: TenantId,
        id: Option<PlaceId>,
    ) -> Result<Place, Error> {
        let Some(id) = id else { return Ok(Place::ROOT) };
        let found = self.store.places.get(tenant, id).await?;
        Ok(found.ok_or(Error::Missing("place"))?.place)
    }

    /// Where a place is, for the service that keeps where devices are.
    pub async fn find_place(&self, caller: &Caller, id: PlaceId) -> Result<Place, Error> {
        only("devices", caller)?;
        self.place(caller.tenant, Some(id)).await
    }

    /// Where a device is, for the service that keeps where devices are and does not know this one yet.
    pub async fn place_of_device(&self, caller: &Caller, id: DeviceId) -> Result<Place, Error> {
        only("devices", caller)?;
        let found = self.store.places.of_device(caller.tenant, id).await?;
        found.ok_or(Error::Missing("device"))
    }

    /// Some of the devices in a place and in all that lies in it, retired ones among them, by their ids:
    /// for the service that keeps what devices measured.
    pub async fn devices_within(
        &self,
        caller: &Caller,
        place: &Place,
        page: (Option<DeviceId>, usize),
    ) -> Result<Vec<DeviceId>, Error> {
        only("monitoring", caller)?;
        Ok(self.store.places.devices_within(caller.tenant, place, page).await?)
    }

    /// Notes that a device is about to be moved: its new place is not empty any more. Whoever asks has
    /// put it on the audit trail.
    pub async fn move_device(
        &self,
        caller: &Caller,
        id: DeviceId,
        to: &Place,
    ) -> Result<(), Error> {
        only("devices", caller)?;
        let moved = self.store.places.move_device(caller.tenant, id, to).await?;
        if moved { Ok(()) } else { Err(Error::Missing("device or place")) }
    }
}

fn only(service: &str, caller: &Caller) -> Result<(), Error> {
    if caller.is_service(service) { Ok(()) } else { Err(Error::ServicesOnly) }
}

fn placed(became: Placed) -> Result<(), Error> {
    match became {
        Placed::Done => Ok(()),
        Placed::Missing => Err(Error::Missing("place")),
        Placed::NameTaken => Err(Error::PlaceTaken),
        Placed::TooMany => Err(Error::TooManyPlaces),
        Placed::InUse => Err(Error::PlaceInUse),
    }
}
