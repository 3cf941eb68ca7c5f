//! What must not be found: clocks, environment and randomness outside their crates, and
//! serialisation inside services.

use super::Violation;
use super::code::Code;
use super::files::Source;

/// Paths that may be named in some places only.
struct Rule {
    /// What a path must not end with.
    ends: &'static [&'static str],
    /// What a path must not begin with.
    begins: &'static [&'static str],
    /// Paths that are meant all the same.
    except: &'static [&'static str],
    allowed: fn(&str) -> bool,
    what: &'static str,
}

const RULES: [Rule; 4] = [
    Rule {
        ends: &["SystemTime::now", "Timestamp::now", "Zoned::now", "Instant::now"],
        begins: &[],
        // Stands still in tests, so it may be read.
        except: &["tokio::time::Instant::now"],
        allowed: |path| path.starts_with("libs/clock/") || path.starts_with("xtask/"),
        what: "reads the clock; take a Clock, or measure by openframe_clock::monotonic",
    },
    Rule {
        ends: &["env::var", "env::var_os", "env::vars", "env::vars_os"],
        begins: &[],
        except: &[],
        allowed: |path| {
            ["libs/config/", "xtask/"].iter().any(|place| path.starts_with(place))
                || path.ends_with("/build.rs")
        },
        what: "reads the environment; only libs/config may",
    },
    Rule {
        ends: &["Uuid::now_v7", "Uuid::new_v4", "OsRng", "SystemRandom"],
        begins: &["rand::", "getrandom::", "fastrand::", "aws_lc_rs::rand::"],
        except: &[],
        allowed: |path| path.starts_with("libs/ids/"),
        what: "makes its own randomness; use libs/ids",
    },
    Rule {
        ends: &["Serialize"],
        begins: &[],
        except: &[],
        allowed: may_serialise,
        what: "knows how it is written; put the wire type into api/, or the setting into config.rs",
    },
];

/// Types of `api/` cross wires and those of `stores/` reach disks; settings are printed. Below them,
/// `libs/` has what every wire carries (ids, refusals, tokens), and the agent and the command line
/// keep files of their own.
fn may_serialise(path: &str) -> bool {
    let groups = ["api/", "stores/", "libs/", "agent/", "cli/", "xtask/"];
    groups.iter().any(|group| path.starts_with(group))
        || path.ends_with("/config.rs")
        || ["openframe/src/settings.rs", "openframe/src/progress.rs"].contains(&path)
}

pub(super) fn check(source: &Source, code: &Code) -> Vec<Violation> {
    let mut found = Vec::new();
    if source.is_test() {
        return found;
    }
    // `use tokio::time::Instant` makes a mere `Instant::now` that one.
    let uses = |line: &str| line.starts_with("use tokio::time::") && line.contains("Instant");
    let stands_still = source.text.lines().any(uses);
    for rule in RULES.iter().filter(|rule| !(rule.allowed)(&source.path)) {
        for (path, line) in &code.paths {
            let ends = |end: &&str| {
                path.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with("::"))
            };
            let is_meant = rule.except.contains(&path.as_str())
                || (stands_still && path == "Instant::now" && !rule.except.is_empty());
            let is_named = rule.ends.iter().any(ends)
                || rule.begins.iter().any(|start| path.starts_with(start));
            if is_named && !is_meant {
                found.push(Violation::at(&source.path, *line, rule.what));
            }
        }
    }
    found
}
