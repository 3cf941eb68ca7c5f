//! Everything that is found in the audit trail, piece by piece: no more of it is held than one piece.

use openframe_ids::TenantId;
use openframe_tokens::Permission;

use super::{Asked, Auth, need};
use crate::Error;
use crate::domain::{Entry, Filter};
use crate::store::Place;

/// Entries of one piece at most.
const PIECE: u32 = 500;

/// What is found in a trail, oldest first, up to the end that the trail had when it was asked for.
#[derive(Debug)]
pub struct Export {
    auth: Auth,
    tenant: TenantId,
    /// None when nothing is found, whatever is read.
    filter: Option<Filter>,
    after: u64,
    first: Option<Vec<Entry>>,
}

impl Auth {
    /// Begins an export. What is refused, or fails at once, does so here and not in the middle.
    pub async fn export_audit(&self, asked: &Asked, filter: Filter) -> Result<Export, Error> {
        need(&asked.caller, Permission::AuditRead)?;
        let tenant = asked.caller.tenant;
        let end = self.store.trail.head(tenant).await?.map_or(0, |(seq, _)| seq);
        let filter = self.placed(tenant, filter).await?;
        let filter = filter.map(|filter| {
            let (first, last) = filter.places.unwrap_or((1, end));
            Filter { places: Some((first, last.min(end))), ..filter }
        });
        let mut export = Export { auth: self.clone(), tenant, filter, after: 0, first: None };
        export.first = export.read().await?;
        Ok(export)
    }
}

impl Export {
    /// The next piece; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Vec<Entry>>, Error> {
        match self.first.take() {
            Some(first) => Ok(Some(first)),
            None => self.read().await,
        }
    }

    async fn read(&mut self) -> Result<Option<Vec<Entry>>, Error> {
        let Some(filter) = &self.filter else { return Ok(None) };
        let (trail, after) = (&self.auth.store.trail, Place::After(self.after));
        let piece = trail.search(self.tenant, filter, after, PIECE).await?;
        let Some(last) = piece.last() else { return Ok(None) };
        self.after = last.seq;
        if piece.len() < PIECE as usize {
            // There is no more: not asked again.
            self.filter = None;
        }
        Ok(Some(piece))
    }
}
