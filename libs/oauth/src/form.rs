//! The parameters of a request: a query, or a form (`application/x-www-form-urlencoded`, WHATWG URL,
//! section 5), read strictly. Two readers that take a strange text differently are how checks are got
//! around, so what is strange is refused.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use url::form_urlencoded;

use crate::Refusal;

/// The longest form, in bytes.
pub const FORM_LIMIT: usize = 32 << 10;
/// Parameters at most.
const PARAMETERS: usize = 64;
/// The longest value, in bytes. A `state` of 4 KiB is met in the wild.
const VALUE: usize = 8 << 10;

/// Parameters by name, each there once.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Form(BTreeMap<String, String>);

// Values may be secrets.
impl std::fmt::Debug for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Form {
    /// Reads a query or a form. Parameters without a value count as left out (RFC 6749, 3.1).
    pub fn read(text: &[u8]) -> Result<Self, Refusal> {
        if text.len() > FORM_LIMIT {
            return Err(Refusal::invalid("the request is too long"));
        }
        let text = std::str::from_utf8(text)
            .ok()
            .filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic()))
            .ok_or(Refusal::invalid("a form holds only plain ASCII, anything else encoded"))?;
        let mut parameters = BTreeMap::new();
        for (count, pair) in text.split('&').filter(|pair| !pair.is_empty()).enumerate() {
            if count == PARAMETERS {
                return Err(Refusal::invalid("there are too many parameters"));
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            if parameters.insert(name, value).is_some() {
                return Err(Refusal::invalid("a parameter is there twice"));
            }
        }
        parameters.retain(|_, value| !value.is_empty());
        Ok(Self(parameters))
    }

    /// A parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The same without some parameters.
    #[must_use]
    pub fn without(mut self, names: &[&str]) -> Self {
        self.0.retain(|name, _| !names.contains(&name.as_str()));
        self
    }

    /// The same with another value of a parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), value.to_owned());
        self
    }

    /// As it is written in an address.
    pub fn to_query(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }

    /// A parameter without which there is nothing to do; `missing` says so.
    pub(crate) fn need(&self, name: &str, missing: &'static str) -> Result<&str, Refusal> {
        self.get(name).ok_or(Refusal::invalid(missing))
    }
}

fn decode(text: &str) -> Result<String, Refusal> {
    const BAD: Refusal = Refusal::invalid("a parameter is not encoded as a form is");
    if text.len() > 3 * VALUE || !encoded(text.as_bytes()) {
        return Err(BAD);
    }
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8().map_err(|_| BAD)?;
    if decoded.len() > VALUE || decoded.chars().any(char::is_control) {
        return Err(BAD);
    }
    Ok(decoded.into_owned())
}

/// Whether two hex digits follow each percent sign: libraries let other text pass as it is.
fn encoded(text: &[u8]) -> bool {
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
        if *byte == b'%' && !(digit(rest.next()) && digit(rest.next())) {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_form_is_read_as_it_was_written() {
        let form = Form::read(b"a=1&b=x+y%2Bz&c=&d&e=%C3%A4").unwrap();
        assert_eq!(form.get("a"), Some("1"));
        assert_eq!(form.get("b"), Some("x y+z"));
        assert_eq!(form.get("c"), None);
        assert_eq!(form.get("d"), None);
        assert_eq!(form.get("e"), Some("ä"));
        assert_eq!(Form::read(b""), Ok(Form::default()));
    }

    // B19.duplicates, B19.json, B19.percent, B19.nul, B19.utf8
    #[test]
    fn what_is_strange_is_refused() {
        let long = [b"a=".as_slice(), &b"x".repeat(VALUE + 1)].concat();
        let most: Vec<String> = (0..=PARAMETERS).map(|at| format!("{at}=1")).collect();
        let (most, longest) = (most.join("&"), vec![b'&'; FORM_LIMIT + 1]);
        for bad in [
            b"a=1&a=2".as_slice(),
            b"a=1&%61=2",
            b"a=1&a=",
            b"a=%",
            b"a=%2",
            b"a=%zz",
            b"a=%ff",
            b"a=%00",
            b"a=%0d%0aSet-Cookie",
            b"a=\xc3\xa4",
            b"a=b c",
            b"a=\0",
            b"{\"a\": 1}",
            &long,
            most.as_bytes(),
            &longest,
        ] {
            assert!(Form::read(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn debug_shows_no_value() {
        let form = Form::read(b"client_secret=hush").unwrap();
        assert_eq!(format!("{form:?}"), r#"{"client_secret"}"#);
    }

    proptest! {
        #[test]
        fn whatever_is_encoded_is_read_back(
            pairs in prop::collection::btree_map("[a-z]{1,8}", "[^\\p{Cc}]{1,40}", 0..8)
        ) {
            let form = Form(pairs);
            prop_assert_eq!(Form::read(form.to_query().as_bytes()), Ok(form));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(form) = Form::read(&bytes) {
                prop_assert!(form.0.values().all(|value| !value.is_empty()));
            }
        }
    }
}
