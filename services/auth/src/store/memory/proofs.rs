//! Requests that were pushed ahead of a browser, and what is good once, in memory.

use async_trait::async_trait;
use jiff::Timestamp;
use openframe_ids::PushedId;
use openframe_oauth::{OPENED_LIFETIME, OneTime, Pushed};
use openframe_tokens::opaque::Presented;

use super::MemoryStore;
use crate::store::{Answer, OneTimes, PushedRequests};

#[async_trait]
impl PushedRequests for MemoryStore {
    async fn add(&self, pushed: &Pushed) -> Answer<bool> {
        let mut all = self.lock();
        let known = all.clients.get(&pushed.client).is_some_and(|it| it.tenant == pushed.tenant);
        if known {
            all.pushed.insert(pushed.id, pushed.clone());
        }
        Ok(known)
    }

    async fn open(&self, shown: &Presented, now: Timestamp) -> Answer<Option<Pushed>> {
        let mut all = self.lock();
        let own = |it: &&mut Pushed| it.secret == shown.hash && it.expires > now;
        let Some(pushed) = all.pushed.get_mut(&PushedId(shown.id)).filter(own) else {
            return Ok(None);
        };
        if pushed.opened.is_none() {
            (pushed.opened, pushed.expires) = (Some(now), now + OPENED_LIFETIME);
        }
        Ok(Some(pushed.clone()))
    }

    async fn close(&self, id: PushedId) -> Answer<bool> {
        Ok(self.lock().pushed.remove(&id).is_some())
    }

    async fn forget(&self, now: Timestamp) -> Answer<()> {
        self.lock().pushed.retain(|_, it| it.expires > now);
        Ok(())
    }
}

#[async_trait]
impl OneTimes for MemoryStore {
    async fn spend(&self, it: &OneTime) -> Answer<bool> {
        Ok(self.lock().spent.insert(it.hash.0, it.until).is_none())
    }

    async fn forget(&self, now: Timestamp) -> Answer<()> {
        self.lock().spent.retain(|_, until| *until > now);
        Ok(())
    }
}
