//! Who may do what with a device: that depends on where the device is.

use std::sync::PoisonError;

use openframe_ids::{CommandId, DeviceId};
use openframe_tokens::{Permission, Place, Reach};

use super::{App, Ask};
use crate::domain::{Command, Device};
use crate::error::Error;
use crate::store::Whose;

/// Where the caller has `permission`; refuses a caller who has it nowhere.
pub(super) fn permit(ask: &Ask, permission: Permission) -> Result<Reach, Error> {
    match ask.caller.reach(permission) {
        Reach::Nowhere => Err(Error::NotPermitted(permission.as_str())),
        reach @ (Reach::Everywhere | Reach::Within { .. }) => Ok(reach),
    }
}

/// What is refused at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    /// The caller may not do this there.
    Act,
    /// Nor know that anything is there.
    Know,
}

fn permit_at(ask: &Ask, permission: Permission, place: &Place) -> Result<(), Refused> {
    if ask.caller.may_at(permission, place) {
        Ok(())
    } else if ask.caller.may_at(Permission::DevicesRead, place) {
        Err(Refused::Act)
    } else {
        Err(Refused::Know)
    }
}

impl App {
    /// The record of a device with which the caller may do what `permission` names. One that the caller
    /// may not even see is not there.
    pub(super) async fn permitted(
        &self,
        ask: &Ask,
        permission: Permission,
        id: DeviceId,
    ) -> Result<Device, Error> {
        permit(ask, permission)?;
        let device = self.find((ask.caller.tenant, id)).await?;
        match permit_at(ask, permission, &device.place) {
            Ok(()) => Ok(device),
            Err(Refused::Act) => Err(Error::NotPermitted(permission.as_str())),
            Err(Refused::Know) => Err(Error::NoSuchDevice(id)),
        }
    }

    /// The same of a command, which is where its device is.
    pub(super) async fn permitted_command(
        &self,
        ask: &Ask,
        permission: Permission,
        id: CommandId,
    ) -> Result<Command, Error> {
        let reach = permit(ask, permission)?;
        let command = self.found(ask, id).await?;
        // Most callers are let in everywhere: nothing more is read for them.
        if reach == Reach::Everywhere {
            return Ok(command);
        }
        let device = self.find((command.tenant, command.device)).await?;
        match permit_at(ask, permission, &device.place) {
            Ok(()) => Ok(command),
            Err(Refused::Act) => Err(Error::NotPermitted(permission.as_str())),
            Err(Refused::Know) => Err(Error::NoSuchCommand(id)),
        }
    }

    /// The place of this id, which nothing names for the whole tenant, as whoever changes devices names it.
    pub async fn place_called(&self, ask: &Ask, text: &str) -> Result<Place, Error> {
        permit(ask, Permission::DevicesWrite)?;
        if text.is_empty() {
            return Ok(Place::ROOT);
        }
        let id = text.parse().map_err(|_| Error::Invalid("place is the id of one".to_owned()))?;
        let found = self.places.find(id).await;
        let place = found.map_err(|cause| Error::Certificates(cause.into()))?;
        // Whoever may not change devices there does not learn whether it is there.
        let may = |place: &Place| ask.caller.may_at(Permission::DevicesWrite, place);
        place.filter(may).ok_or(Error::NoSuchPlace)
    }

    /// Where a device is, as far as is known here.
    pub(crate) fn place_of(&self, (tenant, id): Whose) -> Option<Place> {
        let indexes = self.indexes.read().unwrap_or_else(PoisonError::into_inner);
        indexes.get(&tenant)?.place(id)
    }
}
