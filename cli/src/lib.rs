//! What an operator types: the whole API by the same names, for people and for scripts.
//!
//! [`Command`] is the list of subcommands, [`run`] carries one out. Each subcommand is a file that
//! asks through the typed clients of `api/` and prints with `output`. Exit codes come from the
//! eight kinds of failure (`fault::Kind::exit_code`).

mod alert;
mod api_key;
mod audit;
mod client;
mod connection;
mod device;
mod download;
mod enrol_token;
mod grant;
mod group;
mod health;
mod identity_provider;
mod job;
mod keys;
mod output;
mod place;
mod query;
mod sse;
mod user;
mod whoami;

use clap::{Args, Subcommand, ValueEnum};
use openframe_fault::{Fault, Kind};

use crate::connection::Connection;

/// How a command's answer is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table for people.
    Table,
    /// JSON, as the API answers.
    Json,
}

/// What every command that talks to a server takes.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Address of the server; the one of `openframe login` when absent
    #[arg(long, global = true, env = "OPENFRAME_SERVER", value_name = "URL")]
    pub server: Option<String>,
    /// File that holds an API key
    #[arg(long, global = true, env = "OPENFRAME_API_KEY_FILE", value_name = "FILE")]
    pub api_key_file: Option<std::path::PathBuf>,
    /// File with the platform's root certificate (PEM)
    #[arg(long, global = true, env = "OPENFRAME_CA", value_name = "FILE")]
    pub ca: Option<std::path::PathBuf>,
    /// How answers are printed
    #[arg(long, global = true, value_enum, default_value = "table")]
    pub output: Format,
}

/// Commands that ask a server.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check an API key and remember it with the server's address
    Login,
    /// Forget the remembered key and address
    Logout,
    /// Show who the API key belongs to and what it may do
    Whoami,
    /// List and show devices
    #[command(subcommand)]
    Device(device::DeviceCommand),
    /// Run commands on devices
    #[command(subcommand)]
    Job(job::JobCommand),
    /// Ask for telemetry in PromQL
    Query(query::QueryArgs),
    /// Make and list enrolment tokens
    #[command(subcommand)]
    EnrolToken(enrol_token::EnrolTokenCommand),
    /// Make, list and revoke API keys
    #[command(subcommand)]
    ApiKey(api_key::ApiKeyCommand),
    /// Make, list and remove organisations, sites and groups
    #[command(subcommand)]
    Place(place::PlaceCommand),
    /// Ask why somebody may do something somewhere, or may not
    #[command(subcommand)]
    Access(grant::AccessCommand),
    /// List and invite people, grant roles at places, make links for new passwords, and manage second factors
    #[command(subcommand)]
    User(user::UserCommand),
    /// List groups of people, which directories keep (SCIM)
    #[command(subcommand)]
    Group(group::GroupCommand),
    /// Register, list and remove programs that ask people for access (OAuth)
    #[command(subcommand)]
    Client(client::ClientCommand),
    /// Add, list, change and remove other providers that people may sign in at (OpenID Connect)
    #[command(subcommand)]
    IdentityProvider(identity_provider::IdentityProviderCommand),
    /// List and rotate the keys that sign ID tokens
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// List alerts
    #[command(subcommand)]
    Alert(alert::AlertCommand),
    /// Show how each part of the platform is; fails when one is not ready
    Health(health::HealthArgs),
    /// Read and verify the audit trail
    #[command(subcommand)]
    Audit(audit::AuditCommand),
}

/// Carries out one command.
pub async fn run(global: &Global, command: Command) -> Result<(), Fault> {
    let format = global.output;
    if let Command::Logout = command {
        return connection::logout(format);
    }
    let connection = Connection::open(global)?;
    ask(&connection, format, command).await.map_err(|fault| connection.explain(fault))
}

async fn ask(connection: &Connection, format: Format, command: Command) -> Result<(), Fault> {
    match command {
        Command::Login => connection.login(format).await,
        Command::Logout => Ok(()),
        Command::Whoami => whoami::whoami(connection, format).await,
        Command::Device(command) => device::run(connection, format, command).await,
        Command::Job(command) => job::run(connection, format, command).await,
        Command::Query(args) => query::run(connection, format, args).await,
        Command::EnrolToken(command) => enrol_token::run(connection, format, command).await,
        Command::ApiKey(command) => api_key::run(connection, format, command).await,
        Command::Group(command) => group::run(connection, format, command).await,
        Command::Place(command) => place::run(connection, format, command).await,
        Command::Access(command) => grant::access(connection, format, command).await,
        Command::User(command) => user::run(connection, format, command).await,
        Command::Client(command) => client::run(connection, format, command).await,
        Command::IdentityProvider(command) => {
            identity_provider::run(connection, format, command).await
        }
        Command::Keys(command) => keys::run(connection, format, command).await,
        Command::Alert(command) => alert::run(connection, format, command).await,
        Command::Health(args) => health::run(connection, format, args).await,
        Command::Audit(command) => audit::run(connection, format, command).await,
    }
}

/// Prints a failure as people and scripts expect it: one line what is wrong, one line what to do.
/// Returns the exit code.
pub fn report(fault: &Fault) -> u8 {
    let hint = match fault.kind() {
        Kind::Invalid => "see --help for what is accepted",
        Kind::Unauthenticated => "`openframe login --api-key-file FILE` remembers a key",
        Kind::Forbidden => {
            "ask an owner for a role or a key that may do this; `openframe whoami` shows yours"
        }
        Kind::NotFound => "check the id; `openframe device list` shows devices",
        Kind::Conflict => "look at the present state, then decide again",
        Kind::TooMany => "wait a moment and try again",
        Kind::Unavailable => {
            "check that the server runs there, and name its root with --ca if it is its own"
        }
        Kind::Internal => "look into the server's log",
    };
    output::error_line(&format!("error: {}", output::visible(fault.message())));
    output::error_line(&format!("hint:  {hint} ({})", output::visible(fault.code())));
    fault.kind().exit_code()
}
