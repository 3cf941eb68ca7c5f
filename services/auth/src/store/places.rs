//! What must be kept of places, and of who was granted what there.

use async_trait::async_trait;
use jiff::Timestamp;
use openframe_ids::{DeviceId, GrantId, PlaceId, TenantId, UserId};
use openframe_tokens::Place;

use super::Answer;
use crate::domain::{Event, KeptGrant, NamedPlace};

/// What became of a change of the places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    /// It was made.
    Done,
    /// There is no such place, or none to make it in.
    Missing,
    /// Another place of the same parent has the name.
    NameTaken,
    /// There are as many places as there may be.
    TooMany,
    /// Other places lie in it, or people, enrolment tokens or devices are there.
    InUse,
}

/// What became of a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Granted {
    /// It was given.
    Done,
    /// There is no such person.
    NoPerson,
    /// There is no such place.
    NoPlace,
    /// The person has as many as there may be.
    TooMany,
    /// It denies something to an owner.
    Owner,
}

/// The places of a tenant. None moves; the whole tenant is always there and is kept nowhere.
#[async_trait]
pub trait Places: Send + Sync + 'static {
    /// Adds a place within one that is there.
    async fn add(&self, place: &NamedPlace, event: &Event) -> Answer<Placed>;
    /// One place.
    async fn get(&self, tenant: TenantId, id: PlaceId) -> Answer<Option<NamedPlace>>;
    /// Every place, in the order in which they were added.
    async fn list(&self, tenant: TenantId) -> Answer<Vec<NamedPlace>>;
    /// Gives a place another name.
    async fn rename(
        &self,
        tenant: TenantId,
        id: PlaceId,
        name: &str,
        event: &Event,
    ) -> Answer<Placed>;
    /// Removes a place in which nothing is: no place, no grant that counts at the event's time, no
    /// enrolment token that can be used then, and no device that was not revoked.
    async fn remove(&self, tenant: TenantId, id: PlaceId, event: &Event) -> Answer<Placed>;
    /// Where a device is: where its enrolment token put it, until it was moved. None when there is no
    /// such device.
    async fn of_device(&self, tenant: TenantId, id: DeviceId) -> Answer<Option<Place>>;
    /// The devices in a place and in all that lies in it, revoked ones among them, with greater ids than
    /// the one named, in their order, and no more than so many.
    async fn devices_within(
        &self,
        tenant: TenantId,
        place: &Place,
        page: (Option<DeviceId>, usize),
    ) -> Answer<Vec<DeviceId>>;
    /// Moves a device; `false` when there is no such device or place.
    async fn move_device(&self, tenant: TenantId, id: DeviceId, to: &Place) -> Answer<bool>;
}

/// What people are granted.
#[async_trait]
pub trait Grants: Send + Sync + 'static {
    /// Gives a grant. Those of the person whose time was over at the event's time are forgotten.
    async fn add(&self, grant: &KeptGrant, event: &Event) -> Answer<Granted>;
    /// The grants of a person that count at `now`, in the order in which they were given.
    async fn of(&self, tenant: TenantId, user: UserId, now: Timestamp) -> Answer<Vec<KeptGrant>>;
    /// Takes a grant back; `false` when there is none, or it is not this person's.
    async fn remove(&self, whose: (TenantId, UserId), id: GrantId, event: &Event) -> Answer<bool>;
}
