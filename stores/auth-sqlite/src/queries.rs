//! The SQL. Every statement is valid for PostgreSQL and SQLite alike: times and ids are bound, never
//! made by the database, and nothing is an array.

mod audit;
mod checkpoints;
mod device_grants;
mod devices;
mod factors;
mod invitations;
mod logouts;
mod mails;
mod oauth;
mod passkeys;
mod people;
mod places;
mod proofs;
mod provisioning;
mod search;
mod sessions;
mod sign_ins;
mod streams;
mod upstream;

pub(crate) use audit::*;
pub(crate) use checkpoints::*;
pub(crate) use device_grants::*;
pub(crate) use devices::*;
pub(crate) use factors::*;
pub(crate) use invitations::*;
pub(crate) use logouts::*;
pub(crate) use mails::*;
pub(crate) use oauth::*;
pub(crate) use passkeys::*;
pub(crate) use people::*;
pub(crate) use places::*;
pub(crate) use proofs::*;
pub(crate) use provisioning::*;
pub(crate) use search::*;
pub(crate) use sessions::*;
pub(crate) use sign_ins::*;
pub(crate) use streams::*;
pub(crate) use upstream::*;

/// A time as it is kept.
pub(crate) fn ms(at: jiff::Timestamp) -> i64 {
    at.as_millisecond()
}
