//! Structured fields (RFC 9651), as far as signatures are made of them, read strictly: what the standard
//! would let a later value overwrite is refused, so that no two can read it differently.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Digits of an integer at most (3.3.1).
const DIGITS: usize = 15;

/// The value of a parameter. Other kinds are in no signature of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Integer(i64),
    Text(String),
}

/// The value of a signature's input: which components it covers, and its parameters (RFC 9421, 4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Input {
    pub(crate) components: Vec<String>,
    pub(crate) parameters: Vec<(String, Value)>,
}

impl Input {
    /// The parameter of this name, if it is a text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.parameters.iter().find(|(known, _)| known == name) {
            Some((_, Value::Text(text))) => Some(text),
            Some((_, Value::Integer(_))) | None => None,
        }
    }

    /// The parameter of this name, if it is a number.
    pub(crate) fn integer(&self, name: &str) -> Option<i64> {
        match self.parameters.iter().find(|(known, _)| known == name) {
            Some((_, Value::Integer(number))) => Some(*number),
            Some((_, Value::Text(_))) | None => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{}", quoted(text)),
        }
    }
}

/// In the one form that the standard gives it, whatever form it came in.
impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let components: Vec<String> = self.components.iter().map(|it| quoted(it)).collect();
        write!(f, "({})", components.join(" "))?;
        self.parameters.iter().try_for_each(|(name, value)| write!(f, ";{name}={value}"))
    }
}

pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Bytes as an item (4.1.8).
pub(crate) fn bytes(bytes: &[u8]) -> String {
    format!(":{}:", STANDARD.encode(bytes))
}

/// Reads inputs of signatures with their labels.
pub(crate) fn inputs(text: &str) -> Option<Vec<(String, Input)>> {
    dictionary(text, Reader::input)
}

/// Reads a dictionary of bytes: signatures with their labels, or digests with their algorithms.
pub(crate) fn labelled_bytes(text: &str) -> Option<Vec<(String, Vec<u8>)>> {
    dictionary(text, Reader::bytes)
}

/// Reads a list of bytes.
pub(crate) fn bytes_list(text: &str) -> Option<Vec<Vec<u8>>> {
    members(text, Reader::bytes)
}

fn dictionary<'a, T>(
    text: &'a str,
    value: impl Fn(&mut Reader<'a>) -> Option<T>,
) -> Option<Vec<(String, T)>> {
    let all = members(text, |reader| {
        let key = reader.key()?.to_owned();
        reader.take('=')?;
        Some((key, value(reader)?))
    })?;
    unlike(&all).then_some(all)
}

/// Whether no two have the same name.
fn unlike<T>(all: &[(String, T)]) -> bool {
    let names: std::collections::BTreeSet<&str> = all.iter().map(|(name, _)| &**name).collect();
    names.len() == all.len()
}

/// What is between commas (4.2.1).
fn members<'a, T>(text: &'a str, member: impl Fn(&mut Reader<'a>) -> Option<T>) -> Option<Vec<T>> {
    let mut reader = Reader(text.trim_matches(' '));
    let mut all = Vec::new();
    loop {
        all.push(member(&mut reader)?);
        reader.skip(&[' ', '\t']);
        if reader.0.is_empty() {
            return Some(all);
        }
        reader.take(',')?;
        reader.skip(&[' ', '\t']);
    }
}

/// What is left to be read.
struct Reader<'a>(&'a str);

impl<'a> Reader<'a> {
    fn take(&mut self, wanted: char) -> Option<()> {
        self.0 = self.0.strip_prefix(wanted)?;
        Some(())
    }

    fn skip(&mut self, these: &[char]) {
        self.0 = self.0.trim_start_matches(these);
    }

    /// The longest beginning of such characters.
    fn run(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let end = self.0.find(|it| !fits(it)).unwrap_or(self.0.len());
        let (run, rest) = self.0.split_at_checked(end).unwrap_or((self.0, ""));
        self.0 = rest;
        run
    }

    fn key(&mut self) -> Option<&'a str> {
        let inner = |it: char| {
            it.is_ascii_lowercase() || it.is_ascii_digit() || ['_', '-', '.', '*'].contains(&it)
        };
        let key = self.run(inner);
        key.starts_with(|it: char| it.is_ascii_lowercase() || it == '*').then_some(key)
    }

    fn text(&mut self) -> Option<String> {
        self.take('"')?;
        let mut text = String::new();
        loop {
            let mut rest = self.0.chars();
            let next = match rest.next()? {
                '"' => None,
                '\\' => Some(rest.next().filter(|it| ['"', '\\'].contains(it))?),
                plain @ ' '..='~' => Some(plain),
                _ => return None,
            };
            self.0 = rest.as_str();
            match next {
                Some(next) => text.push(next),
                None => return Some(text),
            }
        }
    }

    fn integer(&mut self) -> Option<i64> {
        let minus = self.take('-').is_some();
        let digits = self.run(|it| it.is_ascii_digit());
        let number: i64 = digits.parse().ok().filter(|_| digits.len() <= DIGITS)?;
        // What goes on like this is a decimal.
        (!self.0.starts_with('.')).then_some(if minus { -number } else { number })
    }

    fn bytes(&mut self) -> Option<Vec<u8>> {
        self.take(':')?;
        let encoded = self.run(|it| it != ':');
        self.take(':')?;
        STANDARD.decode(encoded).ok()
    }

    fn input(&mut self) -> Option<Input> {
        self.take('(')?;
        let mut components = Vec::new();
        loop {
            self.skip(&[' ']);
            if self.take(')').is_some() {
                break;
            }
            components.push(self.text()?);
            // One with parameters of its own means something else: none is among ours.
            if !self.0.starts_with([' ', ')']) {
                return None;
            }
        }
        Some(Input { components, parameters: self.parameters()? })
    }

    fn parameters(&mut self) -> Option<Vec<(String, Value)>> {
        let mut all = Vec::new();
        while self.take(';').is_some() {
            self.skip(&[' ']);
            let name = self.key()?.to_owned();
            self.take('=')?;
            let value = if self.0.starts_with('"') {
                Value::Text(self.text()?)
            } else {
                Value::Integer(self.integer()?)
            };
            all.push((name, value));
        }
        unlike(&all).then_some(all)
    }
}
