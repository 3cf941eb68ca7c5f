//! A running server and running agents.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::Context as _;
use axum::body::Body;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use openframe_auth_api::{AuthClient, NewEnrolmentToken};
use openframe_devices_api::{Device, DeviceQuery, DevicesClient};
use openframe_mesh::{Client, Connector, Peer};
use openframe_monitoring_api::MonitoringClient;
use serde_json::Value;
use tempfile::TempDir;

use crate::picture::{self, Picture};
use crate::process::put_wrong;
use crate::{Process, TlsProxy, executable, until};

/// What a server is made of.
#[derive(Debug)]
enum Shape {
    One(Process),
    Picture(Picture),
}

/// A server with a data folder of its own, and its owner's API key: one process, or in the tests of
/// the binary `clusters` one process for each service, on the lab's clusters.
#[derive(Debug)]
pub struct Server {
    shape: Shape,
    folder: TempDir,
    /// The address for people and API clients (plain HTTP on loopback).
    pub url: String,
    /// The address for agents.
    pub agents_url: String,
    /// The owner's API key.
    pub key: String,
    agents_port: String,
    settings: Vec<String>,
}

impl Server {
    /// Starts a server on an empty folder.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_in(tempfile::tempdir()?)
    }

    /// Starts a server on an empty folder, with settings as `NAME=VALUE`.
    pub fn start_with(settings: &[&str]) -> anyhow::Result<Self> {
        Self::begin(tempfile::tempdir()?, settings, picture::is_wanted())
    }

    /// Starts each service as a process of its own, on the lab's clusters, whatever binary this is.
    pub fn start_on_clusters(settings: &[&str]) -> anyhow::Result<Self> {
        Self::begin(tempfile::tempdir()?, settings, true)
    }

    /// Starts a server by a command that `wrap` makes for its folder: it is given the executable
    /// and its arguments. What it keeps may be hidden from this process.
    pub fn start_under(wrap: impl FnOnce(&Path) -> Command) -> anyhow::Result<Self> {
        let (folder, keys) = (tempfile::tempdir()?, tempfile::tempdir()?);
        let key_file = keys.path().join("owner.key");
        let mut command = wrap(folder.path());
        command.arg(executable("openframe")?);
        arguments(&mut command, folder.path(), "0", &[]);
        command.arg("--bootstrap-key").arg(&key_file);
        let (process, url, agents_url) = addresses(&mut command)?;
        let key = std::fs::read_to_string(&key_file)?.trim().to_owned();
        let (shape, agents_port) = (Shape::One(process), String::new());
        Ok(Self { shape, folder, url, agents_url, key, agents_port, settings: Vec::new() })
    }

    /// Starts a server on `folder`.
    pub fn start_in(folder: TempDir) -> anyhow::Result<Self> {
        Self::begin(folder, &[], picture::is_wanted())
    }

    fn begin(folder: TempDir, settings: &[&str], apart: bool) -> anyhow::Result<Self> {
        let settings: Vec<String> = settings.iter().map(|&one| one.to_owned()).collect();
        let (shape, url, agents_url) = if apart {
            let picture = Picture::start(folder.path(), &settings)?;
            let (url, agents_url) = (picture.url(), picture.agents_url());
            (Shape::Picture(picture), url, agents_url)
        } else {
            let (process, url, agents_url) = launch(folder.path(), "0", &settings)?;
            (Shape::One(process), url, agents_url)
        };
        let key = std::fs::read_to_string(folder.path().join("owner.key"))?.trim().to_owned();
        let agents_port = agents_url.rsplit(':').next().unwrap_or_default().to_owned();
        Ok(Self { shape, folder, url, agents_url, key, agents_port, settings })
    }

    /// Its data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The folder that holds the data folder and what tests put beside it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Kills it (SIGKILL) and starts it again on the same folder and the same agents' port.
    pub fn crash_and_restart(&mut self) -> anyhow::Result<()> {
        self.kill()?;
        self.restart()
    }

    /// Kills it (SIGKILL).
    pub fn kill(&mut self) -> anyhow::Result<()> {
        match &mut self.shape {
            Shape::One(process) => process.kill(),
            Shape::Picture(picture) => picture.kill_all(),
        }
    }

    /// Kills a part of it and starts that again: the one process, or one replica after the other.
    pub fn crash_a_part(&mut self, round: usize) -> anyhow::Result<()> {
        let Some(picture) = self.picture() else { return self.crash_and_restart() };
        let replica = picture::REPLICAS.into_iter().cycle().nth(round);
        picture.kill(replica.context("there are replicas")?)?;
        picture.restart()
    }

    /// Stops it in good order and starts it again.
    pub fn stop_and_restart(&mut self) -> anyhow::Result<()> {
        match &mut self.shape {
            Shape::One(process) => {
                let status = process.stop()?;
                anyhow::ensure!(status.success(), "ended with {status}: {}", process.said());
            }
            Shape::Picture(picture) => picture.stop_all()?,
        }
        self.restart()
    }

    /// Starts what does not run any more.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        match &mut self.shape {
            Shape::One(process) => {
                (*process, self.url, self.agents_url) =
                    launch(self.folder.path(), &self.agents_port, &self.settings)?;
                Ok(())
            }
            Shape::Picture(picture) => picture.restart(),
        }
    }

    /// The process that people and agents reach.
    ///
    /// # Panics
    /// When there is none: a test has ended it.
    #[expect(clippy::unwrap_used, reason = "this is how a test fails")]
    pub fn process(&mut self) -> &mut Process {
        match &mut self.shape {
            Shape::One(process) => process,
            Shape::Picture(picture) => picture.process(("gateway", 1)).unwrap(),
        }
    }

    /// The process that prints links and keys for the first start.
    ///
    /// # Panics
    /// When there is none: a test has ended it.
    #[expect(clippy::unwrap_used, reason = "this is how a test fails")]
    pub fn auth_process(&mut self) -> &mut Process {
        match &mut self.shape {
            Shape::One(process) => process,
            Shape::Picture(picture) => picture.process(("auth", 1)).unwrap(),
        }
    }

    /// What each process of the auth service has said.
    pub fn auth_logs(&mut self) -> Vec<String> {
        match &mut self.shape {
            Shape::One(process) => vec![process.said()],
            Shape::Picture(picture) => {
                let mut all = Vec::new();
                for number in [1, 2] {
                    all.extend(picture.process(("auth", number)).map(Process::said));
                }
                all
            }
        }
    }

    /// The services, where each is a process of its own.
    pub fn picture(&mut self) -> Option<&mut Picture> {
        match &mut self.shape {
            Shape::One(_) => None,
            Shape::Picture(picture) => Some(picture),
        }
    }

    /// The id of the process that people and agents reach.
    pub fn id(&mut self) -> u32 {
        self.process().id()
    }

    /// A client that shows the owner's key.
    pub fn client(&self) -> anyhow::Result<Client> {
        self.client_with(&self.key)
    }

    /// A client that shows `key`.
    pub fn client_with(&self, key: &str) -> anyhow::Result<Client> {
        let value = HeaderValue::from_str(&format!("Bearer {key}"))?;
        let credential = move |headers: &mut HeaderMap| {
            headers.insert(AUTHORIZATION, value.clone());
        };
        Ok(Client::new(self.peer()?, Arc::new(credential)))
    }

    /// The server as a peer, for requests without a key.
    pub fn peer(&self) -> anyhow::Result<Peer> {
        peer_at(&self.url)
    }

    /// Sends a compressed `remote_write` 1.0 body; returns the status of the answer.
    pub async fn remote_write(&self, body: Bytes) -> anyhow::Result<StatusCode> {
        let request = Request::post("/prometheus/api/v1/write")
            .header(AUTHORIZATION, format!("Bearer {}", self.key))
            .header(CONTENT_TYPE, "application/x-protobuf")
            .header(CONTENT_ENCODING, "snappy")
            .body(Body::from(body))?;
        Ok(self.peer()?.call(request).await?.status())
    }

    /// The auth service's typed client, as the owner.
    pub fn auth(&self) -> anyhow::Result<AuthClient> {
        Ok(AuthClient::new(self.client()?))
    }

    /// The devices service's typed client, as the owner.
    pub fn devices(&self) -> anyhow::Result<DevicesClient> {
        Ok(DevicesClient::new(self.client()?))
    }

    /// The monitoring service's typed client, as the owner.
    pub fn monitoring(&self) -> anyhow::Result<MonitoringClient> {
        Ok(MonitoringClient::new(self.client()?))
    }

    /// Snapshots of each simulated device that can be read back, those of the last three hours.
    pub async fn snapshots(&self) -> anyhow::Result<BTreeMap<String, u64>> {
        let expr = "sum by (device_id) (count_over_time(sim_value{n=\"0\"}[3h]))";
        let answer = self.monitoring()?.query(expr, None).await?;
        let found = answer.pointer("/data/result").and_then(Value::as_array);
        let one = |series: &Value| {
            let text = |at: &str| series.pointer(at).and_then(Value::as_str);
            let device = text("/metric/device_id").context("a series of no device")?.to_owned();
            Ok((device, text("/value/1").context("a series without a value")?.parse()?))
        };
        found.context("no series in the answer")?.iter().map(one).collect()
    }

    /// A new enrolment token, good for `uses` devices.
    pub async fn enrolment_token(&self, uses: u32) -> anyhow::Result<String> {
        let wanted = NewEnrolmentToken { uses: Some(uses), ..NewEnrolmentToken::default() };
        Ok(self.auth()?.create_enrolment_token(&wanted).await?.secret)
    }

    /// Enrols an agent of its own folder, starts it and waits until it is online.
    pub async fn agent(&self) -> anyhow::Result<(Agent, Device)> {
        let token = self.enrolment_token(1).await?;
        let agent = Agent::enrol(&self.agents_url, &token)?;
        let device = self.online().await?;
        Ok((agent, device))
    }

    /// Waits until a device is online and returns it.
    pub async fn online(&self) -> anyhow::Result<Device> {
        let devices = self.devices()?;
        let filter = Some("presence:online".to_owned());
        let wanted = DeviceQuery { filter, ..DeviceQuery::default() };
        Ok(until("a device that is online", || async {
            devices.devices(&wanted).await.ok()?.items.into_iter().next()
        })
        .await)
    }
}

