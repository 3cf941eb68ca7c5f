//! Real clusters on this machine, without containers: what the tests of the data layer run against.
//!
//! Three Cassandra nodes, two PostgreSQL nodes with automatic failover, a Redis primary with two
//! replicas and three Sentinels, each a process on a loopback address of its own, all with passwords
//! and TLS. Every node can be killed and started again by name. Read [`Lab`] first, then a cluster's
//! file; `process` knows how something runs on after the program that started it has ended.
//!
//! Nothing here is for production: all nodes share one machine.

mod cassandra;
mod lab;
pub mod mounts;
mod node;
mod pki;
mod postgres;
mod process;
mod redis;
mod secrets;
mod small_disk;
mod tables;

pub use lab::{Cut, Lab, Progress};
pub use node::Node;
pub use small_disk::SmallDisk;
pub use tables::Tables;
