//! What of a request was not stored, and why.

use std::fmt;

use crate::domain::labels::BadLabels;

/// Samples that were refused, by reason. Everything else of the request was stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refused {
    /// With labels that are not allowed.
    pub labels: u64,
    /// The first of those labels.
    pub example: Option<BadLabels>,
    /// Of new series, beyond those that the tenant may have.
    pub over_limit: u64,
    /// Older than what is kept.
    pub too_old: u64,
    /// Too far ahead of the platform's clock.
    pub future: u64,
    /// Of a kind that is not taken.
    pub kind: u64,
    /// The first of those kinds.
    pub unknown: Option<&'static str>,
}

impl Refused {
    /// How many there are.
    pub fn total(&self) -> u64 {
        self.labels + self.over_limit + self.too_old + self.future + self.kind
    }

    /// Whether room is all that is missing.
    pub fn only_over_limit(&self) -> bool {
        self.over_limit == self.total()
    }

    /// Counts samples whose labels are not allowed.
    pub fn bad_labels(&mut self, why: BadLabels, samples: u64) {
        self.labels += samples;
        self.example.get_or_insert(why);
    }

    /// Counts samples of a kind that is not taken.
    pub fn bad_kind(&mut self, what: &'static str, samples: u64) {
        self.kind += samples;
        self.unknown.get_or_insert(what);
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} samples were refused and the others stored:", self.total())?;
        let mut between = " ";
        let mut one = |count: u64, why: &dyn fmt::Display| {
            if count == 0 {
                return Ok(());
            }
            write!(f, "{between}{count} {why}")?;
            between = "; ";
            Ok(())
        };
        let example = self.example.as_ref().map(ToString::to_string).unwrap_or_default();
        one(self.labels, &format_args!("with bad labels (the first: {example})"))?;
        one(self.over_limit, &"of new series beyond those the tenant may have")?;
        one(self.too_old, &"older than what is kept")?;
        one(self.future, &"too far in the future")?;
        one(self.kind, &self.unknown.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_named_with_its_count() {
        let mut refused = Refused { too_old: 2, over_limit: 1, ..Refused::default() };
        assert!(!refused.only_over_limit());
        refused.bad_labels(BadLabels::NoName, 3);
        refused.bad_labels(BadLabels::TooMany, 1);
        assert_eq!(
            refused.to_string(),
            "7 samples were refused and the others stored: 4 with bad labels (the first: a series \
             has no name); 1 of new series beyond those the tenant may have; 2 older than what is \
             kept"
        );
        assert!(Refused { over_limit: 1, ..Refused::default() }.only_over_limit());
    }
}
