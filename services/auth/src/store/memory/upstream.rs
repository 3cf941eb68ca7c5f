//! The model of other providers that people may sign in at.

use async_trait::async_trait;
use openframe_ids::{IdentityProviderId, TenantId, UserId};

use super::{Everything, MemoryStore};
use crate::domain::{Event, IdentityProvider, Invitation, UpstreamLink, User};
use crate::store::{Answer, IdentityProviders, Known, LinkKept, ProviderKept};

impl Everything {
    fn is_like_another(&self, it: &IdentityProvider) -> bool {
        let like = |other: &IdentityProvider| {
            let same = other.name == it.name || other.issuer == it.issuer;
            other.tenant == it.tenant && other.id != it.id && same
        };
        self.providers.values().any(like)
    }

    /// The person who is known so, and is let in.
    fn known(&self, link: &UpstreamLink, known: Known<'_>, event: &Event) -> Option<User> {
        let there = |email: &str| {
            let user = self.users.get(&link.user)?;
            let fits = user.tenant == link.tenant && user.email == email && !user.disabled;
            fits.then(|| user.clone())
        };
        match known {
            Known::ByAddress(email) => there(email).filter(|user| user.email_verified),
            Known::Invited(email, name) => {
                let good = |it: &Invitation| it.expires > event.at;
                self.invitations.get(&link.user).copied().filter(good)?;
                let name = name.to_owned();
                let (email_verified, invited) = (true, None);
                there(email).map(|user| User { email_verified, name, invited, ..user })
            }
            Known::New(user) => {
                let taken = self.has_address((user.tenant, &user.email), user.id);
                (!taken).then(|| user.clone())
            }
        }
    }
}

#[async_trait]
impl IdentityProviders for MemoryStore {
    async fn add(&self, provider: &IdentityProvider, event: &Event) -> Answer<ProviderKept> {
        let mut all = self.lock();
        let of_tenant = |it: &&IdentityProvider| it.tenant == provider.tenant;
        if all.providers.values().filter(of_tenant).count() >= IdentityProvider::MOST {
            return Ok(ProviderKept::TooMany);
        }
        if all.is_like_another(provider) {
            return Ok(ProviderKept::Taken);
        }
        all.providers.insert(provider.id, provider.clone());
        all.record(provider.tenant, event);
        Ok(ProviderKept::Done)
    }

    async fn get(
        &self,
        tenant: TenantId,
        id: IdentityProviderId,
    ) -> Answer<Option<IdentityProvider>> {
        let all = self.lock();
        Ok(all.providers.get(&id).filter(|it| it.tenant == tenant).cloned())
    }

    async fn list(&self, tenant: TenantId) -> Answer<Vec<IdentityProvider>> {
        let all = self.lock();
        Ok(all.providers.values().filter(|it| it.tenant == tenant).cloned().collect())
    }

    async fn change(&self, provider: &IdentityProvider, event: &Event) -> Answer<ProviderKept> {
        let mut all = self.lock();
        let (id, tenant) = (provider.id, provider.tenant);
        let Some(kept) = all.providers.get(&id).filter(|it| it.tenant == tenant).cloned() else {
            return Ok(ProviderKept::Missing);
        };
        let IdentityProvider { issuer, client_id, created, .. } = kept;
        let now = IdentityProvider { issuer, client_id, created, ..provider.clone() };
        if all.is_like_another(&now) {
            return Ok(ProviderKept::Taken);
        }
        all.providers.insert(id, now);
        all.record(tenant, event);
        Ok(ProviderKept::Done)
    }

    async fn remove(
        &self,
        tenant: TenantId,
        id: IdentityProviderId,
        event: &Event,
    ) -> Answer<bool> {
        let mut all = self.lock();
        if all.providers.get(&id).is_none_or(|it| it.tenant != tenant) {
            return Ok(false);
        }
        all.providers.remove(&id);
        all.links.retain(|(provider, _), _| *provider != id);
        all.record(tenant, event);
        Ok(true)
    }

    async fn linked(
        &self,
        tenant: TenantId,
        provider: IdentityProviderId,
        subject: &str,
    ) -> Answer<Option<UserId>> {
        let all = self.lock();
        let link = all.links.get(&(provider, subject.to_owned()));
        Ok(link.filter(|it| it.tenant == tenant).map(|it| it.user))
    }

    async fn link(&self, link: &UpstreamLink, known: Known<'_>, event: &Event) -> Answer<LinkKept> {
        let mut all = self.lock();
        let good = |it: &IdentityProvider| it.tenant == link.tenant && it.enabled;
        if !all.providers.get(&link.provider).is_some_and(good) {
            return Ok(LinkKept::NotGood);
        }
        let Some(user) = all.known(link, known, event) else { return Ok(LinkKept::NotGood) };
        let key = (link.provider, link.subject.clone());
        let named = |it: &UpstreamLink| it.provider == link.provider && it.user == link.user;
        if all.links.contains_key(&key) || all.links.values().any(named) {
            return Ok(LinkKept::Taken);
        }
        if matches!(known, Known::Invited(..)) {
            all.invitations.remove(&user.id);
        }
        all.users.insert(user.id, user.clone());
        all.links.insert(key, link.clone());
        all.record(link.tenant, event);
        Ok(LinkKept::Done(Box::new(user)))
    }
}
