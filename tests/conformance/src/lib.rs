//! Every store promise, run against every engine that keeps it.
pub mod auth;
pub mod monitoring;
