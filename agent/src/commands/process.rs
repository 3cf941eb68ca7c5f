//! One process group from its beginning to its end.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use openframe_agent_api::link::command_output::Stream;
use openframe_agent_api::link::command_state::State;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::journal::{Ending, Entry};
use super::output::{Gather, Piece};

/// Small writes are gathered for so long.
const GATHER: Duration = Duration::from_millis(250);
/// A group that was asked to end has so long before it is killed.
const GRACE: Duration = Duration::from_secs(2);
/// After its leader has ended, output of a group is still read for so long: a process that was
/// left in the background may hold the pipes for ever.
const DRAIN: Duration = Duration::from_secs(1);
/// Characters of an interpreter's name.
const NAME_LIMIT: usize = 256;
/// Bytes read at once.
const READ_BYTES: usize = 8 << 10;

/// What ends a command before its time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends<'a> {
    /// Somebody wants it stopped.
    pub(super) cancelled: &'a CancellationToken,
    /// The agent stops.
    pub(super) stop: &'a CancellationToken,
}

/// What happens while it runs.
#[derive(Debug)]
pub(super) enum Event {
    /// The group has this leader.
    Began(u32),
    /// It wrote.
    Wrote(Piece),
}

/// Runs the script of `entry` to its end. `tell` says whether output can still be kept.
pub(super) async fn run(
    entry: &Entry,
    script: &Path,
    ends: Ends<'_>,
    limit: u64,
    tell: &mut impl FnMut(Event) -> bool,
) -> Ending {
    let mut child = match start(&entry.interpreter, script) {
        Ok(child) => child,
        Err(why) => return Ending::of(State::Failed, &why),
    };
    if let Some(id) = child.id() {
        tell(Event::Began(id));
    }
    let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) else {
        return Ending::of(State::Failed, "its output cannot be read");
    };
    let now = Instant::now();
    let group = Group {
        pid: child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)),
        child,
        status: None,
        forced: None,
        killed: false,
        deadline: now + Duration::from_secs(entry.timeout_s.clamp(1, 86_400).into()),
        next: now,
    };
    let pipes = Pipes { out: Some(out), err: Some(err), gather: Gather::new(limit) };
    watch(group, pipes, ends, tell).await
}

fn start(interpreter: &str, script: &Path) -> Result<Child, String> {
    let name = if interpreter.is_empty() { "sh" } else { interpreter };
    let usable = name.len() <= NAME_LIMIT && !name.contains('\0') && !name.starts_with('-');
    if !usable || (name.contains('/') && !name.starts_with('/')) {
        return Err("the interpreter must be a name or an absolute path".to_owned());
    }
    let mut command = Command::new(name);
    command
        .arg(script)
        .current_dir("/")
        .env_remove("NOTIFY_SOCKET")
        .env_remove("INVOCATION_ID")
        .env_remove("JOURNAL_STREAM")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    command.spawn().map_err(|cause| format!("cannot run `{name}`: {cause}"))
}

struct Group {
    child: Child,
    pid: Option<Pid>,
    status: Option<ExitStatus>,
    /// Why it was ended, and the state that makes.
    forced: Option<(State, &'static str)>,
    killed: bool,
    deadline: Instant,
    /// When to kill the group, or to give its output up.
    next: Instant,
}

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid {
            // The group may be gone already.
            kill_process_group(pid, signal).ok();
        }
    }

    fn force(&mut self, state: State, why: &'static str) {
        self.forced = Some((state, why));
        self.signal(Signal::TERM);
        self.next = Instant::now() + GRACE;
    }

    fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.killed = true;
    }

    fn ended(&mut self, status: Option<ExitStatus>) {
        if self.forced.is_some() {
            // Whoever is left of the group did not listen.
            self.kill();
        }
        self.status = Some(status.unwrap_or_default());
        self.next = Instant::now() + DRAIN;
    }

    fn ending(&self, output_bytes: u64) -> Ending {
        let code = self.status.and_then(|status| status.code());
        let mut ending = match (self.forced, code) {
            (Some((state, why)), _) => Ending::of(state, why),
            (None, Some(0)) => Ending::of(State::Succeeded, ""),
            (None, Some(_)) => Ending::of(State::Failed, ""),
            (None, None) => Ending::of(State::Failed, &self.signalled()),
        };
        ending.exit_code = code.filter(|_| self.forced.is_none());
        ending.output_bytes = output_bytes;
        ending
    }

    fn signalled(&self) -> String {
        use std::os::unix::process::ExitStatusExt as _;
        let signal = self.status.and_then(|status| status.signal()).unwrap_or_default();
        format!("ended by signal {signal}")
    }
}

