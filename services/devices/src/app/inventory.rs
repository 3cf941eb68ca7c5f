//! Questions about inventories.

use jiff::Timestamp;
use openframe_ids::DeviceId;
use openframe_tokens::Permission;

use super::{App, Ask};
use crate::domain::{SECTIONS, Version};
use crate::error::Error;

impl App {
    /// The newest inventory of a device.
    pub async fn inventory(&self, ask: &Ask, id: DeviceId) -> Result<Vec<Version>, Error> {
        let whose = (ask.caller.tenant, id);
        self.permitted(ask, Permission::DevicesRead, id).await?;
        self.stores.inventory.sections(whose, None).await
    }

    /// One section as it was at an instant, or is now.
    pub async fn section(
        &self,
        ask: &Ask,
        (id, section): (DeviceId, &str),
        at: Option<Timestamp>,
    ) -> Result<Version, Error> {
        let whose = (ask.caller.tenant, id);
        self.permitted(ask, Permission::DevicesRead, id).await?;
        known(section)?;
        let found = self.stores.inventory.section(whose, section, at).await?;
        found.ok_or(Error::NoSuchSection)
    }

    /// When a section changed.
    pub async fn history(
        &self,
        ask: &Ask,
        (id, section): (DeviceId, &str),
    ) -> Result<Vec<(Timestamp, [u8; 32])>, Error> {
        let whose = (ask.caller.tenant, id);
        self.permitted(ask, Permission::DevicesRead, id).await?;
        known(section)?;
        self.stores.inventory.history(whose, section).await
    }
}

fn known(section: &str) -> Result<(), Error> {
    if SECTIONS.contains(&section) {
        return Ok(());
    }
    Err(Error::Invalid(format!("sections are {}", SECTIONS.join(", "))))
}
