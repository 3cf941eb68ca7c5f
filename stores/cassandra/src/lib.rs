//! How every store on Cassandra reaches it: one way to connect, with TLS and a password.
//!
//! [`Cluster`] says where it is, [`Admin`] manages who may use it.

mod admin;
mod cluster;

pub use admin::Admin;
pub use cluster::{Cluster, Error};
