//! The daemon on a device: enrol, report, buffer.
//!
//! [`enrol`] gets the device's certificate, [`credentials`] shows it, [`link`] speaks with the platform, [`collect`] measures,
//! [`commands`] obeys, [`inventory`] says what the device is, [`renewal`] keeps its certificate alive;
//! [`time`] tells the platform's time, [`daemon`] puts them together and keeps them running. [`state`] is what the device keeps.

pub mod collect;
pub mod commands;
pub mod config;
pub mod credentials;
pub mod daemon;
pub mod enrol;
mod error;
pub mod facts;
pub mod install;
pub mod inventory;
pub mod link;
pub mod net;
pub mod renewal;
pub mod state;
pub mod status;
pub mod time;

pub use error::{Cause, Error};
