//! The whole picture: an ingress and two of each service, each a process of its own, on the lab's
//! clusters.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use openframe_lab::{Lab, Tables};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::process::put_wrong;
use crate::{Process, executable, until};

/// The replicas, in the worst order to start them in: each service needs those that come later.
pub const REPLICAS: [Replica; 8] = [
    ("gateway", 1),
    ("gateway", 2),
    ("monitoring", 1),
    ("monitoring", 2),
    ("devices", 1),
    ("devices", 2),
    ("auth", 1),
    ("auth", 2),
];

/// How long a replica may take to say whether it is ready.
const READY_WITHIN: Duration = Duration::from_secs(2);

/// One process of the picture: its service, and its number there.
pub type Replica = (&'static str, u8);

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
    /// By how much clocks are off, as libfaketime writes it.
    clocks: Vec<(Replica, String)>,
    processes: Vec<(Replica, Process)>,
    /// The ingress in front of the gateways.
    ingress: Option<Process>,
    /// Given back after everything that uses them has ended.
    tables: Tables,
}

impl Picture {
    /// Makes keys and tables for a new platform, and starts its services; returns when all are
    /// ready. `settings` are as `NAME=VALUE`.
    pub(crate) fn start(folder: &Path, settings: &[String]) -> anyhow::Result<Self> {
        let tables = await_apart(async { Tables::empty(&Lab::usual()?).await })?;
        let mut picture = Self::on(tables, folder, settings)?;
        picture.init()?;
        picture.migrate()?;
        picture.restart()?;
        Ok(picture)
    }

    /// A new platform without tables, whose services do not run yet.
    pub fn new(folder: &Path, settings: &[String]) -> anyhow::Result<Self> {
        Self::on(Tables::new(), folder, settings)
    }

    fn on(tables: Tables, folder: &Path, settings: &[String]) -> anyhow::Result<Self> {
        let [a, b, ..] = openframe_ids::random::<2>();
        // Not where the lab is: 127.0.
        let network = format!("127.{}.{b}", a.max(1));
        let own = Self {
            folder: folder.to_owned(),
            network,
            settings: settings.to_vec(),
            clocks: Vec::new(),
            processes: Vec::new(),
            ingress: None,
            tables,
        };
        fs::write(own.config(), own.text()?)?;
        fs::write(own.folder.join("haproxy.cfg"), own.ingress_text()?)?;
        Ok(own)
    }