struct Pipes {
    out: Option<ChildStdout>,
    err: Option<ChildStderr>,
    gather: Gather,
}

impl Pipes {
    fn is_closed(&self) -> bool {
        self.out.is_none() && self.err.is_none()
    }

    /// What comes next of either pipe; never when both are closed.
    async fn read(&mut self, buffers: &mut [Vec<u8>; 2]) -> Vec<Piece> {
        let [a, b] = buffers;
        let (stream, read) = match (&mut self.out, &mut self.err) {
            (Some(out), Some(err)) => tokio::select! {
                read = out.read(a) => (Stream::Stdout, read),
                read = err.read(b) => (Stream::Stderr, read),
            },
            (Some(out), None) => (Stream::Stdout, out.read(a).await),
            (None, Some(err)) => (Stream::Stderr, err.read(b).await),
            (None, None) => std::future::pending().await,
        };
        let read = read.unwrap_or(0);
        let (pipe_closed, buffer) = (read == 0, if stream == Stream::Stdout { a } else { b });
        if pipe_closed {
            match stream {
                Stream::Stdout => self.out = None,
                Stream::Stderr => self.err = None,
            }
            return Vec::new();
        }
        self.gather.add(stream, buffer.get(..read).unwrap_or_default())
    }
}

async fn watch(
    mut group: Group,
    mut pipes: Pipes,
    ends: Ends<'_>,
    tell: &mut impl FnMut(Event) -> bool,
) -> Ending {
    let mut buffers = [vec![0; READ_BYTES], vec![0; READ_BYTES]];
    let mut flush_at = Instant::now();
    while group.status.is_none() || !pipes.is_closed() {
        let quiet = !pipes.gather.is_pending();
        let free = group.status.is_none() && group.forced.is_none();
        let mut pieces = Vec::new();
        tokio::select! {
            read = pipes.read(&mut buffers) => pieces = read,
            status = group.child.wait(), if group.status.is_none() => group.ended(status.ok()),
            () = ends.cancelled.cancelled(), if free => group.force(State::Cancelled, ""),
            () = ends.stop.cancelled(), if free => {
                group.force(State::Interrupted, "the agent was stopped while it ran");
            }
            () = sleep_until(group.deadline), if free => {
                group.force(State::TimedOut, "it took longer than its time");
            }
            () = sleep_until(group.next), if group.status.is_some() => break,
            () = sleep_until(group.next), if group.forced.is_some() && !group.killed => group.kill(),
            () = sleep_until(flush_at), if !quiet => pieces.extend(pipes.gather.flush()),
        }
        if quiet && pipes.gather.is_pending() {
            flush_at = Instant::now() + GATHER;
        }
        give(pieces, &mut pipes.gather, tell);
    }
    let rest = pipes.gather.flush();
    give(rest.into_iter().collect(), &mut pipes.gather, tell);
    group.ending(pipes.gather.total())
}

fn give(pieces: Vec<Piece>, gather: &mut Gather, tell: &mut impl FnMut(Event) -> bool) {
    for piece in pieces {
        if !tell(Event::Wrote(piece)) {
            gather.close();
        }
    }
}
