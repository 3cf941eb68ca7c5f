//! `openframe api-key`: keys for programs.

use clap::Subcommand;
use openframe_auth_api::{ApiKey, NewApiKey};
use openframe_fault::Fault;
use openframe_ids::ApiKeyId;

use crate::connection::Connection;
use crate::{Format, output, user};

/// What can be done with API keys, by an owner's key that no scope holds back.
#[derive(Debug, Subcommand)]
pub enum ApiKeyCommand {
    /// Make a key; its secret is printed once
    Create {
        /// What it is for
        name: String,
        /// What it may do, such as `devices:read`; several times for several
        #[arg(long = "scope", required = true)]
        scopes: Vec<String>,
        /// The provisioner whose key it is, by id or mail address; one's own when absent
        #[arg(long, value_name = "PERSON")]
        of: Option<String>,
        /// Days until it ends
        #[arg(long, default_value_t = 90)]
        expires_in_days: u32,
    },
    /// List one's own keys
    List {
        /// Everybody's keys
        #[arg(long)]
        all: bool,
    },
    /// Revoke a key
    Revoke {
        /// The key's id
        key: ApiKeyId,
    },
}

pub(crate) async fn run(
    connection: &Connection,
    format: Format,
    command: ApiKeyCommand,
) -> Result<(), Fault> {
    let auth = connection.auth();
    match command {
        ApiKeyCommand::Create { name, scopes, of, expires_in_days } => {
            let wanted = NewApiKey { name, scopes, expires_in_days: Some(expires_in_days) };
            let made = match of {
                None => auth.create_api_key(&wanted).await?,
                Some(of) => auth.create_api_key_of(user::find(&auth, &of).await?, &wanted).await?,
            };
            match format {
                Format::Json => output::json(&made),
                Format::Table => output::line(&made.secret),
            }
        }
        ApiKeyCommand::List { all } => {
            let page = auth.api_keys(all).await?;
            let row = |key: &ApiKey| {
                let (scopes, ends) = (key.scopes.join(", "), key.expires_at.to_string());
                vec![key.id.to_string(), key.name.clone(), scopes, ends]
            };
            let rows = page.items.iter().map(row).collect();
            output::print(format, &page, &["ID", "NAME", "SCOPES", "ENDS"], rows)
        }
        ApiKeyCommand::Revoke { key } => {
            auth.revoke_api_key(key).await?;
            output::done(format, &key.to_string(), "revoked")
        }
    }
}
