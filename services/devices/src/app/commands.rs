//! Commands: asked for, pushed, cancelled, ended by time.

use jiff::SignedDuration;
use openframe_ids::{CommandId, DeviceId};
use openframe_tokens::Permission;
use sha2::{Digest as _, Sha256};

use super::reports::{TRIES, busy};
use super::{App, Ask, Happened, permit};
use crate::domain::{self, Chunk, Command, State};
use crate::error::Error;
use crate::links::Said;
use crate::store::{Batch, UsedKey, Whose};

/// Bytes of a script.
const SCRIPT_LIMIT: usize = 64 << 10;
/// Characters of an interpreter's name, and of a reason.
const TEXT_LIMIT: usize = 1_024;
/// Seconds a command may run, and seconds until it is no longer started, at most.
const TIME_LIMITS: (u32, u32) = (86_400, 2_592_000);
/// Commands pushed to a device that connects, and looked at for expiry, at once.
const WAITING_LIMIT: u32 = 1_000;
/// Characters of an idempotency key.
const KEY_LIMIT: usize = 128;
/// Pieces of output in one answer.
pub(super) const OUTPUT_LIMIT: u32 = 256;

/// What somebody wants to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The script.
    pub script: String,
    /// What runs it.
    pub interpreter: String,
    /// Seconds it may run.
    pub timeout_s: u32,
    /// Seconds until it is no longer started.
    pub expires_in_s: u32,
    /// Whether it may run again after an interruption.
    pub idempotent: bool,
    /// Why.
    pub reason: String,
}

impl Wanted {
    fn check(&self) -> Result<(), Error> {
        let refuse = |text: &str| Err(Error::Invalid(text.to_owned()));
        if self.script.is_empty() || self.script.len() > SCRIPT_LIMIT {
            return refuse("a script has 1 to 65,536 bytes");
        }
        if self.interpreter.is_empty() || self.interpreter.chars().count() > TEXT_LIMIT {
            return refuse("an interpreter has 1 to 1,024 characters");
        }
        if self.reason.chars().count() > TEXT_LIMIT {
            return refuse("a reason has at most 1,024 characters");
        }
        if !(1..=TIME_LIMITS.0).contains(&self.timeout_s) {
            return refuse("timeout_s is 1 to 86,400");
        }
        if !(1..=TIME_LIMITS.1).contains(&self.expires_in_s) {
            return refuse("expires_in_s is 1 to 2,592,000");
        }
        Ok(())
    }

    fn hash(&self, device: DeviceId) -> [u8; 32] {
        Sha256::digest(format!("{device} {self:?}")).into()
    }
}

impl App {
    /// Asks for a command to run. The same key with the same request gives the same command.
    pub async fn run(
        &self,
        ask: &Ask,
        device: DeviceId,
        wanted: Wanted,
        key: Option<&str>,
    ) -> Result<Command, Error> {
        permit(ask, Permission::CommandsRun)?;
        wanted.check()?;
        if key.is_some_and(|key| !(1..=KEY_LIMIT).contains(&key.chars().count())) {
            return Err(Error::Invalid("an idempotency key has 1 to 128 characters".to_owned()));
        }
        let whose = (ask.caller.tenant, device);
        self.find(whose).await?;
        if let Some(known) = self.made_before(ask, key, wanted.hash(device)).await? {
            return Ok(known);
        }
        let now = self.clock.now();
        let command = self.new_command(ask, whose, &wanted);
        let detail = format!("device={device} reason={:?}", wanted.reason);
        self.record(ask, "command.create", command.id.to_string(), detail).await?;
        let lasting = SignedDuration::from_hours(i64::from(self.config.idempotency_hours));
        let key_used = key.map(|key| UsedKey {
            caller: caller(ask),
            key: key.to_owned(),
            request: wanted.hash(device),
            until: now.saturating_add(lasting).unwrap_or(now),
        });
        if !self.stores.commands.create(&command, key_used.as_ref()).await? {
            // The same key at the same time, or the device has just been retired.
            let known = self.made_before(ask, key, wanted.hash(device)).await?;
            return known.ok_or(Error::NoSuchDevice(device));
        }
        self.metrics.commands_created.inc();
        self.tell(whose, Happened::Command(Box::new(command.clone())));
        self.push(&command).await?;
        self.found(ask, command.id).await
    }

    async fn made_before(
        &self,
        ask: &Ask,
        key: Option<&str>,
        request: [u8; 32],
    ) -> Result<Option<Command>, Error> {
        let (Some(key), tenant, now) = (key, ask.caller.tenant, self.clock.now()) else {
            return Ok(None);
        };
        let Some(used) = self.stores.commands.used(tenant, (&caller(ask), key), now).await? else {
            return Ok(None);
        };
        if used.request != request {
            return Err(Error::KeyReused);
        }
        self.found(ask, used.command).await.map(Some)
    }

