//! Names as OpenTelemetry's specification turns them into Prometheus' (its page on compatibility
//! with Prometheus, and the translator that Prometheus itself uses).

/// The name of a metric, with its unit and, for a counter, `total`.
pub(super) fn metric_name(name: &str, unit: &str, gauge: bool, counter: bool) -> String {
    let mut parts: Vec<String> = words(name).map(str::to_owned).collect();
    let unit = if gauge && unit == "1" { "ratio".to_owned() } else { unit_name(unit) };
    // `total` comes last, whether or not it was in the name.
    if counter {
        parts.retain(|part| part != "total");
    }
    if let Some((first, per)) = unit.split_once("_per_") {
        push(&mut parts, first);
        if !per.is_empty() && !ends_with_per(&parts, per) {
            parts.push("per".to_owned());
            parts.extend(words(per).map(str::to_owned));
        }
    } else {
        push(&mut parts, &unit);
    }
    if counter {
        parts.push("total".to_owned());
    }
    let joined = parts.join("_");
    if joined.starts_with(|c: char| c.is_ascii_digit()) { format!("_{joined}") } else { joined }
}

/// Adds words that are not there yet.
fn push(parts: &mut Vec<String>, unit: &str) {
    for word in words(unit) {
        if parts.iter().all(|part| part != word) {
            parts.push(word.to_owned());
        }
    }
}

fn ends_with_per(parts: &[String], per: &str) -> bool {
    let at = parts.iter().position(|part| part == "per");
    at.and_then(|at| parts.get(at + 1)).is_some_and(|next| next == per)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == ':')).filter(|word| !word.is_empty())
}

/// A unit (UCUM) in words: `By/s` is `bytes_per_second`.
fn unit_name(unit: &str) -> String {
    let (first, per) = unit.split_once('/').unwrap_or((unit, ""));
    let known = |text: &str, table: &[(&str, &str)]| {
        // What stands in braces is a remark.
        let text = text.trim();
        if text.contains(['{', '}']) {
            return String::new();
        }
        let found = table.iter().find(|(short, _)| *short == text);
        found.map_or_else(|| words(text).collect::<Vec<_>>().join("_"), |it| it.1.to_owned())
    };
    let (first, per) = (known(first, &UNITS), known(per, &PER));
    if per.is_empty() { first } else { format!("{first}_per_{per}") }
}

const UNITS: [(&str, &str); 26] = [
    ("d", "days"),
    ("h", "hours"),
    ("min", "minutes"),
    ("s", "seconds"),
    ("ms", "milliseconds"),
    ("us", "microseconds"),
    ("ns", "nanoseconds"),
    ("By", "bytes"),
    ("KiBy", "kibibytes"),
    ("MiBy", "mebibytes"),
    ("GiBy", "gibibytes"),
    ("TiBy", "tibibytes"),
    ("KBy", "kilobytes"),
    ("MBy", "megabytes"),
    ("GBy", "gigabytes"),
    ("TBy", "terabytes"),
    ("m", "meters"),
    ("V", "volts"),
    ("A", "amperes"),
    ("J", "joules"),
    ("W", "watts"),
    ("g", "grams"),
    ("Cel", "celsius"),
    ("Hz", "hertz"),
    ("%", "percent"),
    ("1", ""),
];

const PER: [(&str, &str); 7] = [
    ("s", "second"),
    ("m", "minute"),
    ("h", "hour"),
    ("d", "day"),
    ("w", "week"),
    ("mo", "month"),
    ("y", "year"),
];

/// The name of a label.
pub(super) fn label_name(key: &str) -> String {
    let valid = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' };
    let name: String = key.chars().map(valid).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        return format!("key_{name}");
    }
    if name.starts_with('_') && !name.starts_with("__") { format!("key{name}") } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_named_as_prometheus_names_them() {
        for (name, unit, gauge, counter, want) in [
            ("http.server.duration", "ms", false, false, "http_server_duration_milliseconds"),
            ("system.cpu.time", "s", false, true, "system_cpu_time_seconds_total"),
            ("system.cpu.utilization", "1", true, false, "system_cpu_utilization_ratio"),
            ("requests.total.count", "{request}", false, true, "requests_count_total"),
            ("disk.io", "By", false, true, "disk_io_bytes_total"),
            ("net.speed", "By/s", true, false, "net_speed_bytes_per_second"),
            ("memory_bytes", "By", true, false, "memory_bytes"),
            ("5xx.responses", "", false, true, "_5xx_responses_total"),
            ("queue length", "{item}", true, false, "queue_length"),
            ("rule:name", "", true, false, "rule:name"),
            ("custom", "furlong", true, false, "custom_furlong"),
            ("rate", "{x}/s", true, false, "rate_per_second"),
        ] {
            assert_eq!(metric_name(name, unit, gauge, counter), want);
        }
    }

    #[test]
    fn labels_are_named_as_prometheus_names_them() {
        for (key, want) in [
            ("http.method", "http_method"),
            ("0day", "key_0day"),
            ("_private", "key_private"),
            ("__kept", "__kept"),
            ("naïve-key", "na_ve_key"),
        ] {
            assert_eq!(label_name(key), want);
        }
    }
}
