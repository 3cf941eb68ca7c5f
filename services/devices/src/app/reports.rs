//! What devices report: inventory, and how commands fare. One push is one transaction.

use std::collections::HashSet;

use openframe_ids::CommandId;
use openframe_tokens::Caller;

use super::links::itself;
use super::{App, Happened, TRIES, busy};
use crate::domain::{self, Chunk, Command, Report, Seen};
use crate::error::Error;
use crate::siblings::News;
use crate::store::{Batch, Keep, Whose};

/// Reports in one push at most.
const ITEMS_LIMIT: usize = 1_024;

/// One report.
#[derive(Debug, Clone)]
pub enum Item {
    /// A section of the inventory.
    Inventory(Seen),
    /// Something about a command; None when its id is not one.
    Command(Option<CommandId>, About),
}

/// What is said of a command.
#[derive(Debug, Clone)]
pub enum About {
    /// Its state.
    State(Report),
    /// Its output.
    Output(Chunk),
}

impl App {
    /// Takes reports of the device that asks; returns once all of them are durable.
    pub async fn report(&self, caller: &Caller, items: &[Item]) -> Result<(), Error> {
        let whose = itself(caller)?;
        if items.len() > ITEMS_LIMIT {
            return Err(Error::BadReport("too many reports at once"));
        }
        self.must_know(whose).await?;
        let mut recorded = HashSet::new();
        for _ in 0..TRIES {
            let gathered = self.gather(whose, items).await?;
            for (_, command) in &gathered.batch.commands {
                if gathered.ended.contains(&command.id) && recorded.insert(command.id) {
                    self.record_end(caller, command).await?;
                }
            }
            if !self.commit(whose, &gathered.batch, &gathered.ended).await? {
                continue;
            }
            self.metrics.reports.inc_by(items.len() as u64);
            self.metrics.reports_ignored.inc_by(gathered.ignored);
            return self.note_heard(whose).await;
        }
        Err(busy())
    }

    /// What `items` change, by the state of things now. Those about commands that are not this
    /// device's must not be refused: the device would send them for ever.
    async fn gather(&self, whose: Whose, items: &[Item]) -> Result<Gathered, Error> {
        let mut gathered = Gathered::default();
        for item in items {
            match item {
                Item::Inventory(seen) => {
                    self.gather_section(whose, seen, &mut gathered.batch).await?;
                }
                Item::Command(id, about) => {
                    let found = match id {
                        Some(id) => self.command_of(whose, *id, &gathered.batch).await?,
                        None => None,
                    };
                    if let Some(command) = found {
                        self.gather_about(&command, about, &mut gathered);
                    } else {
                        gathered.ignored += 1;
                        let device = whose.1;
                        tracing::info!(
                            device.id = %device,
                            "ignored a report of device {device} on a command that is not its own"
                        );
                    }
                }
            }
        }
        Ok(gathered)
    }

    async fn gather_section(
        &self,
        whose: Whose,
        seen: &Seen,
        batch: &mut Batch,
    ) -> Result<(), Error> {
        // A report is repeated when its acknowledgement was lost: also after a newer one.
        if self.stores.inventory.has(whose, seen).await? {
            return Ok(());
        }
        let same = batch.sections.iter().rev().find(|it| it.seen.section == seen.section);
        let newest = if let Some(version) = same {
            Some((version.at, version.seen.hash))
        } else {
            let kept = self.stores.inventory.section(whose, &seen.section, None).await?;
            kept.map(|version| (version.at, version.seen.hash))
        };
        batch.sections.extend(domain::placed(seen.clone(), newest, self.clock.now()));
        Ok(())
    }

    async fn command_of(
        &self,
        whose: Whose,
        id: CommandId,
        batch: &Batch,
    ) -> Result<Option<Command>, Error> {
        if let Some((_, command)) = batch.commands.iter().find(|(_, command)| command.id == id) {
            return Ok(Some(command.clone()));
        }
        let found = self.stores.commands.command(whose.0, id).await?;
        Ok(found.filter(|command| command.device == whose.1))
    }

    fn gather_about(&self, command: &Command, about: &About, gathered: &mut Gathered) {
        let Gathered { batch, ended, .. } = gathered;
        let next = match about {
            About::State(report) => domain::report(command, report, self.clock.now()),
            About::Output(chunk) => {
                let limit = self.config.output_limit_bytes;
                domain::append(command, chunk, limit).map(|(next, kept)| {
                    batch.chunks.extend(kept.map(|kept| (command.id, kept)));
                    next
                })
            }
        };
        let Some(next) = next else { return };
        if next.state.is_finished() && !command.state.is_finished() {
            ended.push(next.id);
        }
        match batch.commands.iter_mut().find(|(_, known)| known.id == next.id) {
            Some((_, known)) => *known = next,
            None => batch.commands.push((command.version, next)),
        }
    }

    /// Writes a batch and tells what has changed; `ended` are the commands that end by it. False
    /// when somebody else was quicker.
    pub(super) async fn commit(
        &self,
        whose: Whose,
        batch: &Batch,
        ended: &[CommandId],
    ) -> Result<bool, Error> {
        if *batch == Batch::default() {
            return Ok(true);
        }
        let keep =
            Keep { versions: self.config.inventory_versions, bytes: self.config.inventory_bytes };
        if !self.stores.reports.commit(whose, batch, keep).await? {
            // A device that was retired meanwhile can never be reported on.
            self.find(whose).await?;
            return Ok(false);
        }
        let news = News {
            inventory: !batch.sections.is_empty(),
            output: !batch.chunks.is_empty(),
            commands: batch.commands.iter().map(|(_, command)| command.id).collect(),
            ..News::default()
        };
        self.siblings.note(whose, news);
        if !batch.sections.is_empty() {
            self.tell(whose, Happened::Inventory);
        }
        if !batch.chunks.is_empty() {
            self.tell(whose, Happened::Output);
        }
        for (_, command) in &batch.commands {
            if ended.contains(&command.id) {
                self.metrics.finished(command.state);
            }
            self.tell(whose, Happened::Command(Box::new(command.clone())));
        }
        Ok(true)
    }
}

/// What reports come to.
#[derive(Debug, Default)]
struct Gathered {
    batch: Batch,
    /// Commands that end by it.
    ended: Vec<CommandId>,
    /// Reports about commands that are not the device's.
    ignored: u64,
}
