//! The model of what directories keep.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use jiff::Timestamp;
use openframe_ids::{GroupId, TenantId, UserId};
use openframe_tokens::{Effect, Role};
use uuid::Uuid;

use super::{Everything, MemoryStore};
use crate::domain::{
    Event, Group, MOST_GROUPS, MOST_MEMBERS, Membership, Provisioned, User, ended_address,
};
use crate::store::{Answer, Change, Changed, Directory, GroupTo, PersonTo, Provided, Provisioning};

/// Groups, whose ids directories have given, and who was ended.
#[derive(Debug, Default)]
pub(super) struct Kept {
    groups: BTreeMap<GroupId, Group>,
    members: BTreeSet<(GroupId, UserId)>,
    /// By directory and what has it: people and groups have different ids.
    external_ids: BTreeMap<(Directory, Uuid), String>,
    ended: BTreeSet<UserId>,
}

impl Everything {
    /// Forgets what directories keep of a person.
    pub(super) fn forget_provisioned(&mut self, user: UserId) {
        self.directories.members.retain(|(_, member)| *member != user);
        self.directories.external_ids.retain(|(_, id), _| *id != user.0);
    }

    fn provisioned(&self, by: Directory, id: UserId) -> Option<Provisioned> {
        let user = self.users.get(&id).filter(|user| user.tenant == by.0);
        let user = user.filter(|_| !self.directories.ended.contains(&id))?.clone();
        Some(Provisioned { user, external_id: self.external_id(by, id.0) })
    }

    fn group_of(&self, by: Directory, id: GroupId) -> Option<Group> {
        let group = self.directories.groups.get(&id).filter(|group| group.tenant == by.0)?;
        Some(Group { external_id: self.external_id(by, id.0), ..group.clone() })
    }

    fn external_id(&self, by: Directory, id: Uuid) -> Option<String> {
        self.directories.external_ids.get(&(by, id)).cloned()
    }

    /// Whether another one of the same kind is called so: a person, or a group.
    fn is_called(&self, by: Directory, external: Option<&String>, except: Uuid) -> bool {
        let is_group = |id: Uuid| self.directories.groups.contains_key(&GroupId(id));
        external.is_some_and(|external| {
            self.directories.external_ids.iter().any(|((of, id), known)| {
                let other = *id != except && is_group(*id) == is_group(except);
                *of == by && other && known == external
            })
        })
    }

    fn call(&mut self, by: Directory, id: Uuid, external: Option<&String>) {
        match external {
            Some(external) => {
                self.directories.external_ids.insert((by, id), external.clone());
            }
            None => {
                self.directories.external_ids.remove(&(by, id));
            }
        }
    }

    fn is_above(&self, user: &User, roles: &[Role], now: Timestamp) -> bool {
        let grants = self.grants.values().filter(|it| it.user == user.id);
        let mut allowed = grants.map(|it| it.grant).filter(|it| it.effect == Effect::Allow);
        !roles.contains(&user.role)
            || allowed.any(|it| it.is_in_force(now) && !roles.contains(&it.role))
    }

    fn has_people(&self, tenant: TenantId, ids: &BTreeSet<UserId>) -> bool {
        let there = |id: &UserId| self.users.get(id).is_some_and(|user| user.tenant == tenant);
        ids.iter().all(|id| there(id) && !self.directories.ended.contains(id))
    }

    fn count_members(&self, id: GroupId) -> usize {
        self.directories.members.iter().filter(|(group, _)| *group == id).count()
    }

    /// Has people come and go; `None` when it was done.
    fn move_members(&mut self, tenant: TenantId, id: GroupId, to: &Membership) -> Option<Provided> {
        if !self.has_people(tenant, &to.joins) {
            return Some(Provided::NoMember);
        }
        let members = &self.directories.members;
        let leave = to.leaves.iter().filter(|user| members.contains(&(id, **user))).count();
        let join = to.joins.iter().filter(|user| !members.contains(&(id, **user))).count();
        if self.count_members(id) - leave + join > MOST_MEMBERS {
            return Some(Provided::TooMany);
        }
        let members = &mut self.directories.members;
        members.retain(|(group, user)| *group != id || !to.leaves.contains(user));
        members.extend(to.joins.iter().map(|user| (id, *user)));
        None
    }
}

