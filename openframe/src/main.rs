//! The one executable: read the settings, choose what to do, wire, run, drain.
//!
//! [`platform`] starts all services in one process, or one alone; [`stores`] is the only file that
//! knows both a service and a store; [`up`] is the newcomer's run; commands that ask a server are in the crate `cli`.

mod address;
mod admin;
mod args;
mod authority;
mod backup;
mod bootstrap;
mod certificate;
mod docs;
mod doors;
mod failure;
mod folder;
mod health;
mod membership;
mod page;
mod platform;
mod progress;
mod roles;
mod serve;
mod services;
mod settings;
mod stores;
mod up;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use serde_json::json;

use crate::args::{
    Arguments, Command, ConfigCommand, MeshCommand, MigrateArgs, RunArgs, ServeArgs,
};
use crate::progress::Progress;
use crate::roles::Role;

/// Gives memory back that is not in use: the usual allocator keeps what each of a hundred threads once had.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What a server logs when nobody asked for anything else.
const USUAL_LOG: &str = "info,scylla=warn";

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    openframe_pki::install_provider();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failure::report(&error.into()),
    };
    match runtime.block_on(run(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error),
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let progress = Progress(arguments.global.output);
    match arguments.command {
        Command::Up(args) => {
            start_logs(&args.run, "warn")?;
            up::up(args, progress).await
        }
        Command::Run(args) => {
            start_logs(&args.run, USUAL_LOG)?;
            serve_until_stopped(args, progress).await
        }
        Command::Migrate(MigrateArgs { config, set }) => {
            let args = RunArgs { config, set, ..RunArgs::default() };
            start_logs(&args, USUAL_LOG)?;
            migrate(&settings::load(&args)?, progress).await
        }
        Command::Mesh(MeshCommand::Init { folder }) => {
            authority::init(&folder, openframe_clock::Clock::system().now())?;
            let result = json!({ "folder": folder });
            progress.result(&result, |progress| {
                progress.done(&format!("keys are in {}", folder.display()));
                progress.line("  Give each service the folder of its name, and nobody else.");
                progress
                    .line("  Keep root.key away from all of them: it is needed only for new keys.");
            });
            Ok(())
        }
        Command::Backup(args) => {
            backup::backup(&args.data, &args.backup).await?;
            copied(progress, (&args.data, &args.backup), "copied into");
            Ok(())
        }
        Command::Restore(args) => {
            backup::restore(&args.data, &args.backup)?;
            copied(progress, (&args.backup, &args.data), "restored into");
            Ok(())
        }
        Command::Config(ConfigCommand::Check(args)) => {
            let settings = settings::load(&args)?;
            let text = toml::to_string_pretty(&settings)?;
            progress.result(&settings, |progress| progress.line(text.trim_end()));
            Ok(())
        }
        Command::Docs(document) => docs::write(&document),
        Command::Ask(command) => Ok(openframe_cli::run(&arguments.global, command).await?),
    }
}

fn copied(progress: Progress, (from, to): (&Path, &Path), how: &str) {
    progress.result(&json!({ "from": from, "to": to }), |progress| {
        progress.done(&format!("{} is {how} {}", from.display(), to.display()));
    });
}

async fn migrate(settings: &settings::Settings, progress: Progress) -> anyhow::Result<()> {
    let done = stores::migrate(&settings.stores).await?;
    let result: serde_json::Value = done
        .iter()
        .map(|(place, versions)| json!({ "place": place, "applied": versions }))
        .collect();
    progress.result(&result, |progress| {
        for (place, versions) in &done {
            let versions: Vec<String> = versions.iter().map(i64::to_string).collect();
            let what = match versions.as_slice() {
                [] => "is up to date".to_owned(),
                applied => format!("was brought up to date: {}", applied.join(", ")),
            };
            progress.done(&format!("{place} {what}"));
        }
    });
    Ok(())
}

async fn serve_until_stopped(args: ServeArgs, progress: Progress) -> anyhow::Result<()> {
    let mut signals = serve::StopSignals::listen()?;
    let (role, args) = (args.role, args.run);
    // A service of its own may wait for others; it can be told to end meanwhile.
    let started = tokio::select! {
        started = platform::start(settings::load(&args)?, role) => started?,
        () = signals.wait() => return Ok(()),
    };
    started.bootstrap_key(args.bootstrap_key.as_deref()).await?;
    let link = started.setup_link().await?;
    let result = json!({ "console": started.url, "agents": started.agents_url, "setup": link });
    progress.result(&result, |progress| {
        for (what, url) in [("console", &started.url), ("agents ", &started.agents_url)] {
            if role.is_none_or(|role| role == Role::Gateway) {
                progress.line(&format!("{what}  {url}"));
            }
        }
        if let Some(link) = &link {
            progress.line(&format!("set up   {link}"));
        }
        progress.line("ready");
    });
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
