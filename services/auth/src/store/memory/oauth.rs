//! The model of clients, families and signing keys.

use async_trait::async_trait;
use jiff::Timestamp;
use openframe_ids::{ClientId, FamilyId, TenantId, UserId};
use openframe_oauth::{Client, Ended, Family, Scopes, scope};

use super::{Everything, Login, MemoryStore};
use crate::domain::{Consent, Event, LogoutNotice, SealedKey};
use crate::store::{Answer, Clients, Families, Logouts, SigningKeys};

impl Everything {
    /// Ends every family that `of` picks.
    pub(super) fn end_families(&mut self, of: impl Fn(&Family) -> bool) {
        self.families.retain(|_, family| !of(family));
    }

    /// Adds a family, as [`Families::add`] says.
    pub(super) fn add_family(&mut self, family: &Family, event: Option<&Event>) -> bool {
        let session = family.holder.map(|holder| holder.session);
        if !self.clients.contains_key(&family.client)
            || session.is_some_and(|session| !self.sessions.contains_key(&session))
        {
            return false;
        }
        if let Some(holder) = family.holder {
            let consent = self.consents.entry((holder.user, family.client));
            let consent = consent.or_insert_with(|| Consent {
                client: family.client,
                scopes: Scopes::default(),
                given: family.created,
            });
            consent.scopes = consent.scopes.and(&family.scopes);
            consent.given = family.created;
            let client = self.clients.get(&family.client);
            let told = client.is_some_and(|client| client.backchannel_logout_uri.is_some());
            if told && family.scopes.has(scope::OPENID) {
                let login = Login { user: holder.user, due: None, tries: 0 };
                self.logins.entry((holder.session, family.client)).or_insert(login);
            }
        }
        self.families.insert(family.id, family.clone());
        if let Some(event) = event {
            self.record(family.tenant, event);
        }
        true
    }

    /// Clients of sessions that are no more are to be told so from `at` on.
    pub(super) fn end_logins(&mut self, at: Timestamp) {
        let over = |session| !self.sessions.contains_key(session);
        for ((session, _), login) in &mut self.logins {
            if login.due.is_none() && over(session) {
                login.due = Some(at);
            }
        }
    }
}

#[async_trait]
impl Clients for MemoryStore {
    async fn add(&self, client: &Client, event: &Event) -> Answer<()> {
        let mut all = self.lock();
        all.clients.insert(client.id, client.clone());
        all.record(client.tenant, event);
        Ok(())
    }

    async fn get(&self, id: ClientId) -> Answer<Option<Client>> {
        Ok(self.lock().clients.get(&id).cloned())
    }

    async fn list(&self, tenant: TenantId) -> Answer<Vec<Client>> {
        let all = self.lock();
        Ok(all.clients.values().filter(|client| client.tenant == tenant).cloned().collect())
    }

    async fn remove(&self, tenant: TenantId, id: ClientId, event: &Event) -> Answer<bool> {
        let mut all = self.lock();
        let there = all.clients.get(&id).is_some_and(|client| client.tenant == tenant);
        if there {
            all.clients.remove(&id);
            all.consents.retain(|(_, client), _| *client != id);
            all.end_families(|family| family.client == id);
            all.logins.retain(|(_, client), _| *client != id);
            all.pushed.retain(|_, pushed| pushed.client != id);
            all.device_grants.retain(|_, grant| grant.client != id);
            all.record(tenant, event);
        }
        Ok(there)
    }
}

#[async_trait]
impl Families for MemoryStore {
    async fn add(&self, family: &Family, event: Option<&Event>) -> Answer<bool> {
        Ok(self.lock().add_family(family, event))
    }

    async fn get(&self, id: FamilyId) -> Answer<Option<Family>> {
        Ok(self.lock().families.get(&id).cloned())
    }

    async fn replace(&self, next: &Family, event: Option<&Event>) -> Answer<bool> {
        let mut all = self.lock();
        let kept = all.families.get_mut(&next.id);
        let Some(kept) = kept.filter(|kept| kept.version + 1 == next.version) else {
            return Ok(false);
        };
        *kept = next.clone();
        if let Some(event) = event {
            all.record(next.tenant, event);
        }
        Ok(true)
    }

