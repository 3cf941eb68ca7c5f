//! The laws of commands, with real processes and a crash at each point of a command's life.

use std::fs;
use std::time::Duration;

use openframe_agent_api::link::Channel;

use super::*;
use crate::link::outbox::Outbox as _;

struct Device {
    dir: tempfile::TempDir,
    stop: CancellationToken,
    runner: Runner,
    outbox: Arc<Mutex<DiskOutbox>>,
}

fn open(dir: tempfile::TempDir, config: Config) -> Device {
    let folder = Folder::open(&dir.path().join("state")).unwrap();
    let outbox = DiskOutbox::open(&folder, 1 << 20, 0).unwrap();
    let outbox = Arc::new(Mutex::new(outbox));
    let stop = CancellationToken::new();
    let parts = Parts {
        folder,
        config,
        outbox: Arc::clone(&outbox),
        wake: Arc::default(),
        clock: Clock::system(),
        stop: stop.clone(),
    };
    Device { dir, stop, runner: Runner::open(parts).unwrap(), outbox }
}

fn device() -> Device {
    open(tempfile::tempdir().unwrap(), Config::default())
}

fn command(script: &str) -> Command {
    let id = CommandId::new().to_string();
    Command { id, script: script.to_owned(), timeout_s: 60, ..Command::default() }
}

impl Device {
    fn reports(&self) -> Vec<Body> {
        let (mut after, mut all) = (0, Vec::new());
        while let Some(frame) = lock(&self.outbox).next(Channel::Control, after) {
            after = frame.seq;
            all.extend(frame.body);
        }
        all
    }

    fn states(&self, id: &str) -> Vec<State> {
        let state = |body| {
            let Body::CommandState(state) = body else { return None };
            (state.id == id).then(|| state.state())
        };
        self.reports().into_iter().filter_map(state).collect()
    }

    fn output(&self) -> Vec<u8> {
        let data = |body| {
            let Body::CommandOutput(output) = body else { return None };
            Some(output.data.to_vec())
        };
        self.reports().into_iter().filter_map(data).flatten().collect()
    }

    fn last(&self) -> CommandState {
        let state = |body| {
            let Body::CommandState(state) = body else { return None };
            Some(state)
        };
        self.reports().into_iter().filter_map(state).next_back().unwrap()
    }

    async fn until(&self, what: impl Fn(&Self) -> bool) {
        let waiting = async {
            while !what(self) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), waiting).await.unwrap();
    }

    /// The same state folder in a new process.
    fn restarted(self) -> Self {
        drop((self.runner, self.outbox));
        open(self.dir, Config::default())
    }
}

#[tokio::test]
async fn a_command_runs_once_and_is_answered_from_the_journal() {
    let device = device();
    let marks = device.dir.path().join("marks");
    let text = format!("echo hello; echo x >> {}; exit 3", marks.display());
    let command = command(&text);
    for _ in 0..3 {
        device.runner.run(command.clone());
    }
    device.until(|it| it.states(&command.id).contains(&State::Failed)).await;
    device.runner.run(command.clone());
    assert_eq!(fs::read_to_string(&marks).unwrap(), "x\n");
    assert_eq!(device.output(), b"hello\n");
    assert_eq!(device.last().exit_code, Some(3));
    assert_eq!(device.last().state(), State::Failed);
}

#[tokio::test]
async fn hostile_output_is_kept_byte_by_byte_up_to_the_limit() {
    let device = open(
        tempfile::tempdir().unwrap(),
        Config { output_limit_bytes: 1_024, ..Config::default() },
    );
    device.runner.run(command(r"printf '\377\000<b>\033[2J'; head -c 100000 /dev/zero"));
    device.until(|it| it.last().state() == State::Succeeded).await;
    assert_eq!(device.last().output_bytes, 100_009);
    assert_eq!(device.output().len(), 1_024);
    assert!(device.output().starts_with(b"\xff\0<b>\x1b[2J"));
}

