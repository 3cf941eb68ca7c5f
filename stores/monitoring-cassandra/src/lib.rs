//! Keeps the monitoring service's telemetry log in Cassandra.
//!
//! Every process writes a log of its own and reads those of all others, so that no two ever write the
//! same row and nobody has to be elected (ADR 0012). `log` is the promise, `writing` makes records
//! durable in groups, `reading` finds what others have written, `group` is how a group is written
//! down, `statements` is the CQL.

mod group;
mod log;
mod reading;
mod statements;
mod writing;

use openframe_cassandra::Migration;

pub use log::{CHAPTER_MS, CassandraLog, Options};

/// The tables.
pub const MIGRATIONS: &[Migration] = &[(1, include_str!("../migrations/0001_log.cql"))];
