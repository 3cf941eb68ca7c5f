//! What directories say of people (SCIM): who is there, and whether somebody may sign in. What somebody
//! may do is said by owners alone: a directory gives the one role of the settings, and has no hand on
//! whoever holds more than the settings say.

use openframe_ids::UserId;
use openframe_tokens::{Permission, Role, Subject};

use super::people::{checked_email, checked_name};
use super::{Asked, Auth, need};
use crate::domain::{NAME_MAX, Provisioned, User, email};
use crate::store::{Change, Directory, PersonTo, Provided};
use crate::{Config, Error};

/// People who are looked through for one answer at most, where no index answers it.
const SCAN: usize = 20_000;

/// What a directory wants of a person.
#[derive(Debug, Clone)]
pub struct PersonWanted {
    /// The mail address as sent.
    pub email: String,
    /// The name as sent; without one the address.
    pub name: Option<String>,
    /// The id that the directory has.
    pub external_id: Option<String>,
    /// Whether the person may sign in.
    pub active: bool,
}

/// What an index answers.
#[derive(Debug, Clone)]
pub enum Pinned<Id> {
    /// Who or what has this id.
    Id(Id),
    /// Who has this mail address.
    Email(String),
    /// Whom or what the directory calls so.
    ExternalId(String),
}

/// A page of what a filter finds.
pub struct Search<'a, T, Id> {
    /// What an index answers of it.
    pub pinned: Option<Pinned<Id>>,
    /// The filter.
    pub fits: Option<&'a (dyn Fn(&T) -> bool + Send + Sync)>,
    /// How many to leave out, and how many to tell.
    pub page: (usize, usize),
}

impl<T, Id> Search<'_, T, Id> {
    /// How many of `all` the filter finds, and the page of them.
    pub(super) fn narrowed(&self, all: impl IntoIterator<Item = T>) -> (usize, Vec<T>) {
        let fits = |one: &T| self.fits.is_none_or(|fits| fits(one));
        let found: Vec<T> = all.into_iter().filter(fits).collect();
        let (total, (skip, take)) = (found.len(), self.page);
        (total, found.into_iter().skip(skip).take(take).collect())
    }
}

impl Config {
    /// The roles that a directory has a hand on: those that permit no more than it gives, or than the
    /// settings let it take.
    fn provisioned_roles(&self) -> Vec<Role> {
        let (given, up_to) = (self.scim.role.role(), self.scim.up_to.role());
        let holds = |it: &Permission| given.permits(*it) || up_to.permits(*it);
        let within = |role: &Role| Permission::ALL.iter().all(|it| !role.permits(*it) || holds(it));
        Role::ALL.into_iter().filter(within).collect()
    }
}

impl Auth {
    /// Where people and groups of directories are.
    pub fn scim_url(&self) -> String {
        format!("{}{}", self.own_url(), openframe_auth_api::SCIM)
    }

    /// The directory that asks: the person whose key it shows.
    pub fn directory(&self, asked: &Asked) -> Result<Directory, Error> {
        need(&asked.caller, Permission::PeopleProvision)?;
        match &asked.caller.subject {
            Subject::ApiKey { owner, .. } => Ok((asked.caller.tenant, *owner)),
            Subject::User { .. }
            | Subject::App { .. }
            | Subject::Device { .. }
            | Subject::Service { .. } => Err(Error::KeysOnly),
        }
    }

    /// A page of the people whom a filter finds, and how many it finds.
    pub async fn provisioned_people(
        &self,
        asked: &Asked,
        search: Search<'_, Provisioned, UserId>,
    ) -> Result<(usize, Vec<Provisioned>), Error> {
        let (by, store) = (self.directory(asked)?, &self.store.provisioning);
        let pinned = match &search.pinned {
            Some(Pinned::Id(id)) => store.person(by, *id).await?,
            Some(Pinned::Email(typed)) => self.provisioned_by_email(by, typed).await?,
            Some(Pinned::ExternalId(external)) => store.person_called(by, external).await?,
            None if search.fits.is_none() => {
                let people = store.people(by, search.page).await?;
                return Ok((store.count_people(by.0).await?, people));
            }
            None => {
                let people = store.people(by, (0, SCAN + 1)).await?;
                if people.len() > SCAN {
                    return Err(Error::TooManyPeople(SCAN));
                }
                return Ok(search.narrowed(people));
            }
        };
        Ok(search.narrowed(pinned))
    }

