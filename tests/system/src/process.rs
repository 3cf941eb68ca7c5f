//! Processes under test.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};

/// How long a process may take to say what is waited for, or to end.
const PATIENCE: Duration = Duration::from_mins(1);
/// Lines that are shown of a process when a test fails.
const LAST_LINES: usize = 40;

/// The executable `name`, built by the same cargo as this test.
pub fn executable(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    // Tests lie in target/PROFILE/deps, other executables in target/PROFILE.
    let folder = own.parent().context("an executable lies in a folder")?;
    let profile = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    let path = profile.join(name);
    if !path.exists() {
        bail!("{} is not built; run `cargo build -p {name}`", path.display());
    }
    Ok(path)
}

/// Has a program see a clock that is off by as much as libfaketime understands.
pub(crate) fn put_wrong(command: &mut Command, off: &str) {
    // Not by the program `faketime`: that stays between, and would be killed in its place. The
    // dynamic linker knows what `$LIB` is here.
    command.env("LD_PRELOAD", "/usr/$LIB/faketime/libfaketimeMT.so.1").env("FAKETIME", off);
    // How long things take stays as it is.
    command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
}

/// A process whose lines are read, killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Process {
    /// Starts `command` and reads what it prints, standard output and error alike.
    pub fn start(command: &mut Command) -> anyhow::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("{command:?}"))?;
        let (sender, lines) = channel();
        let out = child.stdout.take().context("stdout is piped")?;
        let err = child.stderr.take().context("stderr is piped")?;
        let streams: [Box<dyn std::io::Read + Send>; 2] = [Box::new(out), Box::new(err)];
        for stream in streams {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        break;
                    }
                }
            });
        }
        Ok(Self { child, lines, said: Vec::new() })
    }

    /// Waits for a line that begins with `start`; returns the rest of it.
    pub fn line(&mut self, start: &str) -> anyhow::Result<String> {
        let rest = |line: &str| line.strip_prefix(start).map(|rest| rest.trim().to_owned());
        self.wait_for(start, rest)
    }

    /// Waits for a line with `part` in it; returns all of it.
    pub fn line_with(&mut self, part: &str) -> anyhow::Result<String> {
        self.wait_for(part, |line| line.contains(part).then(|| line.to_owned()))
    }

    fn wait_for<T>(&mut self, what: &str, find: impl Fn(&str) -> Option<T>) -> anyhow::Result<T> {
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                bail!("never said {what:?}, but:\n{}", self.said.join("\n"));
            };
            let found = find(&line);
            self.said.push(line);
            if let Some(found) = found {
                return Ok(found);
            }
        }
    }

    /// Everything it has printed so far.
    pub fn said(&mut self) -> String {
        self.said.extend(self.lines.try_iter());
        self.said.join("\n")
    }

    /// Kills it at once (SIGKILL) and waits until it is gone.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    pub fn stop(&mut self) -> anyhow::Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.wait()
    }

    /// Stops it in its tracks (SIGSTOP), with its connections open.
    pub fn pause(&self) -> anyhow::Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on.
    pub fn resume(&self) -> anyhow::Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.child.id())?).context("a process has an id")?;
        Ok(kill_process(pid, signal)?)
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self) -> anyhow::Result<ExitStatus> {
        // Its pipes close when it ends; then the channel does.
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.said.push(line);
        }
        match self.child.try_wait()? {
            Some(status) => Ok(status),
            None => Ok(self.child.wait()?),
        }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let said = self.said();
            let tail: Vec<&str> = said.lines().rev().take(LAST_LINES).collect();
            let tail = tail.into_iter().rev().collect::<Vec<_>>().join("\n");
            // A test that fails shows what its processes said last.
            drop(writeln!(std::io::stderr(), "-- process {} said:\n{tail}", self.child.id()));
        }
        // It may be gone already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
