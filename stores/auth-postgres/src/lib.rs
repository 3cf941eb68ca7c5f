//! Keeps the auth service's promises in PostgreSQL.
//!
//! The SQL, the rows and the promises are those of `stores/auth-sqlite`, file for file: what is said
//! once is kept by both. `engine` is what only PostgreSQL knows; `migrations` are its tables.

mod engine;
#[path = "../../auth-sqlite/src"]
mod shared {
    pub(crate) mod queries;
    pub(crate) mod rows;
    pub(crate) mod store;
}

use openframe_auth::Stores;
use openframe_postgres::Database;

pub use shared::store::SqlStore;
use shared::{queries, rows};

/// The tables.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// Every promise of the auth service, kept in `database`.
pub fn stores(database: &Database) -> Stores {
    Stores::of(&SqlStore::new(database.clone()))
}