    /// What the names of its schemas and keyspaces begin with.
    pub fn prefix(&self) -> &str {
        self.tables.prefix()
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

    /// Where a replica answers the others.
    pub fn mesh(&self, (role, number): Replica) -> String {
        format!("{}:9443", self.address((role, number)))
    }

    /// The address that a replica has for itself.
    pub fn address(&self, (role, number): Replica) -> String {
        let service =
            ["gateway", "auth", "devices", "monitoring"].iter().position(|it| *it == role);
        let host = 10 * (service.unwrap_or_default() + 1) + usize::from(number);
        format!("{}.{host}", self.network)
    }

    /// Where a gateway listens for people (8443) or agents (8444).
    fn gateway(&self, number: u8, port: u16) -> String {
        format!("{}.{}:{port}", self.network, 10 + number)
    }

    /// The settings of `HAProxy`: connections are passed on as they are, so that TLS ends in the
    /// gateways, and to those that say they are ready.
    fn ingress_text(&self) -> anyhow::Result<String> {
        let mut text = "global\n  maxconn 2000\ndefaults\n  mode tcp\n  timeout connect 2s\n  \
                        timeout client 1h\n  timeout server 1h\n  timeout check 500ms\n  \
                        retries 3\n  option redispatch\n  option httpchk GET /readyz\n  \
                        http-check disable-on-404\n  default-server check port 8445 inter 100ms \
                        fall 2 rise 1 on-marked-down shutdown-sessions\n"
            .to_owned();
        for port in [8443, 8444] {
            let network = &self.network;
            writeln!(text, "listen at{port}\n  bind {network}.1:{port}\n  balance leastconn")?;
            for number in [1, 2] {
                writeln!(text, "  server gateway{number} {}", self.gateway(number, port))?;
            }
        }
        Ok(text)
    }

    /// The folder with the keys of a service.
    pub fn keys(&self, role: &str) -> PathBuf {
        self.folder.join("keys").join(role)
    }

    fn text(&self) -> anyhow::Result<String> {
        let lab = Lab::usual()?;
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
        for role in ["gateway", "auth", "devices", "monitoring"] {
            let own = REPLICAS.into_iter().filter(|(known, _)| *known == role);
            let addresses: Vec<String> = own.map(|replica| self.mesh(replica)).collect();
            writeln!(text, "{role} = {addresses:?}")?;
        }
        writeln!(text, "[stores]\nprefix = {:?}", self.tables.prefix())?;
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
        let (sentinels, primary, password) = lab.redis();
        writeln!(
            text,
            "[stores.redis]\nsentinels = {sentinels:?}\nprimary = {primary:?}\n\
             authority = {:?}\npassword_file = {:?}",
            lab.authority().display().to_string(),
            secret("redis.password", password.as_bytes())?
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

    /// Starts all replicas that do not run, and waits until they are ready.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        let runs = |replica: &Replica| self.processes.iter().any(|(known, _)| known == replica);
        let missing: Vec<_> = REPLICAS.into_iter().filter(|replica| !runs(replica)).collect();
        for replica in &missing {
            self.begin(*replica)?;
        }
        for replica in missing {
            self.process(replica)?.line("ready")?;
        }
        if self.ingress.is_none() {
            let mut haproxy = Command::new("haproxy");
            haproxy.arg("-db").arg("-f").arg(self.folder.join("haproxy.cfg"));
            self.ingress = Some(Process::start(&mut haproxy)?);
        }
        self.reachable()
    }

    /// Waits until the ingress lets people in.
    fn reachable(&self) -> anyhow::Result<()> {
        let address = format!("{}.1:8443", self.network);
        await_apart(async move {
            let asked = || async { get(&address, "/").await.filter(|answer| !answer.is_empty()) };
            until("the ingress to let people in", asked).await;
            Ok(())
        })
    }

    /// Starts a replica. It may have to wait for others.
    pub fn begin(&mut self, replica: Replica) -> anyhow::Result<()> {
        let (role, number) = replica;
        let mut command = Command::new(executable("openframe")?);
        let admin = self.admin(replica);
        command.args(["run", "--role", role, "--admin-listen", &format!("http://{admin}")]);
        command.arg("--config").arg(self.config());
        let data = self.folder.join("data").join(format!("{role}{number}"));
        fs::create_dir_all(&data)?;
        command.arg("--data").arg(data);
        let identity = self.keys(role).display().to_string();
        let own =
            [format!("mesh.listen={}", self.mesh(replica)), format!("mesh.identity={identity}")];
        for setting in own.iter().chain(&self.settings) {
            command.arg("--set").arg(setting);
        }
        if role == "gateway" {
            let (people, agents) = (self.gateway(number, 8443), self.gateway(number, 8444));
            command.args(["--listen", &format!("http://{people}")]);
            command.args(["--agents-listen", &format!("https://{agents}")]);
            command.args(["--set", &format!("server_names=[{:?}]", format!("{}.1", self.network))]);
        }
        if replica == ("auth", 1) {
            command.arg("--bootstrap-key").arg(self.folder.join("owner.key"));
        }
        if let Some((_, off)) = self.clocks.iter().find(|(known, _)| *known == replica) {
            put_wrong(&mut command, off);
        }
        self.processes.push((replica, Process::start(&mut command)?));
        Ok(())
    }

    /// Puts a replica's clock wrong from its next start on, by as much as libfaketime understands.
    pub fn set_clock(&mut self, replica: Replica, off: &str) {
        self.clocks.push((replica, off.to_owned()));
    }

    /// The process of a replica.
    pub fn process(&mut self, replica: Replica) -> anyhow::Result<&mut Process> {
        let found = self.processes.iter_mut().find(|(known, _)| *known == replica);
        found.map(|(_, process)| process).with_context(|| format!("{replica:?} does not run"))
    }

    /// Kills a replica (SIGKILL).
    pub fn kill(&mut self, replica: Replica) -> anyhow::Result<()> {
        self.process(replica)?.kill()?;
        self.processes.retain(|(known, _)| *known != replica);
        Ok(())
    }

    /// Kills the ingress (SIGKILL).
    pub fn kill_ingress(&mut self) -> anyhow::Result<()> {
        let mut ingress = self.ingress.take().context("the ingress does not run")?;
        ingress.kill()
    }

    /// Whether every replica runs and says that it is ready.
    pub async fn is_ready(&self) -> bool {
        let each = REPLICAS.into_iter().map(|replica| self.says_ready(replica));
        futures::future::join_all(each).await.into_iter().all(|ready| ready)
    }

    async fn says_ready(&self, replica: Replica) -> bool {
        let address = self.admin(replica);
        let asked = tokio::time::timeout(READY_WITHIN, get(&address, "/readyz")).await;
        asked.ok().flatten().is_some_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }

    /// The address at which a replica tells how it is.
    fn admin(&self, replica: Replica) -> String {
        format!("{}:8445", self.address(replica))
    }

    /// Kills every replica.
    pub(crate) fn kill_all(&mut self) -> anyhow::Result<()> {
        REPLICAS.into_iter().try_for_each(|replica| self.kill(replica))
    }

    /// Stops a replica in good order.
    pub fn stop(&mut self, replica: Replica) -> anyhow::Result<()> {
        let status = self.process(replica)?.stop()?;
        anyhow::ensure!(status.success(), "{replica:?} ended with {status}");
        self.processes.retain(|(known, _)| *known != replica);
        Ok(())
    }

    /// Stops every replica in good order, gateways first.
    pub(crate) fn stop_all(&mut self) -> anyhow::Result<()> {
        REPLICAS.into_iter().try_for_each(|replica| self.stop(replica))
    }
}

/// Waits in a thread of its own: tests that are tasks of a runtime call this too.
fn await_apart<T: Send + 'static>(
    what: impl Future<Output = anyhow::Result<T>> + Send + 'static,
) -> anyhow::Result<T> {
    let waiting = std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(what)
    });
    waiting.join().map_err(|_| anyhow::anyhow!("a test's preparation has panicked"))?
}

/// Asks a port for a path; returns the answer as it came.
async fn get(address: &str, path: &str) -> Option<String> {
    let mut stream = tokio::net::TcpStream::connect(address).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    Some(answer)
}

/// Runs a program to its end; returns what it printed.
fn succeed(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    anyhow::ensure!(output.status.success(), "{command:?}: {said}");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned() + &said)
}
