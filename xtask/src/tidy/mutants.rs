//! Each mutant (`tests/mutants`) says what it turns off and who must notice, and still applies.

use std::path::Path;

use super::Violation;
use crate::mutants::{FOLDER, all, apply};

pub(super) fn check(root: &Path) -> Vec<Violation> {
    let mutants = match all(root) {
        Ok(mutants) => mutants,
        Err(error) => return vec![Violation::of(FOLDER, format!("{error:#}"))],
    };
    let stale = mutants.iter().filter_map(|mutant| {
        let error = apply(root, &mutant.text, true).err()?;
        let place = format!("{FOLDER}/{}.patch", mutant.name);
        Some(Violation::of(&place, format!("does not apply any more: {error:#}")))
    });
    stale.collect()
}
