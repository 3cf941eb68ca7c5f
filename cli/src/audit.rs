//! `openframe audit`: who did what.

use std::time::Duration;

use clap::Subcommand;
use openframe_auth_api::{AuditEntry, AuthClient};
use openframe_fault::{Fault, Kind};

use crate::connection::Connection;
use crate::{Format, output};

/// How often a trail that is followed is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many entries are asked for at once.
const PAGE: u32 = 100;

/// What can be done with the audit trail.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Print the newest entries, oldest of them first
    Tail {
        /// How many
        #[arg(long, short = 'n', default_value_t = 20)]
        lines: u32,
        /// Go on printing entries as they are made, one a line
        #[arg(long, short)]
        follow: bool,
    },
    /// Check that nothing in it was changed or removed
    Verify,
}

pub(crate) async fn run(
    connection: &Connection,
    format: Format,
    command: AuditCommand,
) -> Result<(), Fault> {
    let auth = connection.auth();
    match command {
        AuditCommand::Tail { lines, follow: true } => follow(&auth, format, lines).await,
        AuditCommand::Tail { lines, follow: false } => {
            let page = auth.audit(None, lines).await?;
            let rows = page.items.iter().rev().map(row).collect();
            output::print(format, &page, &["SEQ", "AT", "WHO", "ACTION", "TARGET", "OUTCOME"], rows)
        }
        AuditCommand::Verify => {
            let verdict = auth.verify_audit().await?;
            let broken = verdict.broken_at.map(|at| at.to_string()).unwrap_or_default();
            let row = vec![verdict.entries.to_string(), broken];
            output::print(format, &verdict, &["ENTRIES", "BROKEN AT"], vec![row])?;
            match verdict.broken_at {
                None => Ok(()),
                Some(at) => {
                    let message = format!("the audit trail does not hold from entry {at} on");
                    Err(Fault::new(Kind::Conflict, "audit_broken", message))
                }
            }
        }
    }
}

/// Prints the newest `lines` entries, and then each that is made.
async fn follow(auth: &AuthClient, format: Format, lines: u32) -> Result<(), Fault> {
    let mut new = auth.audit(None, lines).await?.items;
    let mut seen = 0;
    loop {
        seen = new.first().map_or(seen, |newest| newest.seq);
        for entry in new.iter().rev() {
            match format {
                Format::Json => output::json_line(entry)?,
                Format::Table => output::line(&output::visible(&row(entry).join("  ")))?,
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
        new = since(auth, seen).await?;
    }
}

/// The entries after `seen`, newest first.
async fn since(auth: &AuthClient, seen: u64) -> Result<Vec<AuditEntry>, Fault> {
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let page = auth.audit(cursor.as_deref(), PAGE).await?;
        let all = page.items.len();
        let new = page.items.into_iter().take_while(|entry| entry.seq > seen);
        let before = found.len();
        found.extend(new);
        cursor = page.next_cursor;
        if found.len() - before < all || cursor.is_none() {
            return Ok(found);
        }
    }
}

fn row(entry: &AuditEntry) -> Vec<String> {
    vec![
        entry.seq.to_string(),
        entry.at.to_string(),
        format!("{} {}", entry.actor_kind, entry.actor),
        entry.action.clone(),
        entry.target.clone(),
        entry.outcome.clone(),
    ]
}
