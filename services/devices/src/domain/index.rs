//! The devices of one tenant in memory: which match, in which order, and how many have what.
//!
//! Each value of an attribute has a bitmap of the ordinals (small numbers, used again) of the
//! devices that have it; three sorted maps give the orders; a text per device is searched for
//! words. The records themselves stay in the store.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use openframe_ids::{DeviceId, PlaceId};
use openframe_tokens::Place;
use roaring::RoaringBitmap;

use crate::domain::{Device, Key, Presence};

mod query;

pub use query::{Attribute, Order, Page, Query};

/// What is kept of one device.
#[derive(Debug)]
struct Entry {
    id: DeviceId,
    version: u64,
    /// What words are searched in: in small letters, one part a line.
    text: Box<str>,
    name: Box<[u8]>,
    seen: i64,
    enrolled: i64,
    presence: Presence,
    place: Place,
    values: Box<[(Attribute, Arc<str>)]>,
}

/// An order: the sorted value with the id, and the ordinal.
type Sorted = BTreeMap<(Box<[u8]>, DeviceId), u32>;

/// The devices of one tenant.
#[derive(Debug, Default)]
pub struct Index {
    ordinals: HashMap<DeviceId, u32>,
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
    live: RoaringBitmap,
    values: BTreeMap<Attribute, BTreeMap<Arc<str>, RoaringBitmap>>,
    by_name: Sorted,
    by_seen: BTreeMap<(i64, DeviceId), u32>,
    by_enrolled: BTreeMap<(i64, DeviceId), u32>,
    /// Devices that were retired since this index was made: news of them may come late.
    retired: HashSet<DeviceId>,
}

