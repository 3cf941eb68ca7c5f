//! What people and API clients are told.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How the platform is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// The version of the gateway that answers.
    pub version: String,
    /// Whether every part of every replica can do its work.
    pub ready: bool,
    /// Every replica of every service; one, where all services share a process.
    pub replicas: Vec<Replica>,
    /// How services reached each other in the last minute; none where they share a process.
    pub edges: Vec<Edge>,
}

/// One process of the platform.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Replica {
    /// Its service; `openframe` where all services share a process.
    pub service: String,
    /// Where the other services reach it; empty where all share a process.
    pub address: String,
    /// Its version; absent when it does not answer.
    pub version: Option<String>,
    /// Seconds since it started; absent when it does not answer.
    pub uptime_s: Option<u64>,
    /// Its parts. One that waits for an answer stands for a replica that gives none.
    pub parts: Vec<Part>,
}

/// A part of a process: a store, a door, something that is kept in memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Part {
    /// Its name, such as `monitoring.log`.
    pub name: String,
    /// Whether it can do its work.
    pub ready: bool,
    /// What it waits for when it cannot.
    pub waiting_for: Option<String>,
    /// More, for a person.
    pub detail: String,
}

/// How all replicas of one service reached another one in the last minute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Edge {
    /// The service that asks.
    pub from: String,
    /// The service that is asked.
    pub to: String,
    /// Calls a second.
    pub requests_per_s: f64,
    /// The share of calls that were answered with a status below 500, 0 to 1; absent without calls.
    pub success: Option<f64>,
    /// Calls a second that were made once more.
    pub retries_per_s: f64,
    /// The time until the head of the answer, milliseconds: half of the calls took less.
    pub p50_ms: Option<f64>,
    /// The same for 95 of 100.
    pub p95_ms: Option<f64>,
    /// The same for 99 of 100.
    pub p99_ms: Option<f64>,
}
