//! The model of invitations, and of links that show that an address is read.

use async_trait::async_trait;
use jiff::Timestamp;
use openframe_ids::{TenantId, UserId};
use openframe_tokens::opaque::SecretHash;

use super::{Everything, MemoryStore};
use crate::domain::{Accepted, EmailLink, Event, Invitation, SealedMail, User};
use crate::store::{Answer, EmailLinks, EmailUsed, Invitations};

impl Everything {
    /// Whether somebody other than `except` has this address.
    pub(super) fn has_address(&self, (tenant, email): (TenantId, &str), except: UserId) -> bool {
        let has = |user: &User| user.tenant == tenant && user.email == email && user.id != except;
        self.users.values().any(has)
    }

    /// Whether a person may have a link for a new password.
    pub(super) fn may_have_link(&self, (tenant, user): (TenantId, UserId)) -> bool {
        let there = self.users.get(&user).is_some_and(|it| it.tenant == tenant && !it.disabled);
        there && !self.invitations.contains_key(&user)
    }

    /// Makes the invitation that a person has good no more.
    pub(super) fn end_invitation(&mut self, user: UserId, at: Timestamp) {
        if let Some(invitation) = self.invitations.get_mut(&user) {
            let expires = invitation.expires.min(at);
            invitation.expires = expires;
            if let Some(user) = self.users.get_mut(&user) {
                user.invited = Some(expires);
            }
        }
    }

    fn keep_invitation(&mut self, invitation: Invitation, letter: Option<&SealedMail>) {
        self.invitations.insert(invitation.user, invitation);
        if let Some(user) = self.users.get_mut(&invitation.user) {
            user.invited = Some(invitation.expires);
        }
        if let Some(letter) = letter {
            self.put_in(letter);
        }
    }

    fn enabled(&mut self, (tenant, user): (TenantId, UserId)) -> Option<&mut User> {
        self.users.get_mut(&user).filter(|user| user.tenant == tenant && !user.disabled)
    }
}

#[async_trait]
impl Invitations for MemoryStore {
    async fn invite(
        &self,
        user: &User,
        invitation: Invitation,
        letter: Option<&SealedMail>,
        event: &Event,
    ) -> Answer<bool> {
        let mut all = self.lock();
        if all.has_address((user.tenant, &user.email), user.id) {
            return Ok(false);
        }
        all.users.insert(user.id, user.clone());
        all.keep_invitation(invitation, letter);
        all.record(user.tenant, event);
        Ok(true)
    }

    async fn invite_again(
        &self,
        tenant: TenantId,
        invitation: Invitation,
        letter: Option<&SealedMail>,
        event: &Event,
    ) -> Answer<bool> {
        let mut all = self.lock();
        let there = all.enabled((tenant, invitation.user)).is_some();
        if !there || !all.invitations.contains_key(&invitation.user) {
            return Ok(false);
        }
        all.keep_invitation(invitation, letter);
        all.record(tenant, event);
        Ok(true)
    }

    async fn invitation(&self, tenant: TenantId, user: UserId) -> Answer<Option<Invitation>> {
        let all = self.lock();
        let there = all.users.get(&user).is_some_and(|user| user.tenant == tenant);
        Ok(all.invitations.get(&user).filter(|_| there).copied())
    }

    async fn withdraw(&self, tenant: TenantId, user: UserId, event: &Event) -> Answer<bool> {
        let mut all = self.lock();
        let there = all.users.get(&user).is_some_and(|user| user.tenant == tenant);
        if !there || all.invitations.remove(&user).is_none() {
            return Ok(false);
        }
        all.end_links(user);
        all.forget_provisioned(user);
        all.users.remove(&user);
        all.record(tenant, event);
        Ok(true)
    }

    async fn accept(
        &self,
        whose: (TenantId, UserId),
        secret: SecretHash,
        accepted: &Accepted,
        event: &Event,
    ) -> Answer<Option<User>> {
        let mut all = self.lock();
        let good = |it: &&Invitation| it.secret == secret && it.expires > event.at;
        let Some(invitation) = all.invitations.get(&whose.1).filter(good).copied() else {
            return Ok(None);
        };
        let Some(user) = all.enabled(whose) else { return Ok(None) };
        user.name.clone_from(&accepted.name);
        user.password.clone_from(&accepted.password);
        (user.email_verified, user.invited) = (invitation.mailed, None);
        let user = user.clone();
        all.invitations.remove(&user.id);
        all.record(whose.0, event);
        Ok(Some(user))
    }
}

#[async_trait]
impl EmailLinks for MemoryStore {
    async fn add_email_link(
        &self,
        tenant: TenantId,
        link: &EmailLink,
        letter: &SealedMail,
        event: &Event,
    ) -> Answer<bool> {
        let mut all = self.lock();
        if all.enabled((tenant, link.user)).is_none() {
            return Ok(false);
        }
        all.email_links.insert(link.user, link.clone());
        all.put_in(letter);
        all.record(tenant, event);
        Ok(true)
    }

    async fn use_email_link(
        &self,
        whose: (TenantId, UserId),
        secret: SecretHash,
        event: &Event,
    ) -> Answer<EmailUsed> {
        let mut all = self.lock();
        let good = |it: &&EmailLink| it.secret == secret && it.expires > event.at;
        let Some(link) = all.email_links.get(&whose.1).filter(good).cloned() else {
            return Ok(EmailUsed::NotGood);
        };
        if all.has_address((whose.0, &link.email), whose.1) {
            return Ok(EmailUsed::Taken);
        }
        let Some(user) = all.enabled(whose) else { return Ok(EmailUsed::NotGood) };
        let before = user.clone();
        (user.email, user.email_verified) = (link.email, true);
        let now = user.clone();
        all.end_links(whose.1);
        all.record(whose.0, event);
        Ok(EmailUsed::Done(Box::new((before, now))))
    }
}
