//! The model: what every engine must behave like.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use openframe_ids::{ApiKeyId, DeviceId, EnrolmentTokenId, SessionId, TenantId, UserId};
use openframe_tokens::opaque::SecretHash;

use super::{Answer, Change, Changed, Enrolment, Joining, Keys, People, Sessions, SetUp, Trail};
use crate::domain::{
    ApiKey, Device, DeviceCertificate, EnrolmentToken, Entry, Event, SETUP_TOKENS, Session,
    SetupToken, User, link,
};

#[derive(Debug, Default)]
struct Everything {
    users: BTreeMap<UserId, User>,
    setup_tokens: BTreeMap<TenantId, Vec<SetupToken>>,
    sessions: BTreeMap<SessionId, Session>,
    keys: BTreeMap<ApiKeyId, ApiKey>,
    tokens: BTreeMap<EnrolmentTokenId, EnrolmentToken>,
    devices: BTreeMap<DeviceId, Device>,
    certificates: BTreeMap<String, DeviceCertificate>,
    trails: BTreeMap<TenantId, Vec<Entry>>,
}

impl Everything {
    fn record(&mut self, tenant: TenantId, event: &Event) {
        let trail = self.trails.entry(tenant).or_default();
        let (last, previous) = trail.last().map_or((0, [0; 32]), |entry| (entry.seq, entry.hash));
        let seq = last + 1;
        let hash = link(&previous, tenant, seq, event);
        trail.push(Entry { seq, event: event.clone(), hash });
    }

    fn has_setup_token(&self, tenant: TenantId, secret: SecretHash, now: Timestamp) -> bool {
        let mut tokens = self.setup_tokens.get(&tenant).into_iter().flatten();
        tokens.any(|token| token.secret == secret && token.expires > now)
    }

    /// Whether an owner other than `except` can sign in.
    fn owner_signs_in(&self, tenant: TenantId, except: Option<UserId>) -> bool {
        let can = |user: &User| {
            user.tenant == tenant
                && user.is_owner()
                && user.has_password()
                && Some(user.id) != except
        };
        self.users.values().any(can)
    }
}

/// Keeps everything in memory. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore(Arc<Mutex<Everything>>);

impl MemoryStore {
    fn lock(&self) -> MutexGuard<'_, Everything> {
        // Poisoned by a panicking test at most: no method leaves the maps half written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl People for MemoryStore {
    async fn owner_signs_in(&self, tenant: TenantId) -> Answer<bool> {
        Ok(self.lock().owner_signs_in(tenant, None))
    }

    async fn add_setup_token(
        &self,
        tenant: TenantId,
        token: SetupToken,
        event: &Event,
    ) -> Answer<bool> {
        let mut all = self.lock();
        if all.owner_signs_in(tenant, None) {
            return Ok(false);
        }
        let tokens = all.setup_tokens.entry(tenant).or_default();
        tokens.retain(|kept| kept.secret != token.secret);
        tokens.push(token);
        tokens.sort_by_key(|token| (Reverse(token.expires), token.secret.0));
        tokens.truncate(SETUP_TOKENS);
        all.record(tenant, event);
        Ok(true)
    }

    async fn has_setup_token(
        &self,
        tenant: TenantId,
        secret: SecretHash,
        now: Timestamp,
    ) -> Answer<bool> {
        Ok(self.lock().has_setup_token(tenant, secret, now))
    }

    async fn set_up(&self, user: &User, setup: SecretHash, event: &Event) -> Answer<SetUp> {
        let mut all = self.lock();
        let good = all.has_setup_token(user.tenant, setup, event.at);
        if !good || all.owner_signs_in(user.tenant, None) {
            return Ok(SetUp::Refused);
        }
        let same = |other: &User| other.tenant == user.tenant && other.email == user.email;
        if all.users.values().any(same) {
            return Ok(SetUp::EmailTaken);
        }
        all.setup_tokens.remove(&user.tenant);
        all.users.insert(user.id, user.clone());
        all.record(user.tenant, event);
        Ok(SetUp::Done)
    }

