//! The link to the platform. [`session`] is the protocol without I/O, [`outbox`] what it sends
//! from, [`disk`] the outbox of a real device on its [`queue`]s, [`connection`] the WebSocket that
//! carries it, [`backoff`] how long to wait in between.

pub mod backoff;
pub mod connection;
pub mod disk;
pub mod outbox;
pub mod queue;
pub mod session;
