//! SCIM 2.0 without I/O (RFC 7643, RFC 7644): the directory of a customer says who has left and who has come.
//!
//! [`Filter`] is what a list is narrowed to, [`Path`] where a change is made, [`Change`] what a PATCH
//! asks for. [`Person`] and [`Group`] are what is read from a resource that somebody sends, and how one
//! looks that is shown. [`Refusal`] is every refusal, with the word that the protocol has for it.
//!
//! Whatever comes in is from outside: filters have a length, a depth and a number of terms, changes a
//! number of operations and a budget of work. What real directories send is read as it is meant, also
//! where the protocol says otherwise: `"active": "False"`, operations called `Replace`, names with dots
//! as keys of a value. Why this is no crate of somebody else: docs/adr/0021.

mod filter;
mod list;
mod matching;
mod parse;
mod patch;
mod path;
mod refusal;
mod resource;
mod schema;
#[cfg(test)]
mod tests;

pub use filter::{AttrPath, Filter, Literal, Operator};
pub use list::{Selection, list};
pub use matching::field;
pub use parse::{DEPTH, LENGTH, TERMS};
pub use patch::{Change, OPERATIONS};
pub use path::Path;
pub use refusal::{Refusal, ScimType, error};
pub use resource::{
    EXTERNAL_ID_MAX, Group, MEMBERS, Meta, Person, person_name, replaced, show_group, show_person,
    version,
};
pub use schema::{provider_config, resource_types, schemas};

/// The media type of everything that is sent.
pub const MEDIA_TYPE: &str = "application/scim+json";
/// What a person's resource is called.
pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// What a group's resource is called.
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
