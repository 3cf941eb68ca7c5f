//! The model: every promise kept in a map. What the engines are compared with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use openframe_ids::{CommandId, DeviceId, TenantId};
use openframe_tokens::Place;

use super::{
    Batch, Commands, Created, Devices, Inventory, Keep, Kept, LastSeen, Reports, Used, UsedKey,
    Whose,
};
use crate::Error;
use crate::domain::{Change, Chunk, Command, Device, Hello, SECTIONS, Seen, Stream, Version, due};

/// Everything, in memory.
#[derive(Debug, Default)]
pub struct Memory(Mutex<Tables>);

#[derive(Debug, Default)]
struct Tables {
    devices: BTreeMap<Whose, Device>,
    retired: BTreeSet<Whose>,
    sections: BTreeMap<(Whose, String), BTreeMap<Timestamp, Version>>,
    commands: BTreeMap<(TenantId, CommandId), Command>,
    chunks: BTreeMap<(TenantId, CommandId), BTreeMap<u64, Chunk>>,
    keys: BTreeMap<(TenantId, String, String), (Used, Timestamp)>,
}

impl Memory {
    fn kept(&self) -> MutexGuard<'_, Tables> {
        // Every method changes all that it changes or nothing, so a poisoned map is still whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn unfinished(&self, whose: Whose) -> impl Iterator<Item = &Command> {
        let own = move |command: &&Command| (command.tenant, command.device) == whose;
        self.commands.values().filter(own).filter(|command| !command.state.is_finished())
    }

    fn forget_versions(&mut self, whose: Whose, keep: Keep) {
        let own = self.sections.iter().filter(|((owner, _), _)| *owner == whose);
        let all: Vec<Kept> = own
            .flat_map(|((_, section), versions)| {
                versions.iter().map(|(at, version)| Kept {
                    at: *at,
                    section: section.clone(),
                    bytes: version.seen.body.len() as u64,
                })
            })
            .collect();
        for Kept { at, section, .. } in keep.excess(all) {
            let versions = self.sections.get_mut(&(whose, section));
            versions.map(|versions| versions.remove(&at));
        }
    }
}

#[async_trait]
impl Devices for Memory {
    async fn connect(
        &self,
        whose: Whose,
        first: (&Hello, &Place),
        now: Timestamp,
    ) -> Result<Option<Device>, Error> {
        let mut kept = self.kept();
        if kept.retired.contains(&whose) {
            return Ok(None);
        }
        let device = Device::connected(kept.devices.remove(&whose), whose, first, now);
        kept.devices.insert(whose, device.clone());
        Ok(Some(device))
    }

    async fn change(&self, whose: Whose, change: &Change) -> Result<Option<Device>, Error> {
        let mut kept = self.kept();
        let Some(device) = kept.devices.remove(&whose) else { return Ok(None) };
        let device = device.changed(change);
        kept.devices.insert(whose, device.clone());
        Ok(Some(device))
    }

    async fn retire(&self, whose: Whose) -> Result<bool, Error> {
        let mut kept = self.kept();
        if kept.devices.remove(&whose).is_none() {
            return Ok(false);
        }
        kept.retired.insert(whose);
        kept.sections.retain(|(owner, _), _| *owner != whose);
        kept.commands.retain(|_, command| (command.tenant, command.device) != whose);
        let Tables { commands, chunks, keys, .. } = &mut *kept;
        chunks.retain(|of, _| commands.contains_key(of));
        keys.retain(|(tenant, ..), (used, _)| commands.contains_key(&(*tenant, used.command)));
        Ok(true)
    }

    async fn seen(&self, seen: &[LastSeen]) -> Result<(), Error> {
        let mut kept = self.kept();
        for seen in seen {
            if let Some(device) = kept.devices.get_mut(&seen.whose) {
                device.seen(seen.at, seen.goodbye);
            }
        }
        Ok(())
    }

    async fn get(&self, tenant: TenantId, ids: &[DeviceId]) -> Result<Vec<Device>, Error> {
        let kept = self.kept();
        Ok(ids.iter().filter_map(|id| kept.devices.get(&(tenant, *id)).cloned()).collect())
    }

    async fn all(&self, after: Option<Whose>, limit: u32) -> Result<Vec<Device>, Error> {
        let kept = self.kept();
        let later = kept.devices.iter().filter(|(whose, _)| after.is_none_or(|it| it < **whose));
        Ok(later.map(|(_, device)| device.clone()).take(limit as usize).collect())
    }
}

#[async_trait]
impl Inventory for Memory {
    async fn sections(&self, whose: Whose, at: Option<Timestamp>) -> Result<Vec<Version>, Error> {
        let mut sections = Vec::new();
        for section in SECTIONS {
            sections.extend(self.section(whose, section, at).await?);
        }
        sections.sort_by(|a, b| a.seen.section.cmp(&b.seen.section));
        Ok(sections)
    }

    async fn section(
        &self,
        whose: Whose,
        section: &str,
        at: Option<Timestamp>,
    ) -> Result<Option<Version>, Error> {
        let kept = self.kept();
        let versions = kept.sections.get(&(whose, section.to_owned()));
        let until = at.unwrap_or(Timestamp::MAX);
        let found = versions.and_then(|versions| versions.range(..=until).next_back());
        Ok(found.map(|(_, version)| version.clone()))
    }

    async fn history(
        &self,
        whose: Whose,
        section: &str,
    ) -> Result<Vec<(Timestamp, [u8; 32])>, Error> {
        let kept = self.kept();
        let versions = kept.sections.get(&(whose, section.to_owned()));
        let all = versions.into_iter().flatten().rev();
        Ok(all.map(|(at, version)| (*at, version.seen.hash)).collect())
    }

