//! The typed client.

use openframe_fault::Fault;
use openframe_mesh::Client;

use crate::{HEALTH, Health};

/// Asks the gateway about the platform itself. Every method fails with the gateway's own refusal, or
/// with `Unavailable` when it does not answer.
#[derive(Debug, Clone)]
pub struct PlatformClient(Client);

impl PlatformClient {
    /// A client on top of `client`.
    pub fn new(client: Client) -> Self {
        Self(client)
    }

    /// How the platform is.
    pub async fn health(&self) -> Result<Health, Fault> {
        self.0.get(HEALTH).await
    }
}
