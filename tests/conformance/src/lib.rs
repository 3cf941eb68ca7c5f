//! Every store promise, run against every engine that keeps it.
pub mod alerts;
pub mod auth;
pub mod devices;
pub mod monitoring;
