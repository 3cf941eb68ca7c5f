//! The life of a command: queued, sent, accepted, running, and one of six ends.
//!
//! Laws: a finished command never changes; a report taken twice, or late, changes nothing; a
//! command is accepted at most once. So reports may be repeated at will. Only one that was never
//! written to its device's connection goes back, from sent to queued.

use jiff::{SignedDuration, Timestamp};
use openframe_ids::{CommandId, DeviceId, TenantId};

/// How long after its expiry a command that was sent is still waited for: the device may have begun
/// it in time and lost its connection before it could say so.
pub const SENT_GRACE: SignedDuration = SignedDuration::from_hours(1);
/// How long a connected device may owe the end of a command that must have ended: what it still had
/// to say has arrived by then, so its journal is gone.
pub const REPORT_GRACE: SignedDuration = SignedDuration::from_mins(15);
/// How long the end of a command is waited for when its device is away.
pub const AWAY_GRACE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Pieces of output kept of one command, whatever their size.
const CHUNKS_LIMIT: u32 = 16_384;

/// Where a command is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it; devices-api documents them")]
pub enum State {
    Queued,
    Sent,
    Accepted,
    Running,
    Succeeded,
    Failed,
    TimedOut,
    Interrupted,
    Cancelled,
    Expired,
}

impl State {
    /// Every state, in the order of a life.
    pub const ALL: [Self; 10] = [
        Self::Queued,
        Self::Sent,
        Self::Accepted,
        Self::Running,
        Self::Succeeded,
        Self::Failed,
        Self::TimedOut,
        Self::Interrupted,
        Self::Cancelled,
        Self::Expired,
    ];

    /// Its text form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Accepted => "accepted",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Interrupted => "interrupted",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    /// The state of a text form.
    pub fn of_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether no other state follows.
    pub fn is_finished(self) -> bool {
        self > Self::Running
    }
}

/// One command to one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Its id.
    pub id: CommandId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The device.
    pub device: DeviceId,
    /// Rises by one with every change.
    pub version: u64,
    /// Where it is.
    pub state: State,
    /// What to run.
    pub script: String,
    /// What runs it.
    pub interpreter: String,
    /// Seconds it may run.
    pub timeout_s: u32,
    /// Whether it may run again after an interruption.
    pub idempotent: bool,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it is no longer started.
    pub expires_at: Timestamp,
    /// When it began to run.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Its exit code, if it ended by itself.
    pub exit_code: Option<i32>,
    /// Why it did not run or end well.
    pub status_reason: String,
    /// Who asked for it.
    pub created_by: String,
    /// Why.
    pub reason: String,
    /// Whether somebody wants it stopped.
    pub cancel_requested: bool,
    /// Bytes of output kept.
    pub output_bytes: u64,
    /// Pieces of output kept.
    pub output_chunks: u32,
    /// Where the kept output ends in everything that the command wrote.
    pub output_end: u64,
    /// Whether it wrote more than is kept.
    pub output_truncated: bool,
}

/// What a device says of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named as in link.proto, which documents them")]
pub enum ReportedState {
    Accepted,
    Running,
    Succeeded,
    Failed,
    TimedOut,
    Interrupted,
    Cancelled,
    Expired,
}

impl ReportedState {
    fn state(self) -> State {
        match self {
            Self::Accepted => State::Accepted,
            Self::Running => State::Running,
            Self::Succeeded => State::Succeeded,
            Self::Failed => State::Failed,
            Self::TimedOut => State::TimedOut,
            Self::Interrupted => State::Interrupted,
            Self::Cancelled => State::Cancelled,
            Self::Expired => State::Expired,
        }
    }
}

/// A device's report on a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The state.
    pub state: ReportedState,
    /// When, by the device's clock.
    pub at: Timestamp,
    /// The exit code, if it ended by itself.
    pub exit_code: Option<i32>,
    /// Why it did not run or end well.
    pub reason: String,
    /// Bytes it wrote, kept or not.
    pub output_bytes: u64,
}

/// To which stream a command wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    /// Its text form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }

    /// The stream of a text form.
    pub fn of_text(text: &str) -> Option<Self> {
        [Self::Stdout, Self::Stderr].into_iter().find(|stream| stream.as_str() == text)
    }
}

/// A piece of output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Where it was written.
    pub stream: Stream,
    /// Where it begins in everything that the command wrote.
    pub offset: u64,
    /// As the command wrote it.
    pub data: Vec<u8>,
}

impl Chunk {
    /// Where it ends.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.data.len() as u64)
    }
}

/// The command was written to its device's connection.
pub fn pushed(command: &Command) -> Option<Command> {
    (command.state == State::Queued).then(|| Command {
        state: State::Sent,
        version: command.version + 1,
        ..command.clone()
    })
}

/// The command turned out not to have been written to its device's connection, this time and any
/// time before.
pub fn returned(command: &Command, now: Timestamp) -> Option<Command> {
    if command.state != State::Sent {
        return None;
    }
    if command.cancel_requested {
        return Some(ended(command, State::Cancelled, "", now));
    }
    Some(Command { state: State::Queued, version: command.version + 1, ..command.clone() })
}

