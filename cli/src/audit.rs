//! `openframe audit`: who did what.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use openframe_auth_api::{AuditEntry, AuditFilter, AuditStream, AuditVerdict, AuthClient};
use openframe_fault::{Fault, Kind};

use crate::connection::Connection;
use crate::{Format, download, output};

/// How often a trail that is followed is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many entries are asked for at once.
const PAGE: u32 = 100;

/// What is looked for.
#[derive(Debug, Clone, Args)]
pub struct Wanted {
    /// What was done: session.create, or session. for all that begin so
    #[arg(long)]
    action: Option<String>,
    /// By whom: an id, or what was typed at a failed sign-in
    #[arg(long)]
    actor: Option<String>,
    /// To what: an id
    #[arg(long)]
    target: Option<String>,
    /// How it ended
    #[arg(long, value_parser = ["done", "refused", "failed"])]
    outcome: Option<String>,
    /// At this time or later, such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
}

impl From<Wanted> for AuditFilter {
    fn from(wanted: Wanted) -> Self {
        let Wanted { action, actor, target, outcome, from, to } = wanted;
        Self { action, actor, target, outcome, from, to }
    }
}

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
        /// What is looked for
        #[command(flatten)]
        wanted: Wanted,
    },
    /// Write all of it, or what is looked for, as JSON, an entry a line, oldest first
    Export {
        /// Into this file, which is there once all of it is; to standard output when absent
        #[arg(long)]
        file: Option<PathBuf>,
        /// What is looked for
        #[command(flatten)]
        wanted: Wanted,
    },
    /// Show where it is sent to as it grows, and how far it has got there
    Streams,
    /// Check that nothing in it was changed, removed or added by others
    Verify {
        /// Also check that entry SEQ has this hash, as a checkpoint in a log says
        #[arg(long, value_name = "SEQ:HASH", value_parser = Against::read)]
        against: Option<Against>,
    },
}

pub(crate) async fn run(
    connection: &Connection,
    format: Format,
    command: AuditCommand,
) -> Result<(), Fault> {
    let auth = connection.auth();
    match command {
        AuditCommand::Tail { lines, follow: true, wanted } => {
            follow(&auth, format, &wanted.into(), lines).await
        }
        AuditCommand::Tail { lines, follow: false, wanted } => {
            let page = auth.search_audit(&wanted.into(), None, lines).await?;
            let rows = page.items.iter().rev().map(row).collect();
            output::print(format, &page, &["SEQ", "AT", "WHO", "ACTION", "TARGET", "OUTCOME"], rows)
        }
        AuditCommand::Export { file, wanted } => {
            let answer = auth.export_audit(&wanted.into()).await?;
            download::save(answer.into_body(), file.as_deref()).await
        }
        AuditCommand::Streams => {
            let streams = auth.audit_streams().await?;
            let rows = streams.items.iter().map(stream).collect();
            let head = ["NAME", "TO", "ARRIVED", "BEHIND", "FAILING SINCE", "WHY"];
            output::print(format, &streams, &head, rows)
        }
        AuditCommand::Verify { against } => {
            let verdict = auth.verify_audit().await?;
            shown(format, &verdict)?;
            if let (Some(at), Some(why)) = (verdict.broken_at, &verdict.explanation) {
                return Err(broken(format!(
                    "the audit trail does not hold from entry {at} on: {why}"
                )));
            }
            match against {
                Some(against) => against.check(&auth).await,
                None => Ok(()),
            }
        }
    }
}

fn stream(stream: &AuditStream) -> Vec<String> {
    vec![
        stream.name.clone(),
        stream.to.clone(),
        stream.arrived.to_string(),
        stream.behind.to_string(),
        stream.failing_since.map(|at| at.to_string()).unwrap_or_default(),
        stream.error.clone().unwrap_or_default(),
    ]
}

fn broken(message: String) -> Fault {
    Fault::new(Kind::Conflict, "audit_broken", message)
}

fn shown(format: Format, verdict: &AuditVerdict) -> Result<(), Fault> {
    let last = verdict.last_checkpoint.as_ref();
    let row = vec![
        verdict.entries.to_string(),
        verdict.checkpoints.to_string(),
        last.map(|last| format!("entry {} at {}", last.seq, last.at)).unwrap_or_default(),
        verdict.broken_at.map(|at| at.to_string()).unwrap_or_default(),
        verdict.finding.clone().unwrap_or_default(),
    ];
    let head = ["ENTRIES", "CHECKPOINTS", "LAST CHECKPOINT", "BROKEN AT", "FINDING"];
    output::print(format, verdict, &head, vec![row])
}

/// What an entry's hash was, by the word of somebody else than the platform's database.
#[derive(Debug, Clone)]
pub struct Against {
    seq: u64,
    hash: String,
}

impl Against {
    fn read(text: &str) -> Result<Self, String> {
        let read = text.split_once(':').and_then(|(seq, hash)| Some((seq.parse().ok()?, hash)));
        let (seq, hash) = read.ok_or("write SEQ:HASH, such as 1234:9f86…")?;
        Ok(Self { seq, hash: hash.to_lowercase() })
    }

    async fn check(&self, auth: &AuthClient) -> Result<(), Fault> {
        let Self { seq, hash } = self;
        let next = seq.saturating_add(1).to_string();
        let page = auth.audit(Some(&next), 1).await?;
        let entry = page.items.first().filter(|entry| entry.seq == *seq);
        match entry {
            Some(entry) if entry.hash == *hash => Ok(()),
            Some(entry) => {
                let message = format!("entry {seq} has the hash {}, not {hash}", entry.hash);
                Err(broken(message))
            }
            None => Err(broken(format!("the audit trail ends before entry {seq}"))),
        }
    }
}

/// Prints the newest `lines` entries, and then each that is made.
async fn follow(
    auth: &AuthClient,
    format: Format,
    filter: &AuditFilter,
    lines: u32,
) -> Result<(), Fault> {
    let mut new = auth.search_audit(filter, None, lines).await?.items;
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
        new = since(auth, filter, seen).await?;
    }
}

/// The entries after `seen`, newest first.
async fn since(
    auth: &AuthClient,
    filter: &AuditFilter,
    seen: u64,
) -> Result<Vec<AuditEntry>, Fault> {
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let page = auth.search_audit(filter, cursor.as_deref(), PAGE).await?;
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