#[tokio::test]
async fn cancelling_kills_the_whole_group() {
    let device = device();
    let command = command("trap '' TERM; sleep 600 & echo $!; wait; wait; sleep 600");
    device.runner.run(command.clone());
    device.until(|it| !it.output().is_empty()).await;
    let child = String::from_utf8(device.output()).unwrap();
    device.runner.cancel(&command.id);
    device.until(|it| it.last().state() == State::Cancelled).await;
    let stat = format!("/proc/{}/stat", child.trim());
    device.until(|_| fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "))).await;
}

#[tokio::test]
async fn a_command_over_its_time_is_ended() {
    let device = device();
    device.runner.run(Command { timeout_s: 1, ..command("sleep 600") });
    device.until(|it| it.last().state() == State::TimedOut).await;
    assert_eq!(device.last().exit_code, None);
}

#[tokio::test]
async fn a_background_process_does_not_hold_the_command() {
    let device = device();
    device.runner.run(command("sleep 20 & echo done"));
    device.until(|it| it.last().state() == State::Succeeded).await;
    assert_eq!(device.output(), b"done\n");
}

#[tokio::test]
async fn what_cannot_run_says_why() {
    let device = device();
    for interpreter in ["no-such-interpreter", "./here", "-c", "a\0b"] {
        device.runner.run(Command { interpreter: interpreter.to_owned(), ..command("") });
        device.until(|it| it.last().state() == State::Failed).await;
        assert!(!device.last().reason.is_empty());
    }
    device.runner.run(Command { expires_ms: 1, ..command("exit 0") });
    device.until(|it| it.last().state() == State::Expired).await;
    device.runner.run(Command { id: "../../etc/passwd".to_owned(), ..command("") });
    assert_eq!(device.last().state(), State::Expired);
}

#[tokio::test]
async fn a_device_may_run_no_commands() {
    let config = Config { commands: false, ..Config::default() };
    let device = open(tempfile::tempdir().unwrap(), config);
    device.runner.run(command("exit 0"));
    assert_eq!(
        (device.last().state(), device.last().reason.as_str()),
        (State::Failed, SWITCHED_OFF)
    );
}

#[tokio::test]
async fn a_cancellation_that_comes_first_is_remembered() {
    let device = device();
    let command = command("exit 0");
    device.runner.cancel(&command.id);
    device.runner.run(command.clone());
    assert_eq!(device.states(&command.id), [State::Cancelled, State::Cancelled]);
}

#[tokio::test]
async fn only_so_many_run_at_once() {
    let config = Config { concurrent_commands: 1, ..Config::default() };
    let device = open(tempfile::tempdir().unwrap(), config);
    let (long, waiting) = (command("sleep 600"), command("exit 0"));
    device.runner.run(long.clone());
    device.until(|it| it.states(&long.id).contains(&State::Running)).await;
    device.runner.run(waiting.clone());
    tokio::task::yield_now().await;
    assert_eq!(device.states(&waiting.id), [State::Accepted]);
    device.runner.cancel(&long.id);
    device.until(|it| it.states(&waiting.id).contains(&State::Succeeded)).await;
}

#[tokio::test]
async fn stopping_ends_what_runs_as_interrupted() {
    let device = device();
    device.runner.run(command("sleep 600"));
    device.until(|it| it.last().state() == State::Running).await;
    device.stop.cancel();
    device.runner.ended().await;
    assert_eq!(device.last().state(), State::Interrupted);
}

/// The journal as a crash at `stage` leaves it.
fn crashed(stage: Stage, idempotent: bool) -> (Device, Command, std::path::PathBuf) {
    let device = device();
    let marks = device.dir.path().join("marks");
    let command = command(&format!("echo x >> {}", marks.display()));
    let mut entry = Entry::accepted(command.id.clone(), command.clone(), 0);
    entry.stage = stage;
    entry.idempotent = idempotent;
    if stage == Stage::Finished {
        entry.ending = Some(Ending::of(State::Succeeded, ""));
    }
    device.runner.0.journal.write(&entry).unwrap();
    (device.restarted(), command, marks)
}

#[tokio::test]
async fn a_crash_at_each_point_runs_nothing_twice() {
    let (device, command, marks) = crashed(Stage::Accepted, false);
    device.runner.recover();
    device.until(|it| it.states(&command.id).contains(&State::Succeeded)).await;
    assert_eq!(fs::read_to_string(&marks).unwrap(), "x\n");

    let (device, command, marks) = crashed(Stage::Started, false);
    device.runner.recover();
    device.runner.run(command.clone());
    assert_eq!(device.states(&command.id), [State::Interrupted, State::Interrupted]);
    assert!(!marks.exists());

    let (device, command, marks) = crashed(Stage::Started, true);
    device.runner.recover();
    device.until(|it| it.states(&command.id).contains(&State::Succeeded)).await;
    assert!(marks.exists());

    let (device, command, marks) = crashed(Stage::Finished, false);
    device.runner.recover();
    assert_eq!(device.states(&command.id), [State::Succeeded], "its report was lost");
    let device = device.restarted();
    device.runner.recover();
    assert_eq!(device.states(&command.id), [State::Succeeded], "told once is enough");
    assert!(!marks.exists());
}

#[tokio::test]
async fn a_journal_that_cannot_be_read_counts_as_run() {
    let device = device();
    let command = command("exit 0");
    let path = device.dir.path().join(format!("state/commands/{}.json", command.id));
    fs::write(&path, b"{half").unwrap();
    device.runner.run(command.clone());
    assert_eq!(device.states(&command.id), [State::Interrupted]);
    assert!(path.with_extension("json.corrupt-1").exists());
}

#[tokio::test]
async fn a_group_that_outlived_its_agent_is_killed() {
    let device = device();
    let mut child =
        tokio::process::Command::new("sleep").arg("600").process_group(0).spawn().unwrap();
    let command = command("exit 0");
    let mut entry = Entry::accepted(command.id.clone(), command.clone(), 0);
    entry.stage = Stage::Started;
    device.runner.0.journal.write(&entry).unwrap();
    device.runner.0.journal.note_process(&command.id, child.id().unwrap());
    let device = device.restarted();
    device.runner.recover();
    assert!(!child.wait().await.unwrap().success());
    assert_eq!(device.states(&command.id), [State::Interrupted]);
}

#[tokio::test]
async fn without_a_journal_nothing_runs() {
    let device = device();
    let marks = device.dir.path().join("marks");
    let command = command(&format!("echo x >> {}", marks.display()));
    // A folder where the file would be written first: every write of this command's entry fails.
    let blocked = device.dir.path().join(format!("state/commands/{}.json.new", command.id));
    fs::create_dir(&blocked).unwrap();
    device.runner.run(command.clone());
    device.stop.cancel();
    device.runner.ended().await;
    assert!(!marks.exists());
    assert_eq!(device.states(&command.id), []);
    fs::remove_dir(&blocked).unwrap();
    let device = device.restarted();
    device.runner.run(command.clone());
    device.until(|it| it.states(&command.id).contains(&State::Succeeded)).await;
    assert_eq!(fs::read_to_string(&marks).unwrap(), "x\n");
}
