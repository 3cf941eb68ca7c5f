//! What goes out to devices: one task a device at a time, so that commands go out in the order in
//! which they were asked for and a device that reads slowly holds up nobody else.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use openframe_ids::CommandId;
use tokio_util::task::TaskTracker;

use super::{App, TRIES, busy};
use crate::domain::{self, Command, State};
use crate::error::Error;
use crate::links::{Pushed, Said};
use crate::store::Whose;

/// Commands pushed to a device at once.
const WAITING_LIMIT: u32 = 1_000;

/// What is to be pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// What was never sent.
    New,
    /// All after this command that the device has not confirmed: it may have lost it.
    After(Option<CommandId>),
}

impl What {
    /// All that the device has not confirmed.
    pub const ALL: Self = Self::After(None);

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::After(one), Self::After(other)) => Self::After(one.min(other)),
            (Self::New, what) | (what, Self::New) => what,
        }
    }
}

/// Which devices are being pushed to.
#[derive(Debug, Default)]
pub struct Pushes {
    /// By device that has a task: what came up since its task looked.
    busy: Mutex<HashMap<Whose, Option<What>>>,
    /// Devices that could not take all; see [`App::push_again`].
    again: Mutex<HashMap<Whose, What>>,
    tasks: TaskTracker,
}

/// What came of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    Out,
    /// Out, perhaps not where the device listens.
    Perhaps,
    NoLink,
    /// Not now.
    Stuck,
    /// Nobody knows.
    Unknown,
}

impl Pushes {
    /// Nothing yet; `tasks` gets the tasks.
    pub fn new(tasks: TaskTracker) -> Self {
        Self { tasks, ..Self::default() }
    }

    /// Whether nothing is being pushed.
    pub fn is_idle(&self) -> bool {
        self.busy().is_empty()
    }

    fn busy(&self) -> MutexGuard<'_, HashMap<Whose, Option<What>>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn again(&self) -> MutexGuard<'_, HashMap<Whose, What>> {
        self.again.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, whose: Whose, left: What) {
        let mut again = self.again();
        let known = again.entry(whose).or_insert(left);
        *known = known.and(left);
    }

    /// Takes what came up since the task looked; without it the task is over.
    fn next(&self, whose: Whose) -> Option<What> {
        let mut busy = self.busy();
        let next = busy.get_mut(&whose)?.take();
        if next.is_none() {
            busy.remove(&whose);
        }
        next
    }
}

impl App {
    /// Pushes what waits for a device, in a task.
    pub fn push_soon(&self, whose: Whose, what: What) {
        {
            let mut busy = self.pushes.busy();
            if let Some(more) = busy.get_mut(&whose) {
                *more = Some(more.map_or(what, |more| more.and(what)));
                return;
            }
            busy.insert(whose, None);
        }
        let app = self.clone();
        self.pushes.tasks.spawn(async move {
            let mut next = Some(what);
            while let Some(what) = next {
                app.push_waiting(whose, what).await;
                next = app.pushes.next(whose);
            }
        });
    }

    /// Pushes once more to devices that could not take all.
    pub fn push_again(&self) {
        let again = std::mem::take(&mut *self.pushes.again());
        for (whose, what) in again {
            self.push_soon(whose, what);
        }
    }

    async fn push_waiting(&self, whose: Whose, what: What) {
        let left = self.push_all(whose, what).await.unwrap_or_else(|error| {
            let device = whose.1;
            let why = openframe_fault::chain(&error);
            tracing::warn!(device.id = %device, "could not push to device {device}: {why}");
            Some(What::ALL)
        });
        if let Some(left) = left {
            self.pushes.keep(whose, left);
        }
    }

