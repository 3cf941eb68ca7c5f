//! What the devices service does: one method per thing that can be asked. Who asks is checked
//! first; what a person changes is on the audit trail before it is changed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard};

pub use openframe_auth_api::Ask;
use openframe_auth_api::{Audit, Entry};
use openframe_clock::{Clock, Timestamp};
use openframe_ids::{DeviceId, LinkId, TenantId};
use openframe_tokens::{Permission, Place};
use tokio::sync::broadcast;

use crate::certificates::Certificates;
use crate::config::Config;
use crate::domain::index::{Attribute, Index, Query};
use crate::domain::{Change, Device, Link, Presence};
use crate::error::Error;
use crate::links::Links;
use crate::metrics::Metrics;
use crate::places::Places;
use crate::siblings::{News, Siblings};
use crate::store::{Stores, Whose};

mod access;
mod commands;
mod inventory;
pub mod links;
mod pushes;
mod replicas;
mod reports;

use access::permit;
pub use commands::Wanted;
pub use pushes::{Pushes, What};
pub use reports::{About, Item};

/// Records read at once when the index is loaded.
const LOAD_PAGE: u32 = 1_000;

/// Tries at a write that somebody else's write made stale.
const TRIES: u32 = 16;

/// The refusal after too many tries.
fn busy() -> Error {
    Error::Busy("the command kept changing".into())
}

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
    /// It was moved, from here.
    Moved(Place),
    /// It is gone; it was here.
    Retired(Place),
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
    /// The devices' certificates.
    pub certificates: Arc<dyn Certificates>,
    /// Where places are, and devices that have just enrolled.
    pub places: Arc<dyn Places>,
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
    /// What is being pushed to devices.
    pub pushes: Pushes,
    /// The other replicas of this service.
    pub siblings: Siblings,
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
    /// Whether what waits for the device was pushed since this process knows that it is there.
    pub caught_up: bool,
}

impl Known {
    /// Of a device of which only the record is known.
    fn of(device: &Device, now: Timestamp) -> Self {
        let link = Link::unknown(device.last_seen, device.goodbye);
        Self { told: link.presence(now), link, unsaved: false, caught_up: false }
    }
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    /// A page of the devices that match.
    pub async fn devices(&self, ask: &Ask, query: &Query) -> Result<DevicePage, Error> {
        let reach = permit(ask, Permission::DevicesRead)?;
        let tenant = ask.caller.tenant;
        let page = {
            let indexes = self.indexes.read().unwrap_or_else(PoisonError::into_inner);
            indexes.get(&tenant).map(|index| index.query(query, &reach)).unwrap_or_default()
        };
        let records = self.stores.devices.get(tenant, &page.ids).await?;
        let mut records: HashMap<DeviceId, Device> =
            records.into_iter().map(|device| (device.id, device)).collect();
        // One that was retired in between is left out, and one that was moved out of reach.
        let devices = page.ids.iter().filter_map(|id| records.remove(id));
        let devices = devices.filter(|device| reach.contains(&device.place));
        let devices = devices.map(|device| self.shown(device)).collect();
        Ok(DevicePage { devices, next: page.next, total: page.total, facets: page.facets })
    }

    /// One device.
    pub async fn device(&self, ask: &Ask, id: DeviceId) -> Result<Shown, Error> {
        self.permitted(ask, Permission::DevicesRead, id).await.map(|device| self.shown(device))
    }

    /// Renames, tags or moves a device; moved it is by whoever may change devices there as well.
    pub async fn change(&self, ask: &Ask, id: DeviceId, change: Change) -> Result<Shown, Error> {
        self.permitted(ask, Permission::DevicesWrite, id).await?;
        let (whose, change) = ((ask.caller.tenant, id), change.checked()?);
        if change.place.is_some_and(|to| !ask.caller.may_at(Permission::DevicesWrite, &to)) {
            return Err(Error::NotPermitted(Permission::DevicesWrite.as_str()));
        }
        let name = change.name.as_ref().map(|name| format!("name={name:?} "));
        let tags = change.tags.as_ref().map(|tags| format!("tags={tags:?} "));
        let place = change.place.map(|place| format!("place={place}"));
        let details = [name, tags, place].into_iter().flatten().collect::<String>();
        self.record(ask, "device.change", id.to_string(), details.trim_end().to_owned()).await?;
        if let Some(to) = &change.place {
            let moved = self.places.move_device(id, to).await;
            if !moved.map_err(|cause| Error::Certificates(cause.into()))? {
                return Err(Error::NoSuchPlace);
            }
        }
        let device = self.stores.devices.change(whose, &change).await?;
        let shown = self.publish(device.ok_or(Error::NoSuchDevice(id))?, None)?;
        self.siblings.note(whose, News { record: true, ..News::default() });
        self.siblings.tell_now().await;
        Ok(shown)
    }

