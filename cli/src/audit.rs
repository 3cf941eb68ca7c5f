//! `openframe audit`: who did what.

use clap::Subcommand;
use openframe_auth_api::AuditEntry;
use openframe_fault::{Fault, Kind};

use crate::connection::Connection;
use crate::{Format, output};

/// What can be done with the audit trail.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Print the newest entries, oldest of them first
    Tail {
        /// How many
        #[arg(long, short = 'n', default_value_t = 20)]
        lines: u32,
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
        AuditCommand::Tail { lines } => {
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
