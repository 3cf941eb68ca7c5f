//! What must not be found: clocks, environment and randomness outside their crates, and
//! serialisation inside services.

use super::Violation;
use super::files::Source;

/// A text that may stand in some places only.
struct Rule {
    texts: &'static [&'static str],
    allowed: &'static [&'static str],
    what: &'static str,
}

const RULES: [Rule; 5] = [
    Rule {
        texts: &["SystemTime::now(", "Timestamp::now(", "Zoned::now("],
        allowed: &["libs/clock/", "xtask/"],
        what: "reads the clock; take a Clock",
    },
    Rule {
        texts: &["std::env::var", "env::vars"],
        allowed: &["libs/config/", "xtask/", "/build.rs"],
        what: "reads the environment; only libs/config may",
    },
    Rule {
        texts: &["rand::", "Uuid::now_v7(", "Uuid::new_v4("],
        allowed: &["libs/ids/", "xtask/", "aws_lc_rs::"],
        what: "makes its own randomness; use libs/ids",
    },
    Rule {
        texts: &["static mut "],
        allowed: &[],
        what: "holds mutable state for everybody; pass it",
    },
    Rule { texts: &["#[allow("], allowed: &[], what: "use #[expect(lint, reason = \"…\")]" },
];

pub(super) fn check(sources: &[Source]) -> Vec<Violation> {
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| source.is_rust() && !source.is_test()) {
        // The rules' own texts would be found in this file.
        if source.path == "xtask/src/tidy/absence.rs" {
            continue;
        }
        for rule in &RULES {
            if rule.allowed.iter().any(|place| source.path.contains(place)) {
                continue;
            }
            for (number, text) in source.code().lines().enumerate() {
                let is_comment = text.trim_start().starts_with("//");
                if !is_comment && rule.texts.iter().any(|wanted| text.contains(wanted)) {
                    let place = format!("{}:{}", source.path, number + 1);
                    found.push(Violation { place, what: rule.what.to_owned() });
                }
            }
        }
        found.extend(serialised(source));
    }
    found
}

/// Types of a service do not know how they are written; the types of `api/` do.
fn serialised(source: &Source) -> Option<Violation> {
    let inside = source.path.starts_with("services/") && !source.path.ends_with("/config.rs");
    let derives = |text: &str| text.contains("derive(") && text.contains("Serialize");
    let number = source.code().lines().position(derives).filter(|_| inside)?;
    let place = format!("{}:{}", source.path, number + 1);
    Some(Violation { place, what: "derives Serialize; put the wire type into api/".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(path: &str, text: &str) -> usize {
        check(&[Source { path: path.to_owned(), text: text.to_owned() }]).len()
    }

    #[test]
    fn each_rule_rejects_its_violation() {
        for text in [
            "let now = Timestamp::now();",
            "let home = std::env::var(\"HOME\");",
            "let id = Uuid::now_v7();",
            "static mut COUNT: u32 = 0;",
            "#[allow(dead_code)]",
            "#[derive(Debug, Serialize)]",
        ] {
            assert_eq!(violations("services/auth/src/app.rs", text), 1, "{text}");
        }
        assert_eq!(violations("libs/clock/src/lib.rs", "Timestamp::now();"), 0);
        assert_eq!(violations("services/auth/src/config.rs", "#[derive(Serialize)]"), 0);
        assert_eq!(violations("services/auth/src/app.rs", "// std::env::var is not read"), 0);
    }
}
