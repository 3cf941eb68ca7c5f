//! `openframe identity-provider`: other providers that people may sign in at.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use openframe_auth_api::{IdentityProvider, IdentityProviderChange, NOBODY, NewIdentityProvider};
use openframe_fault::Fault;
use openframe_ids::IdentityProviderId;

use crate::connection::Connection;
use crate::{Format, output};

/// What can be done with other providers, by an owner's key that no scope holds back.
#[derive(Debug, Subcommand)]
pub enum IdentityProviderCommand {
    /// Add a provider; prints where it has to send browsers back to
    Create(CreateArgs),
    /// List providers
    List,
    /// Change a provider; what is not named stays
    Change(ChangeArgs),
    /// Remove a provider, and forget whom it knows
    Remove {
        /// The provider's id
        provider: IdentityProviderId,
    },
}

/// A provider to add.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// What people are shown
    name: String,
    /// What it calls itself, letter by letter, such as `https://accounts.google.com`
    #[arg(long)]
    issuer: String,
    /// What the platform is called there
    #[arg(long)]
    client_id: String,
    /// A file with the secret that the platform was given there
    #[arg(long, value_name = "FILE")]
    client_secret_file: PathBuf,
    /// What is asked for there; several times for several
    #[arg(long = "scope")]
    scopes: Vec<String>,
    /// The domain of mail addresses by which people are known here, or are made; several times for several
    #[arg(long = "allowed-domain")]
    allowed_domains: Vec<String>,
    /// The role of people who are made when they first sign in
    #[arg(long, default_value = NOBODY)]
    creates_people: String,
    /// Several factors that were shown there count here
    #[arg(long)]
    trusts_mfa: bool,
    /// Nobody may sign in there yet
    #[arg(long)]
    disabled: bool,
}

/// What to change of a provider.
#[derive(Debug, Args)]
pub struct ChangeArgs {
    /// The provider's id
    provider: IdentityProviderId,
    /// What people are shown
    #[arg(long)]
    name: Option<String>,
    /// A file with another secret
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
    /// What is asked for there, in the place of what was; several times for several
    #[arg(long = "scope")]
    scopes: Vec<String>,
    /// The domains of known mail addresses, in the place of those that were; several times for several
    #[arg(long = "allowed-domain", conflicts_with = "no_domains")]
    allowed_domains: Vec<String>,
    /// Nobody is known or made by a mail address
    #[arg(long)]
    no_domains: bool,
    /// The role of people who are made when they first sign in, or `nobody`
    #[arg(long)]
    creates_people: Option<String>,
    /// Whether several factors that were shown there count here
    #[arg(long)]
    trusts_mfa: Option<bool>,
    /// Whether people may sign in there
    #[arg(long)]
    enabled: Option<bool>,
}

pub(crate) async fn run(
    connection: &Connection,
    format: Format,
    command: IdentityProviderCommand,
) -> Result<(), Fault> {
    let auth = connection.auth();
    match command {
        IdentityProviderCommand::Create(args) => {
            let made = auth.create_identity_provider(&new(args)?).await?;
            if format == Format::Json {
                return output::json(&made);
            }
            output::line(&format!("id            {}", made.id))?;
            output::line(&format!("redirect_uri  {}", made.redirect_uri))
        }
        IdentityProviderCommand::List => {
            let page = auth.identity_providers().await?;
            let rows = page.items.iter().map(row).collect();
            let head = ["ID", "NAME", "ISSUER", "DOMAINS", "MAKES", "STATE"];
            output::print(format, &page, &head, rows)
        }
        IdentityProviderCommand::Change(args) => {
            let id = args.provider;
            let changed = auth.change_identity_provider(id, &change(args)?).await?;
            match format {
                Format::Json => output::json(&changed),
                Format::Table => output::done(format, &id.to_string(), "changed"),
            }
        }
        IdentityProviderCommand::Remove { provider } => {
            auth.remove_identity_provider(provider).await?;
            output::done(format, &provider.to_string(), "removed")
        }
    }
}

fn row(it: &IdentityProvider) -> Vec<String> {
    let state = if it.enabled { "enabled" } else { "disabled" };
    let (name, issuer) = (it.name.clone(), it.issuer.clone());
    let (domains, makes) = (it.allowed_domains.join(" "), it.creates_people.clone());
    vec![it.id.to_string(), name, issuer, domains, makes, state.to_owned()]
}

fn new(args: CreateArgs) -> Result<NewIdentityProvider, Fault> {
    Ok(NewIdentityProvider {
        name: args.name,
        issuer: args.issuer,
        client_id: args.client_id,
        client_secret: secret(&args.client_secret_file)?,
        scopes: (!args.scopes.is_empty()).then_some(args.scopes),
        allowed_domains: args.allowed_domains,
        creates_people: args.creates_people,
        trusts_mfa: args.trusts_mfa,
        enabled: !args.disabled,
    })
}

fn change(args: ChangeArgs) -> Result<IdentityProviderChange, Fault> {
    let domains = args.no_domains || !args.allowed_domains.is_empty();
    Ok(IdentityProviderChange {
        name: args.name,
        client_secret: args.client_secret_file.as_deref().map(secret).transpose()?,
        scopes: (!args.scopes.is_empty()).then_some(args.scopes),
        allowed_domains: domains.then_some(args.allowed_domains),
        creates_people: args.creates_people,
        trusts_mfa: args.trusts_mfa,
        enabled: args.enabled,
    })
}

/// The secret in a file, which no other process can see, as it could an argument.
fn secret(path: &Path) -> Result<String, Fault> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let wrong = format!("{}: the file cannot be read", path.display());
        Fault::invalid("bad_secret_file", wrong).because(error)
    })?;
    Ok(text.trim().to_owned())
}
