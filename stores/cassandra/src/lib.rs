//! How every store on Cassandra reaches it: one way to connect, with TLS and a password, to bring
//! tables up to date, and to read and write.
//!
//! [`Cluster`] says where it is, [`Database`] is one keyspace of it, [`Admin`] manages who may use
//! it.

mod admin;
mod cluster;
mod database;
mod error;
mod migrate;

pub use admin::Admin;
pub use cluster::Cluster;
pub use database::Database;
pub use error::{Failure, OpenError};
pub use migrate::Migration;
