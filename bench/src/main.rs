//! Measures the product beside its peers. `bench/RESULTS.md` keeps the figures, each with the
//! command that made it.

mod chaos;
mod client;
mod differ;
mod fleet;
mod footprint;
mod identity;
mod ingest;
mod mesh;
mod peer;
mod resolve;
mod revocation;
mod usage;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(about = "Measures the product beside its peers")]
struct Arguments {
    #[command(subcommand)]
    measure: Measure,
}

#[derive(Debug, Subcommand)]
enum Measure {
    /// Memory, CPU and network of an idle server and one idle agent; time of a start
    Footprint {
        /// Seconds to watch
        #[arg(long, default_value_t = 120)]
        seconds: u64,
    },
    /// Memory and CPU of a server with many simulated devices
    Fleet {
        /// How many
        #[arg(long, default_value_t = 1_000)]
        devices: usize,
        /// Seconds to watch
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
    /// CPU per sample of `remote_write`, beside Prometheus
    Ingest {
        /// The Prometheus executable
        #[arg(long)]
        prometheus: PathBuf,
        /// Series
        #[arg(long, default_value_t = 10_000)]
        series: usize,
        /// Requests of each round, with one sample of each series
        #[arg(long, default_value_t = 50)]
        requests: usize,
        /// Rounds, taken in turn
        #[arg(long, default_value_t = 5)]
        rounds: usize,
    },
    /// CPU of a token on PostgreSQL, beside oidc-provider; needs the lab (`cargo xtask lab up`)
    Identity {
        /// A folder in which `npm install oidc-provider` was run
        #[arg(long)]
        oidc_provider: Option<PathBuf>,
        /// Seconds of each round
        #[arg(long, default_value_t = 10)]
        seconds: u64,
    },
    /// What it costs the gateway to know who asks, once it remembers
    Resolve {
        /// Seconds to measure
        #[arg(long, default_value_t = 10)]
        seconds: u64,
    },
    /// How long what was revoked still works; needs the lab
    Revocation {
        /// Tries of each kind
        #[arg(long, default_value_t = 200)]
        tries: usize,
    },
    /// The choice of a replica beside taking them in turn, and how much is asked again
    Mesh {
        /// Seconds of each round
        #[arg(long, default_value_t = 5)]
        seconds: u64,
    },
    /// Kills, pauses and cuts off each process of the whole picture under load
    Chaos {
        /// Only the cases with one of these in their names, such as `kill devices,etcd`
        #[arg(long, default_value = "")]
        only: String,
        /// Addresses may be cut off: this process runs as root in a network of its own
        #[arg(long)]
        own_network: bool,
    },
    /// A real Prometheus writes into the product, and both answer the same queries
    Differ {
        /// The Prometheus executable
        #[arg(long)]
        prometheus: PathBuf,
        /// Seconds that it writes
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Arguments::parse().measure {
        Measure::Footprint { seconds } => footprint::run(seconds).await,
        Measure::Fleet { devices, seconds } => fleet::run(devices, seconds).await,
        Measure::Ingest { prometheus, series, requests, rounds } => {
            ingest::run(&prometheus, ingest::Load { series, requests, rounds }).await
        }
        Measure::Identity { oidc_provider, seconds } => {
            identity::run(seconds, oidc_provider.as_deref()).await
        }
        Measure::Resolve { seconds } => resolve::run(seconds).await,
        Measure::Revocation { tries } => revocation::run(tries).await,
        Measure::Mesh { seconds } => mesh::run(seconds).await,
        Measure::Chaos { only, own_network } => chaos::run(&only, own_network).await,
        Measure::Differ { prometheus, seconds } => differ::run(&prometheus, seconds).await,
    }
}

/// The time, Unix milliseconds.
#[expect(clippy::disallowed_methods, reason = "servers refuse samples that are not of now")]
fn now_ms() -> anyhow::Result<u64> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    Ok(u64::try_from(now.as_millis())?)
}

/// Prints a line of a table.
#[expect(clippy::print_stdout, reason = "this is what the program is for")]
fn say(line: &str) {
    println!("{line}");
}
