//! What the devices service does: one method per thing that can be asked. Who asks is checked
//! first; what a person changes is on the audit trail before it is changed.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

pub use openframe_auth_api::Ask;
use openframe_auth_api::{Audit, Entry};
use openframe_clock::Clock;
use openframe_ids::{DeviceId, TenantId};
use openframe_tokens::Permission;
use tokio::sync::broadcast;

use crate::config::Config;
use crate::domain::index::{Attribute, Index, Query};
use crate::domain::{Change, Device, Link, Presence};
use crate::error::Error;
use crate::links::Links;
use crate::metrics::Metrics;
use crate::store::{Stores, Whose};

mod commands;
mod inventory;
pub mod links;
mod reports;

pub use commands::Wanted;
pub use reports::{About, Item};

/// Records read at once when the index is loaded.
const LOAD_PAGE: u32 = 1_000;

/// A device with what is known of it at this moment.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The record.
    pub device: Device,
    /// Whether it is there.
    pub presence: Presence,
}

/// What has happened, for those who follow.
#[derive(Debug, Clone)]
pub enum Happened {
    /// It, as it is now.
    Device(Box<Shown>),
    /// Its inventory has changed.
    Inventory,
    /// One of its commands, as it is now.
    Command(Box<crate::domain::Command>),
    /// A command has written something. For followers of that command only.
    Output,
    /// It is gone.
    Retired,
}

/// Something that happened to a device.
#[derive(Debug, Clone)]
pub struct Event {
    /// Whose.
    pub tenant: TenantId,
    /// Which device.
    pub device: DeviceId,
    /// What.
    pub what: Happened,
}

/// A page of devices.
#[derive(Debug, Clone)]
pub struct DevicePage {
    /// The devices, in order.
    pub devices: Vec<Shown>,
    /// Where the next page begins.
    pub next: Option<String>,
    /// How many match in all.
    pub total: u64,
    /// Counts of values.
    pub facets: BTreeMap<Attribute, Vec<(String, u64)>>,
}

/// What the service is made of. Cheap to clone.
#[derive(Clone)]
pub struct App(pub Arc<Parts>);

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("App")
    }
}

/// What the service is made of.
pub struct Parts {
    /// What is kept.
    pub stores: Stores,
    /// The audit trail.
    pub audit: Arc<dyn Audit>,
    /// The way to connected devices.
    pub links: Arc<dyn Links>,
    /// The time.
    pub clock: Clock,
    /// The settings.
    pub config: Config,
    /// The counters.
    pub metrics: Metrics,
    /// By tenant. Locked for one question or change, never across an await.
    pub indexes: RwLock<HashMap<TenantId, Index>>,
    /// Which devices are there. Locked as the indexes are; this one first.
    pub present: Mutex<HashMap<Whose, Known>>,
    /// Who follows.
    pub events: broadcast::Sender<Arc<Event>>,
}

/// What is known of a device's connection, and what was told about it.
#[derive(Debug, Clone)]
pub struct Known {
    /// The connection.
    pub link: Link,
    /// The presence that events and the index have.
    pub told: Presence,
    /// Whether the store has not been told when the device was last heard from.
    pub unsaved: bool,
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// Refuses a caller without `permission`.
pub fn permit(ask: &Ask, permission: Permission) -> Result<(), Error> {
    if ask.caller.may(permission) { Ok(()) } else { Err(Error::NotPermitted(permission.as_str())) }
}

impl App {
    /// A page of the devices that match.
    pub async fn devices(&self, ask: &Ask, query: &Query) -> Result<DevicePage, Error> {
        permit(ask, Permission::DevicesRead)?;
        let tenant = ask.caller.tenant;
        let page = {
            let indexes = self.indexes.read().unwrap_or_else(PoisonError::into_inner);
            indexes.get(&tenant).map(|index| index.query(query)).unwrap_or_default()
        };
        let records = self.stores.devices.get(tenant, &page.ids).await?;
        let mut records: HashMap<DeviceId, Device> =
            records.into_iter().map(|device| (device.id, device)).collect();
        // One that was retired in between is left out.
        let devices = page.ids.iter().filter_map(|id| records.remove(id));
        let devices = devices.map(|device| self.shown(device)).collect();
        Ok(DevicePage { devices, next: page.next, total: page.total, facets: page.facets })
    }

    /// One device.
    pub async fn device(&self, ask: &Ask, id: DeviceId) -> Result<Shown, Error> {
        permit(ask, Permission::DevicesRead)?;
        self.find((ask.caller.tenant, id)).await.map(|device| self.shown(device))
    }

