//! The parts of a tenant, and what people are granted there.

use jiff::Timestamp;
use openframe_ids::{GrantId, PlaceId, TenantId, UserId};
use openframe_tokens::{Grant, Place};
use uuid::Uuid;

/// Places of a tenant at most.
pub const MOST_PLACES: usize = 5_000;

/// What a place is: that follows from how deep it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaceKind {
    /// A customer, or a part of the company.
    Organisation,
    /// Where an organisation has devices.
    Site,
    /// Some of the devices of a site.
    Group,
}

impl PlaceKind {
    /// Its text form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Organisation => "organisation",
            Self::Site => "site",
            Self::Group => "group",
        }
    }
}

/// A place with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedPlace {
    /// Which place; never the whole tenant.
    pub place: Place,
    /// The tenant.
    pub tenant: TenantId,
    /// What it is called: no other one of the same parent is called so.
    pub name: String,
    /// When it was made.
    pub created: Timestamp,
}

impl NamedPlace {
    /// Its id.
    pub fn id(&self) -> PlaceId {
        self.place.id().unwrap_or(PlaceId(Uuid::nil()))
    }

    /// What it is.
    pub fn kind(&self) -> PlaceKind {
        match self.place.ids() {
            [] | [_] => PlaceKind::Organisation,
            [_, _] => PlaceKind::Site,
            [_, _, ..] => PlaceKind::Group,
        }
    }
}

/// A grant as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptGrant {
    /// The id.
    pub id: GrantId,
    /// The tenant.
    pub tenant: TenantId,
    /// Whose it is.
    pub user: UserId,
    /// What is granted.
    pub grant: Grant,
    /// When it was given.
    pub created: Timestamp,
}
