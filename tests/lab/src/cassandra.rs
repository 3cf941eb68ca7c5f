//! Cassandra: three nodes that hold three copies of everything.
//!
//! Each node's tokens are given and evenly spaced, so that all start together and each owns a third.
//! `commitlog_sync: group` makes an acknowledged write one that is on disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail};
use openframe_cassandra::{Admin, Cluster};

use crate::lab::Lab;
use crate::node::Node;
use crate::process::{self, listens};

const TEMPLATE: &str = include_str!("../cassandra/cassandra.yaml.in");
const LOGBACK: &str = include_str!("../cassandra/logback.xml");
const JAVA_OPTIONS: &str = include_str!("../cassandra/jvm17.options");
/// The list of jars, for Maven.
const POM: &str = include_str!("../cassandra/pom.xml");
const NODES: [Node; 3] = [Node::Cassandra(1), Node::Cassandra(2), Node::Cassandra(3)];
/// Token ranges of each node.
const RANGES: i128 = 4;
/// Heap of a node: enough for tests, little enough for three beside a build.
const HEAP: &str = "512m";
/// A node's folder for files that are of no use after it.
const SCRATCH: &str = "tmp";
const UP_WITHIN: Duration = Duration::from_mins(3);
/// The lab's superuser; Cassandra's own, whose password everybody knows, is locked.
const ADMIN: &str = "lab_admin";

/// Fetches Cassandra's jars into `cache` unless they are there.
pub(crate) fn fetch(cache: &Path, say: &dyn Fn(&str)) -> anyhow::Result<()> {
    let (jars, whole) = (jars(cache), jars(cache).join(".complete"));
    if whole.exists() {
        return Ok(());
    }
    say("fetching Cassandra's jars from Maven Central, 67 MB");
    fs::create_dir_all(&jars)?;
    let pom = cache.join("cassandra-pom.xml");
    fs::write(&pom, POM)?;
    let mut maven = Command::new("mvn");
    maven.args(["--quiet", "--batch-mode", "--file"]).arg(&pom).arg("dependency:copy-dependencies");
    maven.arg("-DincludeScope=runtime").arg(format!("-DoutputDirectory={}", jars.display()));
    process::run(&mut maven, &cache.join("maven.out"))?;
    fs::write(whole, "")?;
    Ok(())
}

fn jars(cache: &Path) -> PathBuf {
    cache.join("cassandra-5.0.9")
}

/// Starts a node.
pub(crate) fn start(lab: &Lab, node: Node) -> anyhow::Result<()> {
    lab.processes.start(&node.to_string(), &mut command(lab, node)?)
}

/// What starts a node, with its settings written.
pub(crate) fn command(lab: &Lab, node: Node) -> anyhow::Result<Command> {
    let Node::Cassandra(number) = node else { bail!("{node} is no Cassandra node") };
    let folder = lab.folder(node)?;
    let (conf, scratch) = (folder.join("conf"), folder.join(SCRATCH));
    fs::create_dir_all(&conf)?;
    fs::create_dir_all(&scratch)?;
    fs::write(conf.join("cassandra.yaml"), settings(lab, number, &folder))?;
    fs::write(conf.join("logback.xml"), LOGBACK)?;
    fs::write(conf.join("cassandra-rackdc.properties"), format!("dc=dc1\nrack=rack{number}\n"))?;
    let mut java = Command::new(java()?);
    java.args([format!("-Xms{HEAP}"), format!("-Xmx{HEAP}")]);
    java.arg(format!("-javaagent:{}", jamm(&jars(&lab.cache))?.display()));
    java.args(JAVA_OPTIONS.lines().filter(|line| line.starts_with('-')));
    java.arg(format!("-Dcassandra.config=file://{}/cassandra.yaml", conf.display()));
    java.arg(format!("-Dcassandra.storagedir={}", folder.display()));
    java.arg(format!("-Dcassandra.logdir={}", folder.display()));
    // Libraries unpack native code there, and a killed node removes none of it.
    java.arg(format!("-Djava.io.tmpdir={}", scratch.display()));
    java.arg(format!("-Dlogback.configurationFile={}/logback.xml", conf.display()));
    java.arg("-Dcassandra-foreground=yes");
    java.arg("-cp").arg(format!("{}:{}/*", conf.display(), jars(&lab.cache).display()));
    java.arg("org.apache.cassandra.service.CassandraDaemon");
    Ok(java)
}

