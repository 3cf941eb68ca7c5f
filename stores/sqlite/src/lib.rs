//! How an embedded SQLite file is opened, and the lock of the data folder.
//!
//! [`Database`] is one file with one writing connection and a few reading ones, durable once a
//! write has returned. [`FolderLock`] keeps a second process out of the folder. [`Trouble`] tells
//! a full or broken disk from a mistake of ours.
//!
//! # The checked queries of a store crate
//! A store crate writes its SQL with `sqlx::query!`, which is checked when the crate is compiled,
//! against the committed answers in its `.sqlx` folder: no database is needed to build. Its
//! `sqlx.toml` names the variable that, when set, makes the check ask a real database instead and,
//! with `SQLX_OFFLINE_DIR`, writes the answers down. To refresh them after a change of a query or
//! of a migration, here for `stores/auth-sqlite`:
//! ```sh
//! cargo run -p openframe-sqlite --example schema -- stores/auth-sqlite/migrations target/auth.db
//! rm -r stores/auth-sqlite/.sqlx; mkdir stores/auth-sqlite/.sqlx; touch stores/auth-sqlite/src/lib.rs
//! AUTH_SQLITE_DATABASE_URL=sqlite://$PWD/target/auth.db \
//!   SQLX_OFFLINE_DIR=$PWD/stores/auth-sqlite/.sqlx cargo check -p openframe-auth-sqlite
//! touch stores/auth-sqlite/src/lib.rs; cargo check -p openframe-auth-sqlite   # from .sqlx alone
//! ```

mod database;
mod error;
mod lock;

pub use database::{Database, READERS, copy};
pub use error::{OpenError, Trouble, trouble};
pub use lock::FolderLock;