impl Index {
    /// How many devices there are.
    pub fn len(&self) -> u64 {
        self.live.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// Whether the device is there.
    pub fn contains(&self, id: DeviceId) -> bool {
        self.ordinals.contains_key(&id)
    }

    /// The version of the record that is known of a device.
    pub fn version(&self, id: DeviceId) -> Option<u64> {
        Some(self.entry(id)?.version)
    }

    /// Where a device is.
    pub fn place(&self, id: DeviceId) -> Option<Place> {
        Some(self.entry(id)?.place)
    }

    /// Forgets a device for ever.
    pub fn retire(&mut self, id: DeviceId) {
        self.remove(id);
        self.retired.insert(id);
    }

    /// Whether the device was retired.
    pub fn is_retired(&self, id: DeviceId) -> bool {
        self.retired.contains(&id)
    }

    /// Takes a device in, or its newer record; an older one, or one of a retired device, changes
    /// nothing.
    pub fn put(&mut self, device: &Device, seen: Timestamp, presence: Presence) {
        let newer = self.entry(device.id).is_some_and(|entry| entry.version > device.version);
        if newer || self.is_retired(device.id) {
            return;
        }
        self.remove(device.id);
        let ordinal = self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            u32::try_from(self.entries.len() - 1).unwrap_or(u32::MAX)
        });
        let values = self.mark(device, presence, ordinal);
        let name: Box<[u8]> = device.name().to_lowercase().into_bytes().into();
        let entry = Entry {
            id: device.id,
            version: device.version,
            text: text(device),
            name: name.clone(),
            seen: seen.as_millisecond(),
            enrolled: device.enrolled_at.as_millisecond(),
            presence,
            place: device.place,
            values,
        };
        self.by_name.insert((name, device.id), ordinal);
        self.by_seen.insert((entry.seen, device.id), ordinal);
        self.by_enrolled.insert((entry.enrolled, device.id), ordinal);
        self.live.insert(ordinal);
        self.ordinals.insert(device.id, ordinal);
        if let Some(slot) = self.slot(ordinal) {
            *slot = Some(entry);
        }
    }

    /// Forgets a device.
    pub fn remove(&mut self, id: DeviceId) {
        let Some(ordinal) = self.ordinals.remove(&id) else { return };
        let Some(entry) = self.slot(ordinal).and_then(Option::take) else { return };
        for (attribute, value) in &entry.values {
            self.unmark(*attribute, value, ordinal);
        }
        self.unmark(Attribute::Presence, entry.presence.as_str(), ordinal);
        self.by_name.remove(&(entry.name, id));
        self.by_seen.remove(&(entry.seen, id));
        self.by_enrolled.remove(&(entry.enrolled, id));
        self.live.remove(ordinal);
        self.free.push(ordinal);
    }

    /// Says when a device was last heard from, and whether it is there now.
    pub fn touch(&mut self, id: DeviceId, seen: Timestamp, presence: Presence) {
        let Some(ordinal) = self.ordinals.get(&id).copied() else { return };
        let Some(entry) = self.slot(ordinal).and_then(Option::as_mut) else { return };
        let (old_seen, old_presence) = (entry.seen, entry.presence);
        entry.seen = seen.as_millisecond();
        entry.presence = presence;
        if old_seen != seen.as_millisecond() {
            self.by_seen.remove(&(old_seen, id));
            self.by_seen.insert((seen.as_millisecond(), id), ordinal);
        }
        if old_presence != presence {
            self.unmark(Attribute::Presence, old_presence.as_str(), ordinal);
            self.mark_one(Attribute::Presence, presence.as_str(), ordinal);
        }
    }

    fn entry(&self, id: DeviceId) -> Option<&Entry> {
        self.at(*self.ordinals.get(&id)?)
    }

    fn at(&self, ordinal: u32) -> Option<&Entry> {
        self.entries.get(usize::try_from(ordinal).ok()?)?.as_ref()
    }

    fn slot(&mut self, ordinal: u32) -> Option<&mut Option<Entry>> {
        self.entries.get_mut(usize::try_from(ordinal).ok()?)
    }

    fn mark(
        &mut self,
        device: &Device,
        presence: Presence,
        ordinal: u32,
    ) -> Box<[(Attribute, Arc<str>)]> {
        let facts = &device.hello.facts;
        let single = [
            (Attribute::Os, &facts.os_family),
            (Attribute::OsVersion, &facts.os_version),
            (Attribute::Arch, &facts.arch),
            (Attribute::Vendor, &facts.vendor),
            (Attribute::Model, &facts.model),
            (Attribute::AgentVersion, &device.hello.agent_version),
        ];
        let tags = device.tags.iter().map(|tag| (Attribute::Tag, tag));
        let places: Vec<String> = device.place.ids().iter().map(PlaceId::to_string).collect();
        let places = places.iter().map(|id| (Attribute::Place, id));
        self.mark_one(Attribute::Presence, presence.as_str(), ordinal);
        let all = single.into_iter().filter(|(_, value)| !value.is_empty()).chain(tags);
        let all = all.chain(places);
        all.map(|(attribute, value)| (attribute, self.mark_one(attribute, value, ordinal)))
            .collect()
    }

    fn mark_one(&mut self, attribute: Attribute, value: &str, ordinal: u32) -> Arc<str> {
        let values = self.values.entry(attribute).or_default();
        let known = values.get_key_value(value).map(|(known, _)| Arc::clone(known));
        let value = known.unwrap_or_else(|| value.into());
        values.entry(Arc::clone(&value)).or_default().insert(ordinal);
        value
    }

    fn unmark(&mut self, attribute: Attribute, value: &str, ordinal: u32) {
        let Some(values) = self.values.get_mut(&attribute) else { return };
        let Some(bitmap) = values.get_mut(value) else { return };
        bitmap.remove(ordinal);
        // Values that nobody has any more are not listed, and cost nothing.
        if bitmap.is_empty() {
            values.remove(value);
        }
    }
}

/// What words are searched in.
fn text(device: &Device) -> Box<str> {
    let facts = &device.hello.facts;
    let mut text = String::new();
    let parts = [
        device.name(),
        &facts.hostname,
        &facts.os_name,
        &facts.os_version,
        &facts.model,
        &facts.serial,
        &device.hello.remote_address,
    ];
    let lists = facts.addresses.iter().chain(&device.tags).map(String::as_str);
    for part in parts.into_iter().chain(lists) {
        text.push_str(&part.to_lowercase());
        text.push('\n');
    }
    text.into()
}

impl Entry {
    fn key(&self, order: Order) -> Key {
        let value = match order {
            Order::Name => self.name.to_vec(),
            Order::LastSeen => sortable(self.seen),
            Order::Enrolled => sortable(self.enrolled),
        };
        Key { value, id: self.id }
    }
}

/// A number as bytes that compare as the number does.
fn sortable(number: i64) -> Vec<u8> {
    (number ^ i64::MIN).to_be_bytes().to_vec()
}

/// The number of [`sortable`] bytes.
fn number(bytes: &[u8]) -> Option<i64> {
    Some(i64::from_be_bytes(bytes.try_into().ok()?) ^ i64::MIN)
}

#[cfg(test)]
mod tests;
