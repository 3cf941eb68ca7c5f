//! Makes `data/breached.bloom` of a list of passwords, a line each:
//! `cargo run -p openframe-passwords --example breached < LIST > libs/passwords/data/breached.bloom`

use std::collections::BTreeSet;
use std::io::{self, Read as _, Write as _};

use openframe_passwords::Filter;

/// Shorter ones are refused for their length.
const SHORTEST: usize = 8;

fn main() -> io::Result<()> {
    let mut list = String::new();
    io::stdin().read_to_string(&mut list)?;
    let lower = list.lines().map(str::to_lowercase);
    let all: BTreeSet<String> = lower.filter(|it| it.chars().count() >= SHORTEST).collect();
    let mut filter = Filter::with_room(all.len());
    for password in &all {
        filter.put(password);
    }
    io::stdout().write_all(filter.bytes())
}
