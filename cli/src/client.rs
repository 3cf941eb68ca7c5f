//! `openframe client`: programs that may ask people for access (OAuth).

use std::path::{Path, PathBuf};

use clap::Subcommand;
use openframe_auth_api::{NewOAuthClient, OAuthClient};
use openframe_fault::Fault;
use openframe_ids::ClientId;
use serde_json::Value;

use crate::connection::Connection;
use crate::{Format, output};

/// The grant of a program without a browser (RFC 8628, 3.4).
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// What can be done with programs that ask for access, by an owner's key that no scope holds back.
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Register a program; its secret is printed once
    Create {
        /// What people are shown
        name: String,
        /// Where browsers may be sent back to; several times for several
        #[arg(long = "redirect-uri")]
        redirect_uris: Vec<String>,
        /// Where browsers may be sent after a logout; several times for several
        #[arg(long = "post-logout-redirect-uri")]
        post_logout_redirect_uris: Vec<String>,
        /// Where it is told that a session has ended
        #[arg(long)]
        backchannel_logout_uri: Option<String>,
        /// What it may be given at most, such as `openid` or `devices:read`; several times for several
        #[arg(long = "scope", required = true)]
        scopes: Vec<String>,
        /// It cannot keep a secret, because it runs on people's own machines
        #[arg(long)]
        public: bool,
        /// It may act for itself, with nobody behind it
        #[arg(long)]
        own_behalf: bool,
        /// It has no browser: people allow it on another device
        #[arg(long)]
        device_flow: bool,
        /// A file with the public keys that it signs with to show who it is, in the place of a secret:
        /// a set of keys (RFC 7517)
        #[arg(long)]
        jwks: Option<PathBuf>,
        /// What it has to do that others may leave; several times for several
        #[arg(long = "demand", value_parser = ["pushed_requests", "bound_tokens"])]
        demands: Vec<String>,
        /// It need not use PKCE, if it sends a nonce
        #[arg(long)]
        waive_pkce: bool,
    },
    /// List programs
    List,
    /// Remove a program, and every token of it
    Remove {
        /// The program's id
        client: ClientId,
    },
}

pub(crate) async fn run(
    connection: &Connection,
    format: Format,
    command: ClientCommand,
) -> Result<(), Fault> {
    let auth = connection.auth();
    match command {
        ClientCommand::Create {
            name,
            redirect_uris,
            post_logout_redirect_uris,
            backchannel_logout_uri,
            scopes,
            public,
            own_behalf,
            device_flow,
            jwks,
            demands,
            waive_pkce,
        } => {
            let more_grants = device_flow.then(|| DEVICE_CODE.to_owned()).into_iter().collect();
            let wanted = NewOAuthClient {
                name,
                redirect_uris,
                post_logout_redirect_uris,
                backchannel_logout_uri,
                more_grants,
                jwks: jwks.as_deref().map(key_set).transpose()?,
                demands,
                scopes,
                public,
                own_behalf,
                waive_pkce,
            };
            let made = auth.create_oauth_client(&wanted).await?;
            if format == Format::Json {
                return output::json(&made);
            }
            output::line(&format!("issuer         {}", made.issuer))?;
            output::line(&format!("client_id      {}", made.client.id))?;
            made.secret.map_or(Ok(()), |it| output::line(&format!("client_secret  {it}")))
        }
        ClientCommand::List => {
            let page = auth.oauth_clients().await?;
            let row = |client: &OAuthClient| {
                let kind = if client.public { "public" } else { "confidential" };
                let (scopes, uris) = (client.scopes.join(" "), client.redirect_uris.join(" "));
                vec![client.id.to_string(), client.name.clone(), kind.to_owned(), scopes, uris]
            };
            let rows = page.items.iter().map(row).collect();
            output::print(format, &page, &["ID", "NAME", "KIND", "SCOPES", "REDIRECTS"], rows)
        }
        ClientCommand::Remove { client } => {
            auth.remove_oauth_client(client).await?;
            output::done(format, &client.to_string(), "removed")
        }
    }
}

/// A set of keys in a file.
fn key_set(path: &Path) -> Result<Value, Fault> {
    let wrong = |what: &str| Fault::invalid("bad_jwks", format!("{}: {what}", path.display()));
    let text = std::fs::read_to_string(path)
        .map_err(|error| wrong("the file cannot be read").because(error))?;
    serde_json::from_str(&text).map_err(|error| wrong("the file is not JSON").because(error))
}
