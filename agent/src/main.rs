//! `openframe-agent`: what runs on a device.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use openframe_agent::enrol::{Enrolled, enrol_folder};
use openframe_agent::state::Folder;
use openframe_agent::status::Status;
use openframe_agent::{Error, daemon, install};
use openframe_clock::Clock;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A file with a token is never larger.
const MAX_TOKEN_BYTES: u64 = 4096;

/// The daemon on a device.
#[derive(Debug, Parser)]
#[command(name = "openframe-agent", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Folder for what the device keeps
    #[arg(long, global = true, default_value = "/var/lib/openframe-agent", value_name = "DIR")]
    state: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Join a platform
    Enrol {
        /// Address of the platform for agents
        #[arg(long)]
        server: String,
        /// The enrolment token; other users of this machine can see it while it is used
        #[arg(long, required_unless_present = "token_file")]
        token: Option<String>,
        /// File with the enrolment token; - for standard input
        #[arg(long, value_name = "FILE", conflicts_with = "token")]
        token_file: Option<PathBuf>,
        /// Become a new device, also if this one is enrolled already
        #[arg(long)]
        again: bool,
    },
    /// Report until told to stop
    Run,
    /// Show who this device is and whether it is connected
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Make the agent a service of systemd and start it
    Install {
        /// Only print the unit
        #[arg(long)]
        dry_run: bool,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    openframe_pki::install_provider();
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false).init();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(run(arguments)),
        Err(error) => return failed(&format!("error: no runtime: {error}"), 1),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let text =
                format!("error: {}\nhint:  {}", openframe_fault::chain(&error), error.advice());
            failed(&text, error.kind().exit_code())
        }
    }
}

fn failed(text: &str, code: u8) -> ExitCode {
    say(text);
    ExitCode::from(code)
}

/// Prints a line for the person at the device. Nobody is left to tell when that fails.
fn say(text: &str) {
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}

/// Prints what was asked for.
fn print(text: &str) {
    drop(writeln!(std::io::stdout().lock(), "{text}"));
}

/// Reads a token from a file, or from standard input when the file is `-`.
fn read_token(file: &Path) -> Result<String, Error> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().lock().take(MAX_TOKEN_BYTES).read_to_string(&mut text)
    } else {
        std::fs::File::open(file)
            .and_then(|opened| opened.take(MAX_TOKEN_BYTES).read_to_string(&mut text))
    };
    read.map_err(|cause| Error::State { path: file.to_owned(), cause })?;
    Ok(text.trim().to_owned())
}

fn install_service(state: &Path, dry_run: bool) -> Result<(), Error> {
    let executable = std::env::current_exe()
        .map_err(|cause| Error::State { path: "/proc/self/exe".into(), cause })?;
    if dry_run {
        print(install::unit(state).trim_end());
        return Ok(());
    }
    say(&install::install(&executable, state)?);
    Ok(())
}

async fn run(mut arguments: Arguments) -> Result<(), Error> {
    let clock = Clock::system();
    // Commands and the service run in other folders.
    arguments.state = std::path::absolute(&arguments.state)
        .map_err(|cause| Error::State { path: arguments.state.clone(), cause })?;
    if let Command::Install { dry_run } = arguments.command {
        return install_service(&arguments.state, dry_run);
    }
    let folder = Folder::open(&arguments.state)?;
    match arguments.command {
        Command::Enrol { server, token, token_file, again } => {
            let token = match token_file {
                Some(file) => read_token(&file)?,
                None => token.unwrap_or_default(),
            };
            let names = (server.as_str(), token.as_str());
            let waiting = |key: &str| {
                say(&format!("waiting until somebody lets this device in; its key is {key}"));
            };
            match enrol_folder(&folder, names, again, &clock, waiting).await? {
                Enrolled::New(identity) => say(&format!("enrolled as {}", identity.device_id)),
                Enrolled::Already(identity) => {
                    say(&format!("already enrolled as {}", identity.device_id));
                }
            }
            Ok(())
        }
        Command::Install { .. } => Ok(()),
        Command::Status { json } => {
            let status = Status::read(&folder)?;
            print(&if json { status.json()? } else { status.text() });
            Ok(())
        }
        Command::Run => {
            let stop = CancellationToken::new();
            let told = stop.clone();
            let signals = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
            tokio::spawn(async move {
                let [Ok(mut term), Ok(mut int)] = signals else { return };
                tokio::select! {
                    _ = term.recv() => {}
                    _ = int.recv() => {}
                }
                told.cancel();
            });
            Box::pin(daemon::run(&folder, &clock, &stop)).await
        }
    }
}