    async fn end(&self, tenant: TenantId, id: FamilyId, event: &Event) -> Answer<bool> {
        let mut all = self.lock();
        let there = all.families.get(&id).is_some_and(|family| family.tenant == tenant);
        if there {
            all.families.remove(&id);
            all.record(tenant, event);
        }
        Ok(there)
    }

    async fn allowed(&self, user: UserId, client: ClientId) -> Answer<Scopes> {
        let all = self.lock();
        let consent = all.consents.get(&(user, client));
        Ok(consent.map(|consent| consent.scopes.clone()).unwrap_or_default())
    }

    async fn consents(&self, tenant: TenantId, user: UserId) -> Answer<Vec<Consent>> {
        let all = self.lock();
        let own = all.clients.values().filter(|client| client.tenant == tenant);
        Ok(own.filter_map(|client| all.consents.get(&(user, client.id))).cloned().collect())
    }

    async fn withdraw(
        &self,
        tenant: TenantId,
        user: UserId,
        client: ClientId,
        event: &Event,
    ) -> Answer<bool> {
        let mut all = self.lock();
        let own = all.clients.get(&client).is_some_and(|client| client.tenant == tenant);
        if !own || all.consents.remove(&(user, client)).is_none() {
            return Ok(false);
        }
        let theirs = |family: &Family| family.holder.is_some_and(|holder| holder.user == user);
        all.end_families(|family| family.client == client && theirs(family));
        all.record(tenant, event);
        Ok(true)
    }

    async fn forget_ended(&self, now: Timestamp) -> Answer<()> {
        self.lock().end_families(|family| family.expires <= now);
        Ok(())
    }
}

#[async_trait]
impl Logouts for MemoryStore {
    async fn take(&self, now: Timestamp, until: Timestamp, most: u32) -> Answer<Vec<LogoutNotice>> {
        let all = &mut *self.lock();
        let mut due: Vec<_> =
            all.logins.iter_mut().filter(|(_, it)| it.due.is_some_and(|due| due <= now)).collect();
        due.sort_by_key(|(id, login)| (login.due, **id));
        let mut taken = Vec::new();
        for ((session, client), login) in due.into_iter().take(most as usize) {
            let uri = all.clients.get(client).and_then(|it| it.backchannel_logout_uri.clone());
            let Some(uri) = uri else { continue };
            (login.due, login.tries) = (Some(until), login.tries + 1);
            let ended = Ended { client: *client, user: login.user, session: *session };
            taken.push(LogoutNotice { ended, uri, tries: login.tries });
        }
        Ok(taken)
    }

    async fn put_off(&self, notice: &LogoutNotice, until: Option<Timestamp>) -> Answer<bool> {
        let mut all = self.lock();
        let id = (notice.ended.session, notice.ended.client);
        let login = all.logins.get_mut(&id).filter(|login| login.tries == notice.tries);
        let Some(login) = login else { return Ok(false) };
        login.due = until;
        if until.is_none() {
            all.logins.remove(&id);
        }
        Ok(true)
    }
}

#[async_trait]
impl SigningKeys for MemoryStore {
    async fn keys(&self) -> Answer<Vec<SealedKey>> {
        Ok(self.lock().signing_keys.clone())
    }

    async fn add_key(&self, key: &SealedKey, unless_since: Timestamp) -> Answer<bool> {
        let mut all = self.lock();
        let wanted = !all.signing_keys.iter().any(|other| other.times.made > unless_since);
        if wanted {
            all.signing_keys.push(key.clone());
        }
        Ok(wanted)
    }

    async fn rotate(
        &self,
        tenant: TenantId,
        key: &SealedKey,
        alone: bool,
        event: &Event,
    ) -> Answer<()> {
        let mut all = self.lock();
        if alone {
            all.signing_keys.clear();
        }
        all.signing_keys.push(key.clone());
        all.record(tenant, event);
        Ok(())
    }

    async fn forget_keys(&self, since: Timestamp) -> Answer<()> {
        self.lock().signing_keys.retain(|key| key.times.made >= since);
        Ok(())
    }
}
