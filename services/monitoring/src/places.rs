//! The promise to know which devices are in a place, kept by the auth service.

use std::collections::HashSet;

use async_trait::async_trait;
use openframe_auth_api::AuthClient;
use openframe_auth_api::internal::{DEVICES_AT_ONCE, DevicesWithin};
use openframe_fault::Fault;
use openframe_ids::DeviceId;
use openframe_tokens::Place;

/// Knows where devices are. Everything is of the platform's own tenant.
#[async_trait]
pub trait Places: Send + Sync + 'static {
    /// The devices in a place and in all that lies in it, retired ones among them: what they measured is
    /// still there.
    async fn devices_within(&self, place: &Place) -> Result<HashSet<DeviceId>, Fault>;
}

#[async_trait]
impl Places for AuthClient {
    async fn devices_within(&self, place: &Place) -> Result<HashSet<DeviceId>, Fault> {
        let (mut found, place) = (HashSet::new(), place.to_string());
        let mut after = None;
        loop {
            let asked = DevicesWithin { place: place.clone(), after };
            let items = AuthClient::devices_within(self, &asked).await?.items;
            after = items.last().copied();
            let more = items.len() >= DEVICES_AT_ONCE;
            found.extend(items);
            if !more {
                return Ok(found);
            }
        }
    }
}
