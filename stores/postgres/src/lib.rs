//! How a PostgreSQL cluster is reached.
//!
//! [`Database`] is one schema of a cluster with a primary and standbys. It finds the primary by
//! asking every node, and finds it again when a node dies or changes its part; all reading and
//! writing is done there, so that what was written is read. [`Trouble`] tells a cluster that is away
//! from a mistake of ours.
//!
//! # The checked queries of a store crate
//! As those for SQLite (`openframe_sqlite`), but asked of a real server with the tables. With the
//! lab up, for `stores/auth-postgres`:
//! ```sh
//! cargo xtask lab up
//! export AUTH_POSTGRES_DATABASE_URL="$(cargo run -q -p openframe-lab -- migrate auth stores/auth-postgres/migrations)"
//! rm -r stores/auth-postgres/.sqlx; mkdir stores/auth-postgres/.sqlx; touch stores/auth-postgres/src/lib.rs
//! SQLX_OFFLINE_DIR=$PWD/stores/auth-postgres/.sqlx cargo check -p openframe-auth-postgres
//! ```

mod database;
mod error;
mod primary;

pub use database::{Database, Settings};
pub use error::{OpenError, Trouble, trouble};
pub use sqlx::migrate::Migrator;
