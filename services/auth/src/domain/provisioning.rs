//! What directories keep here: people, and groups of them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use openframe_ids::{GroupId, TenantId, UserId};

use super::User;

/// Groups of a tenant at most.
pub const MOST_GROUPS: usize = 5_000;
/// Members of a group at most.
pub const MOST_MEMBERS: usize = 10_000;

/// A person, as one directory knows the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provisioned {
    /// The person.
    pub user: User,
    /// The id that the directory has.
    pub external_id: Option<String>,
}

/// A set of people, as one directory knows it. It gives nobody anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The id.
    pub id: GroupId,
    /// The tenant.
    pub tenant: TenantId,
    /// The name.
    pub name: String,
    /// The id that the directory has.
    pub external_id: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub changed: Timestamp,
}

/// What becomes of the members of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Membership {
    /// Who comes.
    pub joins: BTreeSet<UserId>,
    /// Who goes.
    pub leaves: BTreeSet<UserId>,
}

impl Membership {
    /// What makes `after` of `before`.
    pub fn between(before: &BTreeSet<UserId>, after: &BTreeSet<UserId>) -> Self {
        Self { joins: after - before, leaves: before - after }
    }

    /// Whether nobody comes or goes.
    pub fn is_empty(&self) -> bool {
        self.joins.is_empty() && self.leaves.is_empty()
    }
}

/// The address of a person who was ended: nobody's, so that the one of before is free.
pub fn ended_address(id: UserId) -> String {
    format!("{id}@ended.invalid")
}
