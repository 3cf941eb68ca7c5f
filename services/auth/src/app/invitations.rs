//! Invitations: who manages people invites by a mail address, and whoever is invited chooses a name and a
//! password. Until then the person is on the list and cannot sign in.

use jiff::{SignedDuration, Timestamp};
use openframe_ids::{TenantId, UserId};
use openframe_tokens::opaque::{Minted, Purpose, mint, read};
use openframe_tokens::{Access, Permission, Place, Reach, Role};

use super::grants::{need_held, not_held};
use super::people::{checked_email, checked_name};
use super::{Asked, Auth, Entered, Origin, need_whole};
use crate::Error;
use crate::domain::{
    Accepted, Invitation, Letter, MailKind, NAME_MAX, SealedMail, User, own_password_fault,
    password_fault,
};

/// How long an invitation is good.
pub(super) const INVITATION_LIFETIME: SignedDuration = SignedDuration::from_hours(72);

/// An invitation just made.
#[derive(Debug)]
pub struct Invited {
    /// Who is invited.
    pub user: User,
    /// Where the person goes: the only time it is seen, and only where no mail is sent. Whoever sees it
    /// could take the person's place.
    pub url: Option<String>,
    /// When it is good no more.
    pub expires: Timestamp,
}

/// What an invited person has typed.
pub struct Joins {
    /// The name.
    pub name: String,
    /// The password.
    pub password: String,
}

/// An invitation, the letter that it goes out in, and where it leads.
struct Made {
    invitation: Invitation,
    letter: Option<SealedMail>,
    url: Option<String>,
}

impl Auth {
    /// Invites somebody by a mail address. The person can do nothing until the invitation is accepted.
    pub async fn invite(&self, asked: &Asked, typed: &str, role: Role) -> Result<Invited, Error> {
        let inviter = need_whole(&asked.caller, Permission::UsersManage)?;
        need_held(&asked.caller, role, &Place::ROOT)?;
        self.fresh(asked).await?;
        let email = checked_email(typed)?;
        let user = User {
            id: UserId::new(),
            tenant: asked.caller.tenant,
            // Until there is one.
            name: email.chars().take(NAME_MAX).collect(),
            email,
            email_verified: false,
            role,
            disabled: false,
            // No password matches an empty hash.
            password: Vec::new(),
            created: self.now(),
            invited: Some(self.now() + INVITATION_LIFETIME),
        };
        let Made { invitation, letter, url } = self.make_invitation(&user, inviter);
        let mut event = self.event(asked, "invitation.create", user.id);
        event.detail = format!("role {role}");
        let added =
            self.store.invitations.invite(&user, invitation, letter.as_ref(), &event).await?;
        if !added {
            return Err(Error::EmailTaken);
        }
        Ok(Invited { user, url, expires: invitation.expires })
    }

    /// Invites a person again who has not accepted. The invitation before is dead.
    pub async fn invite_again(&self, asked: &Asked, id: UserId) -> Result<Invited, Error> {
        const NOBODY: Error = Error::Missing("person who was invited and may sign in");
        let inviter = need_whole(&asked.caller, Permission::UsersManage)?;
        self.fresh(asked).await?;
        let tenant = asked.caller.tenant;
        let user = self.if_enabled(tenant, id).await?.ok_or(NOBODY)?;
        need_held(&asked.caller, user.role, &Place::ROOT)?;
        let Made { invitation, letter, url } = self.make_invitation(&user, inviter);
        let event = self.event(asked, "invitation.create", id);
        let store = &self.store.invitations;
        if !store.invite_again(tenant, invitation, letter.as_ref(), &event).await? {
            return Err(NOBODY);
        }
        let expires = invitation.expires;
        Ok(Invited { user: User { invited: Some(expires), ..user }, url, expires })
    }

    /// Takes an invitation back that was not accepted: the person is forgotten.
    pub async fn withdraw_invitation(&self, asked: &Asked, id: UserId) -> Result<(), Error> {
        need_whole(&asked.caller, Permission::UsersManage)?;
        self.fresh(asked).await?;
        let event = self.event(asked, "invitation.withdraw", id);
        let done = self.store.invitations.withdraw(asked.caller.tenant, id, &event).await?;
        if done { Ok(()) } else { Err(Error::Missing("person who was invited")) }
    }

