//! Every setting of the process, in one struct of the services' own.

use std::path::PathBuf;

use openframe_config::{Layers, Mistake, Mistakes};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::args::RunArgs;

/// All settings. A file has the same names in TOML; a variable is `OPENFRAME_` and the name in
/// capitals with `__` for each dot.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Folder for everything that is kept.
    pub(crate) data: PathBuf,
    /// Address for people and API clients: https://HOST:PORT, or http:// on loopback and behind a
    /// proxy that `gateway.trusted_proxies` names.
    pub(crate) listen: String,
    /// Address for agents: https://HOST:PORT.
    pub(crate) agents_listen: String,
    /// Address for probes and metrics, never exposed outside: http://HOST:PORT; empty for none.
    pub(crate) admin_listen: String,
    /// Names and addresses that the server's certificate has besides those it listens on.
    pub(crate) server_names: Vec<String>,
    /// Address under which agents reach the server, for the line that enrols one; the agents'
    /// listen address when empty.
    pub(crate) agents_url: String,
    /// Address under which people reach the server, for links that are printed; the people's listen
    /// address when empty.
    pub(crate) url: String,
    /// File with the roots, PEM, that servers of webhooks and syslog are checked against, beside the
    /// platform's own.
    pub(crate) webhook_roots: PathBuf,
    /// Seconds that requests under way get when the server stops.
    pub(crate) grace_s: u64,
    /// Log filter, such as `info` or `info,openframe_gateway=debug`.
    pub(crate) log: String,
    /// Whether log lines are JSON.
    pub(crate) log_json: bool,
    /// Where services of their own processes find each other.
    pub(crate) mesh: MeshSettings,
    /// Where services of their own processes keep what they keep.
    pub(crate) stores: StoreSettings,
    /// The only door.
    pub(crate) gateway: openframe_gateway::Config,
    /// Who may do what.
    pub(crate) auth: openframe_auth::Config,
    /// Which devices exist and what they are told to do.
    pub(crate) devices: openframe_devices::Config,
    /// What devices measure.
    pub(crate) monitoring: openframe_monitoring::Config,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data: PathBuf::from("openframe-data"),
            listen: "https://127.0.0.1:8443".to_owned(),
            agents_listen: "https://127.0.0.1:8444".to_owned(),
            admin_listen: "http://127.0.0.1:8445".to_owned(),
            server_names: Vec::new(),
            agents_url: String::new(),
            url: String::new(),
            webhook_roots: PathBuf::from("/etc/ssl/certs/ca-certificates.crt"),
            grace_s: 20,
            log: crate::USUAL_LOG.to_owned(),
            log_json: false,
            mesh: MeshSettings::default(),
            stores: StoreSettings::default(),
            gateway: openframe_gateway::Config::default(),
            auth: openframe_auth::Config::default(),
            devices: openframe_devices::Config::default(),
            monitoring: openframe_monitoring::Config::default(),
        }
    }
}

/// Where services of their own processes find each other.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct MeshSettings {
    /// Who encrypts between services, chooses replicas and tries again.
    pub(crate) provider: MeshProvider,
    /// Address for the other services, HOST:PORT. Who they are is shown by their certificates.
    pub(crate) listen: String,
    /// Folder that `openframe mesh init` made for this service.
    pub(crate) identity: String,
    /// Addresses of gateways, HOST:PORT; a name may stand for several of them.
    pub(crate) gateway: Vec<String>,
    /// Addresses of auth services.
    pub(crate) auth: Vec<String>,
    /// Addresses of devices services.
    pub(crate) devices: Vec<String>,
    /// Addresses of monitoring services.
    pub(crate) monitoring: Vec<String>,
    /// Where every single replica is.
    pub(crate) each: EachSettings,
}

/// Where every single replica is, for what all of them are told or asked. Needed where the addresses
/// above are those of a balancer, as with `linkerd` and `istio-ambient`; the same as above when empty.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct EachSettings {
    /// Addresses of gateways, HOST:PORT; a name may stand for several of them (a headless Service).
    pub(crate) gateway: Vec<String>,
    /// Addresses of auth services.
    pub(crate) auth: Vec<String>,
    /// Addresses of devices services.
    pub(crate) devices: Vec<String>,
    /// Addresses of monitoring services.
    pub(crate) monitoring: Vec<String>,
}

/// Who does what a service mesh does. No part of it is done twice: retries would multiply.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum MeshProvider {
    /// OpenFrame itself: mutual TLS, choice of the replica, retries.
    #[default]
    Builtin,
    /// Linkerd around the processes does all of it; connections are not encrypted here.
    Linkerd,
    /// Istio in ambient mode around the processes does all of it; connections are not encrypted here.
    IstioAmbient,
    /// Nobody chooses or tries again, such as behind a plain balancer; OpenFrame encrypts.
    None,
}

