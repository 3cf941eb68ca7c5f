//! Tells the replicas of the monitoring service, by Redis' publish and subscribe, that one of them has
//! stored something. Nothing is kept in Redis, and nothing but freshness depends on it: a replica that
//! hears nothing looks by itself.
//!
//! [`Settings`] says where the Sentinels are, [`RedisHints`] keeps the promise; it finds the primary
//! again by itself.

mod connect;
mod hints;

pub use connect::{OpenError, Settings};
pub use hints::RedisHints;
