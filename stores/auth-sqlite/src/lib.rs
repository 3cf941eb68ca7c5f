//! Keeps the auth service's promises in a SQLite file.
//!
//! `queries` is the SQL, in words that PostgreSQL knows too; `rows` turns rows into the service's
//! types; `store` keeps the promises: one transaction each, with the audit line in it. They are also
//! part of `stores/auth-postgres`; what differs is in `engine`.
//! `openframe_sqlite` says how the committed query answers in `.sqlx` are refreshed.

mod engine;
mod queries;
mod rows;
mod store;

use openframe_auth::Stores;
use openframe_sqlite::Database;

pub use store::SqlStore;

/// The tables. Give them to [`Database::open`].
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// Every promise of the auth service, kept in `database`.
pub fn stores(database: &Database) -> Stores {
    Stores::of(&SqlStore::new(database.clone()))
}

#[cfg(test)]
mod tests;
