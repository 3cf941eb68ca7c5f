//! Series, matchers, and what an evaluation gives.

use std::fmt;
use std::sync::Arc;

use regex::Regex;

use crate::{Budget, Error};

/// The metric's name among the labels.
pub(crate) const NAME: &str = "__name__";

/// The value that says that a series has ended (Prometheus' staleness marker).
pub const STALE_NAN: u64 = 0x7ff0_0000_0000_0002;

/// Whether `value` is the staleness marker. Other NaNs are values.
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_NAN
}

/// Labels of a series, sorted by name, none empty. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Labels(Arc<[(Arc<str>, Arc<str>)]>);

/// As PromQL writes a set of labels; a name that is not a classic one in quotes.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (n, (name, value)) in self.iter().enumerate() {
            let comma = if n > 0 { ", " } else { "" };
            if is_classic(name) {
                write!(f, "{comma}{name}={value:?}")?;
            } else {
                write!(f, "{comma}{name:?}={value:?}")?;
            }
        }
        f.write_str("}")
    }
}

fn is_classic(name: &str) -> bool {
    let start = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(start) && name.chars().all(|c| start(c) || c.is_ascii_digit())
}

impl Default for Labels {
    fn default() -> Self {
        Self(Arc::from(Vec::new()))
    }
}

impl Labels {
    /// Labels of `pairs`, in any order; the last of equal names counts, empty values are left out.
    pub fn new<N: Into<Arc<str>>, V: Into<Arc<str>>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let mut list: Vec<(Arc<str>, Arc<str>)> = Vec::new();
        for (name, value) in pairs {
            let name = name.into();
            list.retain(|(known, _)| *known != name);
            list.push((name, value.into()));
        }
        list.retain(|(_, value)| !value.is_empty());
        list.sort();
        Self(list.into())
    }

    /// The value of the label `name`; empty when there is none.
    pub fn get(&self, name: &str) -> &str {
        let at = self.0.binary_search_by(|(known, _)| known.as_ref().cmp(name)).ok();
        at.and_then(|at| self.0.get(at)).map_or("", |(_, value)| value)
    }

    /// Every label, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// Only the labels that `keep` wants.
    #[must_use]
    pub(crate) fn filter(&self, keep: impl Fn(&str) -> bool) -> Self {
        if self.0.iter().all(|(name, _)| keep(name)) {
            return self.clone();
        }
        Self(self.0.iter().filter(|(name, _)| keep(name)).cloned().collect())
    }

    /// Without the metric's name.
    #[must_use]
    pub(crate) fn nameless(&self) -> Self {
        self.filter(|name| name != NAME)
    }

    /// With `name` set to `value`, or removed when that is empty.
    #[must_use]
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut list: Vec<_> =
            self.0.iter().filter(|(known, _)| known.as_ref() != name).cloned().collect();
        if !value.is_empty() {
            list.push((Arc::from(name), Arc::from(value)));
            list.sort();
        }
        Self(list.into())
    }
}

/// One value of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// When, Unix milliseconds.
    pub t_ms: i64,
    /// The value.
    pub v: f64,
}

/// A series and its samples, oldest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What it is called.
    pub labels: Labels,
    /// Its samples.
    pub samples: Vec<Sample>,
}

/// How a label is compared.
#[derive(Debug, Clone)]
pub enum MatchKind {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`, anchored at both ends.
    Regex(Regex),
    /// `!~`, anchored at both ends.
    NotRegex(Regex),
}

/// A condition on one label. A label that a series does not have is empty.
#[derive(Debug, Clone)]
pub struct Matcher {
    /// The label.
    pub name: String,
    /// What it is compared with, as written.
    pub value: String,
    /// How.
    pub kind: MatchKind,
}

impl Matcher {
    /// Whether a label's value fits.
    pub fn matches(&self, value: &str) -> bool {
        match &self.kind {
            MatchKind::Equal => value == self.value,
            MatchKind::NotEqual => value != self.value,
            MatchKind::Regex(regex) => regex.is_match(value),
            MatchKind::NotRegex(regex) => !regex.is_match(value),
        }
    }
}

/// Where series come from.
pub trait Source {
    /// Every series that all `matchers` fit, with its samples after `start_ms` up to and including
    /// `end_ms` (Unix milliseconds), oldest first, staleness markers included. What is about to be held is counted in `budget`
    /// first; a long search asks it now and then whether to go on.
    fn select(
        &self,
        matchers: &[Matcher],
        start_ms: i64,
        end_ms: i64,
        budget: &Budget,
    ) -> Result<Vec<Series>, Error>;
}

/// What an evaluation gives.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// One number.
    Scalar(Sample),
    /// One text, at an instant in Unix milliseconds.
    String(i64, String),
    /// One value per series, at one instant.
    Vector(Vec<(Labels, Sample)>),
    /// Several values per series.
    Matrix(Vec<Series>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_sorted_and_never_empty() {
        let labels = Labels::new([("b", "2"), ("a", "1"), ("c", ""), ("b", "3")]);
        assert_eq!(labels.iter().collect::<Vec<_>>(), [("a", "1"), ("b", "3")]);
        assert_eq!((labels.get("b"), labels.get("z")), ("3", ""));
        assert_eq!(labels.with("a", ""), Labels::new([("b", "3")]));
    }
}
