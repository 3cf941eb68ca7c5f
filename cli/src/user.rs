//! `openframe user`: people who sign in.

use clap::{Subcommand, ValueEnum};
use openframe_auth_api::{AuthClient, PasswordForgotten, Settings, User};
use openframe_fault::{Fault, Kind};
use openframe_ids::UserId;

use crate::connection::Connection;
use crate::grant::{self, GrantCommand};
use crate::{Format, output};

/// What can be done with people, by an owner's key that no scope holds back.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// List people
    List,
    /// List, give and take back what a person is granted at places
    #[command(subcommand)]
    Grant(GrantCommand),
    /// Make a link by which a person chooses a new password; it is printed once
    PasswordLink {
        /// The person's id
        user: UserId,
    },
    /// Have a link by which a person chooses a new password sent to the person, where mail is sent
    MailPasswordLink {
        /// The person's mail address
        email: String,
    },
    /// Remove the second factors of a person who has lost them
    ResetFactors {
        /// The person's id or mail address
        user: String,
    },
    /// Show whether everybody needs a second factor, or decide it
    SecondFactor {
        /// What to decide; shows what is decided when absent
        decision: Option<Decision>,
    },
}

/// Whether everybody needs a second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Decision {
    /// Who has none can only enrol one
    Required,
    /// Who wants has one
    Optional,
}

/// The person with this id or mail address.
pub(crate) async fn find(auth: &AuthClient, named: &str) -> Result<UserId, Fault> {
    if let Ok(id) = named.parse() {
        return Ok(id);
    }
    let wanted = named.trim().to_lowercase();
    let found = auth.users().await?.items.into_iter().find(|user| user.email == wanted);
    found.map(|user| user.id).ok_or_else(|| {
        Fault::new(Kind::NotFound, "not_found", "nobody has this id or mail address")
    })
}

pub(crate) async fn run(
    connection: &Connection,
    format: Format,
    command: UserCommand,
) -> Result<(), Fault> {
    let auth = connection.auth();
    match command {
        UserCommand::List => {
            let page = auth.users().await?;
            let row = |user: &User| {
                let state = if user.disabled { "disabled" } else { "active" };
                let (id, role) = (user.id.to_string(), user.role.clone());
                vec![id, user.name.clone(), user.email.clone(), role, state.to_owned()]
            };
            let rows = page.items.iter().map(row).collect();
            output::print(format, &page, &["ID", "NAME", "E-MAIL", "ROLE", "STATE"], rows)
        }
        UserCommand::Grant(command) => grant::run(connection, format, command).await,
        UserCommand::PasswordLink { user } => {
            let link = auth.create_password_link(user).await?;
            match format {
                Format::Json => output::json(&link),
                Format::Table => output::line(&link.url),
            }
        }
        UserCommand::MailPasswordLink { email } => {
            auth.ask_password_link(&PasswordForgotten { email: email.clone() }).await?;
            output::done(format, &email, "gets a link, if anybody has this address")
        }
        UserCommand::ResetFactors { user } => {
            let id = find(&auth, &user).await?;
            auth.reset_factors(id).await?;
            output::done(format, &id.to_string(), "has no second factor now")
        }
        UserCommand::SecondFactor { decision } => {
            let settings = match decision {
                None => auth.settings().await?,
                Some(decision) => {
                    let second_factor_required = decision == Decision::Required;
                    auth.change_settings(Settings { second_factor_required }).await?
                }
            };
            let word = if settings.second_factor_required { "required" } else { "optional" };
            match format {
                Format::Json => output::json(&settings),
                Format::Table => output::line(word),
            }
        }
    }
}
