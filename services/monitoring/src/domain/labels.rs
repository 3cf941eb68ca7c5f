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

/// Labels in order of their names, each name once; kept as one shared text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Labels(Arc<str>);

/// Why labels were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadLabels {
    /// The series has no name.
    #[error("a series has no name")]
    NoName,
    /// A name that Prometheus does not allow.
    #[error("{0:?} is not a valid name")]
    Name(String),
    /// A value that is too long or holds a control character.
    #[error("the value of the label {0:?} is too long or holds control characters")]
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
    /// Checks and orders labels; those with an empty value are left out, as in Prometheus.
    pub fn new(mut pairs: Vec<(String, String)>) -> Result<Self, BadLabels> {
        pairs.retain(|(_, value)| !value.is_empty());
        pairs.sort_unstable();
        if pairs.len() > MAX_LABELS {
            return Err(BadLabels::TooMany);
        }
        if !pairs.iter().any(|(name, _)| name == NAME) {
            return Err(BadLabels::NoName);
        }
        let mut text = String::new();
        let mut before = None;
        for (name, value) in &pairs {
            check(name, value)?;
            if before == Some(name) {
                return Err(BadLabels::Twice(name.clone()));
            }
            before = Some(name);
            // Control characters are refused, so they can separate.
            for part in [name.as_str(), "\u{1}", value.as_str(), "\u{2}"] {
                text.push_str(part);
            }
        }
        Ok(Self(text.into()))
    }

    /// Labels as [`Labels::as_text`] wrote them.
    pub(crate) fn from_text(text: &str) -> Self {
        Self(text.into())
    }

    /// All of them as one text, for the log.
    pub(crate) fn as_text(&self) -> &str {
        &self.0
    }

    /// Name and value of each, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.split_terminator('\u{2}').filter_map(|pair| pair.split_once('\u{1}'))
    }

    /// The value of a label; empty when it is not there, as in Prometheus.
    pub fn get(&self, name: &str) -> &str {
        self.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value)
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
    let (text, colon) = if name == NAME { (value, true) } else { (name, false) };
    if !is_name(text, colon) {
        return Err(BadLabels::Name(text.chars().take(MAX_NAME_BYTES).collect()));
    }
    if value.len() > MAX_VALUE_BYTES || value.chars().any(char::is_control) {
        return Err(BadLabels::Value(name.to_owned()));
    }
    Ok(())
}

fn is_name(text: &str, colon: bool) -> bool {
    let start = |c: char| c.is_ascii_alphabetic() || c == '_' || (colon && c == ':');
    text.len() <= MAX_NAME_BYTES
        && text.starts_with(start)
        && text.chars().all(|c| start(c) || c.is_ascii_digit())
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
        refused(&[(NAME, "1up")], &BadLabels::Name("1up".into()));
        refused(&[(NAME, "up"), ("a:b", "1")], &BadLabels::Name("a:b".into()));
        refused(&[(NAME, "up"), ("a", "1"), ("a", "2")], &BadLabels::Twice("a".into()));
        refused(&[(NAME, "up"), ("a", "x\u{1}y")], &BadLabels::Value("a".into()));
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
