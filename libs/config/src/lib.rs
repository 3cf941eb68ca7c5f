//! Settings from defaults, a file, the environment and flags, in this order, later ones winning.
//!
//! Each service has one settings struct with documented fields; the executable has one struct of
//! them all. `load` reports every mistake at once: unknown names, wrong types, values that a
//! struct refuses. `describe` writes the reference document from the same structs, so the two
//! cannot differ. This crate is the only one that reads the environment.

mod describe;
mod load;
mod secret;

pub use describe::describe;
pub use load::{ENV_PREFIX, Layers, Mistake, Mistakes, environment, load, variable};
pub use secret::Secret;