    async fn has(&self, whose: Whose, seen: &Seen) -> Result<bool, Error> {
        let kept = self.kept();
        let versions = kept.sections.get(&(whose, seen.section.clone()));
        let same = |version: &Version| {
            version.seen.hash == seen.hash && version.seen.reported_at == seen.reported_at
        };
        Ok(versions.is_some_and(|versions| versions.values().any(same)))
    }
}

#[async_trait]
impl Commands for Memory {
    async fn used(
        &self,
        tenant: TenantId,
        (caller, key): (&str, &str),
        now: Timestamp,
    ) -> Result<Option<Used>, Error> {
        let kept = self.kept();
        let found = kept.keys.get(&(tenant, caller.to_owned(), key.to_owned()));
        Ok(found.filter(|(_, until)| *until > now).map(|(used, _)| used.clone()))
    }

    async fn create(
        &self,
        command: &Command,
        key: Option<&UsedKey>,
        most: u32,
    ) -> Result<Created, Error> {
        let mut kept = self.kept();
        let whose = (command.tenant, command.device);
        if !kept.devices.contains_key(&whose) {
            return Ok(Created::NoDevice);
        }
        let name = |key: &UsedKey| (command.tenant, key.caller.clone(), key.key.clone());
        let known = key.and_then(|key| kept.keys.get(&name(key)));
        if known.is_some_and(|(_, until)| *until > command.created_at) {
            return Ok(Created::KeyInUse);
        }
        if kept.unfinished(whose).count() >= most as usize {
            return Ok(Created::TooMany);
        }
        if let Some(key) = key {
            let name = name(key);
            let used = Used { request: key.request, command: command.id };
            kept.keys.insert(name, (used, key.until));
        }
        kept.commands.insert((command.tenant, command.id), command.clone());
        Ok(Created::Made)
    }

    async fn command(&self, tenant: TenantId, id: CommandId) -> Result<Option<Command>, Error> {
        Ok(self.kept().commands.get(&(tenant, id)).cloned())
    }

    async fn commands(
        &self,
        whose: Whose,
        before: Option<CommandId>,
        limit: u32,
    ) -> Result<Vec<Command>, Error> {
        let kept = self.kept();
        let wanted = |command: &&Command| {
            (command.tenant, command.device) == whose && before.is_none_or(|it| command.id < it)
        };
        Ok(kept.commands.values().rev().filter(wanted).take(limit as usize).cloned().collect())
    }

    async fn unfinished(&self, whose: Whose, limit: u32) -> Result<Vec<Command>, Error> {
        Ok(self.kept().unfinished(whose).take(limit as usize).cloned().collect())
    }

    async fn overdue(
        &self,
        now: Timestamp,
        after: Option<(Timestamp, CommandId)>,
        limit: u32,
    ) -> Result<Vec<(Timestamp, Command)>, Error> {
        let kept = self.kept();
        let dues = kept.commands.values().filter_map(|it| due(it).map(|due| (due, it)));
        let wanted = dues.filter(|(due, command)| {
            *due <= now && after.is_none_or(|after| after < (*due, command.id))
        });
        let mut overdue: Vec<_> = wanted.map(|(due, command)| (due, command.clone())).collect();
        overdue.sort_by_key(|(due, command)| (*due, command.id));
        overdue.truncate(limit as usize);
        Ok(overdue)
    }

    async fn output(
        &self,
        of: (TenantId, CommandId),
        after: u64,
        limit: u32,
    ) -> Result<Vec<Chunk>, Error> {
        let kept = self.kept();
        let chunks = kept.chunks.get(&of).into_iter().flat_map(|chunks| chunks.range(after..));
        Ok(chunks.map(|(_, chunk)| chunk.clone()).take(limit as usize).collect())
    }

    async fn tail(
        &self,
        of: (TenantId, CommandId),
        stream: Stream,
        before: u64,
    ) -> Result<Vec<u8>, Error> {
        let kept = self.kept();
        let chunks = kept.chunks.get(&of).into_iter().flat_map(|chunks| chunks.range(..before));
        let own = chunks.filter(|(_, chunk)| chunk.stream == stream);
        let all: Vec<u8> = own.flat_map(|(_, chunk)| chunk.data.iter().copied()).collect();
        Ok(all.get(all.len().saturating_sub(3)..).unwrap_or_default().to_vec())
    }

    async fn forget_keys(&self, now: Timestamp) -> Result<(), Error> {
        self.kept().keys.retain(|_, (_, until)| *until > now);
        Ok(())
    }
}

#[async_trait]
impl Reports for Memory {
    async fn commit(&self, whose: Whose, batch: &Batch, keep: Keep) -> Result<bool, Error> {
        let mut kept = self.kept();
        let unchanged = |(version, command): &(u64, Command)| {
            let known = kept.commands.get(&(whose.0, command.id));
            known.is_some_and(|known| known.version == *version && known.device == whose.1)
        };
        if !kept.devices.contains_key(&whose) || !batch.commands.iter().all(unchanged) {
            return Ok(false);
        }
        for (_, command) in &batch.commands {
            kept.commands.insert((whose.0, command.id), command.clone());
        }
        for (id, chunk) in &batch.chunks {
            let chunks = kept.chunks.entry((whose.0, *id)).or_default();
            chunks.entry(chunk.offset).or_insert_with(|| chunk.clone());
        }
        for version in &batch.sections {
            let all = kept.sections.entry((whose, version.seen.section.clone())).or_default();
            all.entry(version.at).or_insert_with(|| version.clone());
            kept.forget_versions(whose, keep);
        }
        Ok(true)
    }
}
