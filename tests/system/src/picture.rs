//! The whole picture: each service a process of its own, on the lab's clusters.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::Context as _;
use openframe_lab::Lab;

use crate::{Process, executable};

/// The services, in the worst order to start them in: each needs those that come later.
pub const ROLES: [&str; 4] = ["gateway", "monitoring", "devices", "auth"];

/// Whether this test is one of the binary `clusters`, whose tests run on the whole picture.
pub(crate) fn is_wanted() -> bool {
    let own = std::env::current_exe().unwrap_or_default();
    own.file_name().is_some_and(|name| name.to_string_lossy().starts_with("clusters-"))
}

/// The services of one platform.
#[derive(Debug)]
pub struct Picture {
    folder: PathBuf,
    /// A network of loopback of its own.
    network: String,
    settings: Vec<String>,
    processes: Vec<(&'static str, Process)>,
}

impl Picture {
    /// Makes keys and tables for a new platform, and starts its services; returns when all are
    /// ready. `settings` are as `NAME=VALUE`.
    pub(crate) fn start(folder: &Path, settings: &[String]) -> anyhow::Result<Self> {
        let mut picture = Self::new(folder, settings)?;
        picture.init()?;
        picture.migrate()?;
        picture.restart()?;
        Ok(picture)
    }

    /// A new platform whose services do not run yet.
    pub fn new(folder: &Path, settings: &[String]) -> anyhow::Result<Self> {
        let [a, b, ..] = openframe_ids::random::<2>();
        // Not where the lab is: 127.0.
        let network = format!("127.{}.{b}", a.max(1));
        let own = Self {
            folder: folder.to_owned(),
            network,
            settings: settings.to_vec(),
            processes: Vec::new(),
        };
        fs::write(own.config(), own.text()?)?;
        Ok(own)
    }

    /// The settings file that all services share.
    pub fn config(&self) -> PathBuf {
        self.folder.join("openframe.toml")
    }

    /// Address for people and API clients.
    pub(crate) fn url(&self) -> String {
        format!("http://{}.1:8443", self.network)
    }

    /// Address for agents.
    pub(crate) fn agents_url(&self) -> String {
        format!("https://{}.1:8444", self.network)
    }

    /// Where a service answers the others.
    pub fn mesh(&self, role: &str) -> String {
        let number = ROLES.iter().position(|known| *known == role).unwrap_or_default() + 1;
        format!("{}.{number}:9443", self.network)
    }

    /// The folder with the keys of a service.
    pub fn keys(&self, role: &str) -> PathBuf {
        self.folder.join("keys").join(role)
    }

    fn text(&self) -> anyhow::Result<String> {
        let lab = Lab::open(Path::new(Lab::HOME), Path::new(Lab::CACHE), Arc::new(|_: &str| {}))?;
        let (postgres, cassandra) = (lab.postgres("unused"), lab.cassandra()?);
        let secret = |name: &str, text: &[u8]| -> anyhow::Result<String> {
            let file = self.folder.join(name);
            fs::write(&file, text)?;
            Ok(file.display().to_string())
        };
        let mut text = format!(
            "listen = {:?}\nagents_listen = {:?}\nagents_url = {:?}\nurl = {:?}\n[mesh]\n",
            self.url(),
            self.agents_url(),
            self.agents_url(),
            self.url()
        );
        for role in ROLES {
            writeln!(text, "{role} = [{:?}]", self.mesh(role))?;
        }
        writeln!(
            text,
            "[stores]\nprefix = \"t{:016x}\"",
            u64::from_be_bytes(openframe_ids::random())
        )?;
        writeln!(
            text,
            "[stores.postgres]\nhosts = {:?}\nuser = {:?}\ndatabase = {:?}\nauthority = {:?}\n\
             password_file = {:?}\nconnections = 4",
            postgres.hosts,
            postgres.user,
            postgres.database,
            postgres.authority.display().to_string(),
            secret("postgres.password", postgres.password.as_bytes())?
        )?;
        writeln!(
            text,
            "[stores.cassandra]\nnodes = {:?}\nuser = {:?}\nauthority = {:?}\npassword_file = {:?}",
            cassandra.nodes,
            cassandra.user,
            secret("cassandra.pem", &cassandra.roots_pem)?,
            secret("cassandra.password", cassandra.password.as_bytes())?
        )?;
        Ok(text)
    }

    /// Makes the keys.
    pub fn init(&self) -> anyhow::Result<()> {
        let mut init = Command::new(executable("openframe")?);
        succeed(init.args(["mesh", "init"]).arg(self.folder.join("keys"))).map(drop)
    }

    /// Makes the tables; returns what was said.
    pub fn migrate(&self) -> anyhow::Result<String> {
        let mut migrate = Command::new(executable("openframe")?);
        succeed(migrate.arg("migrate").arg("--config").arg(self.config()))
    }

    /// Starts all services that do not run, and waits until they are ready.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        let runs = |role: &str| self.processes.iter().any(|(known, _)| *known == role);
        let missing: Vec<_> = ROLES.into_iter().filter(|role| !runs(role)).collect();
        for role in &missing {
            self.begin(role)?;
        }
        for role in missing {
            self.process(role)?.line("ready")?;
        }
        Ok(())
    }

    /// Starts a service. It may have to wait for others.
    pub fn begin(&mut self, role: &'static str) -> anyhow::Result<()> {
        let mut command = Command::new(executable("openframe")?);
        command.args(["run", "--role", role, "--admin-listen", "http://127.0.0.1:0"]);
        command.arg("--config").arg(self.config());
        command.arg("--data").arg(self.folder.join("data").join(role));
        let identity = self.keys(role).display().to_string();
        let own = [format!("mesh.listen={}", self.mesh(role)), format!("mesh.identity={identity}")];
        for setting in own.iter().chain(&self.settings) {
            command.arg("--set").arg(setting);
        }
        if role == "auth" {
            command.arg("--bootstrap-key").arg(self.folder.join("owner.key"));
            fs::create_dir_all(self.folder.join("data").join(role))?;
        }
        self.processes.push((role, Process::start(&mut command)?));
        Ok(())
    }

    /// The process of a service.
    pub fn process(&mut self, role: &str) -> anyhow::Result<&mut Process> {
        let found = self.processes.iter_mut().find(|(known, _)| *known == role);
        found.map(|(_, process)| process).with_context(|| format!("{role} does not run"))
    }

    /// Kills a service (SIGKILL).
    pub fn kill(&mut self, role: &str) -> anyhow::Result<()> {
        self.process(role)?.kill()?;
        self.processes.retain(|(known, _)| *known != role);
        Ok(())
    }

    /// Kills every service.
    pub(crate) fn kill_all(&mut self) -> anyhow::Result<()> {
        ROLES.iter().try_for_each(|role| self.kill(role))
    }

    /// Stops every service in good order, the gateway first.
    pub(crate) fn stop_all(&mut self) -> anyhow::Result<()> {
        for role in ROLES {
            let status = self.process(role)?.stop()?;
            anyhow::ensure!(status.success(), "{role} ended with {status}");
        }
        self.processes.clear();
        Ok(())
    }
}

/// Runs a program to its end; returns what it printed.
fn succeed(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    anyhow::ensure!(output.status.success(), "{command:?}: {said}");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned() + &said)
}
