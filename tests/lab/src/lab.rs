//! One lab: its folder, and what can be done with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::node::Node;
use crate::pki::Pki;
use crate::process::Processes;
use crate::secrets::Secrets;
use crate::{cassandra, postgres, redis};

/// How long a cluster may take at most to go on without a node.
const FAILOVER_WITHIN: Duration = Duration::from_mins(1);

/// Hears what is being done.
pub type Progress = Arc<dyn Fn(&str) + Send + Sync>;

/// The clusters of one folder.
#[derive(Clone)]
pub struct Lab {
    pub(crate) home: PathBuf,
    /// What is fetched, and kept when the lab is gone.
    pub(crate) cache: PathBuf,
    pub(crate) processes: Processes,
    pub(crate) pki: Pki,
    pub(crate) secrets: Secrets,
    progress: Progress,
}

impl Lab {
    /// Where a lab is unless said otherwise: every user may walk there, and PostgreSQL, which does not
    /// run as root, has to.
    pub const HOME: &str = "/var/tmp/openframe-lab";
    /// Where fetched programs are kept unless said otherwise.
    pub const CACHE: &str = "/var/tmp/openframe-lab-cache";

    /// The lab where it usually is; nobody hears what is done.
    pub fn usual() -> anyhow::Result<Self> {
        Self::open(Path::new(Self::HOME), Path::new(Self::CACHE), Arc::new(|_: &str| {}))
    }

    /// Whether `home` holds a lab.
    pub fn exists(home: &Path) -> bool {
        home.join("secrets.toml").exists()
    }

    /// The lab in `home`, whose folder, passwords and certificates are made if they are not there.
    /// Fetched programs are kept in `cache`. Starts nothing.
    pub fn open(home: &Path, cache: &Path, progress: Progress) -> anyhow::Result<Self> {
        fs::create_dir_all(home).with_context(|| format!("{} cannot be made", home.display()))?;
        Ok(Self {
            home: home.to_owned(),
            cache: cache.to_owned(),
            processes: Processes::new(home)?,
            pki: Pki::of(home)?,
            secrets: Secrets::of(home)?,
            progress,
        })
    }

    /// Fetches what is no package of Debian into `cache`.
    pub fn fetch(cache: &Path, say: &dyn Fn(&str)) -> anyhow::Result<()> {
        cassandra::fetch(cache, say)
    }

    /// Starts every node that does not run, and waits until the three clusters are whole.
    pub async fn up(&self) -> anyhow::Result<()> {
        Self::fetch(&self.cache, &*self.progress)?;
        self.say("starting etcd, Cassandra, PostgreSQL and Redis");
        // The witness first: PostgreSQL's nodes ask it who is primary.
        for node in [Node::Etcd].into_iter().chain(Node::ALL) {
            if self.processes.pid(&node.to_string()).is_none() {
                self.spawn(node)?;
            }
            if node == Node::Etcd {
                postgres::witness_ready(self).await?;
            }
        }
        for node in [1, 2, 3].map(Node::Redis).into_iter().chain([1, 2, 3].map(Node::Sentinel)) {
            redis::ready(self, node).await?;
        }
        redis::formed(self).await?;
        self.say(&format!(
            "Redis: primary, two replicas in step, three Sentinels ({})",
            Node::Redis(1).endpoint()
        ));
        postgres::formed(self).await?;
        self.say(&format!(
            "PostgreSQL: primary and synchronous standby ({})",
            Node::Postgres(1).endpoint()
        ));
        for node in [1, 2, 3].map(Node::Cassandra) {
            cassandra::ready(self, node).await?;
        }
        cassandra::formed(self).await?;
        self.say(&format!("Cassandra: three nodes ({})", Node::Cassandra(1).endpoint()));
        Ok(())
    }

