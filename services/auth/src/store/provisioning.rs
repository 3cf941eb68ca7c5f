//! What must be kept for directories that say who is there.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use openframe_ids::{GroupId, TenantId, UserId};
use openframe_tokens::Role;

use super::{Answer, Change};
use crate::domain::{Event, Group, Membership, Provisioned};

/// A directory: its tenant, and the person whose keys it acts by. Ids of its own are known to it alone.
pub type Directory = (TenantId, UserId);

/// What became of a change that a directory makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provided {
    /// It was made.
    Done,
    /// There is no such person or group.
    Missing,
    /// Somebody else has the mail address.
    EmailTaken,
    /// The directory has given its id to another person or group.
    ExternalIdTaken,
    /// The person holds a role that the directory has no hand on.
    Above,
    /// There are as many groups as there may be, or as many members.
    TooMany,
    /// Somebody who is to be a member is not there.
    NoMember,
}

/// What a directory changes; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PersonTo {
    /// Of the person.
    pub change: Change,
    /// Of the id that the directory has: another one, or none.
    pub external_id: Option<Option<String>>,
}

/// What a directory changes of a group; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupTo {
    /// The name.
    pub name: Option<String>,
    /// The id that the directory has: another one, or none.
    pub external_id: Option<Option<String>>,
    /// Who comes and who goes.
    pub members: Membership,
}

/// People and groups, for directories. Who was ended is not there.
#[async_trait]
pub trait Provisioning: Send + Sync + 'static {
    /// One person.
    async fn person(&self, by: Directory, id: UserId) -> Answer<Option<Provisioned>>;
    /// The person that the directory calls so.
    async fn person_called(&self, by: Directory, external: &str) -> Answer<Option<Provisioned>>;
    /// People in the order of their ids, without the first `skip`.
    async fn people(&self, by: Directory, skip_take: (usize, usize)) -> Answer<Vec<Provisioned>>;
    /// How many people there are.
    async fn count_people(&self, tenant: TenantId) -> Answer<usize>;
    /// Adds a person.
    async fn add_person(&self, by: Directory, new: &Provisioned, event: &Event)
    -> Answer<Provided>;
    /// Changes a person, as [`People::change`] does. Only one whose role is one of `roles`, and whose
    /// grants that count at the event's time allow no other.
    ///
    /// [`People::change`]: super::People::change
    async fn change_person(
        &self,
        whose: (Directory, UserId),
        to: &PersonTo,
        roles: &[Role],
        event: &Event,
    ) -> Answer<Provided>;
    /// Ends a person: disabled, without role, grants, groups and ids of directories, and the mail address
    /// is free. Only one whom [`Self::change_person`] would change.
    async fn end_person(
        &self,
        whose: (Directory, UserId),
        roles: &[Role],
        event: &Event,
    ) -> Answer<Provided>;
    /// One group.
    async fn group(&self, by: Directory, id: GroupId) -> Answer<Option<Group>>;
    /// The group that the directory calls so.
    async fn group_called(&self, by: Directory, external: &str) -> Answer<Option<Group>>;
    /// Groups in the order of their ids, without the first `skip`.
    async fn groups(&self, by: Directory, skip_take: (usize, usize)) -> Answer<Vec<Group>>;
    /// How many groups there are.
    async fn count_groups(&self, tenant: TenantId) -> Answer<usize>;
    /// How many people are in each group; those without any may be missing.
    async fn group_sizes(&self, tenant: TenantId) -> Answer<BTreeMap<GroupId, usize>>;
    /// Who is in a group.
    async fn members(&self, tenant: TenantId, id: GroupId) -> Answer<BTreeSet<UserId>>;
    /// Adds a group.
    async fn add_group(
        &self,
        by: Directory,
        group: &Group,
        members: &BTreeSet<UserId>,
        event: &Event,
    ) -> Answer<Provided>;
    /// Changes a group. Of several changes at once none undoes who came or went by another.
    async fn change_group(
        &self,
        by: Directory,
        id: GroupId,
        to: &GroupTo,
        event: &Event,
    ) -> Answer<Provided>;
    /// Removes a group; `false` when there is none.
    async fn remove_group(&self, tenant: TenantId, id: GroupId, event: &Event) -> Answer<bool>;
}