    /// Removes a device with all that is known of it. Its certificates count no more from then on,
    /// and its connection ends.
    pub async fn retire(&self, ask: &Ask, id: DeviceId) -> Result<(), Error> {
        let whose = (ask.caller.tenant, id);
        self.permitted(ask, Permission::DevicesWrite, id).await?;
        self.record(ask, "device.retire", id.to_string(), String::new()).await?;
        self.certificates.revoke(whose).await.map_err(|cause| Error::Certificates(cause.into()))?;
        // Told first, by its connection, so that nothing else is what it hears; and once more, since it
        // may have come back in the second for which a gateway believes its certificate.
        self.cut(whose).await;
        if !self.stores.devices.retire(whose).await? {
            return Err(Error::NoSuchDevice(id));
        }
        self.siblings.note(whose, News { record: true, ..News::default() });
        self.forget(whose);
        tracing::info!(tenant.id = %whose.0, device.id = %id, "retired device {id}");
        self.cut(whose).await;
        self.siblings.tell_now().await;
        Ok(())
    }

    /// Ends the connection of a device that is retired. One that stays is found by the gateway, which
    /// looks at the certificates of connected devices every few seconds.
    async fn cut(&self, whose: Whose) {
        if let Err(fault) = self.links.revoke(whose).await {
            let id = whose.1;
            tracing::warn!(device.id = %id, "could not cut the link of device {id}: {fault}");
        }
    }

    /// Forgets a device that was retired.
    pub(super) fn forget(&self, whose: Whose) {
        let mut present = self.present();
        let mut indexes = self.indexes();
        present.remove(&whose);
        let index = indexes.entry(whose.0).or_default();
        let place = index.place(whose.1).unwrap_or(Place::ROOT);
        index.retire(whose.1);
        self.tell(whose, Happened::Retired(place));
    }

    /// What happens from now on, of every tenant and place: the caller of this passes on only what `ask`
    /// may see.
    pub fn follow(&self, ask: &Ask) -> Result<broadcast::Receiver<Arc<Event>>, Error> {
        permit(ask, Permission::DevicesRead)?;
        Ok(self.events.subscribe())
    }

    /// Fills the index from the store; gives the devices that are there.
    pub async fn load(&self) -> Result<HashSet<Whose>, Error> {
        let (mut after, mut there) = (None, HashSet::new());
        loop {
            let devices = self.stores.devices.all(after, LOAD_PAGE).await?;
            let Some(last) = devices.last() else { return Ok(there) };
            after = Some((last.tenant, last.id));
            for device in devices {
                let whose = (device.tenant, device.id);
                there.insert(whose);
                let known = self.indexes().get(&whose.0).and_then(|index| index.version(whose.1));
                // One that was retired in between stays so.
                if known != Some(device.version) {
                    self.publish(device, None).ok();
                }
            }
        }
    }

    /// The record of a device.
    pub async fn find(&self, (tenant, id): Whose) -> Result<Device, Error> {
        self.stores.devices.get(tenant, &[id]).await?.pop().ok_or(Error::NoSuchDevice(id))
    }

    /// The record with what memory knows better.
    pub fn shown(&self, device: Device) -> Shown {
        let now = self.clock.now();
        let known = self.present().get(&(device.tenant, device.id)).cloned();
        let link = known.unwrap_or_else(|| Known::of(&device, now)).link;
        let presence = link.presence(now);
        Shown { presence, device: Device { last_seen: link.last_heard, ..device } }
    }

    /// Brings memory and those who follow up to date with a record that was just written; for a
    /// device that has connected, with its connection as well. Refused when the device was retired
    /// meanwhile: nothing of it may come back.
    pub fn publish(&self, device: Device, connected: Option<LinkId>) -> Result<Shown, Error> {
        let (whose, now) = ((device.tenant, device.id), self.clock.now());
        let mut present = self.present();
        let mut indexes = self.indexes();
        let index = indexes.entry(whose.0).or_default();
        if index.is_retired(whose.1) {
            return Err(Error::NoSuchDevice(whose.1));
        }
        let known = present.entry(whose).or_insert_with(|| Known::of(&device, now));
        if let Some(link) = connected {
            known.link.opened(link, now);
            known.caught_up = true;
        }
        known.told = known.link.presence(now);
        let (seen, presence) = (known.link.last_heard, known.told);
        let shown = Shown { presence, device: Device { last_seen: seen, ..device } };
        let before = index.place(whose.1);
        index.put(&shown.device, seen, presence);
        if let Some(from) = before.filter(|from| Some(*from) != index.place(whose.1)) {
            self.tell(whose, Happened::Moved(from));
        }
        // Also when another record was newer.
        index.touch(whose.1, seen, presence);
        self.tell(whose, Happened::Device(Box::new(shown.clone())));
        Ok(shown)
    }

    // Poisoned maps are still whole maps: no method leaves one half written.
    fn present(&self) -> MutexGuard<'_, HashMap<Whose, Known>> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn indexes(&self) -> RwLockWriteGuard<'_, HashMap<TenantId, Index>> {
        self.indexes.write().unwrap_or_else(PoisonError::into_inner)
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
        let entry = Entry { detail, ..Entry::of(ask, action, target) };
        self.audit.record(entry).await.map_err(Error::Audit)
    }
}

#[cfg(test)]
mod tests;