/// Whoever answers at an address, for requests without a key.
pub fn peer_at(url: &str) -> anyhow::Result<Peer> {
    openframe_pki::install_provider();
    let connector = Connector::new(openframe_pki::public_client(b"")?);
    Ok(Peer::Remote { base: url.parse()?, connector: Box::new(connector) })
}

/// Starts the process; returns it with its two addresses.
fn launch(
    folder: &Path,
    agents_port: &str,
    settings: &[String],
) -> anyhow::Result<(Process, String, String)> {
    let mut command = Command::new(executable("openframe")?);
    arguments(&mut command, folder, agents_port, settings);
    command.arg("--bootstrap-key").arg(folder.join("owner.key"));
    addresses(&mut command)
}

fn arguments(command: &mut Command, folder: &Path, agents_port: &str, settings: &[String]) {
    command
        .arg("run")
        .args(["--listen", "http://127.0.0.1:0", "--admin-listen", "http://127.0.0.1:0"])
        .args(["--agents-listen", &format!("https://127.0.0.1:{agents_port}")])
        .arg("--data")
        .arg(folder.join("data"));
    for setting in settings {
        command.arg("--set").arg(setting);
    }
}

fn addresses(command: &mut Command) -> anyhow::Result<(Process, String, String)> {
    let mut process = Process::start(command)?;
    let url = process.line("console ")?;
    let agents_url = process.line("agents ")?;
    process.line("ready")?;
    Ok((process, url, agents_url))
}