    async fn bootstrap(&self, user: &User, key: &ApiKey, event: &Event) -> Answer<bool> {
        let mut all = self.lock();
        if all.users.values().any(|other| other.tenant == user.tenant) {
            return Ok(false);
        }
        all.users.insert(user.id, user.clone());
        all.keys.insert(key.id, key.clone());
        all.record(user.tenant, event);
        Ok(true)
    }

    async fn add(&self, user: &User, event: &Event) -> Answer<bool> {
        let mut all = self.lock();
        let same = |other: &User| other.tenant == user.tenant && other.email == user.email;
        if all.users.values().any(same) {
            return Ok(false);
        }
        all.users.insert(user.id, user.clone());
        all.record(user.tenant, event);
        Ok(true)
    }

    async fn get(&self, tenant: TenantId, id: UserId) -> Answer<Option<User>> {
        Ok(self.lock().users.get(&id).filter(|user| user.tenant == tenant).cloned())
    }

    async fn by_email(&self, tenant: TenantId, email: &str) -> Answer<Option<User>> {
        let is = |user: &&User| user.tenant == tenant && user.email == email;
        Ok(self.lock().users.values().find(is).cloned())
    }

    async fn list(&self, tenant: TenantId) -> Answer<Vec<User>> {
        Ok(self.lock().users.values().filter(|user| user.tenant == tenant).cloned().collect())
    }

    async fn change(
        &self,
        tenant: TenantId,
        id: UserId,
        to: &Change,
        event: &Event,
    ) -> Answer<Changed> {
        let mut all = self.lock();
        let other_owner = all.owner_signs_in(tenant, Some(id));
        let Some(user) = all.users.get_mut(&id).filter(|user| user.tenant == tenant) else {
            return Ok(Changed::Missing);
        };
        let now = to.applied_to(user);
        if user.is_owner() && !now.is_owner() && !other_owner {
            return Ok(Changed::LastOwner);
        }
        *user = now.clone();
        if now.disabled {
            all.sessions.retain(|_, session| session.user != id);
            all.keys.retain(|_, key| key.owner != id);
        }
        all.record(tenant, event);
        Ok(Changed::Done(now))
    }

    async fn set_password(
        &self,
        (tenant, id): (TenantId, UserId),
        (from, to): (&[u8], &[u8]),
        event: &Event,
    ) -> Answer<bool> {
        let mut all = self.lock();
        let user = all.users.get_mut(&id).filter(|user| user.tenant == tenant && !user.disabled);
        let Some(user) = user.filter(|user| user.password == from) else { return Ok(false) };
        user.password = to.to_vec();
        all.sessions.retain(|_, session| session.user != id);
        all.record(tenant, event);
        Ok(true)
    }
}

#[async_trait]
impl Sessions for MemoryStore {
    async fn add(&self, session: &Session, event: &Event) -> Answer<()> {
        let mut all = self.lock();
        all.sessions.insert(session.id, session.clone());
        all.record(session.tenant, event);
        Ok(())
    }

    async fn get(&self, id: SessionId) -> Answer<Option<Session>> {
        Ok(self.lock().sessions.get(&id).cloned())
    }

    async fn list(&self, tenant: TenantId, user: Option<UserId>) -> Answer<Vec<Session>> {
        let wanted = |session: &&Session| {
            session.tenant == tenant && user.is_none_or(|user| session.user == user)
        };
        Ok(self.lock().sessions.values().filter(wanted).cloned().collect())
    }

    async fn touch(&self, id: SessionId, at: Timestamp, remote_address: &str) -> Answer<()> {
        if let Some(session) = self.lock().sessions.get_mut(&id) {
            session.last_seen = at;
            remote_address.clone_into(&mut session.remote_address);
        }
        Ok(())
    }

