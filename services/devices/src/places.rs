//! The promise to know where places and new devices are, kept by the auth service.

use async_trait::async_trait;
use openframe_auth_api::AuthClient;
use openframe_auth_api::internal::{DeviceMove, PlaceAsked, PlaceFound};
use openframe_fault::{Fault, Kind};
use openframe_ids::{DeviceId, PlaceId};
use openframe_tokens::Place;

/// Knows the parts of a tenant. Everything is of the platform's own tenant.
#[async_trait]
pub trait Places: Send + Sync + 'static {
    /// Where a device is that has just enrolled. None when it is unknown.
    async fn of_device(&self, id: DeviceId) -> Result<Option<Place>, Fault>;
    /// Where a place is. None when there is no such place.
    async fn find(&self, id: PlaceId) -> Result<Option<Place>, Fault>;
    /// Notes that a device is about to be moved: the place is not removed from under it. False when
    /// there is no such device or place.
    async fn move_device(&self, id: DeviceId, to: &Place) -> Result<bool, Fault>;
}

#[async_trait]
impl Places for AuthClient {
    async fn of_device(&self, id: DeviceId) -> Result<Option<Place>, Fault> {
        read(self.find_place(PlaceAsked::Device(id)).await)
    }

    async fn find(&self, id: PlaceId) -> Result<Option<Place>, Fault> {
        read(self.find_place(PlaceAsked::Place(id)).await)
    }

    async fn move_device(&self, id: DeviceId, to: &Place) -> Result<bool, Fault> {
        match AuthClient::move_device(self, &DeviceMove { device_id: id, to: to.to_string() }).await
        {
            Ok(()) => Ok(true),
            Err(fault) if fault.kind() == Kind::NotFound => Ok(false),
            Err(fault) => Err(fault),
        }
    }
}

fn read(answer: Result<PlaceFound, Fault>) -> Result<Option<Place>, Fault> {
    let found = match answer {
        Ok(found) => found,
        Err(fault) if fault.kind() == Kind::NotFound => return Ok(None),
        Err(fault) => return Err(fault),
    };
    let place = found.place.parse().map_err(|error| {
        Fault::new(Kind::Internal, "bad_answer", "something went wrong on our side").because(error)
    });
    place.map(Some)
}