#[async_trait]
impl Provisioning for MemoryStore {
    async fn person(&self, by: Directory, id: UserId) -> Answer<Option<Provisioned>> {
        Ok(self.lock().provisioned(by, id))
    }

    async fn person_called(&self, by: Directory, external: &str) -> Answer<Option<Provisioned>> {
        let all = self.lock();
        let called = all.directories.external_ids.iter();
        let mut called = called.filter(|((of, _), known)| *of == by && *known == external);
        Ok(called.find_map(|((_, id), _)| all.provisioned(by, UserId(*id))))
    }

    async fn people(
        &self,
        by: Directory,
        (skip, take): (usize, usize),
    ) -> Answer<Vec<Provisioned>> {
        let all = self.lock();
        let people = all.users.keys().filter_map(|id| all.provisioned(by, *id));
        Ok(people.skip(skip).take(take).collect())
    }

    async fn count_people(&self, tenant: TenantId) -> Answer<usize> {
        let all = self.lock();
        let ended = &all.directories.ended;
        let there = |user: &&User| user.tenant == tenant && !ended.contains(&user.id);
        Ok(all.users.values().filter(there).count())
    }

    async fn add_person(
        &self,
        by: Directory,
        new: &Provisioned,
        event: &Event,
    ) -> Answer<Provided> {
        let mut all = self.lock();
        let user = &new.user;
        if all.has_address((user.tenant, &user.email), user.id) {
            return Ok(Provided::EmailTaken);
        }
        if all.is_called(by, new.external_id.as_ref(), user.id.0) {
            return Ok(Provided::ExternalIdTaken);
        }
        all.users.insert(user.id, user.clone());
        all.call(by, user.id.0, new.external_id.as_ref());
        all.record(by.0, event);
        Ok(Provided::Done)
    }

    async fn change_person(
        &self,
        (by, id): (Directory, UserId),
        to: &PersonTo,
        roles: &[Role],
        event: &Event,
    ) -> Answer<Provided> {
        let mut all = self.lock();
        let Some(Provisioned { user, .. }) = all.provisioned(by, id) else {
            return Ok(Provided::Missing);
        };
        if all.is_above(&user, roles, event.at) {
            return Ok(Provided::Above);
        }
        let external = to.external_id.as_ref();
        if external.is_some_and(|external| all.is_called(by, external.as_ref(), id.0)) {
            return Ok(Provided::ExternalIdTaken);
        }
        let done = match all.change((by.0, id), &to.change, event.at) {
            Changed::Done(_) => Provided::Done,
            Changed::Missing => Provided::Missing,
            Changed::EmailTaken => Provided::EmailTaken,
            Changed::LastOwner | Changed::Denied => Provided::Above,
        };
        if done == Provided::Done {
            if let Some(external) = external {
                all.call(by, id.0, external.as_ref());
            }
            all.record(by.0, event);
        }
        Ok(done)
    }

    async fn end_person(
        &self,
        (by, id): (Directory, UserId),
        roles: &[Role],
        event: &Event,
    ) -> Answer<Provided> {
        let mut all = self.lock();
        let Some(Provisioned { user, .. }) = all.provisioned(by, id) else {
            return Ok(Provided::Missing);
        };
        if all.is_above(&user, roles, event.at) {
            return Ok(Provided::Above);
        }
        let (email, role) = (Some(ended_address(id)), Some(Role::None));
        let to = Change { email, role, disabled: Some(true), ..Change::default() };
        all.change((by.0, id), &to, event.at);
        all.forget_provisioned(id);
        all.grants.retain(|_, it| it.user != id);
        all.directories.ended.insert(id);
        all.record(by.0, event);
        Ok(Provided::Done)
    }

    async fn group(&self, by: Directory, id: GroupId) -> Answer<Option<Group>> {
        Ok(self.lock().group_of(by, id))
    }

