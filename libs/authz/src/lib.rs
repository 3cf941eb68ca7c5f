//! Who may do what, and where.
//!
//! A [`Permission`] is one thing that may be allowed, a [`Role`] a set of them, and a [`Place`] a part of
//! a tenant: an organisation, a site of it, or a group within that. A person has one role in the whole
//! tenant, which may be none, and [`Grants`]: roles that are allowed or denied at places, perhaps until
//! some time. [`Access`] is both, and answers two questions that cannot disagree: whether something is
//! permitted at one place ([`Access::permits`]), and where it is permitted at all ([`Access::reach`]),
//! which is what lists are filtered by. What is not allowed is refused, and a denial beats everything.
//!
//! Pure: no I/O, and the time is passed in. The tests hold both answers against policies of Cedar and
//! against a model that walks the tree (docs/adr/0019).

mod grant;
mod permission;
mod place;
mod reach;
#[cfg(test)]
mod tests;

pub use grant::{Access, Effect, Grant, Grants, MOST_GRANTS, NotGrants};
pub use permission::{Permission, Role, UnknownName};
pub use place::{DEPTH, NotAPlace, Place};
pub use reach::Reach;
