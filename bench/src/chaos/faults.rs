//! What is broken, and how it is mended.

use std::fmt;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use openframe_lab::{Lab, Node};
use openframe_system::Server;
use openframe_system::picture::{REPLICAS, Replica};

/// How long everything may take to be whole again.
const PATIENCE: Duration = Duration::from_mins(3);

/// Something that is broken.
#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    Replica(Replica),
    Node(Node),
    PostgresPrimary,
    PostgresStandby,
    RedisPrimary,
    RedisReplica,
    Ingress,
}

/// How.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// SIGKILL, and started again.
    Kill,
    /// SIGSTOP, with its connections open.
    Pause,
    /// Nothing reaches its address any more.
    Cut,
}

/// One line of the matrix.
#[derive(Debug)]
pub(super) struct Case {
    how: How,
    what: What,
}

/// A fault that has begun: what exactly it hit.
#[derive(Debug)]
pub(super) struct Begun {
    how: How,
    hit: Hit,
}

#[derive(Debug, Clone, Copy)]
enum Hit {
    Replica(Replica),
    Node(Node),
    Ingress,
}

/// Every case; without a network of its own, those in which nothing is cut off.
pub(super) fn cases(own_network: bool) -> Vec<Case> {
    let case = |how| move |what| Case { how, what };
    let nodes = [1, 2, 3].map(|n| What::Node(Node::Cassandra(n)));
    let stores = [
        What::PostgresPrimary,
        What::PostgresStandby,
        What::Node(Node::Etcd),
        What::RedisPrimary,
        What::RedisReplica,
        What::Node(Node::Sentinel(1)),
    ];
    let kills = REPLICAS.map(What::Replica).into_iter().chain(nodes).chain(stores);
    let kills = kills.chain([What::Ingress]).map(case(How::Kill));
    let first = ["gateway", "auth", "devices", "monitoring"].map(|role| What::Replica((role, 1)));
    let pauses = first.into_iter().chain([What::Node(Node::Cassandra(2))]).map(case(How::Pause));
    let cuts = [
        What::Replica(("devices", 2)),
        What::Replica(("monitoring", 2)),
        What::Node(Node::Cassandra(3)),
        What::PostgresPrimary,
    ];
    let cuts = cuts.map(case(How::Cut)).into_iter().filter(|_| own_network);
    kills.chain(pauses).chain(cuts).collect()
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.how {
            How::Kill => "kill",
            How::Pause => "pause",
            How::Cut => "cut off",
        };
        match self.what {
            What::Replica((role, number)) => write!(f, "{how} {role} {number}"),
            What::Node(node) => write!(f, "{how} {node}"),
            What::PostgresPrimary => write!(f, "{how} PostgreSQL primary"),
            What::PostgresStandby => write!(f, "{how} PostgreSQL standby"),
            What::RedisPrimary => write!(f, "{how} Redis primary"),
            What::RedisReplica => write!(f, "{how} Redis replica"),
            What::Ingress => write!(f, "{how} ingress"),
        }
    }
}

impl Case {
    pub(super) fn kills(&self) -> bool {
        self.how == How::Kill
    }

    /// Breaks it.
    pub(super) async fn begin(&self, lab: &Lab, server: &mut Server) -> anyhow::Result<Begun> {
        let hit = self.what.find(lab)?;
        match (self.how, hit) {
            (How::Kill, Hit::Node(node)) => lab.kill(node).await?,
            (How::Kill, Hit::Replica(replica)) => picture(server)?.kill(replica)?,
            (How::Kill, Hit::Ingress) => picture(server)?.kill_ingress()?,
            (How::Pause, Hit::Node(node)) => lab.pause(node),
            (How::Pause, Hit::Replica(replica)) => picture(server)?.process(replica)?.pause()?,
            (How::Cut, Hit::Node(node)) => route("add", &node.address().to_string())?,
            (How::Cut, Hit::Replica(replica)) => {
                route("add", picture(server)?.address(replica).as_str())?;
            }
            (How::Pause | How::Cut, Hit::Ingress) => anyhow::bail!("there is no such case"),
        }
        Ok(Begun { how: self.how, hit })
    }
}

impl What {
    fn find(self, lab: &Lab) -> anyhow::Result<Hit> {
        let postgres = || lab.postgres_primary().context("PostgreSQL has no primary");
        let redis = || lab.redis_primary().context("Redis has no primary");
        let other = |nodes: &[Node], than: Node| nodes.iter().copied().find(|it| *it != than);
        Ok(match self {
            Self::Replica(replica) => Hit::Replica(replica),
            Self::Node(node) => Hit::Node(node),
            Self::Ingress => Hit::Ingress,
            Self::PostgresPrimary => Hit::Node(postgres()?),
            Self::PostgresStandby => {
                let standby = other(&[1, 2].map(Node::Postgres), postgres()?);
                Hit::Node(standby.context("PostgreSQL has no standby")?)
            }
            Self::RedisPrimary => Hit::Node(redis()?),
            Self::RedisReplica => {
                let replica = other(&[1, 2, 3].map(Node::Redis), redis()?);
                Hit::Node(replica.context("Redis has no replica")?)
            }
        })
    }
}

impl Begun {
    /// Mends it.
    pub(super) async fn end(self, lab: &Lab, server: &mut Server) -> anyhow::Result<()> {
        match (self.how, self.hit) {
            (How::Kill, Hit::Node(node)) => lab.start(node).await,
            (How::Kill, Hit::Replica(_) | Hit::Ingress) => {
                let picture = picture(server)?;
                tokio::task::block_in_place(|| picture.restart())
            }
            (How::Pause, Hit::Node(node)) => {
                lab.resume(node);
                Ok(())
            }
            (How::Pause, Hit::Replica(replica)) => picture(server)?.process(replica)?.resume(),
            (How::Cut, Hit::Node(node)) => route("del", &node.address().to_string()),
            (How::Cut, Hit::Replica(replica)) => {
                route("del", picture(server)?.address(replica).as_str())
            }
            (How::Pause | How::Cut, Hit::Ingress) => Ok(()),
        }
    }
}

fn picture(server: &mut Server) -> anyhow::Result<&mut openframe_system::picture::Picture> {
    server.picture().context("the server is one process")
}

/// Takes an address away from this network, or gives it back: what is sent there goes nowhere, and
/// connections to it stay open without a word.
fn route(what: &str, address: &str) -> anyhow::Result<()> {
    let mut ip = Command::new("ip");
    ip.args(["route", what, "blackhole", &format!("{address}/32"), "table", "local"]);
    anyhow::ensure!(ip.status()?.success(), "{ip:?} failed");
    Ok(())
}

/// Waits until every replica is ready and every cluster whole.
pub(super) async fn whole(lab: &Lab, server: &mut Server) -> anyhow::Result<()> {
    let picture = picture(server)?;
    let ready = async {
        while !picture.is_ready().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        lab.whole().await
    };
    tokio::time::timeout(PATIENCE, ready).await.context("something does not come back")?
}
