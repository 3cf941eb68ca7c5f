//! The link to the platform. [`session`] is the protocol without I/O, [`outbox`] what it sends
//! from, [`connection`] the WebSocket that carries it, [`backoff`] how long to wait in between.

pub mod backoff;
pub mod connection;
pub mod outbox;
pub mod session;
