//! `openframe user grant` and `openframe access`: what people may do at places, and why.

use clap::{Subcommand, ValueEnum};
use jiff::Timestamp;
use openframe_auth_api::{AccessAnswer, AccessQuery, AuthClient, Grant, NewGrant};
use openframe_fault::Fault;
use openframe_ids::GrantId;

use crate::connection::Connection;
use crate::place::{self, Names};
use crate::{Format, output, user};

/// What can be done with the grants of a person. A person is named by id or mail address, a place by its
/// id or by the names on the way to it; `/` is the whole tenant.
#[derive(Debug, Subcommand)]
pub enum GrantCommand {
    /// List what a person is granted at places
    List {
        /// The person
        user: String,
    },
    /// Grant a role at a place, or deny what it permits there
    Add {
        /// The person
        user: String,
        /// The role
        role: GrantRole,
        /// The place
        place: String,
        /// Deny it instead: what is denied is refused, whatever else allows it
        #[arg(long)]
        deny: bool,
        /// From when on it does not count, such as `2027-01-01T00:00:00Z`
        #[arg(long, value_name = "TIME")]
        until: Option<Timestamp>,
    },
    /// Take a grant back
    Remove {
        /// The person
        user: String,
        /// The grant's id
        grant: GrantId,
    },
}

/// A role that can be granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum GrantRole {
    /// Everything
    Owner,
    /// Works on devices
    Technician,
    /// Looks, and changes nothing
    ReadOnly,
}

impl GrantRole {
    fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Technician => "technician",
            Self::ReadOnly => "read_only",
        }
    }
}

/// What can be asked about access.
#[derive(Debug, Subcommand)]
pub enum AccessCommand {
    /// Say whether a person may do something somewhere, and what says so
    Why {
        /// The person
        user: String,
        /// The permission, such as `commands:run`
        permission: String,
        /// The place; the whole tenant, no place left out, when absent
        place: Option<String>,
    },
}

pub(crate) async fn run(
    connection: &Connection,
    format: Format,
    command: GrantCommand,
) -> Result<(), Fault> {
    let auth = connection.auth();
    match command {
        GrantCommand::List { user } => {
            let page = auth.grants(user::find(&auth, &user).await?).await?;
            let rows = rows(&auth, &page.items).await?;
            output::print(format, &page, &HEADINGS, rows)
        }
        GrantCommand::Add { user, role, place, deny, until } => {
            let user = user::find(&auth, &user).await?;
            let new = NewGrant {
                role: role.as_str().to_owned(),
                place: place::find(&auth, &place).await?,
                effect: deny.then(|| "deny".to_owned()),
                until,
            };
            let grant = auth.create_grant(user, &new).await?;
            match format {
                Format::Json => output::json(&grant),
                Format::Table => output::done(format, &grant.id.to_string(), "granted"),
            }
        }
        GrantCommand::Remove { user, grant } => {
            auth.remove_grant(user::find(&auth, &user).await?, grant).await?;
            output::done(format, &grant.to_string(), "removed")
        }
    }
}

const HEADINGS: [&str; 5] = ["ID", "EFFECT", "ROLE", "PLACE", "UNTIL"];

async fn rows(auth: &AuthClient, grants: &[Grant]) -> Result<Vec<Vec<String>>, Fault> {
    let names = Names::read(auth).await?;
    let row = |grant: &Grant| {
        let until = grant.until.map(|until| until.to_string()).unwrap_or_default();
        let (effect, role) = (grant.effect.clone(), grant.role.clone());
        vec![grant.id.to_string(), effect, role, names.way(&grant.place), until]
    };
    Ok(grants.iter().map(row).collect())
}

pub(crate) async fn access(
    connection: &Connection,
    format: Format,
    AccessCommand::Why { user, permission, place }: AccessCommand,
) -> Result<(), Fault> {
    let auth = connection.auth();
    let place = match place {
        None => None,
        Some(named) => place::find(&auth, &named).await?,
    };
    let user = user::find(&auth, &user).await?;
    let asked = AccessQuery { user: Some(user), permission: Some(permission), place };
    let answer = auth.access(&asked).await?;
    if format == Format::Json {
        return output::json(&answer);
    }
    output::line(&told(&answer))?;
    if answer.grants.is_empty() {
        return Ok(());
    }
    let rows = rows(&auth, &answer.grants).await?;
    output::print(format, &answer, &HEADINGS, rows)
}

fn told(answer: &AccessAnswer) -> String {
    let denied = answer.grants.iter().any(|grant| grant.effect == "deny");
    match (answer.allowed, &answer.role) {
        _ if answer.disabled => "no: sign-in is refused".to_owned(),
        (true, Some(role)) => format!("yes: by the role {role} in the whole tenant"),
        (true, None) => "yes: by these grants".to_owned(),
        (false, _) if denied => "no: these grants deny it".to_owned(),
        (false, _) => "no: nothing allows it there".to_owned(),
    }
}
