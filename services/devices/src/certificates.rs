//! The promise that a device's certificates count no more, kept by the auth service.

use async_trait::async_trait;
use openframe_auth_api::AuthClient;
use openframe_fault::{Fault, Kind};

use crate::store::Whose;

/// Says which devices may connect.
#[async_trait]
pub trait Certificates: Send + Sync + 'static {
    /// Makes the certificates of a device count no more; returns once that is durable. Also right
    /// when they counted no more before.
    async fn revoke(&self, whose: Whose) -> Result<(), Fault>;
}

#[async_trait]
impl Certificates for AuthClient {
    async fn revoke(&self, (_, device): Whose) -> Result<(), Fault> {
        match self.revoke_device(device).await {
            Err(fault) if fault.kind() == Kind::NotFound => Ok(()),
            answer => answer,
        }
    }
}
