//! The outbox.

use async_trait::async_trait;
use jiff::Timestamp;
use openframe_ids::TenantId;
use uuid::Uuid;

use super::{Everything, MemoryStore};
use crate::domain::{Event, PasswordLink, SealedMail};
use crate::store::{Answer, Mails, Turn};

/// Something in the outbox, when it is due, and who has taken it last.
#[derive(Debug)]
pub(super) struct Kept {
    mail: SealedMail,
    due: Timestamp,
    replica: Option<Uuid>,
}

impl Everything {
    pub(super) fn put_in(&mut self, mail: &SealedMail) {
        let kept = Kept { mail: mail.clone(), due: mail.created, replica: None };
        self.mails.insert(mail.id, kept);
    }

    fn taken(&mut self, (id, replica): Turn) -> Option<&mut Kept> {
        self.mails.get_mut(&id).filter(|kept| kept.replica == Some(replica))
    }
}

#[async_trait]
impl Mails for MemoryStore {
    async fn add(&self, mail: &SealedMail, event: Option<&Event>) -> Answer<()> {
        let mut all = self.lock();
        all.put_in(mail);
        if let Some(event) = event {
            all.record(mail.tenant, event);
        }
        Ok(())
    }

    async fn take(
        &self,
        tenant: TenantId,
        replica: Uuid,
        (now, until): (Timestamp, Timestamp),
    ) -> Answer<Option<SealedMail>> {
        let mut all = self.lock();
        let due = |kept: &&mut Kept| kept.mail.tenant == tenant && kept.due <= now;
        let first = all.mails.values_mut().filter(due).min_by_key(|kept| (kept.due, kept.mail.id));
        Ok(first.map(|kept| {
            (kept.due, kept.replica, kept.mail.tries) = (until, Some(replica), kept.mail.tries + 1);
            kept.mail.clone()
        }))
    }

    async fn put_off(&self, turn: Turn, due: Timestamp) -> Answer<bool> {
        let mut all = self.lock();
        let kept = all.taken(turn);
        let is_taken = kept.is_some();
        if let Some(kept) = kept {
            kept.due = due;
        }
        Ok(is_taken)
    }

    async fn remove(&self, turn: Turn, tenant: TenantId, event: Option<&Event>) -> Answer<bool> {
        let mut all = self.lock();
        if all.taken(turn).is_none() {
            return Ok(false);
        }
        all.mails.remove(&turn.0);
        if let Some(event) = event {
            all.record(tenant, event);
        }
        Ok(true)
    }

    async fn answer_wish(
        &self,
        turn: Turn,
        link: PasswordLink,
        letter: &SealedMail,
        event: &Event,
    ) -> Answer<bool> {
        let mut all = self.lock();
        if !all.may_have_link((letter.tenant, link.user)) || all.taken(turn).is_none() {
            return Ok(false);
        }
        all.mails.remove(&turn.0);
        all.put_in(letter);
        all.password_links.insert(link.user, link);
        all.record(letter.tenant, event);
        Ok(true)
    }
}
