//! What can be typed after `openframe`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::roles::Role;

/// Watches and manages a fleet of computers.
#[derive(Debug, Parser)]
#[command(name = "openframe", version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: openframe_cli::Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the whole product here, with this machine as its first device
    Up(UpArgs),
    /// Run the server
    Run(ServeArgs),
    /// Bring the tables of the PostgreSQL and Cassandra clusters up to date
    Migrate(MigrateArgs),
    /// Look after the services' certificates
    #[command(subcommand)]
    Mesh(MeshCommand),
    /// Copy the data of a running or stopped server into a new folder
    Backup(BackupArgs),
    /// Put a backup into an empty data folder
    Restore(BackupArgs),
    /// Look at the settings
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Write reference documents
    #[command(subcommand, hide = true)]
    Docs(DocsCommand),
    #[command(flatten)]
    Ask(openframe_cli::Command),
}

/// Where the server keeps and serves things.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct RunArgs {
    /// File with settings (TOML)
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Folder for everything that is kept
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Address for people and API clients: https://HOST:PORT, or http:// on loopback and behind a
    /// named proxy
    #[arg(long, value_name = "URL")]
    pub(crate) listen: Option<String>,
    /// Address for agents: https://HOST:PORT
    #[arg(long, value_name = "URL")]
    pub(crate) agents_listen: Option<String>,
    /// Address for probes and metrics: http://HOST:PORT, never exposed outside
    #[arg(long, value_name = "URL")]
    pub(crate) admin_listen: Option<String>,
    /// On first start, write an owner's API key to this file (mode 0600, never overwritten)
    #[arg(long, value_name = "FILE")]
    pub(crate) bootstrap_key: Option<PathBuf>,
    /// Any setting by its dotted name; several times for several
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub(crate) set: Vec<String>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// Run one service of the platform alone, with the clusters and the mesh of the settings
    #[arg(long, value_name = "ROLE")]
    pub(crate) role: Option<Role>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct MigrateArgs {
    /// File with settings (TOML)
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Any setting by its dotted name; several times for several
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub(crate) set: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MeshCommand {
    /// Make the keys of a platform whose services are processes of their own
    Init {
        /// A new folder; each service is given its own folder in it
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

#[derive(Debug, Clone, Args)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// Use the agent that lies beside this executable instead of building it
    #[arg(long)]
    pub(crate) no_build: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct BackupArgs {
    /// The server's data folder
    #[arg(long, value_name = "DIR", default_value = "openframe-data")]
    pub(crate) data: PathBuf,
    /// The backup's folder
    #[arg(value_name = "DIR")]
    pub(crate) backup: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the settings in force, or every mistake in them
    Check(RunArgs),
}

/// A part of the API with a document of its own.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Service {
    Auth,
    Devices,
    Monitoring,
    Platform,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DocsCommand {
    /// The settings, as Markdown
    Config,
    /// The OpenAPI document of the whole API, or of one service
    Openapi {
        /// `auth`, `devices` or `monitoring`
        service: Option<Service>,
    },
    /// The help of every subcommand
    Cli,
}
