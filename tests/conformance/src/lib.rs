//! Every store promise, run against every engine that keeps it.
pub mod monitoring;
