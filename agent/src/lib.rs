//! The daemon on a device: enrol, report, buffer.
//!
//! [`enrol`] gets the device's certificate, [`link`] speaks with the platform, [`collect`] measures,
//! [`daemon`] puts them together and keeps them running. [`state`] is what the device keeps.

pub mod collect;
pub mod config;
pub mod daemon;
pub mod enrol;
mod error;
pub mod facts;
pub mod link;
pub mod net;
pub mod state;

pub use error::{Cause, Error};