    async fn group_called(&self, by: Directory, external: &str) -> Answer<Option<Group>> {
        let all = self.lock();
        let called = all.directories.external_ids.iter();
        let mut called = called.filter(|((of, _), known)| *of == by && *known == external);
        Ok(called.find_map(|((_, id), _)| all.group_of(by, GroupId(*id))))
    }

    async fn groups(&self, by: Directory, (skip, take): (usize, usize)) -> Answer<Vec<Group>> {
        let all = self.lock();
        let groups = all.directories.groups.keys().filter_map(|id| all.group_of(by, *id));
        Ok(groups.skip(skip).take(take).collect())
    }

    async fn count_groups(&self, tenant: TenantId) -> Answer<usize> {
        let all = self.lock();
        Ok(all.directories.groups.values().filter(|group| group.tenant == tenant).count())
    }

    async fn group_sizes(&self, tenant: TenantId) -> Answer<BTreeMap<GroupId, usize>> {
        let all = self.lock();
        let own = all.directories.groups.values().filter(|group| group.tenant == tenant);
        let sizes = own.map(|group| (group.id, all.count_members(group.id)));
        Ok(sizes.filter(|(_, size)| *size > 0).collect())
    }

    async fn members(&self, tenant: TenantId, id: GroupId) -> Answer<BTreeSet<UserId>> {
        let all = self.lock();
        let there = all.directories.groups.get(&id).is_some_and(|group| group.tenant == tenant);
        let members = all.directories.members.iter().filter(|(group, _)| there && *group == id);
        Ok(members.map(|(_, user)| *user).collect())
    }

    async fn add_group(
        &self,
        by: Directory,
        group: &Group,
        members: &BTreeSet<UserId>,
        event: &Event,
    ) -> Answer<Provided> {
        let mut all = self.lock();
        let groups = all.directories.groups.values();
        if groups.filter(|it| it.tenant == by.0).count() >= MOST_GROUPS {
            return Ok(Provided::TooMany);
        }
        let own = Group { external_id: None, ..group.clone() };
        all.directories.groups.insert(group.id, own);
        let joins = Membership { joins: members.clone(), ..Membership::default() };
        let refused = if all.is_called(by, group.external_id.as_ref(), group.id.0) {
            Some(Provided::ExternalIdTaken)
        } else {
            all.move_members(by.0, group.id, &joins)
        };
        if let Some(refused) = refused {
            all.directories.groups.remove(&group.id);
            return Ok(refused);
        }
        all.call(by, group.id.0, group.external_id.as_ref());
        all.record(by.0, event);
        Ok(Provided::Done)
    }

    async fn change_group(
        &self,
        by: Directory,
        id: GroupId,
        to: &GroupTo,
        event: &Event,
    ) -> Answer<Provided> {
        let mut all = self.lock();
        if all.group_of(by, id).is_none() {
            return Ok(Provided::Missing);
        }
        let external = to.external_id.as_ref();
        if external.is_some_and(|external| all.is_called(by, external.as_ref(), id.0)) {
            return Ok(Provided::ExternalIdTaken);
        }
        if let Some(refused) = all.move_members(by.0, id, &to.members) {
            return Ok(refused);
        }
        if let Some(external) = external {
            all.call(by, id.0, external.as_ref());
        }
        if let Some(group) = all.directories.groups.get_mut(&id) {
            group.changed = event.at;
            group.name = to.name.clone().unwrap_or_else(|| group.name.clone());
        }
        all.record(by.0, event);
        Ok(Provided::Done)
    }

    async fn remove_group(&self, tenant: TenantId, id: GroupId, event: &Event) -> Answer<bool> {
        let mut all = self.lock();
        let there = all.directories.groups.get(&id).is_some_and(|group| group.tenant == tenant);
        if there {
            all.directories.groups.remove(&id);
            all.directories.members.retain(|(group, _)| *group != id);
            all.directories.external_ids.retain(|(_, of), _| *of != id.0);
            all.record(tenant, event);
        }
        Ok(there)
    }
}