    async fn remove(
        &self,
        tenant: TenantId,
        id: SessionId,
        user: Option<UserId>,
        event: &Event,
    ) -> Answer<bool> {
        let mut all = self.lock();
        let there = all.sessions.get(&id).is_some_and(|session| {
            session.tenant == tenant && user.is_none_or(|user| session.user == user)
        });
        if there {
            all.sessions.remove(&id);
            all.record(tenant, event);
        }
        Ok(there)
    }

    async fn remove_ended(&self, now: Timestamp, idle_since: Timestamp) -> Answer<u64> {
        let mut all = self.lock();
        let before = all.sessions.len();
        all.sessions.retain(|_, it| it.expires > now && it.last_seen >= idle_since);
        Ok((before - all.sessions.len()) as u64)
    }
}

#[async_trait]
impl Keys for MemoryStore {
    async fn add(&self, key: &ApiKey, event: &Event) -> Answer<()> {
        let mut all = self.lock();
        all.keys.insert(key.id, key.clone());
        all.record(key.tenant, event);
        Ok(())
    }

    async fn get(&self, id: ApiKeyId) -> Answer<Option<ApiKey>> {
        Ok(self.lock().keys.get(&id).cloned())
    }

    async fn list(&self, tenant: TenantId, owner: Option<UserId>) -> Answer<Vec<ApiKey>> {
        let wanted =
            |key: &&ApiKey| key.tenant == tenant && owner.is_none_or(|owner| key.owner == owner);
        Ok(self.lock().keys.values().filter(wanted).cloned().collect())
    }

    async fn touch(&self, id: ApiKeyId, at: Timestamp) -> Answer<()> {
        if let Some(key) = self.lock().keys.get_mut(&id) {
            key.last_used = Some(at);
        }
        Ok(())
    }

    async fn remove(
        &self,
        tenant: TenantId,
        owner: Option<UserId>,
        id: ApiKeyId,
        event: &Event,
    ) -> Answer<bool> {
        let mut all = self.lock();
        let there = all.keys.get(&id).is_some_and(|key| {
            key.tenant == tenant && owner.is_none_or(|owner| key.owner == owner)
        });
        if there {
            all.keys.remove(&id);
            all.record(tenant, event);
        }
        Ok(there)
    }
}

#[async_trait]
impl Enrolment for MemoryStore {
    async fn add_token(&self, token: &EnrolmentToken, event: &Event) -> Answer<()> {
        let mut all = self.lock();
        all.tokens.insert(token.id, token.clone());
        all.record(token.tenant, event);
        Ok(())
    }

    async fn tokens(&self, tenant: TenantId, now: Timestamp) -> Answer<Vec<EnrolmentToken>> {
        let usable = |token: &&EnrolmentToken| {
            token.tenant == tenant && token.uses_left > 0 && token.expires > now
        };
        Ok(self.lock().tokens.values().filter(usable).cloned().collect())
    }

    async fn remove_token(
        &self,
        tenant: TenantId,
        id: EnrolmentTokenId,
        event: &Event,
    ) -> Answer<bool> {
        let mut all = self.lock();
        let there = all.tokens.get(&id).is_some_and(|token| token.tenant == tenant);
        if there {
            all.tokens.remove(&id);
            all.record(tenant, event);
        }
        Ok(there)
    }

    async fn join(&self, joining: &Joining, event: &Event) -> Answer<Option<Device>> {
        let mut all = self.lock();
        let all = &mut *all;
        let Some(token) = all.tokens.get_mut(&joining.token) else { return Ok(None) };
        if token.secret != joining.secret || token.expires <= event.at {
            return Ok(None);
        }
        let same = |it: &&Device| it.token == joining.token && it.spki == joining.spki;
        let device = if let Some(known) = all.devices.values().find(same) {
            known.clone()
        } else {
            let Some(left) = token.uses_left.checked_sub(1) else { return Ok(None) };
            token.uses_left = left;
            token.uses += 1;
            token.last_used = Some(event.at);
            Device {
                id: joining.device,
                tenant: token.tenant,
                token: joining.token,
                spki: joining.spki,
                revoked: false,
                certified_until: Timestamp::UNIX_EPOCH,
                created: event.at,
            }
        };
        if device.revoked {
            return Ok(None);
        }
        all.devices.insert(device.id, device.clone());
        let event = Event { target: device.id.to_string(), ..event.clone() };
        all.record(device.tenant, &event);
        Ok(Some(device))
    }

