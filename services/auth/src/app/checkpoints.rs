//! Checkpoints of the audit trail, made now and then.

use jiff::SignedDuration;

use super::Auth;
use crate::Error;
use crate::domain::{Checkpoint, Pace};

impl Auth {
    fn pace(&self) -> Pace {
        let audit = &self.config.audit;
        Pace {
            after: SignedDuration::from_hours(audit.checkpoint_hours.into()),
            entries: audit.checkpoint_entries.into(),
        }
    }

    /// Makes a checkpoint of the trail if one is due, or, when the service `ends`, if there is an entry
    /// that none covers. It is told in the log as well, so that it leaves the machine. Returns the one
    /// that was made.
    pub async fn checkpoint(&self, ends: bool) -> Result<Option<Checkpoint>, Error> {
        let (trail, tenant) = (&self.store.trail, self.tenant);
        // In this order: the trail has only grown since the checkpoint was made.
        let last = trail.last_checkpoint(tenant).await?;
        let Some(head) = trail.head(tenant).await? else { return Ok(None) };
        if let Some(last) = &last {
            let entry = trail.after(tenant, last.seq.saturating_sub(1), 1).await?;
            let hash = entry.first().filter(|entry| entry.seq == last.seq).map(|entry| entry.hash);
            if hash != Some(last.hash) || head.0 < last.seq {
                return Err(Error::Tampered(last.seq));
            }
        }
        let pace = self.pace();
        let pace = if ends { Pace { entries: 1, ..pace } } else { pace };
        let now = self.now();
        if !pace.is_due(head.0, last.as_ref(), now) {
            return Ok(None);
        }
        let made = Checkpoint::make(&self.authority, tenant, head, now);
        let made = made.map_err(|cause| Error::Damaged(cause.into()))?;
        // Of two replicas, the one that comes second leaves it.
        if !trail.add_checkpoint(&made, last.map(|last| last.seq)).await? {
            return Ok(None);
        }
        let (seq, hash) = (made.seq, hex(&made.hash));
        tracing::info!(
            tenant.id = %tenant,
            audit.seq = seq,
            audit.hash = hash,
            "checkpoint of the audit trail: entry {seq} has the hash {hash}"
        );
        Ok(Some(made))
    }
}

/// Bytes as text.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
