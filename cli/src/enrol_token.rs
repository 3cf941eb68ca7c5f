//! `openframe enrol-token`: how devices join.

use clap::Subcommand;
use openframe_auth_api::NewEnrolmentToken;
use openframe_fault::Fault;
use openframe_ids::EnrolmentTokenId;

use crate::connection::Connection;
use crate::{Format, output, place};

/// What can be done with enrolment tokens.
#[derive(Debug, Subcommand)]
pub enum EnrolTokenCommand {
    /// Make a token and print the line to run on the device
    Create {
        /// What it is for
        #[arg(long)]
        name: Option<String>,
        /// How many devices may enrol with it
        #[arg(long, default_value_t = 1)]
        uses: u32,
        /// Minutes until it ends
        #[arg(long, default_value_t = 60)]
        expires_in_minutes: u32,
        /// The place where devices that enrol with it are
        #[arg(long, default_value = "/")]
        place: String,
        /// A network that devices must enrol from, such as 192.0.2.0/24; may be repeated
        #[arg(long = "network")]
        networks: Vec<String>,
        /// A serial number that machines must have, or the beginning of some with * behind; may be
        /// repeated
        #[arg(long = "serial")]
        serials: Vec<String>,
        /// Let each device wait until somebody lets it in: `openframe device waiting`
        #[arg(long)]
        approval: bool,
    },
    /// List the tokens that can still be used
    List,
    /// Revoke a token
    Revoke {
        /// The token's id
        token: EnrolmentTokenId,
    },
}

pub(crate) async fn run(
    connection: &Connection,
    format: Format,
    command: EnrolTokenCommand,
) -> Result<(), Fault> {
    let auth = connection.auth();
    match command {
        EnrolTokenCommand::Create {
            name,
            uses,
            expires_in_minutes,
            place,
            networks,
            serials,
            approval,
        } => {
            let wanted = NewEnrolmentToken {
                name,
                uses: Some(uses),
                expires_in_minutes: Some(expires_in_minutes),
                place: place::find(&auth, &place).await?,
                networks: Some(networks),
                serials: Some(serials),
                approval: Some(approval),
            };
            let made = auth.create_enrolment_token(&wanted).await?;
            match format {
                Format::Json => output::json(&made),
                Format::Table => output::line(&made.command),
            }
        }
        EnrolTokenCommand::List => {
            let page = auth.enrolment_tokens().await?;
            let row = |token: &openframe_auth_api::EnrolmentToken| {
                let (left, ends) = (token.uses_left.to_string(), token.expires_at.to_string());
                vec![token.id.to_string(), token.name.clone(), left, ends]
            };
            let rows = page.items.iter().map(row).collect();
            output::print(format, &page, &["ID", "NAME", "USES LEFT", "ENDS"], rows)
        }
        EnrolTokenCommand::Revoke { token } => {
            auth.revoke_enrolment_token(token).await?;
            output::done(format, &token.to_string(), "revoked")
        }
    }
}
