//! The only door: TLS, identity, routing, the agents' link and the console.