    /// Renames or tags a device.
    pub async fn change(&self, ask: &Ask, id: DeviceId, change: Change) -> Result<Shown, Error> {
        permit(ask, Permission::DevicesWrite)?;
        let change = change.checked()?;
        let whose = (ask.caller.tenant, id);
        self.find(whose).await?;
        let name = change.name.as_ref().map(|name| format!("name={name:?} "));
        let tags = change.tags.as_ref().map(|tags| format!("tags={tags:?}"));
        let detail = format!("{}{}", name.unwrap_or_default(), tags.unwrap_or_default());
        self.record(ask, "device.change", id.to_string(), detail).await?;
        let device = self.stores.devices.change(whose, &change).await?;
        let shown = self.shown(device.ok_or(Error::NoSuchDevice(id))?);
        self.index(&shown);
        self.tell(whose, Happened::Device(Box::new(shown.clone())));
        Ok(shown)
    }

    /// Removes a device with all that is known of it.
    pub async fn retire(&self, ask: &Ask, id: DeviceId) -> Result<(), Error> {
        permit(ask, Permission::DevicesWrite)?;
        let whose = (ask.caller.tenant, id);
        self.find(whose).await?;
        self.record(ask, "device.retire", id.to_string(), String::new()).await?;
        if !self.stores.devices.retire(whose).await? {
            return Err(Error::NoSuchDevice(id));
        }
        self.present.lock().unwrap_or_else(PoisonError::into_inner).remove(&whose);
        let mut indexes = self.indexes.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = indexes.get_mut(&whose.0) {
            index.remove(id);
        }
        drop(indexes);
        tracing::info!(tenant.id = %whose.0, device.id = %id, "retired device {id}");
        self.tell(whose, Happened::Retired);
        Ok(())
    }

    /// What happens from now on, of every tenant: the caller of this passes on only its own.
    pub fn follow(&self, ask: &Ask) -> Result<broadcast::Receiver<Arc<Event>>, Error> {
        permit(ask, Permission::DevicesRead)?;
        Ok(self.events.subscribe())
    }

    /// Fills the index from the store.
    pub async fn load(&self) -> Result<(), Error> {
        let mut after = None;
        loop {
            let devices = self.stores.devices.all(after, LOAD_PAGE).await?;
            let Some(last) = devices.last() else { return Ok(()) };
            after = Some((last.tenant, last.id));
            let now = self.clock.now();
            for device in devices {
                let link =
                    Link { open: None, last_heard: device.last_seen, goodbye: device.goodbye };
                let told = link.presence(now);
                let known = Known { link, told, unsaved: false };
                let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
                present.insert((device.tenant, device.id), known);
                drop(present);
                self.index(&Shown { device, presence: told });
            }
        }
    }

    /// The record of a device.
    pub async fn find(&self, (tenant, id): Whose) -> Result<Device, Error> {
        self.stores.devices.get(tenant, &[id]).await?.pop().ok_or(Error::NoSuchDevice(id))
    }

    /// The record with what memory knows better.
    pub fn shown(&self, mut device: Device) -> Shown {
        let present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        let whose = (device.tenant, device.id);
        let link = present.get(&whose).map(|known| known.link.clone());
        drop(present);
        let link = link.unwrap_or(Link {
            open: None,
            last_heard: device.last_seen,
            goodbye: device.goodbye,
        });
        device.last_seen = link.last_heard;
        Shown { presence: link.presence(self.clock.now()), device }
    }

    /// Brings the index up to date.
    pub fn index(&self, shown: &Shown) {
        let mut indexes = self.indexes.write().unwrap_or_else(PoisonError::into_inner);
        let index = indexes.entry(shown.device.tenant).or_default();
        index.put(&shown.device, shown.device.last_seen, shown.presence);
    }

    /// Tells those who follow.
    pub fn tell(&self, (tenant, device): Whose, what: Happened) {
        // Nobody listening is fine.
        drop(self.events.send(Arc::new(Event { tenant, device, what })));
    }

    /// Puts what is about to be done on the audit trail.
    pub async fn record(
        &self,
        ask: &Ask,
        action: &'static str,
        target: String,
        detail: String,
    ) -> Result<(), Error> {
        let (caller, request_id) = (ask.caller.clone(), ask.request_id.clone());
        let entry = Entry { caller, action, target, detail, request_id };
        self.audit.record(entry).await.map_err(Error::Audit)
    }
}

#[cfg(test)]
mod tests;
