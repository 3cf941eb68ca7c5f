//! Numbers as Prometheus writes them.

/// Below this, and from [`LARGE`] on, the API writes an exponent.
const SMALL: f64 = 1e-6;
const LARGE: f64 = 1e21;

/// Writes a value as Prometheus' API does: the shortest text that reads back the same, with an
/// exponent when it is very small or large, and `+Inf`, `-Inf`, `NaN`.
pub fn format_value(value: f64) -> String {
    let size = value.abs();
    if !size.is_finite() || size == 0.0 || (SMALL..LARGE).contains(&size) {
        return plain(value);
    }
    exponent(value)
}

/// A value with an exponent of two digits at least, as Go writes it.
pub(crate) fn exponent(value: f64) -> String {
    if !value.is_finite() {
        return plain(value);
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    format!("{digits}e{sign}{exponent:0>2}")
}

/// As [`format_value`], never with an exponent: how a value becomes a label.
pub(crate) fn plain(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() }
    } else {
        format!("{value}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_in_go() {
        for (value, want) in [
            (1.0, "1"),
            (0.1, "0.1"),
            (-0.0, "-0"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (-1.5e300, "-1.5e+300"),
            (1e-6, "0.000001"),
            (1e-7, "1e-07"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(format_value(value), want);
        }
        assert_eq!(plain(1e21), "1000000000000000000000");
    }
}
