//! Managing people, and one's own password.

use jiff::Timestamp;
use openframe_ids::{TenantId, UserId};
use openframe_oauth::Amr;
use openframe_tokens::{Permission, Place, Role};

use super::grants::need_held;
use super::{Asked, Auth, SignedIn, in_session, need_whole};
use crate::Error;
use crate::domain::{User, email, name, own_password_fault};
use crate::store::{Change, Changed};

/// A person to add.
pub struct NewPerson {
    /// The mail address as typed.
    pub email: String,
    /// The name as typed.
    pub name: String,
    /// What the person may do.
    pub role: Role,
    /// The password.
    pub password: String,
}

/// What to change of a person; what is `None` stays.
#[derive(Debug, Default)]
pub struct PersonChange {
    /// A new name.
    pub name: Option<String>,
    /// A new mail address, of somebody else than who asks.
    pub email: Option<String>,
    /// A new role.
    pub role: Option<Role>,
    /// Whether sign-in is refused.
    pub disabled: Option<bool>,
}

impl Auth {
    /// Everybody of the tenant.
    pub async fn users(&self, asked: &Asked) -> Result<Vec<User>, Error> {
        need_whole(&asked.caller, Permission::UsersManage)?;
        Ok(self.store.people.list(asked.caller.tenant).await?)
    }

    /// Adds a person.
    pub async fn create_user(&self, asked: &Asked, person: NewPerson) -> Result<User, Error> {
        need_whole(&asked.caller, Permission::UsersManage)?;
        self.fresh(asked).await?;
        need_held(&asked.caller, person.role, &Place::ROOT)?;
        let user = self.new_user(asked.caller.tenant, person).await?;
        let mut event = self.event(asked, "user.create", user.id);
        event.detail = format!("role {}", user.role);
        if self.store.people.add(&user, &event).await? { Ok(user) } else { Err(Error::EmailTaken) }
    }

    /// Changes a person. Counts from the next request of that person on.
    pub async fn change_user(
        &self,
        asked: &Asked,
        id: UserId,
        change: PersonChange,
    ) -> Result<User, Error> {
        let own = need_whole(&asked.caller, Permission::UsersManage)?;
        self.fresh(asked).await?;
        self.need_not_below(asked, id).await?;
        if let Some(role) = change.role {
            need_held(&asked.caller, role, &Place::ROOT)?;
        }
        let name = change.name.as_deref().map(checked_name).transpose()?;
        let email = change.email.as_deref().map(checked_email).transpose()?;
        let before = match &email {
            Some(_) => Some(self.movable(asked, (own, id)).await?),
            None => None,
        };
        let mut event = self.event(asked, "user.change", id);
        let role = change.role.map(|role| format!("role {role}"));
        let disabled = change.disabled.map(|disabled| format!("disabled {disabled}"));
        let renamed = name.as_ref().map(|_| "name".to_owned());
        let moved = email.as_ref().map(|_| "mail address".to_owned());
        event.detail =
            [role, disabled, renamed, moved].into_iter().flatten().collect::<Vec<_>>().join(", ");
        let to = Change { name, email, role: change.role, disabled: change.disabled };
        let user = match self.store.people.change(asked.caller.tenant, id, &to, &event).await? {
            Changed::Done(user) => user,
            Changed::Missing => return Err(Error::Missing("person")),
            Changed::LastOwner => return Err(Error::LastOwner),
            Changed::Denied => return Err(Error::OwnerDenied),
            Changed::EmailTaken => return Err(Error::EmailTaken),
        };
        if let Some(before) = before.filter(|before| before.email != user.email) {
            self.tell_moved(&before, &asked.origin).await;
        }
        Ok(user)
    }

    /// The person whose address whoever manages people may correct: somebody else, who has joined. The own
    /// one is shown to be read where mail is sent, and an invitation is known by the address that it went
    /// to.
    async fn movable(&self, asked: &Asked, (own, id): (UserId, UserId)) -> Result<User, Error> {
        if own == id && self.sends_mail() {
            return Err(Error::Invalid(
                "change your own mail address by POST /api/auth/v1/me/email".to_owned(),
            ));
        }
        let user = self.store.people.get(asked.caller.tenant, id).await?;
        let user = user.ok_or(Error::Missing("person"))?;
        if user.invited.is_some() {
            return Err(Error::Invalid(
                "take the invitation back, and invite the right address".to_owned(),
            ));
        }
        Ok(user)
    }

    /// Changes the password of the person who asks, who shows the one of now. All of the person's
    /// sessions end, and one begins for the browser that asks (OWASP ASVS 5.0, 7.2.4 and 7.4.3). API
    /// keys stay: programs hold them.
    pub async fn change_password(
        &self,
        asked: &Asked,
        (current, new): (&str, &str),
    ) -> Result<SignedIn, Error> {
        let (id, session) = in_session(&asked.caller)?;
        self.fresh(asked).await?;
        let user = self.store.people.get(asked.caller.tenant, id).await?;
        let user = user.ok_or(Error::NotSignedIn)?;
        // What the session was made with, the next one is worth: a password alone is no more.
        let session = self.store.sessions.get(session).await?.ok_or(Error::NotSignedIn)?;
        let shown = (session.amr, session.auth_time);
        let account = user.email.clone();
        let changing = self.change_password_now(asked, (user, shown), (current, new));
        // Whoever has found an open browser may not guess on.
        self.limited("password.change", Some(&account), &asked.origin, changing).await
    }

    async fn change_password_now(
        &self,
        asked: &Asked,
        (user, shown): (User, (Amr, Timestamp)),
        (current, new): (&str, &str),
    ) -> Result<SignedIn, Error> {
        let same = (current == new).then_some("the new password is the old one");
        let whose = (user.email.as_str(), user.name.as_str());
        if let Some(fault) = own_password_fault(new, whose).or(same) {
            return Err(Error::Invalid(fault.to_owned()));
        }
        let event = self.event(asked, "password.change", user.id);
        if !self.passwords.verify(current, Some(&user.password)).await? {
            self.refused(event, None).await;
            return Err(Error::WrongPassword);
        }
        let (whose, to) = ((user.tenant, user.id), self.passwords.hash(new).await?);
        // Not when another browser was quicker, or the person has just been disabled.
        if !self.store.people.set_password(whose, (&user.password, &to), &event).await? {
            return Err(Error::WrongPassword);
        }
        self.tell_by_mail(&user, "Your password was changed", &asked.origin).await;
        self.open_session(user, shown, &asked.origin).await
    }

    pub(super) async fn new_user(&self, tenant: TenantId, new: NewPerson) -> Result<User, Error> {
        let email = checked_email(&new.email)?;
        let name = checked_name(&new.name)?;
        if let Some(fault) = own_password_fault(&new.password, (&email, &name)) {
            return Err(Error::Invalid(fault.to_owned()));
        }
        let password = self.passwords.hash(&new.password).await?;
        let (id, created) = (UserId::new(), self.now());
        let (email_verified, disabled, invited) = (false, false, None);
        let role = new.role;
        Ok(User {
            id,
            tenant,
            email,
            email_verified,
            name,
            role,
            disabled,
            password,
            created,
            invited,
        })
    }
}

pub(super) fn checked_email(typed: &str) -> Result<String, Error> {
    email(typed).ok_or_else(|| Error::Invalid("the mail address is not one".to_owned()))
}

pub(super) fn checked_name(typed: &str) -> Result<String, Error> {
    name(typed).ok_or_else(|| Error::Invalid("a name must have 1 to 200 characters".to_owned()))
}