impl MeshProvider {
    /// Whether connections between services are encrypted here.
    pub(crate) fn encrypts_here(self) -> bool {
        matches!(self, Self::Builtin | Self::None)
    }

    /// Whether a replica is chosen here, and another one tried when it fails.
    pub(crate) fn balances_here(self) -> bool {
        self == Self::Builtin
    }
}

/// Where services of their own processes keep what they keep.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct StoreSettings {
    /// What the names of PostgreSQL schemas and Cassandra keyspaces begin with.
    pub(crate) prefix: String,
    /// People, keys, audit, alert rules.
    pub(crate) postgres: PostgresSettings,
    /// Devices, inventories, commands, samples.
    pub(crate) cassandra: CassandraSettings,
    /// What replicas tell each other.
    pub(crate) redis: RedisSettings,
}

impl Default for StoreSettings {
    fn default() -> Self {
        let (postgres, cassandra, redis) = Default::default();
        Self { prefix: "openframe".to_owned(), postgres, cassandra, redis }
    }
}

/// A PostgreSQL cluster.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PostgresSettings {
    /// Every node, HOST or HOST:PORT; the one that takes writes is found.
    pub(crate) hosts: Vec<String>,
    /// The role to sign in as.
    pub(crate) user: String,
    /// File with its password.
    pub(crate) password_file: PathBuf,
    /// The database.
    pub(crate) database: String,
    /// File with the authority, PEM, that the nodes' certificates come from.
    pub(crate) authority: PathBuf,
    /// Connections of one service to one node at most.
    pub(crate) connections: u32,
}

impl Default for PostgresSettings {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            user: "openframe".to_owned(),
            password_file: PathBuf::new(),
            database: "openframe".to_owned(),
            authority: PathBuf::new(),
            connections: 16,
        }
    }
}

/// A Cassandra cluster.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CassandraSettings {
    /// Nodes to begin with, HOST:PORT; the others are learnt from them.
    pub(crate) nodes: Vec<String>,
    /// The role to sign in as.
    pub(crate) user: String,
    /// File with its password.
    pub(crate) password_file: PathBuf,
    /// File with the authorities, PEM, that the nodes' certificates are checked against.
    pub(crate) authority: PathBuf,
}

impl Default for CassandraSettings {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            user: "openframe".to_owned(),
            password_file: PathBuf::new(),
            authority: PathBuf::new(),
        }
    }
}

/// A Redis primary with replicas, watched by Sentinels. Nothing is kept there: without it, samples
/// that another replica took are seen a moment later.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RedisSettings {
    /// The Sentinels, HOST or HOST:PORT; none to do without Redis.
    pub(crate) sentinels: Vec<String>,
    /// The name under which they know the primary.
    pub(crate) primary: String,
    /// File with the password of Redis and the Sentinels.
    pub(crate) password_file: PathBuf,
    /// File with the authorities, PEM, that the nodes' certificates are checked against.
    pub(crate) authority: PathBuf,
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self {
            sentinels: Vec::new(),
            primary: "openframe".to_owned(),
            password_file: PathBuf::new(),
            authority: PathBuf::new(),
        }
    }
}

/// Variables that are no settings: what commands that ask a server take (`openframe_cli::Global`),
/// and what the console's build and its end-to-end test take.
const RESERVED: [&str; 6] = [
    "OPENFRAME_SERVER",
    "OPENFRAME_API_KEY_FILE",
    "OPENFRAME_CA",
    "OPENFRAME_BIN",
    "OPENFRAME_CONSOLE",
    "OPENFRAME_CONSOLE_DIST",
];

/// Puts defaults, file, variables and flags together.
pub(crate) fn load(args: &RunArgs) -> Result<Settings, Mistakes> {
    let mut layers = Layers::default();
    if let Some(file) = &args.config {
        layers = layers.with_file(file)?;
    }
    layers.environment = openframe_config::environment(&RESERVED);
    let path = |path: &PathBuf| path.display().to_string();
    let flags = [
        ("data", args.data.as_ref().map(path)),
        ("listen", args.listen.clone()),
        ("agents_listen", args.agents_listen.clone()),
        ("admin_listen", args.admin_listen.clone()),
    ];
    let given = flags.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    layers.flags = given.collect();
    for set in &args.set {
        let (name, value) = set.split_once('=').ok_or_else(|| {
            let what = "write NAME=VALUE, such as --set log=debug".to_owned();
            Mistakes(vec![Mistake { place: format!("--set {set}"), what }])
        })?;
        layers.flags.push((name.to_owned(), value.to_owned()));
    }
    openframe_config::load(&layers)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn every_variable_of_a_flag_is_reserved() {
        let command = crate::args::Arguments::command();
        let variables = command.get_arguments().filter_map(|argument| argument.get_env());
        for variable in variables.filter_map(|name| name.to_str()) {
            assert!(RESERVED.contains(&variable), "{variable} would be taken for a setting");
        }
    }
}