    fn new_command(&self, ask: &Ask, (tenant, device): Whose, wanted: &Wanted) -> Command {
        let now = self.clock.now();
        let life = SignedDuration::from_secs(i64::from(wanted.expires_in_s));
        Command {
            id: CommandId::new(),
            tenant,
            device,
            version: 1,
            state: State::Queued,
            script: wanted.script.clone(),
            interpreter: wanted.interpreter.clone(),
            timeout_s: wanted.timeout_s,
            idempotent: wanted.idempotent,
            created_at: now,
            expires_at: now.saturating_add(life).unwrap_or(now),
            started_at: None,
            finished_at: None,
            exit_code: None,
            status_reason: String::new(),
            created_by: caller(ask),
            reason: wanted.reason.clone(),
            cancel_requested: false,
            output_bytes: 0,
            output_chunks: 0,
            output_end: 0,
            output_truncated: false,
        }
    }

    /// One command.
    pub async fn command(&self, ask: &Ask, id: CommandId) -> Result<Command, Error> {
        permit(ask, Permission::DevicesRead)?;
        self.found(ask, id).await
    }

    async fn found(&self, ask: &Ask, id: CommandId) -> Result<Command, Error> {
        let found = self.stores.commands.command(ask.caller.tenant, id).await?;
        found.ok_or(Error::NoSuchCommand(id))
    }

    /// A device's commands before `before`, newest first.
    pub async fn commands(
        &self,
        ask: &Ask,
        device: DeviceId,
        before: Option<CommandId>,
        limit: u32,
    ) -> Result<Vec<Command>, Error> {
        permit(ask, Permission::DevicesRead)?;
        let whose = (ask.caller.tenant, device);
        self.find(whose).await?;
        self.stores.commands.commands(whose, before, limit).await
    }

    /// Output from `after` on, and the command as it was just before that was read: a finished one
    /// whose end is reached has nothing more.
    pub async fn output(
        &self,
        ask: &Ask,
        id: CommandId,
        after: u64,
    ) -> Result<(Command, Vec<Chunk>), Error> {
        let command = self.command(ask, id).await?;
        let of = (ask.caller.tenant, id);
        Ok((command, self.stores.commands.output(of, after, OUTPUT_LIMIT).await?))
    }

    /// Cancels a command that has not finished.
    pub async fn cancel(&self, ask: &Ask, id: CommandId) -> Result<Command, Error> {
        permit(ask, Permission::CommandsRun)?;
        let command = self.found(ask, id).await?;
        self.record(ask, "command.cancel", id.to_string(), String::new()).await?;
        let whose = (command.tenant, command.device);
        for _ in 0..TRIES {
            let command = self.found(ask, id).await?;
            let asks_device = !command.state.is_finished() && command.state != State::Queued;
            let reached = asks_device && self.said(whose, &Said::Cancel(id)).await;
            let Some(next) = domain::cancel(&command, reached, self.clock.now()) else {
                return Ok(command);
            };
            if self.replace(&command, next).await? {
                return self.found(ask, id).await;
            }
        }
        Err(busy())
    }

    /// Pushes what waits for a device that has connected, in the order in which it was asked for.
    pub async fn push_waiting(&self, whose: Whose) -> Result<(), Error> {
        for command in self.stores.commands.unfinished(whose, WAITING_LIMIT).await? {
            if command.cancel_requested {
                self.said(whose, &Said::Cancel(command.id)).await;
            } else if !self.push(&command).await? {
                break;
            }
        }
        Ok(())
    }

    /// Hands a command to its device if it is connected and has not accepted it.
    async fn push(&self, command: &Command) -> Result<bool, Error> {
        if !matches!(command.state, State::Queued | State::Sent) {
            return Ok(true);
        }
        let whose = (command.tenant, command.device);
        let said = Said::Run(Box::new(command.clone()), self.config.output_limit_bytes);
        if command.expires_at <= self.clock.now() || !self.said(whose, &said).await {
            return Ok(false);
        }
        if let Some(next) = domain::pushed(command) {
            // A report may have come first: then the command is further on already.
            self.replace(command, next).await?;
        }
        Ok(true)
    }

    /// A gateway that does not answer is a device that is not reached: it will connect again.
    async fn said(&self, whose: Whose, said: &Said) -> bool {
        self.links.push(whose, said).await.unwrap_or_else(|fault| {
            let device = whose.1;
            tracing::warn!(device.id = %device, "could not push to device {device}: {fault}");
            false
        })
    }

    /// Ends commands that were not begun in time.
    pub async fn expire(&self) -> Result<(), Error> {
        let now = self.clock.now();
        for command in self.stores.commands.overdue(now, WAITING_LIMIT).await? {
            if let Some(next) = domain::expire(&command, now) {
                // One that has just changed is looked at next time.
                self.replace(&command, next).await?;
            }
        }
        self.stores.commands.forget_keys(now).await
    }

    async fn replace(&self, old: &Command, next: Command) -> Result<bool, Error> {
        let commands = vec![(old.version, next)];
        self.commit((old.tenant, old.device), &Batch { commands, ..Batch::default() }).await
    }
}

fn caller(ask: &Ask) -> String {
    format!("{} {}", ask.caller.kind(), ask.caller.id())
}