/// The device reports. None when that is nothing new.
pub fn report(command: &Command, report: &Report, now: Timestamp) -> Option<Command> {
    let state = report.state.state();
    if command.state.is_finished() || state <= command.state {
        return None;
    }
    let mut next = Command { state, version: command.version + 1, ..command.clone() };
    // The device's clock may be wrong; nothing happened before it was asked for, or after now.
    let at = report.at.min(now).max(command.created_at);
    if state == State::Running {
        next.started_at = Some(at);
    }
    if state.is_finished() {
        next.finished_at = Some(command.started_at.map_or(at, |started| at.max(started)));
        next.exit_code = report.exit_code;
        next.output_truncated |= report.output_bytes > command.output_end;
    }
    next.status_reason.clone_from(&report.reason);
    Some(next)
}

/// When a command may have to be ended by time; None once it has finished.
pub fn due(command: &Command) -> Option<Timestamp> {
    match command.state {
        State::Queued => Some(command.expires_at),
        State::Sent => Some(later(command.expires_at, SENT_GRACE)),
        State::Accepted | State::Running => Some(later(last_end(command), REPORT_GRACE)),
        State::Succeeded
        | State::Failed
        | State::TimedOut
        | State::Interrupted
        | State::Cancelled
        | State::Expired => None,
    }
}

/// When a command that a device has taken must have ended there.
fn last_end(command: &Command) -> Timestamp {
    let running = SignedDuration::from_secs(i64::from(command.timeout_s));
    later(command.started_at.unwrap_or(command.expires_at), running)
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// Time has passed: a command that was not begun in time is not begun any more, and one whose
/// device does not know of it any more has ended. `connected` says since when the device is.
pub fn expire(command: &Command, now: Timestamp, connected: Option<Timestamp>) -> Option<Command> {
    let due = due(command)?;
    let (deadline, state, reason) = match command.state {
        State::Sent if command.cancel_requested => {
            (due, State::Cancelled, "the device has never confirmed it")
        }
        State::Accepted | State::Running => {
            let away = later(last_end(command), AWAY_GRACE);
            let deadline = connected.map_or(away, |since| due.max(later(since, REPORT_GRACE)));
            (deadline, State::Interrupted, "the device has not said how it ended")
        }
        State::Queued
        | State::Sent
        | State::Succeeded
        | State::Failed
        | State::TimedOut
        | State::Interrupted
        | State::Cancelled
        | State::Expired => (due, State::Expired, "the device did not begin it in time"),
    };
    (now >= deadline).then(|| ended(command, state, reason, now))
}

/// Somebody wants it stopped. One that was never sent ends at once; of any other only its device
/// can say how it ended. None when nothing changes.
pub fn cancel(command: &Command, now: Timestamp) -> Option<Command> {
    match command.state {
        State::Queued => Some(ended(command, State::Cancelled, "", now)),
        State::Sent | State::Accepted | State::Running => (!command.cancel_requested).then(|| {
            let version = command.version + 1;
            Command { cancel_requested: true, version, ..command.clone() }
        }),
        State::Succeeded
        | State::Failed
        | State::TimedOut
        | State::Interrupted
        | State::Cancelled
        | State::Expired => None,
    }
}

fn ended(command: &Command, state: State, reason: &str, now: Timestamp) -> Command {
    Command {
        state,
        version: command.version + 1,
        finished_at: Some(now),
        status_reason: reason.to_owned(),
        ..command.clone()
    }
}

/// The device sends output. Output is only ever appended: what lies before the end is known
/// already, so a reader that has read to the end never misses a piece. Gives the command and what
/// of the piece is kept; None when it is nothing new.
pub fn append(command: &Command, chunk: &Chunk, limit: u64) -> Option<(Command, Option<Chunk>)> {
    let known = usize::try_from(command.output_end.saturating_sub(chunk.offset)).ok()?;
    let fresh = chunk.data.get(known..).filter(|fresh| !fresh.is_empty())?;
    let offset = chunk.offset.max(command.output_end);
    let room = usize::try_from(limit.saturating_sub(offset)).unwrap_or(usize::MAX);
    let room = if command.output_chunks < CHUNKS_LIMIT { room } else { 0 };
    let kept: Vec<u8> = fresh.iter().copied().take(room).collect();
    let truncated = kept.len() < fresh.len();
    if kept.is_empty() && command.output_truncated {
        return None;
    }
    let mut next = command.clone();
    next.version += 1;
    next.output_truncated |= truncated;
    if kept.is_empty() {
        return Some((next, None));
    }
    let kept = Chunk { stream: chunk.stream, offset, data: kept };
    next.output_bytes += kept.data.len() as u64;
    next.output_chunks += 1;
    next.output_end = kept.end();
    Some((next, Some(kept)))
}

#[cfg(test)]
mod tests;
