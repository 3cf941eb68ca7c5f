//! Groups of people, which directories keep. They give nobody anything.

use std::collections::BTreeSet;

use openframe_ids::{GroupId, UserId};
use openframe_tokens::Permission;

use super::people::checked_name;
use super::provisioning::provided;
use super::{Asked, Auth, Pinned, Search, need_whole};
use crate::Error;
use crate::domain::{Group, MOST_GROUPS, Membership};
use crate::store::GroupTo;

/// What a directory wants of a group.
#[derive(Debug, Clone)]
pub struct GroupWanted {
    /// The name as sent.
    pub name: String,
    /// The id that the directory has.
    pub external_id: Option<String>,
    /// Who is in it.
    pub members: BTreeSet<UserId>,
}

impl Auth {
    /// Every group with the number of its members, for who manages people.
    pub async fn people_groups(&self, asked: &Asked) -> Result<Vec<(usize, Group)>, Error> {
        let user = need_whole(&asked.caller, Permission::UsersManage)?;
        let (tenant, store) = (asked.caller.tenant, &self.store.provisioning);
        let groups = store.groups((tenant, user), (0, MOST_GROUPS)).await?;
        let sizes = store.group_sizes(tenant).await?;
        let size = |group: &Group| sizes.get(&group.id).copied().unwrap_or(0);
        Ok(groups.into_iter().map(|group| (size(&group), group)).collect())
    }

    /// A page of the groups that a filter finds, and how many it finds.
    pub async fn provisioned_groups(
        &self,
        asked: &Asked,
        search: Search<'_, Group, GroupId>,
    ) -> Result<(usize, Vec<Group>), Error> {
        let (by, store) = (self.directory(asked)?, &self.store.provisioning);
        let pinned = match &search.pinned {
            Some(Pinned::Id(id)) => store.group(by, *id).await?,
            Some(Pinned::Email(_)) => None,
            Some(Pinned::ExternalId(external)) => store.group_called(by, external).await?,
            None if search.fits.is_none() => {
                let groups = store.groups(by, search.page).await?;
                return Ok((store.count_groups(by.0).await?, groups));
            }
            None => return Ok(search.narrowed(store.groups(by, (0, MOST_GROUPS)).await?)),
        };
        Ok(search.narrowed(pinned))
    }

    /// One group.
    pub async fn provisioned_group(&self, asked: &Asked, id: GroupId) -> Result<Group, Error> {
        let by = self.directory(asked)?;
        self.store.provisioning.group(by, id).await?.ok_or(Error::Missing("group"))
    }

    /// Who is in a group.
    pub async fn group_members(
        &self,
        asked: &Asked,
        id: GroupId,
    ) -> Result<BTreeSet<UserId>, Error> {
        let by = self.directory(asked)?;
        Ok(self.store.provisioning.members(by.0, id).await?)
    }

    /// Makes a group.
    pub async fn add_group(&self, asked: &Asked, wanted: GroupWanted) -> Result<Group, Error> {
        let by = self.directory(asked)?;
        let (name, now) = (checked_name(&wanted.name)?, self.now());
        let external_id = wanted.external_id;
        let id = GroupId::new();
        let group = Group { id, tenant: by.0, name, external_id, created: now, changed: now };
        let mut event = self.event(asked, "group.create", id);
        event.detail = format!("{:?}, {} members", group.name, wanted.members.len());
        let store = &self.store.provisioning;
        provided(store.add_group(by, &group, &wanted.members, &event).await?, "group")?;
        Ok(group)
    }

    /// Makes a group what a directory wants, who has seen these members in it.
    pub async fn change_group(
        &self,
        asked: &Asked,
        (before, seen): (&Group, &BTreeSet<UserId>),
        wanted: GroupWanted,
    ) -> Result<Group, Error> {
        let by = self.directory(asked)?;
        let name = checked_name(&wanted.name)?;
        let to = GroupTo {
            name: Some(name).filter(|name| *name != before.name),
            external_id: (wanted.external_id != before.external_id).then_some(wanted.external_id),
            members: Membership::between(seen, &wanted.members),
        };
        if to == GroupTo::default() {
            return Ok(before.clone());
        }
        let mut event = self.event(asked, "group.change", before.id);
        let (come, go) = (to.members.joins.len(), to.members.leaves.len());
        let named = to.name.as_ref().map(|name| format!("name {name:?}"));
        let called = to.external_id.as_ref().map(|_| "external id".to_owned());
        let moved = (!to.members.is_empty()).then(|| format!("{come} members more, {go} less"));
        let said: Vec<String> = [named, called, moved].into_iter().flatten().collect();
        event.detail = said.join(", ");
        let store = &self.store.provisioning;
        provided(store.change_group(by, before.id, &to, &event).await?, "group")?;
        self.provisioned_group(asked, before.id).await
    }

    /// Removes a group. Its members stay as they are.
    pub async fn remove_group(&self, asked: &Asked, id: GroupId) -> Result<(), Error> {
        let by = self.directory(asked)?;
        let event = self.event(asked, "group.remove", id);
        let done = self.store.provisioning.remove_group(by.0, id, &event).await?;
        if done { Ok(()) } else { Err(Error::Missing("group")) }
    }
}
