//! The only door: TLS, identity, routing, the agents' link and the console.
//!
//! Read [`routes`] first (what is served where), then `edge` (one request from head to answer),
//! `identity` (who asks), `link` (the agents' connections). The executable owns the sockets and
//! hands them to [`Edge`].
//!
//! Invariants:
//! - no header from outside that names a caller, an address or a request ever reaches a service;
//! - a service sees a request only with an internal token that this crate minted;
//! - a device is known by its certificate, shown in TLS or by a signed request, and by nothing else;
//! - a frame is acknowledged to an agent only after the service behind has said it is durable;
//! - a changed route table never closes a connection;
//! - what a caller began to change is done to its end, whether the caller waits or not;
//! - an event stream, a tunnel and a link end when who opened them may no longer.

mod agents;
mod assets;
mod config;
mod edge;
mod ended;
mod headers;
mod health;
mod http;
mod identity;
mod link;
mod metrics;
mod proxies;
mod pump;
mod refused;
pub mod routes;
mod serve;
mod signed;
mod start;

pub use assets::{Asset, Assets};
pub use config::{BadNetwork, Config, Network};
pub use edge::Edge;
pub use ended::Endings;
pub use health::{Asked, Health, openapi};
pub use identity::{Identity, Kept, Resolved};
pub use start::{Deps, Running, start};
