//! openframe
fn main() {}
