//! Redis: a primary, two replicas, and three Sentinels that make another one primary when it dies.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::lab::Lab;
use crate::node::Node;
use crate::process::{listens, output};

/// The name under which Sentinels know the primary.
pub(crate) const PRIMARY_NAME: &str = "openframe";
const UP_WITHIN: Duration = Duration::from_secs(20);

/// Starts a server or a Sentinel.
pub(crate) fn start(lab: &Lab, node: Node) -> anyhow::Result<()> {
    let folder = lab.folder(node)?;
    let file = folder.join("node.conf");
    let watches = matches!(node, Node::Sentinel(_));
    // Both rewrite their settings when the primary changes: what they wrote must stay.
    if !file.exists() {
        fs::write(&file, if watches { sentinel(lab, node) } else { server(lab, node) })?;
    }
    let program = if watches { "redis-sentinel" } else { "redis-server" };
    lab.processes.start(&node.to_string(), Command::new(program).arg(&file))
}

fn common(lab: &Lab, node: Node) -> String {
    let (password, pki) = (lab.secrets.redis.expose(), &lab.pki);
    format!(
        "bind {address}\nport 0\ntls-port {port}\ntls-replication yes\ntls-auth-clients optional\n\
         tls-cert-file {certificate}\ntls-key-file {key}\ntls-ca-cert-file {root}\n\
         dir {folder}\nrequirepass {password}\n",
        address = node.address(),
        port = node.port(),
        certificate = pki.certificate(node).display(),
        key = pki.key(node).display(),
        root = pki.root().display(),
        folder = lab.path(node).display(),
    )
}

fn server(lab: &Lab, node: Node) -> String {
    let password = lab.secrets.redis.expose();
    // Nothing is kept on disk: what Redis holds can be rebuilt, and the product must live with that.
    let own = format!(
        "masterauth {password}\nappendonly no\nsave \"\"\nrepl-diskless-sync yes\n\
         repl-diskless-sync-delay 0\nreplica-announce-ip {}\nmin-replicas-to-write 1\n\
         min-replicas-max-lag 5\nmaxmemory 256mb\nmaxmemory-policy allkeys-lru\n",
        node.address()
    );
    let first = Node::Redis(1);
    let of = format!("replicaof {} {}\n", first.address(), first.port());
    common(lab, node) + &own + if node == first { "" } else { &of }
}

fn sentinel(lab: &Lab, node: Node) -> String {
    let (password, first) = (lab.secrets.redis.expose(), Node::Redis(1));
    let name = PRIMARY_NAME;
    common(lab, node)
        + &format!(
            "sentinel sentinel-pass {password}\nsentinel announce-ip {}\n\
             sentinel monitor {name} {} {} 2\nsentinel auth-pass {name} {password}\n\
             sentinel down-after-milliseconds {name} 2000\n\
             sentinel failover-timeout {name} 6000\nsentinel parallel-syncs {name} 2\n",
            node.address(),
            first.address(),
            first.port(),
        )
}

/// Waits until a started node answers.
pub(crate) async fn ready(lab: &Lab, node: Node) -> anyhow::Result<()> {
    let answers = async || ask(lab, node, &["ping"]).as_deref() == Some("PONG");
    lab.wait(("it does not answer", &[node]), UP_WITHIN, answers).await
}

/// Waits until the primary has both replicas in step and every Sentinel knows of the others.
pub(crate) async fn formed(lab: &Lab) -> anyhow::Result<()> {
    let formed = async || {
        let Some(primary) = primary(lab) else { return false };
        let replicas = ask(lab, primary, &["info", "replication"]).unwrap_or_default();
        let sentinels = [1, 2, 3].map(Node::Sentinel).iter().all(|&sentinel| {
            let quorum = ask(lab, sentinel, &["sentinel", "ckquorum", PRIMARY_NAME]);
            quorum.is_some_and(|text| text.starts_with("OK 3 usable"))
        });
        sentinels && replicas.matches("state=online").count() == 2
    };
    let nodes = [Node::Redis(1), Node::Redis(2), Node::Redis(3)];
    lab.wait(("Redis' replicas are not in step", &nodes), UP_WITHIN, formed).await
}

/// The node that is primary, as the Sentinels see it.
pub(crate) fn primary(lab: &Lab) -> Option<Node> {
    [1, 2, 3].map(Node::Sentinel).into_iter().find_map(|sentinel| {
        let text = ask(lab, sentinel, &["sentinel", "get-master-addr-by-name", PRIMARY_NAME])?;
        let address = text.lines().next()?.to_owned();
        [1, 2, 3].map(Node::Redis).into_iter().find(|node| node.address().to_string() == address)
    })
}

/// Removes everything that the primary keeps, and with it everything that the replicas keep.
pub(crate) fn flush(lab: &Lab) -> anyhow::Result<()> {
    let primary = primary(lab).context("Redis has no primary")?;
    let answer = ask(lab, primary, &["flushall", "sync"]);
    ensure!(answer.as_deref() == Some("OK"), "Redis does not flush: {answer:?}");
    Ok(())
}

fn ask(lab: &Lab, node: Node, words: &[&str]) -> Option<String> {
    if !listens(&node.endpoint()) {
        return None;
    }
    let mut command = Command::new("redis-cli");
    command.env("REDISCLI_AUTH", lab.secrets.redis.expose());
    command.arg("--tls").arg("--cacert").arg(lab.pki.root());
    command.args(["-h", &node.address().to_string(), "-p", &node.port().to_string()]).args(words);
    output(&mut command)
}
