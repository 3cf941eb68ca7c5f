//! What must be kept, in this service's words. Everything is a tenant's: a key of another tenant
//! names nothing.
//!
//! Consistency, for all of it: a write that has returned is durable and is seen by every read that
//! begins afterwards; each method happens wholly or not at all.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use openframe_ids::{CommandId, DeviceId, TenantId};
use openframe_tokens::Place;

use crate::Error;
use crate::domain::{Change, Chunk, Command, Device, Goodbye, Hello, Seen, Stream, Version};

pub mod memory;

/// A device's full name.
pub type Whose = (TenantId, DeviceId);

/// What the service keeps.
#[derive(Clone)]
pub struct Stores {
    /// Records of devices.
    pub devices: Arc<dyn Devices>,
    /// Their inventories.
    pub inventory: Arc<dyn Inventory>,
    /// Their commands, and idempotency keys.
    pub commands: Arc<dyn Commands>,
    /// Their reports.
    pub reports: Arc<dyn Reports>,
}

impl std::fmt::Debug for Stores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stores")
    }
}

impl Stores {
    /// All promises kept by one engine.
    pub fn of<S: Devices + Inventory + Commands + Reports>(store: S) -> Self {
        let store = Arc::new(store);
        Self {
            devices: Arc::clone(&store) as Arc<dyn Devices>,
            inventory: Arc::clone(&store) as Arc<dyn Inventory>,
            commands: Arc::clone(&store) as Arc<dyn Commands>,
            reports: store,
        }
    }
}

/// When a device was last heard from, and how its connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastSeen {
    /// Which device.
    pub whose: Whose,
    /// When.
    pub at: Timestamp,
    /// How.
    pub goodbye: Goodbye,
}

/// Keeps the records of devices.
#[async_trait]
pub trait Devices: Send + Sync + 'static {
    /// Makes the record of a device at `place`, or replaces what it says of itself and its last-seen time;
    /// name, tags, place and enrolment time stay. The version rises. None when the device was retired:
    /// that is for ever.
    async fn connect(
        &self,
        whose: Whose,
        first: (&Hello, &Place),
        now: Timestamp,
    ) -> Result<Option<Device>, Error>;

    /// Changes what an operator may change, and gives the record as it is then. The version rises.
    async fn change(&self, whose: Whose, change: &Change) -> Result<Option<Device>, Error>;

    /// Removes a device with its inventory, commands, output and idempotency keys, and remembers
    /// that it was retired. False when there is none.
    async fn retire(&self, whose: Whose) -> Result<bool, Error>;

    /// Notes when devices were last heard from; those that are gone are passed over, and times
    /// never go back. Versions stay.
    async fn seen(&self, seen: &[LastSeen]) -> Result<(), Error>;

    /// The devices of these ids that exist, in no order.
    async fn get(&self, tenant: TenantId, ids: &[DeviceId]) -> Result<Vec<Device>, Error>;

    /// Up to `limit` devices of all tenants after `after`, in an order of the store's own that does
    /// not change. Fewer than `limit` means that there are no more.
    async fn all(&self, after: Option<Whose>, limit: u32) -> Result<Vec<Device>, Error>;
}

/// Keeps inventories. Written by [`Reports::commit`].
#[async_trait]
pub trait Inventory: Send + Sync + 'static {
    /// The version of each section that was in force at `at`, or is now; sorted by section.
    async fn sections(&self, whose: Whose, at: Option<Timestamp>) -> Result<Vec<Version>, Error>;

    /// The version of one section that was in force at `at`, or is now.
    async fn section(
        &self,
        whose: Whose,
        section: &str,
        at: Option<Timestamp>,
    ) -> Result<Option<Version>, Error>;

    /// Times and hashes of the kept versions of a section, newest first.
    async fn history(
        &self,
        whose: Whose,
        section: &str,
    ) -> Result<Vec<(Timestamp, [u8; 32])>, Error>;

    /// Whether exactly this is a kept version already.
    async fn has(&self, whose: Whose, seen: &Seen) -> Result<bool, Error>;
}

/// An idempotency key, and the request it was used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedKey {
    /// Whose key: callers do not share keys.
    pub caller: String,
    /// The key.
    pub key: String,
    /// SHA-256 of the request.
    pub request: [u8; 32],
    /// When it is forgotten.
    pub until: Timestamp,
}

