//! Every promise on the real clusters of the lab, also while a node dies.
//!
//! `cargo xtask test` starts the lab and runs these; by hand: `cargo xtask lab up`, then
//! `cargo test -p openframe-conformance --test clusters -- --ignored`.

#![expect(clippy::unwrap_used, reason = "a test fails by it, in its helpers as well")]

mod cassandra;
mod hints;
mod postgres;
mod samples;

use openframe_ids::TenantId;
use openframe_lab::Lab;

fn lab() -> Lab {
    Lab::usual().unwrap()
}

/// A schema or keyspace of its own for each test, so that all can run at the same time.
fn schema(name: &str) -> String {
    let unique = TenantId::new().0.simple().to_string();
    format!("{name}_{unique}")
}
