//! Bodies of the paths about places and grants.

use jiff::Timestamp;
use openframe_ids::{GrantId, PlaceId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A part of the tenant.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Place {
    /// Its id.
    pub id: PlaceId,
    /// `organisation`, `site` or `group`.
    pub kind: String,
    /// What it is called.
    pub name: String,
    /// The ids on the way to it, the organisation's first, its own last.
    pub path: Vec<PlaceId>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// `POST /places`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPlace {
    /// What it is called, 1 to 200 characters; no other place beside it may be called so.
    pub name: String,
    /// What it lies in: an organisation or a site. Absent for an organisation.
    pub within: Option<PlaceId>,
}

/// `PATCH /places/{id}`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaceChange {
    /// The new name.
    pub name: String,
}

/// A role that a person has, or is denied, at a place and in all that lies in it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Grant {
    /// Its id.
    pub id: GrantId,
    /// `owner`, `technician` or `read_only`.
    pub role: String,
    /// The ids on the way to the place, its own last; none is the whole tenant.
    pub place: Vec<PlaceId>,
    /// `allow` or `deny`. What is denied is refused, whatever else allows it.
    pub effect: String,
    /// From when on it does not count; absent when it has no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// When it was given.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// `POST /users/{id}/grants`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGrant {
    /// `owner`, `technician` or `read_only`.
    pub role: String,
    /// Where. Absent for the whole tenant.
    pub place: Option<PlaceId>,
    /// `allow`, also when absent, or `deny`.
    pub effect: Option<String>,
    /// From when on it does not count. Absent for one without end.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
}

/// `GET /access`: who, what and where.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AccessQuery {
    /// The person. Must be said.
    pub user: Option<UserId>,
    /// The permission: `devices:read`, …. Must be said.
    pub permission: Option<String>,
    /// The place. Absent for the whole tenant, no place left out.
    pub place: Option<PlaceId>,
}

/// The answer to `GET /access`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AccessAnswer {
    /// Whether the person may.
    pub allowed: bool,
    /// Whether the person is refused altogether.
    pub disabled: bool,
    /// The person's role in the whole tenant, where it permits this.
    pub role: Option<String>,
    /// The grants that decide: those that deny it, and where none does those that allow it.
    pub grants: Vec<Grant>,
}
