//! Who may do what: people, sessions, keys, devices' certificates and the audit trail.
//!
//! Reading order: [`domain`] (what is true), [`store`] (what is kept), [`app`] (what can be asked),
//! `http` (how it is asked).
//!
//! Invariants: a secret is stored as its hash only; whatever grants or takes authority is written
//! together with its line of the audit trail, or not at all; a caller's role is read from the store
//! at each resolution, so a change counts at once.

pub mod app;
mod config;
pub mod domain;
mod error;
mod http;
mod mail;
mod metrics;
mod start;
pub mod store;
mod stream;
mod tasks;

pub use app::{Auth, JoinKeys, new_bootstrap_secret};
pub use config::{AuditConfig, Config, MailConfig, MailTls, ScimConfig, ScimRole, StreamConfig};
pub use error::Error;
pub use http::openapi;
pub use mail::Mailer;
pub use openframe_webhook::Webhooks;
pub use start::{Deps, Running, start};
pub use store::Stores;
pub use stream::Streams;
