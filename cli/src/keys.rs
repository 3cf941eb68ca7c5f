//! `openframe keys`: the keys that sign ID tokens.

use clap::Subcommand;
use openframe_auth_api::{RotateKeys, SigningKey};
use openframe_fault::Fault;

use crate::connection::Connection;
use crate::{Format, output};

/// What can be done with the keys that sign ID tokens, by an owner's key that no scope holds back.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// List the keys
    List,
    /// Make a new key; it signs in a day, when programs know it
    Rotate {
        /// It signs at once
        #[arg(long)]
        now: bool,
        /// The other keys are revoked: whatever they have signed is good no more
        #[arg(long, requires = "now")]
        revoke: bool,
    },
}

pub(crate) async fn run(
    connection: &Connection,
    format: Format,
    command: KeysCommand,
) -> Result<(), Fault> {
    let auth = connection.auth();
    match command {
        KeysCommand::List => {
            let page = auth.signing_keys().await?;
            let row = |key: &SigningKey| {
                vec![key.kid.clone(), key.stage.clone(), key.signs_from.to_string()]
            };
            let rows = page.items.iter().map(row).collect();
            output::print(format, &page, &["KID", "STAGE", "SIGNS FROM"], rows)
        }
        KeysCommand::Rotate { now, revoke } => {
            let made = auth.rotate_keys(RotateKeys { now, revoke }).await?;
            if format == Format::Json {
                return output::json(&made);
            }
            output::line(&format!("{} signs from {}", made.kid, made.signs_from))
        }
    }
}
