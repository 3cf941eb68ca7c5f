//! `openframe up`: the whole product here, with this machine as its first device.
//!
//! The agent is a process of its own and joins by the real protocol, as on any other machine.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use openframe_devices_api::DeviceQuery;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

use crate::args::UpArgs;
use crate::platform::{Platform, Started};
use crate::progress::{doing, done, line};
use crate::serve::StopSignals;
use crate::{platform, settings};

/// How long the agent may take to be seen online.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often it is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const AGENT: &str = "openframe-agent";

/// Starts everything, shows what it does, and stays until it is told to stop.
pub(crate) async fn up(args: UpArgs) -> anyhow::Result<()> {
    line("OpenFrame");
    let mut signals = StopSignals::listen()?;
    let agent = agent_executable(args.no_build).await?;
    let settings = settings::load(&args.run)?;
    let state = settings.data.join("agent");
    let started = platform::start(settings).await?;
    done(&format!("all services run; data is kept in {}", started.data.display()));
    started.bootstrap_key(args.run.bootstrap_key.as_deref()).await?;
    let mut child = start_agent(&agent, &state, &started).await?;
    let online = wait_until_online(&started.platform, &mut child, (&state, &mut signals)).await;
    let name = match online {
        Ok(name) => name,
        Err(error) => {
            stop_agent(&mut child).await;
            started.stop().await;
            return Err(error);
        }
    };
    done(&format!("device {name} is online"));
    welcome(&started).await?;
    tokio::select! {
        () = signals.wait() => {}
        status = child.wait() => {
            started.stop().await;
            bail!("the agent has ended by itself ({})", status?);
        }
    }
    line("stopping");
    stop_agent(&mut child).await;
    started.stop().await;
    Ok(())
}

async fn welcome(started: &Started) -> anyhow::Result<()> {
    line("");
    line(&format!("  Server    {}", started.url));
    if let Some(link) = started.setup_link().await? {
        line(&format!("  Set up    {link}"));
        line(
            "            (works once, until the first owner exists; a new start prints a new one)",
        );
    }
    line(&format!("  Trust     {}", started.root_certificate.display()));
    line(
        "            (import it as an authority, or accept the browser's warning on this machine)",
    );
    line("");
    line("  Ctrl+C stops the server and the agent; nothing is lost.");
    Ok(())
}

/// The agent's executable: beside this one, built first when this is a checkout.
async fn agent_executable(no_build: bool) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("where this executable lies is not known")?;
    let beside = own.with_file_name(AGENT);
    let checkout =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(|root| root.join("Cargo.toml"));
    let manifest = checkout.filter(|manifest| manifest.exists() && !no_build);
    let folder = own.parent().and_then(Path::file_name).and_then(|name| name.to_str());
    // Only what cargo built from this checkout is built again; an installed one is taken as it is.
    let profile = match folder {
        Some("release") => Some("release"),
        Some("debug") => Some("dev"),
        _ => None,
    };
    if let (Some(manifest), Some(profile)) = (manifest, profile) {
        doing("building the agent");
        let status = Command::new("cargo")
            .args(["build", "--quiet", "--package", AGENT, "--profile", profile])
            .arg("--manifest-path")
            .arg(manifest)
            .status()
            .await
            .context("cargo cannot be started")?;
        if !status.success() {
            bail!("the agent cannot be built; see above");
        }
    }
    if !beside.exists() {
        bail!("there is no agent at {}; install it there", beside.display());
    }
    Ok(beside)
}

/// Enrols this machine, unless it was before, and starts the agent.
async fn start_agent(agent: &Path, state: &Path, started: &Started) -> anyhow::Result<Child> {
    if !state.join("identity.json").exists() {
        doing("enrolling this machine");
        let enrol = enrol(agent, state, started)
            .await
            .with_context(|| format!("{} cannot be started", agent.display()))?;
        if !enrol.status.success() {
            let said = String::from_utf8_lossy(&enrol.stderr);
            bail!("this machine cannot be enrolled: {}", said.trim());
        }
        done("this machine is enrolled");
    }
    let log = std::fs::File::create(state.join("agent.log")).context("the agent's log")?;
    Command::new(agent)
        .arg("run")
        .arg("--state")
        .arg(state)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        // Ctrl+C goes to everything in the terminal's group; the agent is told in its turn.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("{} cannot be started", agent.display()))
}

/// Enrols this machine. The token goes through a pipe: arguments can be read by everybody here.
async fn enrol(agent: &Path, state: &Path, started: &Started) -> anyhow::Result<Output> {
    let token = started.enrolment_token().await?;
    let mut enrol = Command::new(agent)
        .args(["enrol", "--server", &started.agents_url, "--token-file", "-", "--state"])
        .arg(state)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = enrol.stdin.take() {
        // An agent that ends at once says why itself.
        stdin.write_all(token.as_bytes()).await.ok();
    }
    Ok(enrol.wait_with_output().await?)
}

/// Waits until the platform itself says that a device is online; returns its name.
async fn wait_until_online(
    platform: &Platform,
    agent: &mut Child,
    (state, signals): (&Path, &mut StopSignals),
) -> anyhow::Result<String> {
    let devices = platform.devices();
    let wanted = DeviceQuery {
        filter: Some("presence:online".to_owned()),
        limit: Some(1),
        ..DeviceQuery::default()
    };
    let look = async {
        loop {
            if let Some(device) = devices.devices(&wanted).await?.items.into_iter().next() {
                return anyhow::Ok(device.name);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let log = state.join("agent.log");
    tokio::select! {
        name = look => name,
        status = agent.wait() => bail!("the agent has ended ({}); see {}", status?, log.display()),
        () = tokio::time::sleep(PATIENCE) => {
            bail!("the agent is not online after a minute; see {}", log.display())
        }
        () = signals.wait() => bail!("stopped before the agent was online"),
    }
}

/// Asks the agent to end, and waits for it a little.
async fn stop_agent(agent: &mut Child) {
    let pid =
        agent.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        // It may have ended by itself in between.
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).ok();
    }
    if tokio::time::timeout(Duration::from_secs(5), agent.wait()).await.is_err() {
        agent.kill().await.ok();
    }
}