/// A running agent with a state folder of its own.
#[derive(Debug)]
pub struct Agent {
    process: Process,
    state: TempDir,
    clock: Option<String>,
}

impl Agent {
    /// Enrols and starts an agent.
    pub fn enrol(server: &str, token: &str) -> anyhow::Result<Self> {
        Self::enrol_at(server, token, None)
    }

    /// Enrols and starts an agent, whose clock is off by `clock` as libfaketime writes it.
    pub fn enrol_at(server: &str, token: &str, clock: Option<&str>) -> anyhow::Result<Self> {
        Self::enrol_in(tempfile::tempdir()?, (server, token), clock)
    }

    /// As [`Agent::enrol_at`], on the way through a proxy that ends TLS.
    pub fn enrol_behind(
        proxy: &TlsProxy,
        token: &str,
        clock: Option<&str>,
    ) -> anyhow::Result<Self> {
        let state = tempfile::tempdir()?;
        proxy.tell(state.path())?;
        Self::enrol_in(state, (&proxy.url, token), clock)
    }

    fn enrol_in(
        state: TempDir,
        (server, token): (&str, &str),
        clock: Option<&str>,
    ) -> anyhow::Result<Self> {
        let enrol = agent(clock)?
            .args(["enrol", "--server", server, "--token", token, "--state"])
            .arg(state.path())
            .output()?;
        let said = String::from_utf8_lossy(&enrol.stderr).into_owned();
        anyhow::ensure!(enrol.status.success(), "cannot enrol: {said}");
        let clock = clock.map(str::to_owned);
        let process = run(state.path(), clock.as_deref())?;
        Ok(Self { process, state, clock })
    }

    /// Its state folder.
    pub fn state(&self) -> &Path {
        self.state.path()
    }

    /// Kills it (SIGKILL) and starts it again.
    pub fn crash_and_restart(&mut self) -> anyhow::Result<()> {
        self.process.kill().context("the agent")?;
        self.restart()
    }

    /// Starts it again after it was killed or has ended.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.process = run(self.state.path(), self.clock.as_deref())?;
        Ok(())
    }

    /// The process itself.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

fn run(state: &Path, clock: Option<&str>) -> anyhow::Result<Process> {
    Process::start(agent(clock)?.args(["run", "--state"]).arg(state))
}

/// The agent's executable, in a process whose clock may be off.
fn agent(clock: Option<&str>) -> anyhow::Result<Command> {
    let mut command = Command::new(executable("openframe-agent")?);
    if let Some(clock) = clock {
        put_wrong(&mut command, clock);
    }
    Ok(command)
}
