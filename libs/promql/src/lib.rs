//! PromQL over any source of series, with the semantics of Prometheus 3.
//!
//! `types` has the data, [`Engine`] evaluates. Parsing is `promql-parser`'s; the evaluator is ours:
//! each selector is read once for a whole query, then every step looks at windows of what was read.
//!
//! Semantics followed: Prometheus 3 documentation, "Querying"; range selectors and the lookback are
//! left-open and right-closed; staleness markers end a series.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    reason = "PromQL's numbers are doubles, compared and converted as its own definition says"
)]

mod aggregate;
mod binary;
mod budget;
mod call;
mod date;
mod engine;
mod error;
mod eval;
mod format;
mod histogram;
mod labels_call;
mod numeric;
mod over_time;
mod parse;
mod select;
mod types;

pub use budget::{Budget, Limits};
pub use engine::Engine;
pub use error::Error;
pub use format::format_value;
pub use parse::{check, format, parse_selector};
pub use types::{Labels, MatchKind, Matcher, STALE_NAN, Sample, Series, Source, Value, is_stale};