/// What a key was used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// SHA-256 of that request.
    pub request: [u8; 32],
    /// The command that it made.
    pub command: CommandId,
}

/// What came of a wish to add a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It was added.
    Made,
    /// The device does not exist.
    NoDevice,
    /// The key is in use.
    KeyInUse,
    /// Too many commands of the device have not finished.
    TooMany,
}

/// Keeps commands and idempotency keys.
#[async_trait]
pub trait Commands: Send + Sync + 'static {
    /// What a key was used for, if it is remembered at `now`.
    async fn used(
        &self,
        tenant: TenantId,
        caller_and_key: (&str, &str),
        now: Timestamp,
    ) -> Result<Option<Used>, Error>;

    /// Adds a command, with its key, if its device exists, the key is not in use at the command's
    /// creation time, and fewer than `most` commands of the device have not finished; tried in this
    /// order.
    async fn create(
        &self,
        command: &Command,
        key: Option<&UsedKey>,
        most: u32,
    ) -> Result<Created, Error>;

    /// One command.
    async fn command(&self, tenant: TenantId, id: CommandId) -> Result<Option<Command>, Error>;

    /// Up to `limit` commands of a device before `before`, newest (highest id) first.
    async fn commands(
        &self,
        whose: Whose,
        before: Option<CommandId>,
        limit: u32,
    ) -> Result<Vec<Command>, Error>;

    /// Up to `limit` commands of a device that are not finished, oldest first.
    async fn unfinished(&self, whose: Whose, limit: u32) -> Result<Vec<Command>, Error>;

    /// Up to `limit` commands of all tenants that are due (see [`crate::domain::due`]) by `now`,
    /// after `after`, in the order of that time and of their ids.
    async fn overdue(
        &self,
        now: Timestamp,
        after: Option<(Timestamp, CommandId)>,
        limit: u32,
    ) -> Result<Vec<(Timestamp, Command)>, Error>;

    /// Pieces of output that begin at or after `after`, in order, up to `limit` of them.
    async fn output(
        &self,
        of: (TenantId, CommandId),
        after: u64,
        limit: u32,
    ) -> Result<Vec<Chunk>, Error>;

    /// The last bytes that were written to `stream` before `before`: three, if there are as many.
    async fn tail(
        &self,
        of: (TenantId, CommandId),
        stream: Stream,
        before: u64,
    ) -> Result<Vec<u8>, Error>;

    /// Makes room: keys whose time was over by `now` may be forgotten. No later question is about an
    /// earlier time.
    async fn forget_keys(&self, now: Timestamp) -> Result<(), Error>;
}

/// All that one report changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// New versions of sections.
    pub sections: Vec<Version>,
    /// Commands as they are to be, each one once, and the version that each must still have.
    pub commands: Vec<(u64, Command)>,
    /// New pieces of their output.
    pub chunks: Vec<(CommandId, Chunk)>,
}

/// How much inventory is kept of one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Versions of one section.
    pub versions: u32,
    /// Bytes of all versions of all sections. The newest version of each is kept in any case.
    pub bytes: u64,
}

/// A version of a section that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Since when it is in force.
    pub at: Timestamp,
    /// Of which section.
    pub section: String,
    /// How long it is.
    pub bytes: u64,
}

impl Keep {
    /// Those of all kept versions of a device that are to be forgotten.
    pub fn excess(self, mut all: Vec<Kept>) -> Vec<Kept> {
        all.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.section.cmp(&b.section)));
        let (mut bytes, mut counts) = (0, BTreeMap::<String, u32>::new());
        all.retain(|kept| {
            bytes += kept.bytes;
            let count = counts.entry(kept.section.clone()).or_default();
            *count += 1;
            *count > self.versions || (*count > 1 && bytes > self.bytes)
        });
        all
    }
}

/// Takes what changes commands and inventories.
#[async_trait]
pub trait Reports: Send + Sync + 'static {
    /// Writes all of `batch`, about one device, if each command still has the version it was read
    /// with (compare-and-set) and the device exists; otherwise writes nothing and gives false.
    /// Keeps the newest versions of sections, as many as `keep` says: from the newest to the oldest,
    /// equal times in the order of the sections' names.
    async fn commit(&self, whose: Whose, batch: &Batch, keep: Keep) -> Result<bool, Error>;
}
