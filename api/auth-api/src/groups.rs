//! Sets of people, which directories keep (SCIM).

use jiff::Timestamp;
use openframe_ids::GroupId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A set of people. It gives nobody anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PeopleGroup {
    /// Its id.
    pub id: GroupId,
    /// Its name.
    pub name: String,
    /// How many people are in it.
    pub members: u64,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub changed_at: Timestamp,
}
