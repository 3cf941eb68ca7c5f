//! API keys.

use jiff::SignedDuration;
use openframe_ids::{ApiKeyId, UserId};
use openframe_tokens::opaque::{Purpose, mint};
use openframe_tokens::{Permission, Role};

use super::people::checked_name;
use super::{Asked, Auth, need, need_whole};
use crate::Error;
use crate::domain::ApiKey;

/// How many days a key lasts when its maker does not say.
const DEFAULT_DAYS: u32 = 90;
/// How many days a key can last.
const MOST_DAYS: u32 = 365;

/// A key just made.
pub struct MadeKey {
    /// The key.
    pub key: ApiKey,
    /// Its secret: the only time it is seen.
    pub secret: String,
}

impl Auth {
    /// The caller's keys, or everybody's for who manages people.
    pub async fn api_keys(&self, asked: &Asked, all: bool) -> Result<Vec<ApiKey>, Error> {
        let owner = need_whole(&asked.caller, Permission::KeysManage)?;
        if all {
            need(&asked.caller, Permission::UsersManage)?;
        }
        Ok(self.store.keys.list(asked.caller.tenant, (!all).then_some(owner)).await?)
    }

    /// Makes a key that may do at most what its maker may.
    pub async fn create_api_key(
        &self,
        asked: &Asked,
        name: &str,
        scopes: Vec<String>,
        days: Option<u32>,
    ) -> Result<MadeKey, Error> {
        let owner = need_whole(&asked.caller, Permission::KeysManage)?;
        self.fresh(asked).await?;
        self.make_key(asked, owner, (name, scopes), days).await
    }

    /// Makes a key of a provisioner: a directory asks by it for years, whoever has made it. It may do what
    /// a provisioner may.
    pub async fn create_provisioner_key(
        &self,
        asked: &Asked,
        id: UserId,
        (name, scopes): (&str, Vec<String>),
        days: Option<u32>,
    ) -> Result<MadeKey, Error> {
        need_whole(&asked.caller, Permission::UsersManage)?;
        need(&asked.caller, Permission::KeysManage)?;
        self.fresh(asked).await?;
        let person = self.if_enabled(asked.caller.tenant, id).await?;
        let person = person.filter(|person| person.role == Role::Provisioner);
        let owner = person.ok_or(Error::Missing("provisioner who may sign in"))?.id;
        let more = |scope: &&String| scope.parse().is_ok_and(|it| !Role::Provisioner.permits(it));
        if let Some(scope) = scopes.iter().find(more) {
            return Err(Error::Invalid(format!("a provisioner does not hold {scope}")));
        }
        self.make_key(asked, owner, (name, scopes), days).await
    }

    async fn make_key(
        &self,
        asked: &Asked,
        owner: UserId,
        (name, scopes): (&str, Vec<String>),
        days: Option<u32>,
    ) -> Result<MadeKey, Error> {
        let name = checked_name(name)?;
        let scopes = checked_scopes(asked, scopes)?;
        let days = days.unwrap_or(DEFAULT_DAYS);
        if !(1..=MOST_DAYS).contains(&days) {
            return Err(Error::Invalid("a key lasts 1 to 365 days".to_owned()));
        }
        let (id, now) = (ApiKeyId::new(), self.now());
        let minted = mint(Purpose::ApiKey, id.0);
        let key = ApiKey {
            id,
            tenant: asked.caller.tenant,
            owner,
            name,
            scopes,
            secret: minted.hash,
            created: now,
            expires: now + SignedDuration::from_hours(24 * i64::from(days)),
            last_used: None,
        };
        let mut event = self.event(asked, "api_key.create", id);
        event.detail = key.scopes.join(" ");
        self.store.keys.add(&key, &event).await?;
        Ok(MadeKey { key, secret: minted.text })
    }

    /// Revokes a key: one's own, or anybody's for who manages people.
    pub async fn revoke_api_key(&self, asked: &Asked, id: ApiKeyId) -> Result<(), Error> {
        let owner = need_whole(&asked.caller, Permission::KeysManage)?;
        let only = (!asked.caller.may(Permission::UsersManage)).then_some(owner);
        let event = self.event(asked, "api_key.revoke", id);
        let done = self.store.keys.remove(asked.caller.tenant, only, id, &event).await?;
        if done { Ok(()) } else { Err(Error::Missing("key")) }
    }
}

fn checked_scopes(asked: &Asked, scopes: Vec<String>) -> Result<Vec<String>, Error> {
    let mut known = Vec::new();
    for scope in scopes {
        let permission: Permission =
            scope.parse().map_err(|_| Error::Invalid(format!("{scope:?} is no scope")))?;
        need(&asked.caller, permission)?;
        known.push(permission);
    }
    known.sort_unstable();
    known.dedup();
    if known.is_empty() {
        return Err(Error::Invalid("a key needs at least one scope".to_owned()));
    }
    Ok(known.into_iter().map(|permission| permission.as_str().to_owned()).collect())
}