    /// Gives what could not go out now although the device is connected. Whether it is, the gateway
    /// knows: its connection may be older than this process.
    async fn push_all(&self, whose: Whose, mut what: What) -> Result<Option<What>, Error> {
        let mut again = None;
        for listed in self.stores.commands.unfinished(whose, WAITING_LIMIT).await? {
            let wanted = match what {
                What::New => listed.state == State::Queued,
                What::After(last) => last.is_none_or(|last| last < listed.id),
            };
            if !wanted {
                continue;
            }
            // The list grows old while it is worked through.
            let command = self.stores.commands.command(whose.0, listed.id).await?;
            let Some(command) = command.filter(|command| !command.state.is_finished()) else {
                continue;
            };
            let came = self.push(whose, command).await?;
            if came == Came::Perhaps {
                again = Some(What::ALL);
            }
            match came {
                Came::Out | Came::Perhaps if what == What::New => {}
                Came::Out | Came::Perhaps => what = What::After(Some(listed.id)),
                // The gateway may be about to take the connection: nobody tells of it again.
                Came::NoLink => return Ok(self.is_online(whose).then_some(What::ALL)),
                // It counts as sent and may not be: only with all that is not confirmed it goes out
                // again. The device runs it once.
                Came::Unknown if what == What::New => return Ok(Some(What::ALL)),
                Came::Stuck | Came::Unknown => return Ok(again.or(Some(what))),
            }
        }
        Ok(again)
    }

    async fn push(&self, whose: Whose, command: Command) -> Result<Came, Error> {
        if command.cancel_requested {
            return Ok(self.say(whose, &Said::Cancel(command.id)).await.0);
        }
        let in_time = command.expires_at > self.clock.now();
        if !in_time || !matches!(command.state, State::Queued | State::Sent) {
            return Ok(Came::Out);
        }
        // On record as sent before it is: nobody may take it for one that never went out.
        let fresh = domain::pushed(&command);
        if let Some(next) = &fresh
            && !self.replace(&command, next.clone()).await?
        {
            return Ok(Came::Out);
        }
        let id = command.id;
        let said = Said::Run(Box::new(command), self.config.output_limit_bytes);
        let (came, written) = self.say(whose, &said).await;
        if fresh.is_some() && !written {
            self.take_back(whose, id).await?;
        }
        Ok(came)
    }

    /// A command that did not go out waits again.
    async fn take_back(&self, whose: Whose, id: CommandId) -> Result<(), Error> {
        for _ in 0..TRIES {
            let command = self.stores.commands.command(whose.0, id).await?;
            let next = command.as_ref().and_then(|it| domain::returned(it, self.clock.now()));
            let (Some(command), Some(next)) = (command, next) else { return Ok(()) };
            if self.replace(&command, next).await? {
                return Ok(());
            }
        }
        Err(busy())
    }

    /// Says something to a device: what came of it, and whether it may have been written.
    async fn say(&self, whose: Whose, said: &Said) -> (Came, bool) {
        match self.links.push(whose, said).await {
            Ok(Pushed::Written) => (Came::Out, true),
            Ok(Pushed::Perhaps) => (Came::Perhaps, true),
            Ok(Pushed::NoLink) => (Came::NoLink, false),
            Ok(Pushed::Full) => (Came::Stuck, false),
            Err(fault) => {
                let device = whose.1;
                tracing::warn!(device.id = %device, "could not push to device {device}: {fault}");
                (Came::Unknown, true)
            }
        }
    }

    /// Tells a connected device to stop a command. One that is not told now is when it connects.
    pub(super) async fn say_cancel(&self, whose: Whose, id: CommandId) {
        let came = self.say(whose, &Said::Cancel(id)).await.0;
        if matches!(came, Came::Perhaps | Came::Stuck | Came::Unknown) {
            self.pushes.keep(whose, What::ALL);
        }
    }

    /// Another replica has made a command, and may die before it has gone out: what is not confirmed
    /// by the next round is pushed from here too.
    pub(super) fn push_later(&self, whose: Whose) {
        self.pushes.keep(whose, What::ALL);
    }
}
