//! The parameters of a request, as Prometheus spells them.

use axum::extract::Request;
use http::{Method, header};
use jiff::Timestamp;
use openframe_fault::{Fault, body};
use openframe_promql::Error as PromqlError;

use crate::Error;
use crate::app::labels::Scope;

/// A form's size at most, bytes.
const MAX_FORM: usize = 64 << 10;

/// The parameters of a request: of its query string, and of its form when it is a `POST`.
#[derive(Default)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    pub(super) async fn read(request: Request) -> Result<Self, Fault> {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let mut form = Self::default();
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        // As in Go, the form's parameters come before those of the query string.
        if request.method() == Method::POST
            && kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
        {
            form = Self::parse(&body::read(request.into_body(), MAX_FORM).await?);
        }
        form.0.extend(Self::parse(query.as_bytes()).0);
        Ok(form)
    }

    pub(super) fn parse(text: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(text).into_owned().collect())
    }

    /// A parameter that is there and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Every value of a parameter.
    pub(super) fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// An instant, Unix milliseconds: Unix seconds or RFC 3339.
    pub(super) fn time(&self, name: &str) -> Result<Option<i64>, Error> {
        self.get(name).map(|text| instant(name, text)).transpose()
    }

    pub(super) fn needed_time(&self, name: &str) -> Result<i64, Error> {
        instant(name, self.get(name).unwrap_or_default())
    }

    /// A duration, milliseconds: seconds, or `5m`.
    pub(super) fn duration(&self, name: &str) -> Result<Option<i64>, Error> {
        self.get(name).map(|text| length(name, text)).transpose()
    }

    pub(super) fn needed_duration(&self, name: &str) -> Result<i64, Error> {
        length(name, self.get(name).unwrap_or_default())
    }

    /// Series or labels in the answer at most; none when there is no limit.
    pub(super) fn limit(&self) -> Result<Option<usize>, Error> {
        let Some(text) = self.get("limit") else { return Ok(None) };
        let wrong = || bad("invalid parameter \"limit\": limit must be a non-negative number");
        let limit: usize = text.parse().map_err(|_| wrong())?;
        Ok((limit > 0).then_some(limit))
    }

    /// What `match[]`, `start` and `end` say.
    pub(super) fn scope(&self) -> Result<Scope, Error> {
        let start = self.time("start")?.unwrap_or(i64::MIN / 2);
        let end = self.time("end")?.unwrap_or(i64::MAX / 2);
        if end < start {
            return Err(bad(
                "invalid parameter \"end\": end timestamp must not be before start timestamp",
            ));
        }
        let selectors = self.all("match[]").map(str::to_owned).collect();
        Ok(Scope { selectors, range: (start, end) })
    }
}

pub(super) fn bad(message: impl Into<String>) -> Error {
    Error::Query(PromqlError::Parse(message.into()))
}

fn instant(name: &str, text: &str) -> Result<i64, Error> {
    if let Some(ms) = text.parse().ok().and_then(seconds_to_ms) {
        return Ok(ms);
    }
    let at = text.parse::<Timestamp>().map_err(|_| {
        bad(format!("invalid parameter {name:?}: cannot parse {text:?} to a valid timestamp"))
    })?;
    Ok(at.as_millisecond())
}

fn length(name: &str, text: &str) -> Result<i64, Error> {
    let plain = text.parse().ok().and_then(seconds_to_ms);
    plain.or_else(|| spelled(text)).ok_or_else(|| {
        bad(format!("invalid parameter {name:?}: cannot parse {text:?} to a valid duration"))
    })
}

#[expect(clippy::cast_possible_truncation, reason = "checked to be within range")]
fn seconds_to_ms(seconds: f64) -> Option<i64> {
    let ms = (seconds * 1000.0).round();
    (ms.abs() < 9e15).then_some(ms as i64)
}

/// A duration as Prometheus spells it: numbers with `ms`, `s`, `m`, `h`, `d`, `w`, `y`.
fn spelled(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut total = 0_i64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at_checked(digits)?;
        let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, left) = after.split_at_checked(end)?;
        let ms = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            "y" => 31_536_000_000,
            _ => return None,
        };
        total = total.checked_add(number.parse::<i64>().ok()?.checked_mul(ms)?)?;
        rest = left;
    }
    (!text.is_empty()).then_some(total)
}

/// A label's name in a path. Clients escape what is not a classic name: `U__` in front, `_` doubled,
/// any other character as `_HEX_`.
pub(super) fn label_name(text: &str) -> String {
    text.strip_prefix("U__").and_then(unescaped).unwrap_or_else(|| text.to_owned())
}

fn unescaped(text: &str) -> Option<String> {
    let (mut name, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('_') {
        name.push_str(before);
        let (code, left) = after.split_once('_')?;
        if code.is_empty() {
            name.push('_');
        } else {
            name.push(char::from_u32(u32::from_str_radix(code, 16).ok()?)?);
        }
        rest = left;
    }
    name.push_str(rest);
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_spelled_as_in_prometheus() {
        for (text, want) in [
            ("5m", Some(300_000)),
            ("1h30m", Some(5_400_000)),
            ("15ms", Some(15)),
            ("", None),
            ("5", None),
            ("m", None),
            ("5x", None),
        ] {
            assert_eq!(spelled(text), want, "{text}");
        }
    }

    #[test]
    fn times_are_seconds_or_rfc_3339() {
        let form = Form::parse(b"a=1.5&b=1970-01-01T00:00:02Z&c=x&step=15s");
        assert_eq!(form.time("a").unwrap(), Some(1500));
        assert_eq!(form.time("b").unwrap(), Some(2000));
        assert!(form.time("c").is_err());
        assert_eq!((form.time("d").unwrap(), form.duration("step").unwrap()), (None, Some(15_000)));
    }

    #[test]
    fn escaped_names_in_paths_are_read() {
        for (text, want) in [
            ("job", "job"),
            ("U__my_2e_label", "my.label"),
            ("U__a__b", "a_b"),
            ("U__bad_zz_", "U__bad_zz_"),
        ] {
            assert_eq!(label_name(text), want, "{text}");
        }
    }
}
