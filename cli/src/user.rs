//! `openframe user`: people who sign in.

use clap::{Subcommand, ValueEnum};
use openframe_auth_api::{
    AuthClient, Invitation, NewInvitation, Passkey, PasswordForgotten, Settings, User, UserChange,
};
use openframe_fault::{Fault, Kind};
use openframe_ids::{PasskeyId, UserId};

use crate::connection::Connection;
use crate::grant::{self, GrantCommand};
use crate::{Format, output};

/// What can be done with people, by an owner's key that no scope holds back.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// List people
    List,
    /// Invite a person, who gets a link by mail; where no mail is sent it is printed, once
    Invite {
        /// The person's mail address
        email: String,
        /// What the person may do: `owner`, `technician`, `read_only` or `provisioner`
        #[arg(long, default_value = "technician")]
        role: String,
    },
    /// Invite a person again who has not accepted; the link before is dead
    InviteAgain {
        /// The person's id or mail address
        user: String,
    },
    /// Take back an invitation that was not accepted; the person is forgotten
    Withdraw {
        /// The person's id or mail address
        user: String,
    },
    /// Correct the mail address of another person, which is not verified then
    SetEmail {
        /// The person's id or mail address
        user: String,
        /// The right mail address
        email: String,
    },
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
    /// List and remove the passkeys of a person
    #[command(subcommand)]
    Passkeys(PasskeysCommand),
    /// Show whether everybody needs a second factor, or decide it
    SecondFactor {
        /// What to decide; shows what is decided when absent
        decision: Option<Decision>,
    },
}

/// What can be done with the passkeys of a person.
#[derive(Debug, Subcommand)]
pub enum PasskeysCommand {
    /// List them, oldest first
    List {
        /// The person's id or mail address
        user: String,
    },
    /// Remove one that the person has lost; all sessions of the person end
    Remove {
        /// The person's id or mail address
        user: String,
        /// The passkey's id
        passkey: PasskeyId,
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

/// What the list says of a person.
fn state(user: &User) -> &'static str {
    match (user.disabled, user.invited_until) {
        (true, _) => "disabled",
        (false, Some(_)) => "invited",
        (false, None) => "active",
    }
}

/// A person as a row of the list.
fn row(user: &User) -> Vec<String> {
    let verified = if user.email_verified { "yes" } else { "no" };
    let (id, role) = (user.id.to_string(), user.role.clone());
    let (name, email) = (user.name.clone(), user.email.clone());
    vec![id, name, email, verified.to_owned(), role, state(user).to_owned()]
}

/// Tells of an invitation: its link where there is one, and that it is on its way otherwise.
fn invited(format: Format, invitation: &Invitation) -> Result<(), Fault> {
    match (format, &invitation.url) {
        (Format::Json, _) => output::json(invitation),
        (Format::Table, Some(url)) => output::line(url),
        (Format::Table, None) => {
            output::done(format, &invitation.user.email, "gets an invitation by mail")
        }
    }
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
            let rows = page.items.iter().map(row).collect();
            let head = ["ID", "NAME", "E-MAIL", "VERIFIED", "ROLE", "STATE"];
            output::print(format, &page, &head, rows)
        }
        UserCommand::Invite { email, role } => {
            invited(format, &auth.invite(&NewInvitation { email, role }).await?)
        }
        UserCommand::InviteAgain { user } => {
            let id = find(&auth, &user).await?;
            invited(format, &auth.invite_again(id).await?)
        }
        UserCommand::Withdraw { user } => {
            let id = find(&auth, &user).await?;
            auth.withdraw_invitation(id).await?;
            output::done(format, &id.to_string(), "is not invited any more")
        }
        UserCommand::SetEmail { user, email } => {
            let id = find(&auth, &user).await?;
            let change = UserChange { email: Some(email), ..UserChange::default() };
            let user = auth.change_user(id, &change).await?;
            output::done(format, &id.to_string(), &format!("has the address {}", user.email))
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
        UserCommand::Passkeys(command) => passkeys(&auth, format, command).await,
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

async fn passkeys(
    auth: &AuthClient,
    format: Format,
    command: PasskeysCommand,
) -> Result<(), Fault> {
    match command {
        PasskeysCommand::List { user } => {
            let page = auth.passkeys_of(find(auth, &user).await?).await?;
            let row = |it: &Passkey| {
                let used = it.last_used_at.map(|at| at.to_string()).unwrap_or_default();
                vec![it.id.to_string(), it.name.clone(), it.created_at.to_string(), used]
            };
            let rows = page.items.iter().map(row).collect();
            output::print(format, &page, &["ID", "NAME", "MADE", "LAST USED"], rows)
        }
        PasskeysCommand::Remove { user, passkey } => {
            auth.remove_passkey_of(find(auth, &user).await?, passkey).await?;
            output::done(format, &passkey.to_string(), "is removed")
        }
    }
}
