//! The labels of a series, and what they may be.

use std::sync::Arc;

/// The name of the label that holds a series' name.
pub const NAME: &str = "__name__";
/// The label that the platform adds to everything a device sends.
pub const DEVICE: &str = "device_id";
/// Labels of a series at most, its name included.
pub const MAX_LABELS: usize = 64;
/// Bytes of a label's name at most.
pub const MAX_NAME_BYTES: usize = 200;
/// Bytes of a label's value at most.
pub const MAX_VALUE_BYTES: usize = 2_048;

/// Labels in order of their names, each name once; kept as one shared text: for each, the lengths of
/// name and value as one character each, then both.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Labels(Arc<str>);

impl Ord for Labels {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.iter().cmp(other.iter())
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Why labels were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadLabels {
    /// The series has no name.
    #[error("a series has no name")]
    NoName,
    /// A name that is empty or too long.
    #[error("a label's name must have 1 to {MAX_NAME_BYTES} bytes, not {0}")]
    Name(usize),
    /// A value that is too long.
    #[error("the value of the label {0:?} has more than {MAX_VALUE_BYTES} bytes")]
    Value(String),
    /// The same name twice.
    #[error("the label {0:?} is there twice")]
    Twice(String),
    /// More labels than a series may have.
    #[error("a series has more than {MAX_LABELS} labels")]
    TooMany,
    /// A label that only the platform sets.
    #[error("the label {0:?} is set by the platform")]
    Reserved(String),
}

impl Labels {
    /// Checks and orders labels; those with an empty value are left out. Any UTF-8 is allowed in
    /// names and values, as in Prometheus 3.
    pub fn new(mut pairs: Vec<(String, String)>) -> Result<Self, BadLabels> {
        pairs.retain(|(_, value)| !value.is_empty());
        pairs.sort_unstable();
        if pairs.len() > MAX_LABELS {
            return Err(BadLabels::TooMany);
        }
        if !pairs.iter().any(|(name, _)| name == NAME) {
            return Err(BadLabels::NoName);
        }
        let mut before = None;
        for (name, value) in &pairs {
            check(name, value)?;
            if before == Some(name) {
                return Err(BadLabels::Twice(name.clone()));
            }
            before = Some(name);
        }
        Ok(Self::of(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))))
    }

    fn of<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut text = String::new();
        for (name, value) in pairs {
            text.extend([name, value].map(length));
            text.push_str(name);
            text.push_str(value);
        }
        Self(text.into())
    }

    /// Labels as [`Labels::as_text`] wrote them.
    pub(crate) fn from_text(text: &str) -> Self {
        Self(text.into())
    }

    /// Labels as they were written with characters between them.
    pub(crate) fn from_separated(text: &str) -> Self {
        Self::of(text.split_terminator('\u{2}').filter_map(|pair| pair.split_once('\u{1}')))
    }

    /// All of them as one text, for the log.
    pub(crate) fn as_text(&self) -> &str {
        &self.0
    }

    /// Name and value of each, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        Pairs(&self.0)
    }

    /// The value of a label; empty when it is not there, as in Prometheus.
    pub fn get(&self, name: &str) -> &str {
        self.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value)
    }
}

/// A length as a character; lengths are checked to be far below those that are none.
fn length(part: &str) -> char {
    u32::try_from(part.len()).ok().and_then(char::from_u32).unwrap_or_default()
}

struct Pairs<'a>(&'a str);

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let mut rest = self.0.chars();
        let [name, value] = [rest.next()?, rest.next()?].map(|length| length as usize);
        let (name, rest) = rest.as_str().split_at_checked(name)?;
        let (value, rest) = rest.split_at_checked(value)?;
        self.0 = rest;
        Some((name, value))
    }
}

/// The labels of a device's series: its own, checked, and the platform's.
pub fn of_device(
    name: &str,
    labels: impl Iterator<Item = (String, String)>,
    device: &str,
) -> Result<Labels, BadLabels> {
    let mut pairs: Vec<(String, String)> = labels.collect();
    if let Some((taken, _)) = pairs.iter().find(|(key, _)| key == NAME || key == DEVICE) {
        return Err(BadLabels::Reserved(taken.clone()));
    }
    pairs.push((NAME.to_owned(), name.to_owned()));
    pairs.push((DEVICE.to_owned(), device.to_owned()));
    Labels::new(pairs)
}

fn check(name: &str, value: &str) -> Result<(), BadLabels> {
    if name.is_empty() || name.len() > MAX_NAME_BYTES {
        return Err(BadLabels::Name(name.len()));
    }
    if value.len() > MAX_VALUE_BYTES {
        return Err(BadLabels::Value(name.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
        all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[track_caller]
    fn refused(all: &[(&str, &str)], want: &BadLabels) {
        assert_eq!(Labels::new(pairs(all)).unwrap_err(), *want);
    }

    #[test]
    fn labels_are_checked_and_ordered() {
        let labels =
            Labels::new(pairs(&[("b", "2"), (NAME, "up:x"), ("a", ""), ("c", "ü")])).unwrap();
        assert_eq!(labels.iter().collect::<Vec<_>>(), [(NAME, "up:x"), ("b", "2"), ("c", "ü")]);
        assert_eq!((labels.get("b"), labels.get("a")), ("2", ""));
        refused(&[("a", "1")], &BadLabels::NoName);
        refused(&[(NAME, "up"), ("", "1")], &BadLabels::Name(0));
        refused(&[(NAME, "up"), (&"n".repeat(201), "1")], &BadLabels::Name(201));
        refused(&[(NAME, "up"), ("a", "1"), ("a", "2")], &BadLabels::Twice("a".into()));
        refused(&[(NAME, "up"), ("a", &"ü".repeat(1_025))], &BadLabels::Value("a".into()));
    }

    #[test]
    fn any_text_is_a_name_or_a_value() {
        let long = "x".repeat(MAX_VALUE_BYTES);
        let all = [(NAME, "1 up.ü"), ("a\u{1}", "x\u{1}y\u{2}\n"), ("z:\u{2}", long.as_str())];
        let labels = Labels::new(pairs(&all)).unwrap();
        assert_eq!(labels.iter().collect::<Vec<_>>(), all);
        assert_eq!(Labels::from_text(labels.as_text()), labels);
        assert!(labels < Labels::new(pairs(&[(NAME, "2")])).unwrap());
    }

    #[test]
    fn a_device_cannot_say_who_it_is() {
        for name in [NAME, DEVICE] {
            let refusal = of_device("up", pairs(&[(name, "x")]).into_iter(), "7").unwrap_err();
            assert_eq!(refusal, BadLabels::Reserved(name.to_owned()));
        }
        let labels = of_device("up", pairs(&[("job", "x")]).into_iter(), "7").unwrap();
        assert_eq!(labels.get(DEVICE), "7");
    }
}
