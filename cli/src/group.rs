//! `openframe group`: sets of people, which directories keep.

use clap::Subcommand;
use openframe_auth_api::PeopleGroup;
use openframe_fault::Fault;

use crate::connection::Connection;
use crate::{Format, output};

/// What can be done with groups of people. A directory makes them and says who is in them (SCIM).
#[derive(Debug, Subcommand)]
pub enum GroupCommand {
    /// List them
    List,
}

pub(crate) async fn run(
    connection: &Connection,
    format: Format,
    GroupCommand::List: GroupCommand,
) -> Result<(), Fault> {
    let page = connection.auth().groups().await?;
    let row = |it: &PeopleGroup| {
        let (id, members) = (it.id.to_string(), it.members.to_string());
        vec![id, it.name.clone(), members, it.changed_at.to_string()]
    };
    let rows = page.items.iter().map(row).collect();
    output::print(format, &page, &["ID", "NAME", "MEMBERS", "CHANGED"], rows)
}
