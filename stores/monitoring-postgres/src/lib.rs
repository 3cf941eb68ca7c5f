//! Keeps rules, alerts, channels and the outbox of notifications in PostgreSQL.
//!
//! The SQL and the promises are those of `stores/monitoring-embedded`, file for file: what is said
//! once is kept by both. `engine` is what only PostgreSQL knows; `migrations` are its tables.

mod engine;
#[path = "../../monitoring-embedded/src"]
mod shared {
    pub(crate) mod alerts;
    pub(crate) mod record;
}

use shared::record;

pub use shared::alerts::SqlAlerts;

/// The tables.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();