    /// Ends every node and removes the folder with all data. What was fetched is kept.
    pub async fn down(&self) -> anyhow::Result<()> {
        self.say("stopping every node");
        // Watchers before what they watch: none shall try to mend what is being ended.
        for node in Node::ALL.into_iter().rev() {
            self.processes.stop(&node.to_string()).await?;
            if matches!(node, Node::Postgres(_)) {
                postgres::kill(self, node);
            }
        }
        fs::remove_dir_all(&self.home)
            .with_context(|| format!("{} cannot be removed", self.home.display()))?;
        self.say("nothing is left");
        Ok(())
    }

    /// Kills a node as a power cut would: SIGKILL, nothing is said to anybody.
    pub async fn kill(&self, node: Node) -> anyhow::Result<()> {
        if self.processes.pid(&node.to_string()).is_none() {
            bail!("{node} does not run");
        }
        match node {
            Node::Postgres(_) => postgres::kill(self, node),
            Node::Cassandra(_) | Node::Etcd | Node::Redis(_) | Node::Sentinel(_) => {
                self.processes.signal(&node.to_string(), Signal::KILL);
            }
        }
        self.processes.stop(&node.to_string()).await
    }

    /// Starts a node that does not run, and waits until it answers.
    pub async fn start(&self, node: Node) -> anyhow::Result<()> {
        self.spawn(node)?;
        match node {
            Node::Cassandra(_) => cassandra::ready(self, node).await,
            Node::Etcd => postgres::witness_ready(self).await,
            Node::Postgres(_) => postgres::ready(self, node).await,
            Node::Redis(_) | Node::Sentinel(_) => redis::ready(self, node).await,
        }
    }

    /// Stops a node in its tracks, with its connections open: what a hung machine looks like.
    pub fn pause(&self, node: Node) {
        self.processes.signal(&node.to_string(), Signal::STOP);
    }

    /// Lets a paused node go on.
    pub fn resume(&self, node: Node) {
        self.processes.signal(&node.to_string(), Signal::CONT);
    }

    /// The Cassandra cluster, as its administrator reaches it.
    pub fn cassandra(&self) -> anyhow::Result<openframe_cassandra::Cluster> {
        cassandra::admin(self)
    }

    /// Where Redis' Sentinels are, the name under which they know the primary, and the password.
    pub fn redis(&self) -> ([String; 3], &'static str, &str) {
        let sentinels = [1, 2, 3].map(|n| Node::Sentinel(n).endpoint());
        (sentinels, redis::PRIMARY_NAME, self.secrets.redis.expose())
    }

    /// The authority, PEM, that every node's certificate comes from.
    pub fn authority(&self) -> PathBuf {
        self.pki.root()
    }

    /// How a schema of the PostgreSQL cluster is reached.
    pub fn postgres(&self, schema: &str) -> openframe_postgres::Settings {
        openframe_postgres::Settings {
            hosts: postgres::NODES.map(Node::endpoint).to_vec(),
            user: "postgres".to_owned(),
            password: self.secrets.postgres.expose().to_owned(),
            database: "postgres".to_owned(),
            schema: schema.to_owned(),
            authority: self.pki.root(),
            connections: 8,
        }
    }

    /// Brings the tables of a schema up to date with the files in a folder; returns the address at
    /// which `sqlx` finds them.
    pub async fn migrate(&self, schema: &str, folder: &Path) -> anyhow::Result<String> {
        let migrations = openframe_postgres::Migrator::new(folder).await?;
        let settings = self.postgres(schema);
        openframe_postgres::Database::connect(&settings).await?.migrate(&migrations).await?;
        let primary = self.postgres_primary().context("no PostgreSQL node takes writes")?;
        Ok(format!(
            "postgres://{}:{}@{}/{}?options=-csearch_path%3D{schema}&sslmode=verify-full&sslrootcert={}",
            settings.user,
            settings.password,
            primary.endpoint(),
            settings.database,
            settings.authority.display()
        ))
    }