    async fn provisioned_by_email(
        &self,
        by: Directory,
        typed: &str,
    ) -> Result<Option<Provisioned>, Error> {
        let Some(email) = email(typed) else { return Ok(None) };
        let Some(user) = self.store.people.by_email(by.0, &email).await? else { return Ok(None) };
        Ok(self.store.provisioning.person(by, user.id).await?)
    }

    /// One person.
    pub async fn provisioned_person(
        &self,
        asked: &Asked,
        id: UserId,
    ) -> Result<Provisioned, Error> {
        let by = self.directory(asked)?;
        self.store.provisioning.person(by, id).await?.ok_or(Error::Missing("person"))
    }

    /// Adds a person with the role of the settings and without a password, who is told by mail.
    pub async fn provision(
        &self,
        asked: &Asked,
        wanted: PersonWanted,
    ) -> Result<Provisioned, Error> {
        let by = self.directory(asked)?;
        let email = checked_email(&wanted.email)?;
        let name = match &wanted.name {
            Some(name) => checked_name(name)?,
            None => email.chars().take(NAME_MAX).collect(),
        };
        let user = User {
            id: UserId::new(),
            tenant: by.0,
            email,
            email_verified: false,
            name,
            role: self.config.scim.role.role(),
            disabled: !wanted.active,
            // No password matches an empty hash.
            password: Vec::new(),
            created: self.now(),
            invited: None,
        };
        let mut event = self.event(asked, "user.create", user.id);
        event.detail = format!("role {}, by a directory", user.role);
        let new = Provisioned { user, external_id: wanted.external_id };
        provided(self.store.provisioning.add_person(by, &new, &event).await?, "person")?;
        if wanted.active {
            self.tell_provisioned(&new.user).await;
        }
        Ok(new)
    }

    /// Makes a person what a directory wants. Disabling ends every session, key, link and token.
    pub async fn change_provisioned(
        &self,
        asked: &Asked,
        before: &Provisioned,
        wanted: PersonWanted,
    ) -> Result<Provisioned, Error> {
        let by = self.directory(asked)?;
        let user = &before.user;
        let email = checked_email(&wanted.email)?;
        let name = wanted.name.as_deref().map(checked_name).transpose()?;
        let disabled = !wanted.active;
        let to = PersonTo {
            change: Change {
                email: Some(email).filter(|email| *email != user.email),
                name: name.filter(|name| *name != user.name),
                disabled: Some(disabled).filter(|disabled| *disabled != user.disabled),
                role: None,
            },
            external_id: (wanted.external_id != before.external_id).then_some(wanted.external_id),
        };
        if to == PersonTo::default() {
            return Ok(before.clone());
        }
        let roles = self.config.provisioned_roles();
        if !roles.contains(&user.role) {
            return Err(Error::OutOfReach);
        }
        if to.change.email.is_some() && user.invited.is_some() {
            return Err(Error::Invalid("this person was invited at the address of now".to_owned()));
        }
        let mut event = self.event(asked, "user.change", user.id);
        event.detail = format!("{}, by a directory", said(&to).join(", "));
        let store = &self.store.provisioning;
        provided(store.change_person((by, user.id), &to, &roles, &event).await?, "person")?;
        if to.change.email.is_some() {
            self.tell_moved(user, &asked.origin).await;
        }
        self.provisioned_person(asked, user.id).await
    }

    /// Ends a person: nothing of the person lets anybody in any more, and the mail address is free.
    pub async fn end_provisioned(&self, asked: &Asked, id: UserId) -> Result<(), Error> {
        let by = self.directory(asked)?;
        let event = self.event(asked, "user.remove", id);
        let roles = self.config.provisioned_roles();
        let done = self.store.provisioning.end_person((by, id), &roles, &event).await?;
        provided(done, "person")
    }
}

/// What is changed, for the audit trail.
fn said(to: &PersonTo) -> Vec<String> {
    let change = &to.change;
    let word = |is: bool, word: &str| is.then(|| word.to_owned());
    [
        change.disabled.map(|disabled| format!("disabled {disabled}")),
        word(change.name.is_some(), "name"),
        word(change.email.is_some(), "mail address"),
        word(to.external_id.is_some(), "external id"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

pub(super) fn provided(done: Provided, what: &'static str) -> Result<(), Error> {
    match done {
        Provided::Done => Ok(()),
        Provided::Missing => Err(Error::Missing(what)),
        Provided::EmailTaken => Err(Error::EmailTaken),
        Provided::ExternalIdTaken => Err(Error::ExternalIdTaken),
        Provided::Above => Err(Error::OutOfReach),
        Provided::TooMany => Err(Error::GroupsFull),
        Provided::NoMember => {
            Err(Error::Invalid("a member is none of the people who are here".to_owned()))
        }
    }
}
