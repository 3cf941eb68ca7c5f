//! The model: what every engine must behave like.

mod device_grants;
mod enrolment;
mod factors;
mod invitations;
mod mails;
mod oauth;
mod passkeys;
mod places;
mod proofs;
mod provisioning;
mod trail;
mod upstream;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use openframe_ids::{
    ApiKeyId, ClientId, DeviceId, EnrolmentTokenId, FamilyId, GrantId, IdentityProviderId,
    PasskeyId, PlaceId, PushedId, SessionId, SignInId, TenantId, UserId,
};
use openframe_oauth::{Client, DeviceGrant, Family, Pushed};
use openframe_tokens::opaque::SecretHash;
use openframe_tokens::{Place, Role};
use uuid::Uuid;

use super::{Answer, Change, Changed, Keys, People, Renewal, Sessions, SetUp, StreamState};
use crate::domain::{
    ApiKey, Checkpoint, Claims, Consent, Device, DeviceCertificate, EmailLink, EnrolmentToken,
    Entry, Event, HalfSignIn, IdentityProvider, Invitation, KeptGrant, NamedPlace, Passkey,
    PasswordLink, SETUP_TOKENS, SealedKey, Session, SetupToken, TenantSettings, UpstreamLink, User,
    link,
};

/// A destination of the trail, and who sends to it until when.
#[derive(Debug)]
struct Stream {
    holder: Uuid,
    until: Timestamp,
    state: StreamState,
}

/// A client that wants to be told when a session ends, and since when it is to be told.
#[derive(Debug)]
struct Login {
    user: UserId,
    due: Option<Timestamp>,
    tries: u32,
}

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
    password_links: BTreeMap<UserId, PasswordLink>,
    invitations: BTreeMap<UserId, Invitation>,
    email_links: BTreeMap<UserId, EmailLink>,
    clients: BTreeMap<ClientId, Client>,
    consents: BTreeMap<(UserId, ClientId), Consent>,
    families: BTreeMap<FamilyId, Family>,
    device_grants: BTreeMap<FamilyId, DeviceGrant>,
    pushed: BTreeMap<PushedId, Pushed>,
    spent: BTreeMap<[u8; 32], Timestamp>,
    device_misses: Vec<(UserId, Timestamp)>,
    logins: BTreeMap<(SessionId, ClientId), Login>,
    signing_keys: Vec<SealedKey>,
    checkpoints: BTreeMap<(TenantId, u64), Checkpoint>,
    streams: BTreeMap<(TenantId, String), Stream>,
    factors: BTreeMap<UserId, factors::Kept>,
    passkeys: BTreeMap<PasskeyId, Passkey>,
    sign_ins: BTreeMap<SignInId, HalfSignIn>,
    settings: BTreeMap<TenantId, TenantSettings>,
    mails: BTreeMap<Uuid, mails::Kept>,
    places: BTreeMap<PlaceId, NamedPlace>,
    grants: BTreeMap<GrantId, KeptGrant>,
    providers: BTreeMap<IdentityProviderId, IdentityProvider>,
    links: BTreeMap<(IdentityProviderId, String), UpstreamLink>,
    directories: provisioning::Kept,
    /// Where devices are that are not in the tenant as such.
    placed: BTreeMap<DeviceId, Place>,
    /// What devices said of themselves that wait.
    claims: BTreeMap<DeviceId, Claims>,
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

    /// Ends the links for a new password and for another address.
    fn end_links(&mut self, user: UserId) {
        self.password_links.remove(&user);
        self.email_links.remove(&user);
    }

    /// Ends all of a person's sessions and links.
    fn sign_out(&mut self, user: UserId, at: Timestamp) {
        self.end_links(user);
        self.end_sessions_of(user, None, at);
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

    /// Changes a person; nothing is recorded yet.
    fn change(&mut self, (tenant, id): (TenantId, UserId), to: &Change, at: Timestamp) -> Changed {
        let other_owner = self.owner_signs_in(tenant, Some(id));
        let taken = to.email.as_ref().is_some_and(|email| self.has_address((tenant, email), id));
        let denied = self.is_denied(id, at);
        let Some(user) = self.users.get_mut(&id).filter(|user| user.tenant == tenant) else {
            return Changed::Missing;
        };
        let now = to.applied_to(user);
        if user.is_owner() && !now.is_owner() && !other_owner {
            return Changed::LastOwner;
        }
        if now.role == Role::Owner && user.role != Role::Owner && denied {
            return Changed::Denied;
        }
        if taken {
            return Changed::EmailTaken;
        }
        let moves = to.moves(user);
        *user = now.clone();
        if moves {
            self.end_links(id);
        }
        if now.disabled {
            self.sign_out(id, at);
            self.end_invitation(id, at);
            self.keys.retain(|_, key| key.owner != id);
        }
        Changed::Done(self.users.get(&id).cloned().unwrap_or(now))
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
        let changed = all.change((tenant, id), to, event.at);
        if let Changed::Done(_) = &changed {
            all.record(tenant, event);
        }
        Ok(changed)
    }

    async fn add_password_link(
        &self,
        tenant: TenantId,
        link: PasswordLink,
        event: &Event,
    ) -> Answer<bool> {
        let mut all = self.lock();
        if !all.may_have_link((tenant, link.user)) {
            return Ok(false);
        }
        all.password_links.insert(link.user, link);
        all.record(tenant, event);
        Ok(true)
    }

    async fn use_password_link(
        &self,
        (tenant, id): (TenantId, UserId),
        secret: SecretHash,
        to: &[u8],
        event: &Event,
    ) -> Answer<Option<User>> {
        let mut all = self.lock();
        let link = all.password_links.get(&id);
        let good = |link: &&PasswordLink| link.secret == secret && link.expires > event.at;
        let Some(mailed) = link.filter(good).map(|link| link.mailed) else { return Ok(None) };
        let user = all.users.get_mut(&id).filter(|user| user.tenant == tenant && !user.disabled);
        let Some(user) = user else { return Ok(None) };
        user.password = to.to_vec();
        user.email_verified |= mailed;
        let user = user.clone();
        all.sign_out(id, event.at);
        all.record(tenant, event);
        Ok(Some(user))
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
        all.sign_out(id, event.at);
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

    async fn renew(&self, id: SessionId, to: &Renewal, event: &Event) -> Answer<bool> {
        let mut all = self.lock();
        let session = all.sessions.get_mut(&id).filter(|session| session.secret == to.from);
        let Some(session) = session else { return Ok(false) };
        (session.secret, session.auth_time, session.amr) = (to.secret, to.auth_time, to.amr);
        let tenant = session.tenant;
        all.record(tenant, event);
        Ok(true)
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
            all.end_logins(event.at);
            all.end_families(|it| it.holder.is_some_and(|holder| holder.session == id));
            all.record(tenant, event);
        }
        Ok(there)
    }

    async fn remove_ended(&self, now: Timestamp, idle_since: Timestamp) -> Answer<u64> {
        let mut all = self.lock();
        let before = all.sessions.len();
        all.sessions.retain(|_, it| it.expires > now && it.last_seen >= idle_since);
        all.end_logins(now);
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
