//! Whether the audit trail is what was written.

use std::collections::VecDeque;

use openframe_ids::TenantId;
use openframe_tokens::Permission;

use super::{Asked, Auth, need};
use crate::Error;
use crate::domain::{Checkpoint, Entry, link};

/// Entries read at once.
const STRIDE: u32 = 1000;
/// Checkpoints read at once.
const CHECKPOINTS: u32 = 100;

/// What is wrong with a trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// An entry does not follow from those before it: it, or one that was there, was changed, removed
    /// or inserted.
    Chain,
    /// It does not end where the last entry was written.
    End,
    /// There are entries after the one that was written last.
    Added,
    /// It ends before a place that has a checkpoint.
    Cut,
    /// All follows, but it is not what the checkpoint of this place was made of.
    Rewritten,
    /// The platform did not make the checkpoint of this place.
    Forged,
}

impl Finding {
    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chain => "chain",
            Self::End => "end",
            Self::Added => "added",
            Self::Cut => "cut",
            Self::Rewritten => "rewritten",
            Self::Forged => "forged",
        }
    }
}

/// What was found out about a trail.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// How many entries hold.
    pub entries: u64,
    /// How many checkpoints do.
    pub checkpoints: u64,
    /// The last of these.
    pub last: Option<Checkpoint>,
    /// The first place that does not hold, and what is wrong there.
    pub broken: Option<(u64, Finding)>,
}

impl Auth {
    /// Checks the whole trail: each entry against the one before, and what checkpoints were made of.
    pub async fn verify_audit(&self, asked: &Asked) -> Result<Verdict, Error> {
        need(&asked.caller, Permission::AuditRead)?;
        let (trail, tenant) = (&self.store.trail, asked.caller.tenant);
        // Read first: what is added meanwhile comes after them and is checked too.
        let head = trail.head(tenant).await?;
        let newest = trail.last_checkpoint(tenant).await?.map_or(0, |last| last.seq);
        let mut check = Check {
            auth: self,
            tenant,
            at: (0, [0; 32]),
            head_met: head.is_none(),
            head,
            ahead: VecDeque::new(),
            newest,
            asked_to: 0,
            verdict: Verdict::default(),
        };
        check.verdict.broken = check.run().await?;
        Ok(check.verdict)
    }
}

struct Check<'a> {
    auth: &'a Auth,
    tenant: TenantId,
    /// Place and hash of the last entry that holds.
    at: (u64, [u8; 32]),
    head: Option<(u64, [u8; 32])>,
    head_met: bool,
    /// Checkpoints to come.
    ahead: VecDeque<Checkpoint>,
    /// The last place whose checkpoint is looked at: later ones may be of entries that came meanwhile.
    newest: u64,
    /// The last place whose checkpoint was read.
    asked_to: u64,
    verdict: Verdict,
}

impl Check<'_> {
    async fn run(&mut self) -> Result<Option<(u64, Finding)>, Error> {
        loop {
            let entries = self.auth.store.trail.after(self.tenant, self.at.0, STRIDE).await?;
            if entries.is_empty() {
                return self.end().await;
            }
            for entry in entries {
                if let Some(finding) = self.entry(&entry).await? {
                    return Ok(Some((self.at.0 + 1, finding)));
                }
            }
        }
    }

    async fn entry(&mut self, entry: &Entry) -> Result<Option<Finding>, Error> {
        let (last, hash) = self.at;
        let next = last + 1;
        let expected = link(&hash, self.tenant, next, &entry.event);
        if entry.seq != next || entry.hash != expected {
            return Ok(Some(Finding::Chain));
        }
        let root = self.auth.authority.root_pem();
        if let Some(checkpoint) = self.checkpoint().await?
            && checkpoint.seq == next
        {
            if !checkpoint.is_sealed(root) {
                return Ok(Some(Finding::Forged));
            }
            if checkpoint.hash != expected {
                return Ok(Some(Finding::Rewritten));
            }
            self.verdict.checkpoints += 1;
            self.verdict.last = self.ahead.pop_front();
        }
        self.at = (next, expected);
        self.verdict.entries = next;
        self.head_met |= self.head == Some(self.at);
        Ok(None)
    }

    /// The next checkpoint.
    async fn checkpoint(&mut self) -> Result<Option<&Checkpoint>, Error> {
        if self.ahead.is_empty() && self.asked_to < self.newest {
            let trail = &self.auth.store.trail;
            let more = trail.checkpoints(self.tenant, self.asked_to, CHECKPOINTS).await?;
            self.asked_to = more.last().map_or(self.newest, |last| last.seq);
            self.ahead = more.into_iter().filter(|it| it.seq <= self.newest).collect();
        }
        Ok(self.ahead.front())
    }

    /// Every entry has been read.
    async fn end(&mut self) -> Result<Option<(u64, Finding)>, Error> {
        let (root, next) = (self.auth.authority.root_pem(), self.at.0 + 1);
        if let Some(beyond) = self.checkpoint().await? {
            let cut = beyond.is_sealed(root);
            return Ok(Some((next, if cut { Finding::Cut } else { Finding::Forged })));
        }
        if !self.head_met {
            return Ok(Some((next, Finding::End)));
        }
        // Read last: whatever was read before had been written by then.
        let written = self.auth.store.trail.head(self.tenant).await?.map_or(0, |(seq, _)| seq);
        Ok((written < self.at.0).then_some((written + 1, Finding::Added)))
    }
}
