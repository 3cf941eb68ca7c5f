//! What services tell the gateway of themselves. Never routed from outside.

use openframe_mesh::Calls;
use serde::{Deserialize, Serialize};

use crate::Part;

/// `GET /internal/v1/health`: the gateway asks a replica how it is.
pub const REPORT: &str = "/internal/v1/health";

/// What a replica says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Its version.
    pub version: String,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// Its parts.
    pub parts: Vec<Part>,
    /// Its calls to other services in the last minute.
    pub calls: Vec<Calls>,
}
