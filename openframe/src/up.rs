//! `openframe up`: the whole product here, with this machine as its first device.
//!
//! The agent is a process of its own and joins by the real protocol, as on any other machine.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use openframe_devices_api::Device;
use openframe_fault::Kind;
use openframe_ids::DeviceId;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

use crate::args::UpArgs;
use crate::platform::Started;
use crate::progress::Progress;
use crate::serve::StopSignals;
use crate::services::Platform;
use crate::{platform, settings};

/// How long the agent may take to be seen online.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often it is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const AGENT: &str = "openframe-agent";

/// Starts everything, shows what it does, and stays until it is told to stop.
pub(crate) async fn up(args: UpArgs, progress: Progress) -> anyhow::Result<()> {
    progress.line("OpenFrame");
    let mut signals = StopSignals::listen()?;
    let agent = agent_executable(args.no_build, progress).await?;
    let settings = settings::load(&args.run)?;
    let state = settings.data.join("agent");
    let started = platform::start(settings, None).await?;
    progress.done(&format!("all services run; data is kept in {}", started.data.display()));
    started.bootstrap_key(args.run.bootstrap_key.as_deref()).await?;
    let mut child = start_agent(&agent, &state, (&started, progress)).await?;
    let online = wait_until_online(&started.platform, &mut child, (&state, &mut signals)).await;
    let device = match online {
        Ok(device) => device,
        Err(error) => {
            stop_agent(&mut child).await;
            started.stop().await;
            return Err(error);
        }
    };
    progress.done(&format!("device {} is online", device.name));
    welcome(&started, &device, progress).await?;
    tokio::select! {
        () = signals.wait() => {}
        status = child.wait() => {
            started.stop().await;
            bail!("the agent has ended by itself ({})", status?);
        }
    }
    progress.line("stopping");
    stop_agent(&mut child).await;
    started.stop().await;
    Ok(())
}

async fn welcome(started: &Started, device: &Device, progress: Progress) -> anyhow::Result<()> {
    let link = started.setup_link().await?;
    let result = json!({
        "server": started.url,
        "setup": link,
        "root_certificate": started.root_certificate,
        "device": { "id": device.id, "name": device.name },
    });
    progress.result(&result, |progress| {
        progress.line("");
        progress.line(&format!("  Server    {}", started.url));
        if let Some(link) = &link {
            progress.line(&format!("  Set up    {link}"));
            progress.line(
                "            (works once, until the first owner exists; a new start prints a new one)",
            );
        }
        progress.line(&format!("  Trust     {}", started.root_certificate.display()));
        progress.line(
            "            (import it as an authority, or accept the browser's warning on this machine)",
        );
        progress.line("");
        progress.line("  Ctrl+C stops the server and the agent; nothing is lost.");
    });
    Ok(())
}

/// The agent's executable: beside this one, built first when this is a checkout.
async fn agent_executable(no_build: bool, progress: Progress) -> anyhow::Result<PathBuf> {
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
        progress.doing("building the agent");
        let status = Command::new("cargo")
            .args(["build", "--package", AGENT, "--profile", profile])
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
async fn start_agent(
    agent: &Path,
    state: &Path,
    (started, progress): (&Started, Progress),
) -> anyhow::Result<Child> {
    if !state.join("identity.json").exists() {
        progress.doing("enrolling this machine");
        let enrol = enrol(agent, state, started)
            .await
            .with_context(|| format!("{} cannot be started", agent.display()))?;
        if !enrol.status.success() {
            let said = String::from_utf8_lossy(&enrol.stderr);
            bail!("this machine cannot be enrolled: {}", said.trim());
        }
        progress.done("this machine is enrolled");
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
        .args(["enrol", "--server", &started.agents_here, "--token-file", "-", "--state"])
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

/// Which device this machine is, as its agent keeps it.
fn own_device(state: &Path) -> anyhow::Result<DeviceId> {
    let file = state.join("identity.json");
    let text = std::fs::read_to_string(&file);
    let text = text.with_context(|| format!("{} cannot be read", file.display()))?;
    let identity: Value =
        serde_json::from_str(&text).with_context(|| format!("{} is damaged", file.display()))?;
    let id = identity.get("device_id").and_then(Value::as_str).unwrap_or_default();
    id.parse().with_context(|| format!("{} names no device", file.display()))
}

/// Waits until the platform itself says that this machine is online; returns it as a device.
async fn wait_until_online(
    platform: &Platform,
    agent: &mut Child,
    (state, signals): (&Path, &mut StopSignals),
) -> anyhow::Result<Device> {
    let devices = platform.devices();
    let look = async {
        loop {
            // Its identity may be renewed in between, and the registry hears of it a moment later.
            match devices.device(own_device(state)?).await {
                Ok(device) if device.presence == "online" => return anyhow::Ok(device),
                Ok(_) => {}
                Err(fault) if fault.kind() == Kind::NotFound => {}
                Err(fault) => return Err(fault.into()),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let log = state.join("agent.log");
    tokio::select! {
        device = look => device,
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
