//! Whom a provider means: the person that its name is linked to, or else somebody who is known by an
//! address that both the provider and this platform know to be read, or a new person.
//!
//! An address that nobody has shown to read links nothing, on either side: whoever registers somebody
//! else's address here or there would get that person's account (OWASP ASVS 5.0, 6.8.1).

use openframe_ids::UserId;
use openframe_tokens::Role;
use openframe_upstream::Person;

use super::sign_in::Denied;
use crate::Error;
use crate::app::{Auth, Origin};
use crate::domain::{IdentityProvider, UpstreamLink, User, email, name};
use crate::store::{Known, LinkKept};

/// Why somebody is not let in: for the trail, and what they are told to do.
struct Why(&'static str, &'static str);

const DISABLED: Why = Why(
    "sign-in is refused to this person",
    "Sign-in is refused to you here. Ask whoever manages people.",
);
const NO_ADDRESS: Why = Why(
    "no verified address in an allowed domain",
    "You are not known here, and the provider does not vouch for a mail address of yours that is. \
     Ask whoever manages people to invite you, or sign in with your password.",
);
const UNREAD: Why = Why(
    "the address is not verified here",
    "Somebody here has your mail address and has not shown to read it. If that is you, sign in with your \
     password, verify the address under Access, and come back.",
);
const UNKNOWN: Why = Why(
    "nobody is known by this address",
    "You are not known here. Ask whoever manages people to invite you.",
);
const INVITATION_OVER: Why = Why(
    "the invitation is not good any more",
    "Your invitation is not good any more. Ask whoever has invited you for a new one.",
);
const TAKEN: Why = Why(
    "the person is linked to another name there",
    "Another account of this provider is linked to you here. Sign in with that one, or ask whoever manages \
     people.",
);

impl From<Why> for Denied {
    fn from(Why(why, told): Why) -> Self {
        Self::Refused(why.to_owned(), Error::UpstreamUnknown(told))
    }
}

impl Auth {
    /// Whom a provider means.
    pub(super) async fn whom(
        &self,
        provider: &IdentityProvider,
        person: Person,
        origin: &Origin,
    ) -> Result<User, Denied> {
        let (tenant, links) = (provider.tenant, &self.store.identity_providers);
        let linked = links.linked(tenant, provider.id, &person.subject).await;
        if let Some(user) = linked? {
            let user = self.if_enabled(tenant, user).await?;
            return user.ok_or_else(|| DISABLED.into());
        }
        let address = person.verified_email.as_deref().and_then(email);
        let address = address.filter(|it| provider.knows(it)).ok_or(NO_ADDRESS)?;
        let there = self.store.people.by_email(tenant, &address).await?;
        let called = person.name.as_deref().and_then(name);
        match there {
            Some(user) if user.disabled => Err(DISABLED.into()),
            Some(user) if user.invited.is_some() => {
                self.may_join(&user).await?;
                let called = called.unwrap_or_else(|| user.name.clone());
                let known = Known::Invited(&address, &called);
                self.link((provider, &person.subject), (user.id, known), origin).await
            }
            Some(user) if user.email_verified => {
                let known = Known::ByAddress(&address);
                self.link((provider, &person.subject), (user.id, known), origin).await
            }
            Some(_) => Err(UNREAD.into()),
            None => {
                let role = provider.creates.filter(|role| *role != Role::Owner).ok_or(UNKNOWN)?;
                let user = self.new_person(provider, (address, called), role);
                let known = Known::New(&user);
                self.link((provider, &person.subject), (user.id, known), origin).await
            }
        }
    }

    /// Refuses whoever was invited by somebody who may not give as much any more.
    async fn may_join(&self, user: &User) -> Result<(), Denied> {
        let invitation = self.store.invitations.invitation(user.tenant, user.id).await;
        let invitation = invitation?;
        let invitation = invitation.filter(|it| it.expires > self.now()).ok_or(INVITATION_OVER)?;
        let whose = (user.tenant, user.id);
        let user = self.still_invited(whose, invitation.inviter).await?;
        user.map(drop).ok_or_else(|| INVITATION_OVER.into())
    }

    fn new_person(
        &self,
        provider: &IdentityProvider,
        (address, called): (String, Option<String>),
        role: Role,
    ) -> User {
        let called = called.or_else(|| name(&address));
        User {
            id: UserId::new(),
            tenant: provider.tenant,
            name: called.unwrap_or_else(|| "Somebody".to_owned()),
            email: address,
            email_verified: true,
            role,
            disabled: false,
            // No password matches an empty hash.
            password: Vec::new(),
            created: self.now(),
            invited: None,
        }
    }

    async fn link(
        &self,
        (provider, subject): (&IdentityProvider, &str),
        (user, known): (UserId, Known<'_>),
        origin: &Origin,
    ) -> Result<User, Denied> {
        let link = UpstreamLink {
            provider: provider.id,
            subject: subject.to_owned(),
            tenant: provider.tenant,
            user,
            created: self.now(),
        };
        let how = match known {
            Known::ByAddress(_) => "known by address".to_owned(),
            Known::Invited(..) => "invited".to_owned(),
            Known::New(user) => format!("made, role {}", user.role),
        };
        let who = ("user", user.to_string());
        let mut event = self.event_by(who, origin, "identity.link", user);
        event.detail = format!("{how}: {subject} of {}", provider.id);
        let kept = self.store.identity_providers.link(&link, known, &event).await;
        match kept? {
            LinkKept::Done(user) => {
                let what = format!("Signing in with {} was set up", provider.name);
                self.tell_by_mail(&user, &what, origin).await;
                Ok(*user)
            }
            LinkKept::Taken => Err(TAKEN.into()),
            // It was another way a moment ago.
            LinkKept::NotGood => Err(UNKNOWN.into()),
        }
    }
}
