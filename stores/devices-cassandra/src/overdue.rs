//! When commands may have to be ended by time: an index beside them, by day.

use futures::future::try_join;
use jiff::Timestamp;
use openframe_devices::Error;
use openframe_devices::domain::{Command, due};
use openframe_ids::{CommandId, DeviceId, TenantId};
use uuid::Uuid;

use crate::{CassandraStore, failed};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// How long an entry that fits no command is left alone: its command may be just about to be
/// written.
const YOUNG_MS: i64 = 60 * 60 * 1000;

/// One entry: when, which command, whose.
type Entry = (i64, String, Uuid, Uuid);

fn due_ms(command: &Command) -> Option<i64> {
    due(command).map(Timestamp::as_millisecond)
}

impl CassandraStore {
    /// Enters a command that is about to be written.
    pub(crate) async fn enter_due(&self, command: &Command) -> Result<(), Error> {
        let Some(ms) = due_ms(command) else { return Ok(()) };
        let (database, statements) = (&self.0.database, &self.0.statements);
        let (day, name) = (ms.div_euclid(DAY_MS), command.id.0.to_string());
        let entry = (day, ms, name, command.tenant.0, command.device.0);
        let entered = database.write(&statements.dues.put_due, entry);
        let marked = database.write(&statements.dues.put_day, (day,));
        try_join(entered, marked).await.map(drop).map_err(failed)
    }

    /// Removes the entry of a command as it was, after it was written as it is.
    pub(crate) async fn leave_due(&self, was: &Command, is: &Command) {
        let (Some(was), id) = (due_ms(was).filter(|was| due_ms(is) != Some(*was)), is.id) else {
            return;
        };
        // One that stays is found out later.
        drop(self.remove_due(was, &id.0.to_string()).await);
    }

    async fn remove_due(&self, ms: i64, name: &str) -> Result<(), Error> {
        let key = (ms.div_euclid(DAY_MS), ms, name);
        self.0.database.write(&self.0.statements.dues.remove_due, key).await.map_err(failed)
    }

    /// See [`openframe_devices::store::Commands::overdue`].
    pub(crate) async fn all_overdue(
        &self,
        now: Timestamp,
        after: Option<(Timestamp, CommandId)>,
        limit: u32,
    ) -> Result<Vec<(Timestamp, Command)>, Error> {
        let now = now.as_millisecond();
        let mut after = after.map_or((i64::MIN, String::new()), |(due, id)| {
            (due.as_millisecond(), id.0.to_string())
        });
        let mut found = Vec::new();
        for day in self.days(after.0.div_euclid(DAY_MS), now.div_euclid(DAY_MS)).await? {
            loop {
                let entries = self.entries(day, &after, now, limit).await?;
                let Some((ms, name, ..)) = entries.last() else { break };
                after = (*ms, name.clone());
                for entry in entries {
                    found.extend(self.still_due(entry, now).await?);
                    if found.len() == limit as usize {
                        return Ok(found);
                    }
                }
            }
            self.forget_day(day, now).await?;
        }
        Ok(found)
    }

    async fn days(&self, from: i64, to: i64) -> Result<Vec<i64>, Error> {
        let days = self.0.database.rows::<(i64,)>(&self.0.statements.dues.days, (from, to)).await;
        Ok(days.map_err(failed)?.into_iter().map(|(day,)| day).collect())
    }

    async fn entries(
        &self,
        day: i64,
        after: &(i64, String),
        until: i64,
        limit: u32,
    ) -> Result<Vec<Entry>, Error> {
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        let values = (day, after.0, &after.1, until, limit);
        self.0.database.rows(&self.0.statements.dues.due, values).await.map_err(failed)
    }

    /// The entry's command, if it is due just then.
    async fn still_due(
        &self,
        (ms, name, tenant, device): Entry,
        now: i64,
    ) -> Result<Option<(Timestamp, Command)>, Error> {
        let whose = (TenantId(tenant), DeviceId(device));
        let command = self.command_of(whose, &name).await?;
        if let Some(command) = command.filter(|command| due_ms(command) == Some(ms)) {
            let due = Timestamp::from_millisecond(ms);
            return Ok(Some((due.map_err(|error| Error::Damaged(error.into()))?, command)));
        }
        if now.saturating_sub(ms) > YOUNG_MS {
            self.remove_due(ms, &name).await?;
        }
        Ok(None)
    }

    /// Forgets a day that is long over and has no entry left.
    async fn forget_day(&self, day: i64, now: i64) -> Result<(), Error> {
        let over = day < now.div_euclid(DAY_MS) - 1;
        if !over || !self.entries(day, &(i64::MIN, String::new()), now, 1).await?.is_empty() {
            return Ok(());
        }
        self.0.database.write(&self.0.statements.dues.remove_day, (day,)).await.map_err(failed)
    }
}