    fn make_invitation(&self, user: &User, inviter: UserId) -> Made {
        let Minted { text, hash } = mint(Purpose::Invitation, user.id.0);
        let (mailed, expires) = (self.sends_mail(), self.now() + INVITATION_LIFETIME);
        let url = format!("{}/invitation#token={text}", self.own_url());
        let letter = mailed.then(|| {
            let letter = self.invitation_letter(user, &url).written();
            self.sealed_mail(MailKind::Invitation, &letter, expires)
        });
        let invitation = Invitation { user: user.id, inviter, secret: hash, mailed, expires };
        Made { invitation, letter, url: (!mailed).then_some(url) }
    }

    fn invitation_letter(&self, user: &User, url: &str) -> Letter {
        let (own, role) = (self.own_url(), user.role);
        let text = format!(
            "You are invited to OpenFrame at {own} (as {role}).\n\n\
             Choose your name and your password here within 72 hours. The link is good once:\n\n\
             {url}\n\n\
             If you expect no invitation, there is nothing to do.\n"
        );
        let subject = "You are invited to OpenFrame".to_owned();
        Letter { to: user.email.clone(), subject, text }
    }

    /// Lets an invited person join, and signs in: as far as a password goes.
    pub async fn accept_invitation(
        &self,
        token: &str,
        joins: Joins,
        origin: &Origin,
    ) -> Result<Entered, Error> {
        let accepting = self.accept_invitation_now(token, joins, origin);
        self.limited("invitation.accept", None, origin, accepting).await
    }

    async fn accept_invitation_now(
        &self,
        token: &str,
        joins: Joins,
        origin: &Origin,
    ) -> Result<Entered, Error> {
        let name = checked_name(&joins.name)?;
        if let Some(fault) = password_fault(&joins.password) {
            return Err(Error::Invalid(fault.to_owned()));
        }
        let Some(shown) = read(Purpose::Invitation, token) else {
            self.refuse_link("invitation.accept", String::new(), origin).await;
            return Err(Error::BadInvitation);
        };
        let (id, whose) = (UserId(shown.id), (self.tenant, UserId(shown.id)));
        let event = self.event_by(("user", id.to_string()), origin, "invitation.accept", id);
        let kept = self.store.invitations.invitation(self.tenant, id).await?;
        let kept = kept.filter(|it| it.secret == shown.hash && it.expires > self.now());
        let user = match kept {
            Some(kept) => self.still_invited(whose, kept.inviter).await?,
            None => None,
        };
        let accepted = match user {
            Some(user) => {
                if let Some(fault) = own_password_fault(&joins.password, (&user.email, &name)) {
                    return Err(Error::Invalid(fault.to_owned()));
                }
                let password = self.passwords.hash(&joins.password).await?;
                let accepted = Accepted { name, password };
                self.store.invitations.accept(whose, shown.hash, &accepted, &event).await?
            }
            None => None,
        };
        let Some(user) = accepted else {
            self.refuse_link("invitation.accept", id.to_string(), origin).await;
            return Err(Error::BadInvitation);
        };
        self.after_password(user, origin).await
    }

    /// Puts on the trail that a link was shown that is not good.
    pub(super) async fn refuse_link(&self, action: &str, target: String, origin: &Origin) {
        let nobody = ("nobody", String::new());
        self.refused(self.event_by(nobody, origin, action, target), None).await;
    }

    /// The invited person, if whoever has invited may still give as much as the person would get.
    pub(super) async fn still_invited(
        &self,
        (tenant, id): (TenantId, UserId),
        inviter: UserId,
    ) -> Result<Option<User>, Error> {
        let user = self.if_enabled(tenant, id).await?;
        let Some(inviter) = self.if_enabled(tenant, inviter).await? else { return Ok(None) };
        let grants = self.granted(tenant, inviter.id).await?;
        let access = Access { role: inviter.role, grants: &grants };
        let reach = |permission| access.reach(permission);
        let manages = reach(Permission::UsersManage) == Reach::Everywhere;
        Ok(user.filter(|user| manages && not_held(reach, user.role, &Place::ROOT).is_none()))
    }
}
