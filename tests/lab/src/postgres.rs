//! PostgreSQL: a primary and a synchronous standby. Patroni makes the standby primary when the other
//! node dies; etcd is the witness that two nodes need to agree.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal};

use crate::lab::Lab;
use crate::node::Node;
use crate::process::{kill_postmaster, listens, output};

pub(crate) const NODES: [Node; 2] = [Node::Postgres(1), Node::Postgres(2)];
const UP_WITHIN: Duration = Duration::from_mins(2);
/// Patroni's own API.
const PATRONI_PORT: u16 = 8008;

/// Starts the witness.
pub(crate) fn start_witness(lab: &Lab) -> anyhow::Result<()> {
    let (node, folder) = (Node::Etcd, lab.folder(Node::Etcd)?);
    let url = format!("https://{}", node.endpoint());
    let peer = format!("https://{}:2380", node.address());
    let mut etcd = Command::new("etcd");
    etcd.args(["--name", "witness", "--enable-v2=false", "--logger=zap", "--client-cert-auth"]);
    etcd.args(["--listen-client-urls", &url, "--advertise-client-urls", &url]);
    etcd.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
    etcd.args(["--initial-cluster", &format!("witness={peer}")]);
    etcd.arg("--data-dir").arg(folder.join("data"));
    for of in ["", "peer-"] {
        etcd.arg(format!("--{of}cert-file={}", lab.pki.certificate(node).display()));
        etcd.arg(format!("--{of}key-file={}", lab.pki.key(node).display()));
        etcd.arg(format!("--{of}trusted-ca-file={}", lab.pki.root().display()));
    }
    etcd.arg("--peer-client-cert-auth");
    lab.processes.start("etcd", &mut etcd)
}

/// Starts a node: Patroni, which starts PostgreSQL.
pub(crate) fn start(lab: &Lab, node: Node) -> anyhow::Result<()> {
    let folder = lab.folder(node)?;
    let file = folder.join("patroni.yml");
    for (from, to) in [
        (lab.pki.key(node), "server.key"),
        (lab.pki.certificate(node), "server.crt"),
        (lab.pki.root(), "root.crt"),
    ] {
        fs::copy(from, folder.join(to))?;
    }
    fs::write(&file, settings(lab, node, &folder)?)?;
    let mut patroni = Command::new("patroni");
    patroni.arg(&file);
    // PostgreSQL refuses to run as root.
    if rustix::process::geteuid().is_root() {
        let (user, group) = account("postgres")?;
        for path in [
            &folder,
            &file,
            &folder.join("server.key"),
            &folder.join("server.crt"),
            &folder.join("root.crt"),
        ] {
            chown(path, Some(user), Some(group))?;
        }
        patroni.uid(user).gid(group).env("HOME", &folder);
    }
    lab.processes.start(&node.to_string(), &mut patroni)
}

fn account(name: &str) -> anyhow::Result<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd")?;
    let line = users.lines().find(|line| line.split(':').next() == Some(name));
    let line =
        line.with_context(|| format!("there is no user {name}; is PostgreSQL installed?"))?;
    let mut ids = line.split(':').skip(2).map(str::parse::<u32>);
    match (ids.next(), ids.next()) {
        (Some(Ok(user)), Some(Ok(group))) => Ok((user, group)),
        _ => bail!("the entry of {name} in /etc/passwd is damaged"),
    }
}

/// The folder with PostgreSQL's programs: the newest that Debian has installed.
fn programs() -> anyhow::Result<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .context("PostgreSQL is not installed")?
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .filter(|folder| folder.join("postgres").exists())
        .collect();
    found.sort();
    found.pop().context("PostgreSQL's server is not installed")
}

