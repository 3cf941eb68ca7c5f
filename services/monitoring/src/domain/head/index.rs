//! Which series of a tenant match.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::domain::labels::Labels;
use crate::domain::record::SeriesRef;

/// A condition on one label. A label that is not there has the empty value.
#[derive(Clone)]
pub struct Matcher {
    name: String,
    test: Test,
}

#[derive(Clone)]
enum Test {
    Equal(String),
    Holds(Arc<dyn Fn(&str) -> bool + Send + Sync>),
}

impl Matcher {
    /// The label has exactly this value.
    pub fn equal(name: &str, value: String) -> Self {
        Self { name: name.to_owned(), test: Test::Equal(value) }
    }

    /// The label has a value for which `holds`.
    pub fn when(name: &str, holds: Arc<dyn Fn(&str) -> bool + Send + Sync>) -> Self {
        Self { name: name.to_owned(), test: Test::Holds(holds) }
    }

    fn matches(&self, value: &str) -> bool {
        match &self.test {
            Test::Equal(wanted) => wanted == value,
            Test::Holds(holds) => holds(value),
        }
    }
}

/// Series by the value of one label.
pub(super) type Values = BTreeMap<String, RoaringBitmap>;

/// The series of one tenant, by their labels.
#[derive(Debug, Default)]
pub(super) struct Index {
    by_labels: HashMap<Labels, SeriesRef>,
    /// Label name -> value -> series.
    postings: HashMap<String, Values>,
    all: RoaringBitmap,
}

impl Index {
    pub(super) fn get(&self, labels: &Labels) -> Option<SeriesRef> {
        self.by_labels.get(labels).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.by_labels.len()
    }

    /// Each label's name with its values.
    pub(super) fn names(&self) -> impl Iterator<Item = (&String, &Values)> {
        self.postings.iter()
    }

    /// The values of one label.
    pub(super) fn values_of(&self, name: &str) -> Option<&Values> {
        self.postings.get(name)
    }

    pub(super) fn insert(&mut self, number: SeriesRef, labels: &Labels) {
        for (name, value) in labels.iter() {
            let values = self.postings.entry(name.to_owned()).or_default();
            values.entry(value.to_owned()).or_default().insert(number);
        }
        self.all.insert(number);
        self.by_labels.insert(labels.clone(), number);
    }

    pub(super) fn remove(&mut self, number: SeriesRef, labels: &Labels) {
        for (name, value) in labels.iter() {
            let Some(values) = self.postings.get_mut(name) else { continue };
            if let Some(series) = values.get_mut(value) {
                series.remove(number);
                if series.is_empty() {
                    values.remove(value);
                }
            }
            if values.is_empty() {
                self.postings.remove(name);
            }
        }
        self.all.remove(number);
        // The same labels may have a newer number by now.
        if self.by_labels.get(labels) == Some(&number) {
            self.by_labels.remove(labels);
        }
    }

    /// The series that match all conditions.
    pub(super) fn matching(&self, matchers: &[Matcher]) -> RoaringBitmap {
        // Conditions that a missing label does not meet leave few: they come first, and of them
        // those that need no more than a look into a map.
        let (open, narrow): (Vec<_>, Vec<_>) = matchers.iter().partition(|it| it.matches(""));
        let (equal, tested): (Vec<_>, Vec<_>) =
            narrow.into_iter().partition(|it| matches!(it.test, Test::Equal(_)));
        let mut found: Option<RoaringBitmap> = None;
        for matcher in equal.into_iter().chain(tested) {
            if found.as_ref().is_some_and(RoaringBitmap::is_empty) {
                return RoaringBitmap::new();
            }
            found = Some(self.narrowed(found, matcher));
        }
        let mut found = found.unwrap_or_else(|| self.all.clone());
        for matcher in open {
            for (value, series) in self.values(matcher) {
                if !matcher.matches(value) {
                    found -= series;
                }
            }
        }
        found
    }

    /// `found`, or everything, less the series whose label does not match.
    fn narrowed(&self, found: Option<RoaringBitmap>, matcher: &Matcher) -> RoaringBitmap {
        let right = match &matcher.test {
            Test::Equal(value) => {
                let known = self.postings.get(&matcher.name).and_then(|values| values.get(value));
                let Some(known) = known else { return RoaringBitmap::new() };
                return match found {
                    Some(found) => found & known,
                    None => known.clone(),
                };
            }
            Test::Holds(holds) => {
                let right = self.values(matcher).filter(|(value, _)| holds(value));
                right.fold(RoaringBitmap::new(), |all, (_, series)| all | series)
            }
        };
        match found {
            Some(found) => found & right,
            None => right,
        }
    }

    fn values(&self, matcher: &Matcher) -> impl Iterator<Item = (&String, &RoaringBitmap)> {
        self.postings.get(&matcher.name).into_iter().flatten()
    }
}
