//! The eight kinds of failure, and how each looks on the wire.
//!
//! Every service error becomes a [`Fault`]: a [`Kind`], a stable code, a message for the caller and
//! a cause for the log. HTTP status, CLI exit code, retry and log level are each one `match` on the
//! kind without a wildcard arm. [`extract`] replaces axum's extractors, whose refusals are plain
//! text; [`layer`] writes the request id into each refusal, logs causes once and catches panics.
//!
//! Wire format: problem details (RFC 9457) with two members more, `code` and `request_id`.

pub mod body;
pub mod extract;
mod fault;
mod kind;
mod layer;

pub use extract::{Json, Path, Query};
pub use fault::{BoxError, Fault, chain};
pub use kind::Kind;
pub use layer::{REQUEST_ID, layer, method_not_allowed, not_found};
