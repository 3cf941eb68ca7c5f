//! A Cassandra node whose disk is small, and can be filled.
//!
//! The disk is a file system in memory, over the node's folder, that only the node sees: a process that
//! does nothing else holds its namespace (see [`mounts`]), so that the disk outlives the node.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, ensure};

use crate::cassandra;
use crate::lab::Lab;
use crate::mounts;
use crate::node::Node;

/// A node on a small disk. When this is dropped, the node is left to itself: see [`SmallDisk::end`].
#[derive(Debug)]
pub struct SmallDisk {
    lab: Lab,
    node: Node,
    /// Holds the namespace.
    holder: Child,
}

impl Lab {
    /// Moves a Cassandra node with all that it keeps onto a disk that has room for so many MiB more.
    pub async fn small_disk(&self, node: Node, room_mib: u64) -> anyhow::Result<SmallDisk> {
        ensure!(matches!(node, Node::Cassandra(_)), "only Cassandra's nodes have small disks");
        self.kill(node).await?;
        let folder = self.folder(node)?;
        let mut unshare = mounts::unshare();
        let script = "used=$(du -sm \"$0\" | cut -f1) && mkdir -p \"$0.disk\" && \
            mount -t tmpfs -o size=$((used + $1))m tmpfs \"$0.disk\" && \
            cp -a \"$0/.\" \"$0.disk/\" && mount --bind \"$0.disk\" \"$0\" && \
            echo mounted && exec sleep infinity";
        unshare.args(["sh", "-c", script]).arg(&folder).arg(room_mib.to_string());
        let mut holder = unshare.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut said = String::new();
        let output = holder.stdout.take().context("it has an output")?;
        BufReader::new(output).read_line(&mut said)?;
        ensure!(said.trim() == "mounted", "a small disk cannot be mounted");
        let disk = SmallDisk { lab: self.clone(), node, holder };
        disk.start().await?;
        Ok(disk)
    }
}

impl SmallDisk {
    /// Starts the node on its disk, and waits until it answers.
    pub async fn start(&self) -> anyhow::Result<()> {
        let java = cassandra::command(&self.lab, self.node)?;
        let mut inside = mounts::enter(self.holder.id());
        inside.arg(java.get_program()).args(java.get_args());
        self.lab.processes.start(&self.node.to_string(), &mut inside)?;
        cassandra::ready(&self.lab, self.node).await
    }

    /// The node's disk, as it is reached from outside.
    fn inside(&self) -> anyhow::Result<PathBuf> {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        Ok(root.join(self.lab.path(self.node).with_extension("disk").strip_prefix("/")?))
    }

    fn ballast(&self) -> anyhow::Result<PathBuf> {
        Ok(self.inside()?.join("ballast"))
    }

    /// Fills the disk to the last byte.
    pub fn fill(&self) -> anyhow::Result<()> {
        let mut file = File::create(self.ballast()?)?;
        let block = [0; 4096];
        loop {
            match file.write_all(&block) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Gives the disk as much room as it had.
    pub fn make_room(&self) -> anyhow::Result<()> {
        Ok(fs::remove_file(self.ballast()?)?)
    }

    /// Whether the node still runs.
    pub fn node_runs(&self) -> bool {
        self.lab.processes.pid(&self.node.to_string()).is_some()
    }

    /// Moves the node with all that it keeps back to where it was, and starts it there.
    pub async fn end(mut self) -> anyhow::Result<()> {
        if self.node_runs() {
            self.lab.kill(self.node).await?;
        }
        let (folder, inside) = (self.lab.path(self.node), self.inside()?);
        fs::remove_dir_all(&folder)?;
        let mut copy = Command::new("cp");
        copy.arg("-a").arg(inside).arg(&folder);
        ensure!(copy.status()?.success(), "{copy:?} failed");
        self.holder.kill()?;
        self.holder.wait()?;
        fs::remove_dir_all(folder.with_extension("disk"))?;
        self.lab.start(self.node).await
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // It may have ended already.
        self.holder.kill().ok();
        self.holder.wait().ok();
    }
}
