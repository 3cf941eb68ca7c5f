//! The one executable: read the settings, choose what to do, wire, run, drain.
//!
//! [`platform`] is the only file that knows every service and every store; [`up`] is the
//! newcomer's run; commands that ask a server are in the crate `cli`.

mod address;
mod admin;
mod args;
mod backup;
mod bootstrap;
mod docs;
mod folder;
mod health;
mod page;
mod platform;
mod progress;
mod serve;
mod settings;
mod up;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use openframe_config::Mistakes;
use openframe_fault::{Fault, chain};

use crate::args::{Arguments, Command, ConfigCommand, RunArgs};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    openframe_pki::install_provider();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    match runtime.block_on(run(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Command::Up(args) => {
            start_logs(&args.run, "warn")?;
            up::up(args).await
        }
        Command::Run(args) => {
            start_logs(&args, "info")?;
            serve_until_stopped(args).await
        }
        Command::Backup(args) => backup::backup(&args.data, &args.backup).await,
        Command::Restore(args) => backup::restore(&args.data, &args.backup),
        Command::Config(ConfigCommand::Check(args)) => {
            let settings = settings::load(&args)?;
            progress::line(toml::to_string_pretty(&settings)?.trim_end());
            Ok(())
        }
        Command::Docs(document) => docs::write(&document),
        Command::Ask(command) => Ok(openframe_cli::run(&arguments.global, command).await?),
    }
}

async fn serve_until_stopped(args: RunArgs) -> anyhow::Result<()> {
    let mut signals = serve::StopSignals::listen()?;
    let started = platform::start(settings::load(&args)?).await?;
    started.bootstrap_key(args.bootstrap_key.as_deref()).await?;
    progress::line(&format!("console  {}", started.url));
    progress::line(&format!("agents   {}", started.agents_url));
    if let Some(link) = started.setup_link().await? {
        progress::line(&format!("set up   {link}"));
    }
    progress::line("ready");
    signals.wait().await;
    started.stop().await;
    Ok(())
}

/// `usual` is the filter when nobody asked for another: `up` speaks to a person, `run` to a log.
fn start_logs(args: &RunArgs, usual: &str) -> anyhow::Result<()> {
    let settings = settings::load(args)?;
    let chosen = settings.log != settings::Settings::default().log;
    let filter = if chosen { settings.log.as_str() } else { usual };
    let json = settings.log_json;
    let format =
        if json { openframe_observe::LogFormat::Json } else { openframe_observe::LogFormat::Text };
    openframe_observe::start_logs(filter, format).context("the setting `log`")
}

/// Says what failed and chooses the exit code: settings 2, faults by their kind, the rest 1.
fn failed(error: &anyhow::Error) -> ExitCode {
    if let Some(fault) = error.downcast_ref::<Fault>() {
        return ExitCode::from(openframe_cli::report(fault));
    }
    let mistakes = error.downcast_ref::<Mistakes>().is_some();
    progress::error(&format!("error: {}", chain(error.as_ref())));
    ExitCode::from(if mistakes { 2 } else { 1 })
}
