//! What devices report: all of one report, or nothing.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use futures::future::try_join_all;
use jiff::Timestamp;
use openframe_devices::Error;
use openframe_devices::domain::{Chunk, Command, Version};
use openframe_devices::store::{Batch, Keep, Kept, Reports, Whose};
use openframe_ids::CommandId;

use crate::commands::row;
use crate::turn::{Change, Key, Values};
use crate::{CassandraStore, failed};

#[async_trait]
impl Reports for CassandraStore {
    async fn commit(&self, whose: Whose, batch: &Batch, keep: Keep) -> Result<bool, Error> {
        let mut turn = self.turn(whose).await;
        try_join_all(batch.commands.iter().map(|(_, command)| self.enter_due(command))).await?;
        loop {
            let partition = turn.look().await?;
            if partition.device.is_none() {
                return Ok(false);
            }
            let Some(were) = self.unchanged(whose, batch).await? else { return Ok(false) };
            let mut change = Change::default();
            if !batch.commands.is_empty() {
                let mut unfinished = partition.unfinished.clone();
                for (_, command) in &batch.commands {
                    change.puts.push(row(command)?);
                    if command.state.is_finished() {
                        unfinished.remove(&command.id);
                    } else {
                        unfinished.insert(command.id);
                    }
                }
                change.unfinished = Some(unfinished);
            }
            self.add_chunks(whose, batch, &mut change).await?;
            self.add_versions(whose, &batch.sections, keep, &mut change).await?;
            if turn.write(&partition, change).await? {
                for (was, (_, is)) in were.iter().zip(&batch.commands) {
                    self.leave_due(was, is).await;
                }
                return Ok(true);
            }
        }
    }
}

/// A row's key within its kind.
fn chunk_key(id: CommandId, chunk: &Chunk) -> Key {
    let position = i64::try_from(chunk.offset).unwrap_or(i64::MAX);
    Key { kind: "chunk", name: id.0.to_string(), position }
}

impl CassandraStore {
    /// The batch's commands as they are kept, if each is the device's and still has its version.
    async fn unchanged(&self, whose: Whose, batch: &Batch) -> Result<Option<Vec<Command>>, Error> {
        let mut were = Vec::with_capacity(batch.commands.len());
        for (version, command) in &batch.commands {
            let known = self.command_of(whose, &command.id.0.to_string()).await?;
            match known {
                Some(known) if known.version == *version => were.push(known),
                _ => return Ok(None),
            }
        }
        Ok(Some(were))
    }

    /// Adds those pieces of output that are not there yet.
    async fn add_chunks(
        &self,
        whose: Whose,
        batch: &Batch,
        change: &mut Change,
    ) -> Result<(), Error> {
        let mut first = BTreeMap::new();
        for (id, chunk) in &batch.chunks {
            let lowest = first.entry(*id).or_insert(chunk.offset);
            *lowest = chunk.offset.min(*lowest);
        }
        let mut there = BTreeSet::new();
        for (id, from) in first {
            let (name, from) = (id.0.to_string(), i64::try_from(from).unwrap_or(i64::MAX));
            // The service writes pieces after all that are there; so there are few.
            let values = (whose.0.0, whose.1.0, name, from, i32::MAX);
            let rows =
                self.0.database.rows::<(i64,)>(&self.0.statements.rows.offsets, values).await;
            there.extend(rows.map_err(failed)?.into_iter().map(|(position,)| (id, position)));
        }
        for (id, chunk) in &batch.chunks {
            let key = chunk_key(*id, chunk);
            if there.insert((*id, key.position)) {
                let body = Some(chunk.stream.as_str().to_owned());
                let data = Some(chunk.data.clone());
                change.puts.push((key, Values { body, data, ..Values::default() }));
            }
        }
        Ok(())
    }

    /// Adds versions of sections, and removes what there is too much of.
    async fn add_versions(
        &self,
        whose: Whose,
        added: &[Version],
        keep: Keep,
        change: &mut Change,
    ) -> Result<(), Error> {
        if added.is_empty() {
            return Ok(());
        }
        let before = self.kept_versions(whose).await?;
        let (mut kept, mut new) = (before.clone(), BTreeMap::new());
        for version in added {
            let key = (version.at, version.seen.section.clone());
            if !kept.contains_key(&key) {
                kept.insert(key.clone(), version.seen.body.len() as u64);
                new.insert(key, version);
            }
            let all = kept.iter().map(|((at, section), bytes)| Kept {
                at: *at,
                section: section.clone(),
                bytes: *bytes,
            });
            for Kept { at, section, .. } in keep.excess(all.collect()) {
                let key = (at, section);
                kept.remove(&key);
                new.remove(&key);
            }
        }
        let gone = before.into_keys().filter(|key| !kept.contains_key(key));
        change.removes.extend(gone.map(|(at, section)| section_key(at, section)));
        let puts = new.into_iter().map(|((at, section), version)| {
            let seen = &version.seen;
            let values = Values {
                body: None,
                data: Some(seen.body.clone()),
                hash: Some(seen.hash.to_vec()),
                reported_at_ms: Some(seen.reported_at.as_millisecond()),
                bytes: i64::try_from(seen.body.len()).ok(),
            };
            (section_key(at, section), values)
        });
        change.puts.extend(puts);
        Ok(())
    }

    /// Every version that is kept, and how long it is.
    async fn kept_versions(
        &self,
        whose: Whose,
    ) -> Result<BTreeMap<(Timestamp, String), u64>, Error> {
        let values = (whose.0.0, whose.1.0);
        let rows = self.0.database.rows(&self.0.statements.rows.kept, values).await;
        let rows: Vec<(String, i64, i64)> = rows.map_err(failed)?;
        let kept = rows.into_iter().map(|(section, ms, bytes)| {
            let at = Timestamp::from_millisecond(ms);
            let at = at.map_err(|error| Error::Damaged(error.into()))?;
            Ok(((at, section), bytes.unsigned_abs()))
        });
        kept.collect()
    }
}

fn section_key(at: Timestamp, section: String) -> Key {
    Key { kind: "section", name: section, position: at.as_millisecond() }
}