fn settings(lab: &Lab, node: Node, folder: &Path) -> anyhow::Result<String> {
    let (address, folder) = (node.address(), folder.display());
    let password = lab.secrets.postgres.expose();
    let replication = lab.secrets.replication.expose();
    let (programs, etcd) = (programs()?, Node::Etcd.endpoint());
    let programs = programs.display();
    // `maximum_lag_on_failover: 0` and synchronous mode: only a standby that has everything that was
    // acknowledged may become primary. Not strict: a primary without a standby goes on. Patroni speaks
    // to its own server by a Unix socket: one that hung on an address that was cut off took the
    // leader's lock back afterwards, and what its successor had acknowledged was lost (seen with 3.0.2).
    Ok(format!(
        r#"scope: openframe-lab
namespace: /openframe/
name: {node}
restapi:
  listen: "{address}:{PATRONI_PORT}"
  connect_address: "{address}:{PATRONI_PORT}"
  certfile: {folder}/server.crt
  keyfile: {folder}/server.key
  cafile: {folder}/root.crt
  authentication: {{ username: lab, password: "{password}" }}
ctl: {{ cacert: {folder}/root.crt }}
etcd3:
  host: "{etcd}"
  protocol: https
  cacert: {folder}/root.crt
  cert: {folder}/server.crt
  key: {folder}/server.key
bootstrap:
  dcs:
    ttl: 10
    loop_wait: 2
    retry_timeout: 3
    maximum_lag_on_failover: 0
    failsafe_mode: true
    synchronous_mode: true
    synchronous_mode_strict: false
    postgresql:
      use_pg_rewind: true
      parameters:
        max_connections: 200
        wal_level: replica
        hot_standby: "on"
        synchronous_commit: "on"
        wal_keep_size: 256MB
        tcp_user_timeout: 3000
        wal_receiver_timeout: 5s
        wal_sender_timeout: 5s
  initdb: [ {{ encoding: UTF8 }}, {{ locale: C.UTF-8 }}, data-checksums ]
postgresql:
  listen: "{address}:5432"
  connect_address: "{address}:5432"
  use_unix_socket: true
  data_dir: {folder}/data
  bin_dir: {programs}
  pgpass: {folder}/pgpass
  authentication:
    superuser: {{ username: postgres, password: "{password}", sslmode: verify-full, sslrootcert: {folder}/root.crt }}
    replication: {{ username: replicator, password: "{replication}", sslmode: verify-full, sslrootcert: {folder}/root.crt }}
    rewind: {{ username: postgres, password: "{password}", sslmode: verify-full, sslrootcert: {folder}/root.crt }}
  pg_hba:
    - local all all scram-sha-256
    - hostssl replication replicator 127.0.0.0/8 scram-sha-256
    - hostssl all all 127.0.0.0/8 scram-sha-256
  parameters:
    unix_socket_directories: {folder}
    shared_buffers: 64MB
    ssl: "on"
    ssl_cert_file: {folder}/server.crt
    ssl_key_file: {folder}/server.key
    ssl_ca_file: {folder}/root.crt
tags: {{ nofailover: false, noloadbalance: false }}
"#
    ))
}

/// Waits until a started node answers questions.
pub(crate) async fn ready(lab: &Lab, node: Node) -> anyhow::Result<()> {
    let answers = async || ask(lab, node, "select 1").is_some();
    lab.wait(("it does not answer", &[node]), UP_WITHIN, answers).await
}

/// Waits until the witness listens.
pub(crate) async fn witness_ready(lab: &Lab) -> anyhow::Result<()> {
    let answers = async || listens(&Node::Etcd.endpoint());
    lab.wait(("it does not listen", &[Node::Etcd]), UP_WITHIN, answers).await
}

/// Waits until there is a primary with its standby in step, and the witness knows that: before, the
/// standby may not take over.
pub(crate) async fn formed(lab: &Lab) -> anyhow::Result<()> {
    let in_step = "select count(*) from pg_stat_replication where sync_state = 'sync'";
    let formed = async || {
        primary(lab).and_then(|node| ask(lab, node, in_step)).as_deref() == Some("1")
            && witnessed(lab).is_some_and(|members| members.contains("Sync Standby"))
    };
    lab.wait(("PostgreSQL's standby is not in step", &NODES), UP_WITHIN, formed).await
}

/// The members and their roles, as the witness has them.
fn witnessed(lab: &Lab) -> Option<String> {
    let mut patronictl = Command::new("patronictl");
    patronictl
        .arg("-c")
        .arg(lab.path(Node::Postgres(1)).join("patroni.yml"))
        .args(["list", "-f", "json"]);
    output(&mut patronictl)
}

/// The node that takes writes.
pub(crate) fn primary(lab: &Lab) -> Option<Node> {
    let is = |node: &Node| ask(lab, *node, "select pg_is_in_recovery()").as_deref() == Some("f");
    NODES.into_iter().find(is)
}

/// How many standbys a primary sends to; none when it does not answer.
pub(crate) fn standbys(lab: &Lab, primary: Node) -> Option<u32> {
    ask(lab, primary, "select count(*) from pg_stat_replication")?.parse().ok()
}

/// The process of the standby that takes what the primary sends.
pub(crate) fn receiver(lab: &Lab) -> Option<Pid> {
    let primary = primary(lab)?;
    let standby = NODES.into_iter().find(|node| *node != primary)?;
    let pid = ask(lab, standby, "select pid from pg_stat_wal_receiver")?;
    Pid::from_raw(pid.parse().ok()?)
}

/// Kills a node: PostgreSQL, and Patroni so that it is not started again.
pub(crate) fn kill(lab: &Lab, node: Node) {
    lab.processes.signal(&node.to_string(), Signal::KILL);
    kill_postmaster(&lab.path(node).join("data"));
}

fn ask(lab: &Lab, node: Node, question: &str) -> Option<String> {
    if !listens(&node.endpoint()) {
        return None;
    }
    let mut psql = Command::new("psql");
    psql.env("PGPASSWORD", lab.secrets.postgres.expose());
    psql.env("PGCONNECT_TIMEOUT", "3");
    psql.arg(format!(
        "host={} port={} user=postgres dbname=postgres sslmode=verify-full sslrootcert={}",
        node.address(),
        node.port(),
        lab.pki.root().display()
    ));
    psql.args(["--no-psqlrc", "--tuples-only", "--no-align", "--command", question]);
    output(&mut psql)
}