/// Cassandra 5.0 runs on Java 11 and 17; a machine may have a newer one as its default.
fn java() -> anyhow::Result<PathBuf> {
    let debian = Path::new("/usr/lib/jvm/java-17-openjdk-amd64/bin/java");
    if debian.exists() {
        return Ok(debian.to_owned());
    }
    let version =
        Command::new("java").arg("-version").output().context("Java 17 is not installed")?;
    let text = String::from_utf8_lossy(&version.stderr).into_owned();
    if text.contains("\"17.") || text.contains("\"11.") {
        return Ok(PathBuf::from("java"));
    }
    bail!(
        "Cassandra needs Java 17; install openjdk-17-jre-headless. Found: {}",
        text.lines().next().unwrap_or("none")
    )
}

/// The agent that measures objects for memory accounting.
fn jamm(jars: &Path) -> anyhow::Result<PathBuf> {
    let mut entries = fs::read_dir(jars)?.flatten().map(|entry| entry.path());
    entries
        .find(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("jamm-"))
        })
        .with_context(|| {
            format!("{} holds no jamm; remove the folder and try again", jars.display())
        })
}

fn settings(lab: &Lab, number: u8, folder: &Path) -> String {
    TEMPLATE
        .replace("@N@", &number.to_string())
        .replace("@TOKENS@", &tokens(number))
        .replace("@ADDRESS@", &Node::Cassandra(number).address().to_string())
        .replace("@SEEDS@", &Node::Cassandra(1).address().to_string())
        .replace("@DATA@", &folder.display().to_string())
        .replace("@PKI@", &lab.pki.folder().display().to_string())
}

/// Where the ranges of a node begin on the ring of 2^64 places, evenly among all nodes'.
fn tokens(number: u8) -> String {
    let nodes = 3_i128;
    let step = (1_i128 << 64) / (nodes * RANGES);
    let place = |range: i128| -(1_i128 << 63) + step * (i128::from(number) - 1 + nodes * range);
    let tokens: Vec<String> = (0..RANGES).map(|range| place(range).to_string()).collect();
    tokens.join(",")
}

/// Waits until a started node answers.
pub(crate) async fn ready(lab: &Lab, node: Node) -> anyhow::Result<()> {
    let answers = async || listens(&node.endpoint());
    lab.wait(("it does not answer", &[node]), UP_WITHIN, answers).await
}

/// Waits until every node answers and knows the same tables.
pub(crate) async fn whole(lab: &Lab) -> anyhow::Result<()> {
    for node in NODES {
        ready(lab, node).await?;
    }
    let cluster = admin(lab)?;
    let agreed = async || match Admin::connect(&cluster).await {
        Ok(admin) => admin.agreed().await,
        Err(_) => false,
    };
    lab.wait(("Cassandra's nodes know different tables", &NODES), UP_WITHIN, agreed).await
}

/// Locks the user that everybody knows and makes the lab's own.
pub(crate) async fn formed(lab: &Lab) -> anyhow::Result<()> {
    let own = admin(lab)?;
    if Admin::connect(&own).await.is_ok() {
        return Ok(());
    }
    let cluster = cluster(lab, "cassandra", "cassandra")?;
    let made = async || {
        let Ok(admin) = Admin::connect(&cluster).await else { return false };
        admin.create_superuser(&own.user, &own.password).await.is_ok()
    };
    lab.wait(("Cassandra does not let its first user in", &NODES), UP_WITHIN, made).await?;
    let admin = Admin::connect(&own).await?;
    admin.lock("cassandra").await.context("Cassandra's first user cannot be locked")
}

/// The cluster as the lab's superuser reaches it.
pub(crate) fn admin(lab: &Lab) -> anyhow::Result<Cluster> {
    cluster(lab, ADMIN, lab.secrets.cassandra.expose())
}

fn cluster(lab: &Lab, user: &str, password: &str) -> anyhow::Result<Cluster> {
    Ok(Cluster {
        nodes: NODES.iter().map(|node| node.endpoint()).collect(),
        user: user.to_owned(),
        password: password.to_owned(),
        roots_pem: fs::read(lab.pki.root())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_is_cut_into_equal_parts() {
        let mut all: Vec<i128> = (1..=3)
            .flat_map(|number| {
                let text = tokens(number);
                text.split(',').map(|token| token.parse().unwrap()).collect::<Vec<i128>>()
            })
            .collect();
        all.sort_unstable();
        assert_eq!(all.first(), Some(&i128::from(i64::MIN)));
        let steps: Vec<i128> = all.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(steps.windows(2).all(|pair| pair[0] == pair[1]), "{steps:?}");
        assert_eq!(all.len(), 12);
    }
}
