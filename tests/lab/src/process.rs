//! Processes that outlive the program that started them.
//!
//! A process is known by a file that holds its id and its start time (ticks since the machine
//! started, `proc_pid_stat(5)` field 22), so that an id that the kernel has handed out again is never
//! taken for ours.

use std::fs::{self, File, OpenOptions};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long a process may take to end when asked.
const ENDS_WITHIN: Duration = Duration::from_secs(20);

/// Where processes leave their notes and what they print.
#[derive(Debug, Clone)]
pub(crate) struct Processes {
    run: PathBuf,
    log: PathBuf,
}

impl Processes {
    /// Notes in `home/run`, output in `home/log`.
    pub(crate) fn new(home: &Path) -> anyhow::Result<Self> {
        let own = Self { run: home.join("run"), log: home.join("log") };
        for folder in [&own.run, &own.log] {
            fs::create_dir_all(folder)
                .with_context(|| format!("{} cannot be made", folder.display()))?;
        }
        Ok(own)
    }

    /// The file with what `name` prints.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.log.join(format!("{name}.out"))
    }

    fn note(&self, name: &str) -> PathBuf {
        self.run.join(format!("{name}.pid"))
    }

    /// Starts `command` as `name` in a process group of its own, so that Ctrl+C here does not reach
    /// it.
    pub(crate) fn start(&self, name: &str, command: &mut Command) -> anyhow::Result<()> {
        if self.pid(name).is_some() {
            bail!("{name} runs already");
        }
        let log = self.log(name);
        let output = OpenOptions::new().create(true).append(true).open(&log)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).process_group(0);
        let child = command.spawn().with_context(|| {
            format!("{} cannot be started", command.get_program().to_string_lossy())
        })?;
        let id = child.id();
        let started = start_time(id)
            .with_context(|| format!("{name} ended at once; see {}", log.display()))?;
        fs::write(self.note(name), format!("{id} {started}\n"))?;
        Ok(())
    }

    /// The process `name`, if that very process still runs.
    pub(crate) fn pid(&self, name: &str) -> Option<Pid> {
        let note = fs::read_to_string(self.note(name)).ok()?;
        let (id, started) = note.trim().split_once(' ')?;
        let id: u32 = id.parse().ok()?;
        let same = start_time(id)? == started.parse::<u64>().ok()?;
        same.then(|| Pid::from_raw(i32::try_from(id).ok()?)).flatten()
    }

    /// Sends a signal; a process that has gone already is no error.
    pub(crate) fn signal(&self, name: &str, signal: Signal) {
        if let Some(pid) = self.pid(name) {
            kill_process(pid, signal).ok();
        }
    }

    /// Asks a process to end, and kills it if it does not.
    pub(crate) async fn stop(&self, name: &str) -> anyhow::Result<()> {
        // A stopped process would not see the request to end.
        self.signal(name, Signal::CONT);
        self.signal(name, Signal::TERM);
        let gone = async || self.pid(name).is_none();
        if !wait_for(ENDS_WITHIN, gone).await {
            self.signal(name, Signal::KILL);
            if !wait_for(ENDS_WITHIN, gone).await {
                bail!("{name} does not end, not even when killed");
            }
        }
        self.forget(name);
        Ok(())
    }

    /// Removes the note of a process that has ended.
    pub(crate) fn forget(&self, name: &str) {
        drop(fs::remove_file(self.note(name)));
    }

    /// Looks until `holds`. Fails when `limit` is over, or at once when one of `names` has ended:
    /// then there is nothing left to wait for.
    pub(crate) async fn wait(
        &self,
        (what, names): (&str, &[String]),
        limit: Duration,
        mut holds: impl AsyncFnMut() -> bool,
    ) -> anyhow::Result<()> {
        let mut ended = None;
        let looked = wait_for(limit, async || {
            ended = names.iter().find(|name| self.pid(name).is_none());
            ended.is_some() || holds().await
        });
        if !looked.await {
            let logs: Vec<String> =
                names.iter().map(|name| self.log(name).display().to_string()).collect();
            bail!("{what} after {} s; see {}", limit.as_secs(), logs.join(", "));
        }
        match ended {
            Some(name) => bail!("{name} has ended; see {}", self.log(name).display()),
            None => Ok(()),
        }
    }

    /// Resident memory in MiB.
    pub(crate) fn resident_mib(&self, name: &str) -> Option<u64> {
        let pid = self.pid(name)?.as_raw_nonzero();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kib / 1024)
    }
}

/// When a process started; none when it does not run or is a zombie.
fn start_time(id: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name, in brackets, may hold anything: what follows the last bracket is fields.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    if fields.next()? == "Z" {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// Kills the process that a PostgreSQL data folder names, if it is that server.
pub(crate) fn kill_postmaster(data: &Path) {
    let Ok(note) = fs::read_to_string(data.join("postmaster.pid")) else { return };
    let Some(id) = note.lines().next().and_then(|line| line.trim().parse::<i32>().ok()) else {
        return;
    };
    let command = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    let ours = String::from_utf8_lossy(&command).contains(&*data.to_string_lossy());
    if let Some(pid) = Pid::from_raw(id).filter(|_| ours) {
        kill_process(pid, Signal::KILL).ok();
    }
}

/// Looks until `holds` or `limit` is over; says whether it held.
async fn wait_for(limit: Duration, mut holds: impl AsyncFnMut() -> bool) -> bool {
    let look = async {
        while !holds().await {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::time::timeout(limit, look).await.is_ok()
}

/// Whether something listens.
pub(crate) fn listens(endpoint: &str) -> bool {
    let Ok(address) = endpoint.parse::<SocketAddr>() else { return false };
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
}

/// Whether a program runs and succeeds; gives what it prints.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs a program to its end; what it prints goes to `log`, which the error names.
pub(crate) fn run(command: &mut Command, log: &Path) -> anyhow::Result<()> {
    let file = File::create(log)?;
    let status = command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).status();
    let program = command.get_program().to_string_lossy().into_owned();
    let status = status.with_context(|| format!("{program} cannot be started"))?;
    if !status.success() {
        bail!("{program} failed ({status}); see {}", log.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_process_is_known_until_it_ends_and_never_mistaken() {
        let home = tempfile::tempdir().unwrap();
        let processes = Processes::new(home.path()).unwrap();
        processes.start("sleeper", Command::new("sleep").arg("60")).unwrap();
        let pid = processes.pid("sleeper").expect("it runs");
        assert!(processes.start("sleeper", Command::new("sleep").arg("60")).is_err());
        // The same id with another start time is another process.
        fs::write(home.path().join("run/other.pid"), format!("{} 1\n", pid.as_raw_nonzero()))
            .unwrap();
        assert!(processes.pid("other").is_none());
        processes.stop("sleeper").await.unwrap();
        assert!(processes.pid("sleeper").is_none());
        processes.stop("sleeper").await.unwrap();
    }
}