    /// The PostgreSQL node that takes writes.
    pub fn postgres_primary(&self) -> Option<Node> {
        postgres::primary(self)
    }

    /// How many standbys a primary of PostgreSQL sends to; none when it does not answer.
    pub fn postgres_standbys(&self, primary: Node) -> Option<u32> {
        postgres::standbys(self, primary)
    }

    /// Holds up what PostgreSQL's standby takes from the primary, as a network does that drops what is
    /// sent between the two: both nodes live, and reach everybody else.
    pub fn cut_replication(&self) -> anyhow::Result<Cut> {
        let receiver = postgres::receiver(self).context("no standby takes anything")?;
        kill_process(receiver, Signal::STOP)?;
        Ok(Cut(receiver))
    }

    /// Removes everything that Redis keeps.
    pub fn flush_redis(&self) -> anyhow::Result<()> {
        redis::flush(self)
    }

    /// The Redis node that takes writes.
    pub fn redis_primary(&self) -> Option<Node> {
        redis::primary(self)
    }

    /// Waits until each cluster is whole again.
    pub async fn whole(&self) -> anyhow::Result<()> {
        self.redis_whole().await?;
        self.postgres_whole().await?;
        self.cassandra_whole().await
    }

    /// Waits until Redis' primary has both replicas in step.
    pub async fn redis_whole(&self) -> anyhow::Result<()> {
        redis::formed(self).await
    }

    /// Waits until PostgreSQL's standby is in step, and may take over.
    pub async fn postgres_whole(&self) -> anyhow::Result<()> {
        postgres::formed(self).await
    }

    /// Waits until every Cassandra node answers and knows the same tables.
    pub async fn cassandra_whole(&self) -> anyhow::Result<()> {
        cassandra::whole(self).await
    }

    /// Waits until `holds`, for as long as a failover may take in the worst case.
    pub async fn until(&self, holds: impl AsyncFnMut() -> bool) -> anyhow::Result<()> {
        self.wait(("it is still not so", &[]), FAILOVER_WITHIN, holds).await
    }

    /// Each node, its endpoint, and the memory it takes in MiB if it runs.
    pub fn status(&self) -> Vec<(Node, Option<u64>)> {
        let of = |node: Node| (node, self.processes.resident_mib(&node.to_string()));
        Node::ALL.map(of).to_vec()
    }

    fn spawn(&self, node: Node) -> anyhow::Result<()> {
        match node {
            Node::Cassandra(_) => cassandra::start(self, node),
            Node::Etcd => postgres::start_witness(self),
            Node::Postgres(_) => postgres::start(self, node),
            Node::Redis(_) | Node::Sentinel(_) => redis::start(self, node),
        }
    }

    /// Where a node keeps what it keeps.
    pub(crate) fn path(&self, node: Node) -> PathBuf {
        self.home.join(node.to_string())
    }

    /// The same, made if it is not there.
    pub(crate) fn folder(&self, node: Node) -> anyhow::Result<PathBuf> {
        let folder = self.path(node);
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    pub(crate) fn say(&self, text: &str) {
        (self.progress)(text);
    }

    /// Waits until `holds`; `what` says what is wrong when it does not. Fails at once when one of
    /// `nodes` has ended.
    pub(crate) async fn wait(
        &self,
        (what, nodes): (&str, &[Node]),
        limit: Duration,
        holds: impl AsyncFnMut() -> bool,
    ) -> anyhow::Result<()> {
        let names: Vec<String> = nodes.iter().map(Node::to_string).collect();
        self.processes.wait((what, &names), limit, holds).await
    }
}

/// Replication that is held up.
#[derive(Debug)]
pub struct Cut(Pid);

impl Cut {
    /// Lets it go on.
    pub fn mend(self) {
        // It may have ended meanwhile, with its server.
        kill_process(self.0, Signal::CONT).ok();
    }
}

impl std::fmt::Debug for Lab {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lab({})", self.home.display())
    }
}
