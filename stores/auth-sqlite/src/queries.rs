//! The SQL. Every statement is valid for PostgreSQL and SQLite alike: times and ids are bound, never
//! made by the database, and nothing is an array.

mod audit;
mod devices;
mod people;
mod sessions;

pub(crate) use audit::*;
pub(crate) use devices::*;
pub(crate) use people::*;
pub(crate) use sessions::*;

/// A time as it is kept.
pub(crate) fn ms(at: jiff::Timestamp) -> i64 {
    at.as_millisecond()
}
