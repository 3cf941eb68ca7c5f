//! Managing people.

use openframe_ids::{TenantId, UserId};
use openframe_tokens::{Permission, Role};

use super::{Asked, Auth, need_whole};
use crate::Error;
use crate::domain::{User, email, name, password_fault};
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
        need_whole(&asked.caller, Permission::UsersManage)?;
        let name = change.name.as_deref().map(checked_name).transpose()?;
        let mut event = self.event(asked, "user.change", id);
        let role = change.role.map(|role| format!("role {role}"));
        let disabled = change.disabled.map(|disabled| format!("disabled {disabled}"));
        let renamed = name.as_ref().map(|_| "name".to_owned());
        event.detail =
            [role, disabled, renamed].into_iter().flatten().collect::<Vec<_>>().join(", ");
        let to = Change { name, role: change.role, disabled: change.disabled };
        match self.store.people.change(asked.caller.tenant, id, &to, &event).await? {
            Changed::Done(user) => Ok(user),
            Changed::Missing => Err(Error::Missing("person")),
            Changed::LastOwner => Err(Error::LastOwner),
        }
    }

    pub(super) async fn new_user(&self, tenant: TenantId, new: NewPerson) -> Result<User, Error> {
        let email = email(&new.email)
            .ok_or_else(|| Error::Invalid("the mail address is not one".to_owned()))?;
        let name = checked_name(&new.name)?;
        if let Some(fault) = password_fault(&new.password) {
            return Err(Error::Invalid(fault.to_owned()));
        }
        let password = self.passwords.hash(&new.password).await?;
        let (id, created) = (UserId::new(), self.now());
        Ok(User { id, tenant, email, name, role: new.role, disabled: false, password, created })
    }
}

pub(super) fn checked_name(typed: &str) -> Result<String, Error> {
    name(typed).ok_or_else(|| Error::Invalid("a name must have 1 to 200 characters".to_owned()))
}
