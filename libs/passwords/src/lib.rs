//! Passwords that whoever guesses tries first: the most common ones, and those that were in breaches.
//! Both are asked without a network. Where they come from: `data/README.md`.

mod filter;

pub use filter::Filter;

/// The most common ones, in small letters, a line each.
const COMMON: &str = include_str!("../data/common.txt");
/// Those of breaches, in small letters, as the example `breached` makes it.
const BREACHED: &[u8] = include_bytes!("../data/breached.bloom");

/// Why a password is known to whoever guesses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Many people have it.
    Common,
    /// Somebody had it whose password was stolen.
    Breached,
}

/// Whether a password is known, whatever its letters' case. Of those that are not, one in a hundred
/// thousand is taken for a breached one.
pub fn known(password: &str) -> Option<Known> {
    let lower = password.to_lowercase();
    if COMMON.lines().any(|line| line == lower) {
        return Some(Known::Common);
    }
    Filter::of(BREACHED).holds(&lower).then_some(Known::Breached)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    // ASVS 6.2.4
    #[test]
    fn more_than_three_thousand_of_the_most_common_ones_are_known() {
        let all: BTreeSet<&str> = COMMON.lines().collect();
        let long = all.iter().filter(|it| it.chars().count() >= 8).count();
        assert!(long >= 3000 && long == COMMON.lines().count(), "{long}");
        for password in all {
            assert_eq!(known(password), Some(Known::Common), "{password}");
            assert_eq!(known(&password.to_uppercase()), Some(Known::Common), "{password}");
        }
    }

    // ASVS 6.2.12
    #[test]
    fn breached_ones_are_known() {
        let sample: Vec<&str> = include_str!("../data/sample.txt").lines().collect();
        assert!(sample.len() > 400, "{}", sample.len());
        for password in sample {
            assert_eq!(known(password), Some(Known::Breached), "{password}");
        }
        assert_eq!(known("correct horse battery staple 88"), None);
    }

    #[test]
    fn few_others_are_taken_for_breached_ones() {
        let filter = Filter::of(BREACHED);
        let others = (0..100_000).map(|n| format!("nobody has had this one {n}"));
        let wrong = others.filter(|it| filter.holds(it)).count();
        assert!(wrong <= 10, "{wrong} of 100,000");
    }
}
