//! How one service reaches another: in this process, or over the network. Callers cannot tell.
//!
//! [`Peer`] sends a request; [`Client`] is what the typed clients of `api/` are made of;
//! [`identity`] is how the called service learns who asks, in both shapes from the same signed
//! header. Between processes, [`Service`] chooses a replica and tries again, and [`serve`] is the
//! called service's door: mutual TLS by name, and a rule for each path. Where a mesh around the processes
//! does some of it, [`Upstream`] and [`Known`] say what is left to do here.
//!
//! Invariants: `http::Extensions` never cross a peer, every call has a deadline, and a panic in a
//! service answers as a 500 (its router carries `fault::layer`).

mod client;
mod deadline;
mod endpoint;
pub mod identity;
mod lately;
mod metrics;
mod peer;
mod replicas;
mod serve;
mod service;

pub use client::{Answer, Client, Credential, query};
pub use lately::Calls;
pub use metrics::Metrics;
pub use peer::{Connector, Late, Peer, in_time};
pub use serve::{Known, Rule, Told, serve};
pub use service::{Service, Upstream};