    async fn device(&self, tenant: TenantId, id: DeviceId) -> Answer<Option<Device>> {
        Ok(self.lock().devices.get(&id).filter(|device| device.tenant == tenant).cloned())
    }

    async fn certify(
        &self,
        issued: &DeviceCertificate,
        bound: [u8; 32],
        event: &Event,
    ) -> Answer<bool> {
        let mut all = self.lock();
        let all = &mut *all;
        let device = all.devices.get(&issued.device);
        let held = |it: &&Device| it.tenant == issued.tenant && it.spki == bound && !it.revoked;
        let Some(device) = device.filter(held).cloned() else { return Ok(false) };
        let taken =
            |it: &Device| it.id != device.id && it.token == device.token && it.spki == issued.spki;
        if all.devices.values().any(taken) {
            return Ok(false);
        }
        all.certificates.retain(|_, it| it.device != device.id || it.spki == issued.spki);
        let certified_until = device.certified_until.max(issued.expires);
        let device = Device { spki: issued.spki, certified_until, ..device };
        all.devices.insert(device.id, device);
        all.certificates.insert(issued.serial.clone(), issued.clone());
        all.record(issued.tenant, event);
        Ok(true)
    }

    async fn counts(
        &self,
        (tenant, id): (TenantId, DeviceId),
        serial: &str,
        now: Timestamp,
    ) -> Answer<bool> {
        let all = self.lock();
        let device = all.devices.get(&id).filter(|it| it.tenant == tenant && !it.revoked);
        Ok(device.is_some_and(|device| {
            let good = |it: &DeviceCertificate| {
                it.device == id && it.spki == device.spki && it.expires > now
            };
            device.certified_until == Timestamp::UNIX_EPOCH
                || all.certificates.get(serial).is_some_and(good)
        }))
    }

    async fn forget_certificates(&self, now: Timestamp) -> Answer<()> {
        self.lock().certificates.retain(|_, it| it.expires > now);
        Ok(())
    }

    async fn revoke(&self, tenant: TenantId, id: DeviceId, event: &Event) -> Answer<bool> {
        let mut all = self.lock();
        let device = all.devices.get_mut(&id);
        let Some(device) = device.filter(|it| it.tenant == tenant && !it.revoked) else {
            return Ok(false);
        };
        device.revoked = true;
        all.record(tenant, event);
        Ok(true)
    }
}

#[async_trait]
impl Trail for MemoryStore {
    async fn append(&self, tenant: TenantId, event: &Event) -> Answer<()> {
        self.lock().record(tenant, event);
        Ok(())
    }

    async fn page(&self, tenant: TenantId, before: Option<u64>, limit: u32) -> Answer<Vec<Entry>> {
        let all = self.lock();
        let entries = all.trails.get(&tenant).into_iter().flatten().rev();
        let wanted = entries.filter(|entry| before.is_none_or(|before| entry.seq < before));
        Ok(wanted.take(limit as usize).cloned().collect())
    }

    async fn after(&self, tenant: TenantId, after: u64, limit: u32) -> Answer<Vec<Entry>> {
        let all = self.lock();
        let entries = all.trails.get(&tenant).into_iter().flatten();
        Ok(entries.filter(|entry| entry.seq > after).take(limit as usize).cloned().collect())
    }

    async fn head(&self, tenant: TenantId) -> Answer<Option<(u64, [u8; 32])>> {
        let all = self.lock();
        let last = all.trails.get(&tenant).and_then(|trail| trail.last());
        Ok(last.map(|entry| (entry.seq, entry.hash)))
    }
}
