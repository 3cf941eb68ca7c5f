//! Reading and writing the audit trail.

use openframe_auth_api::{AuditEntry, Outcome};
use openframe_ids::TenantId;
use openframe_tokens::{Caller, Permission, Subject};

use super::{Asked, Auth, hex, need};
use crate::Error;
use crate::domain::{Action, Entry, Event, Filter};
use crate::store::Place;

/// Entries on a page at most.
const MOST: u32 = 500;
/// Entries on a page when the caller does not say.
const DEFAULT: u32 = 100;

/// The longest text that is looked for, in bytes.
const WANTED_MAX: usize = 500;

impl Auth {
    /// One page of what is found in the trail, newest first, and where the next begins.
    pub async fn audit(
        &self,
        asked: &Asked,
        filter: Filter,
        cursor: Option<&str>,
        limit: Option<u32>,
    ) -> Result<(Vec<Entry>, Option<String>), Error> {
        need(&asked.caller, Permission::AuditRead)?;
        let bad = |_| Error::Invalid("the cursor is not one of this list".to_owned());
        let before = cursor.map(str::parse).transpose().map_err(bad)?;
        let place = before.map_or(Place::NEWEST, Place::Before);
        let limit = limit.unwrap_or(DEFAULT).clamp(1, MOST);
        let tenant = asked.caller.tenant;
        let Some(filter) = self.placed(tenant, filter).await? else {
            return Ok((Vec::new(), None));
        };
        let page = self.store.trail.search(tenant, &filter, place, limit).await?;
        let last = page.last().filter(|last| page.len() == limit as usize && last.seq > 1);
        let next = last.map(|last| last.seq.to_string());
        Ok((page, next))
    }

    /// The filter with the places of the time that it asks for; `None` when nothing is of that time.
    pub(super) async fn placed(
        &self,
        tenant: TenantId,
        filter: Filter,
    ) -> Result<Option<Filter>, Error> {
        check(&filter)?;
        if !filter.is_of_time() {
            return Ok(Some(filter));
        }
        let places = self.store.trail.span(tenant, (filter.from, filter.to)).await?;
        Ok(places.map(|places| Filter { places: Some(places), ..filter }))
    }

    /// Records what was asked of a service; returns once it is durable. Refusals are told together.
    pub async fn record(&self, by: &Caller, tenant: TenantId, event: Event) -> Result<(), Error> {
        match &by.subject {
            Subject::Service { .. } => {}
            Subject::User { .. }
            | Subject::ApiKey { .. }
            | Subject::App { .. }
            | Subject::Device { .. } => {
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

/// An entry, as others are told of it.
pub(crate) fn told(entry: Entry) -> AuditEntry {
    let event = entry.event;
    AuditEntry {
        seq: entry.seq,
        at: event.at,
        actor_kind: event.actor_kind,
        actor: event.actor,
        action: event.action,
        target: event.target,
        outcome: event.outcome,
        detail: event.detail,
        remote_address: event.remote_address,
        request_id: event.request_id,
        hash: hex(&entry.hash),
    }
}

/// Refuses a filter that can find nothing, whatever the trail holds.
fn check(filter: &Filter) -> Result<(), Error> {
    let action = filter.action.as_ref().map(|action| match action {
        Action::Is(text) | Action::Under(text) => text,
    });
    let texts = [action, filter.actor.as_ref(), filter.target.as_ref(), filter.outcome.as_ref()];
    for text in texts.into_iter().flatten() {
        if text.len() > WANTED_MAX || text.chars().any(char::is_control) {
            return Err(Error::Invalid("no entry has such a text".to_owned()));
        }
    }
    let known = [Outcome::Done, Outcome::Refused, Outcome::Failed].map(Outcome::as_str);
    match filter.outcome.as_deref() {
        Some(outcome) if !known.contains(&outcome) => {
            Err(Error::Invalid("the outcome is `done`, `refused` or `failed`".to_owned()))
        }
        Some(_) | None => Ok(()),
    }
}
