//! tests/sim
fn main() {}
