//! Reading, checking and writing the audit trail.

use openframe_auth_api::Outcome;
use openframe_ids::TenantId;
use openframe_tokens::{Caller, Permission, Subject};

use super::{Asked, Auth, need};
use crate::Error;
use crate::domain::{Entry, Event, link};

/// Entries on a page at most.
const MOST: u32 = 500;
/// Entries on a page when the caller does not say.
const DEFAULT: u32 = 100;
/// Entries read at once while the chain is checked.
const STRIDE: u32 = 1000;

/// Whether a chain holds.
#[derive(Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How many entries were checked.
    pub entries: u64,
    /// The first place that does not follow from those before it.
    pub broken_at: Option<u64>,
}

impl Auth {
    /// One page of the trail, newest first, and where the next begins.
    pub async fn audit(
        &self,
        asked: &Asked,
        cursor: Option<&str>,
        limit: Option<u32>,
    ) -> Result<(Vec<Entry>, Option<String>), Error> {
        need(&asked.caller, Permission::AuditRead)?;
        let bad = |_| Error::Invalid("the cursor is not one of this list".to_owned());
        let before = cursor.map(str::parse).transpose().map_err(bad)?;
        let limit = limit.unwrap_or(DEFAULT).clamp(1, MOST);
        let page = self.store.trail.page(asked.caller.tenant, before, limit).await?;
        let last = page.last().filter(|last| page.len() == limit as usize && last.seq > 1);
        let next = last.map(|last| last.seq.to_string());
        Ok((page, next))
    }

    /// Checks the whole chain: a changed, removed or inserted entry breaks it.
    pub async fn verify_audit(&self, asked: &Asked) -> Result<Verdict, Error> {
        need(&asked.caller, Permission::AuditRead)?;
        let tenant = asked.caller.tenant;
        // Read first: entries added meanwhile come after it and are checked too.
        let head = self.store.trail.head(tenant).await?;
        let (mut seq, mut hash, mut head_met) = (0, [0; 32], head.is_none());
        loop {
            let entries = self.store.trail.after(tenant, seq, STRIDE).await?;
            if entries.is_empty() {
                break;
            }
            for entry in entries {
                let next = seq + 1;
                let expected = link(&hash, tenant, next, &entry.event);
                if entry.seq != next || entry.hash != expected {
                    return Ok(Verdict { entries: seq, broken_at: Some(next) });
                }
                (seq, hash) = (next, expected);
                head_met |= head == Some((seq, hash));
            }
        }
        Ok(Verdict { entries: seq, broken_at: (!head_met).then_some(seq + 1) })
    }

    /// Records what was asked of a service; returns once it is durable. Refusals are told together.
    pub async fn record(&self, by: &Caller, tenant: TenantId, event: Event) -> Result<(), Error> {
        match &by.subject {
            Subject::Service { .. } => {}
            Subject::User { .. } | Subject::ApiKey { .. } | Subject::Device { .. } => {
                return Err(Error::ServicesOnly);
            }
        }
        let event = Event { at: self.now(), ..event };
        if event.outcome == Outcome::Refused.as_str() && tenant == self.tenant {
            let whose = event.actor.clone();
            self.refused(event, Some(&whose)).await;
            return Ok(());
        }
        Ok(self.store.trail.append(tenant, &event).await?)
    }
}
