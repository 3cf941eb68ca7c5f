//! The lab's command line; `cargo xtask lab` runs it.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use openframe_lab::{Lab, Node};

/// Real clusters of PostgreSQL, Cassandra and Redis on this machine.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask lab")]
struct Arguments {
    /// Folder of the clusters' data
    #[arg(long, value_name = "DIR", default_value = Lab::HOME)]
    home: PathBuf,
    /// Folder of what is fetched
    #[arg(long, value_name = "DIR", default_value = Lab::CACHE)]
    cache: PathBuf,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Fetch the programs that are no packages of Debian
    Fetch,
    /// Start every node that does not run
    Up,
    /// Stop every node and remove its data
    Down,
    /// List the nodes
    Status,
    /// Kill a node
    Kill { node: Node },
    /// Bring a schema of PostgreSQL up to date with the files in FOLDER, and print its address
    Migrate { schema: String, folder: PathBuf },
    /// Start a killed node
    Start { node: Node },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match act(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(io::stderr().lock(), "error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn act(arguments: Arguments) -> anyhow::Result<()> {
    if let What::Fetch = arguments.what {
        return Lab::fetch(&arguments.cache, &line);
    }
    if !matches!(arguments.what, What::Up) && !Lab::exists(&arguments.home) {
        if let What::Down = arguments.what {
            return Ok(());
        }
        anyhow::bail!("no lab is up; `cargo xtask lab up` starts it");
    }
    let lab = Lab::open(&arguments.home, &arguments.cache, Arc::new(line))?;
    match arguments.what {
        What::Fetch => Ok(()),
        What::Up => lab.up().await,
        What::Down => lab.down().await,
        What::Kill { node } => lab.kill(node).await,
        What::Start { node } => lab.start(node).await,
        What::Migrate { schema, folder } => {
            line(&lab.migrate(&schema, &folder).await?);
            Ok(())
        }
        What::Status => {
            for (node, memory) in lab.status() {
                let state =
                    memory.map_or_else(|| "down".to_owned(), |mib| format!("up {mib:>6} MiB"));
                line(&format!("{:<12} {:<18} {state}", node.to_string(), node.endpoint()));
            }
            Ok(())
        }
    }
}

/// Nobody is left to tell when printing fails.
fn line(text: &str) {
    let mut out = io::stdout().lock();
    drop(writeln!(out, "{text}").and_then(|()| out.flush()));
}
