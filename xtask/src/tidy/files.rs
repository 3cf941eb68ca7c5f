//! Sizes of files, and what each must begin with.

use std::path::Path;

use anyhow::Context as _;

use super::Violation;

/// Lines of a file at most, its tests left out.
const MAX_LINES: usize = 500;

/// A file of source.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// Its path from the root.
    pub(super) path: String,
    /// Its text.
    pub(super) text: String,
}

impl Source {
    /// Its text before its tests.
    pub(super) fn code(&self) -> &str {
        self.text.split("#[cfg(test)]\nmod tests").next().unwrap_or(&self.text)
    }

    /// Whether it is Rust.
    pub(super) fn is_rust(&self) -> bool {
        Path::new(&self.path).extension().is_some_and(|extension| extension == "rs")
    }

    /// Whether it is a test from beginning to end.
    pub(super) fn is_test(&self) -> bool {
        self.path.starts_with("tests/")
            || self.path.starts_with("bench/")
            || self.path.contains("/tests/")
            || self.path.ends_with("/tests.rs")
            || self.path.contains("/examples/")
    }
}

/// Every Rust and TypeScript file of the project.
pub(super) fn sources(root: &Path) -> anyhow::Result<Vec<Source>> {
    let mut found = Vec::new();
    walk(root, root, &mut found)?;
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<Source>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            let skipped = ["target", "node_modules", "generated", "dist", "openframe-data"];
            if !name.starts_with('.') && !skipped.contains(&name) {
                walk(root, &path, found)?;
            }
            continue;
        }
        if [".rs", ".ts", ".tsx"].iter().any(|ending| name.ends_with(ending)) {
            let text =
                std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            let path = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            found.push(Source { path, text });
        }
    }
    Ok(())
}

pub(super) fn check(sources: &[Source]) -> Vec<Violation> {
    let mut found = Vec::new();
    for source in sources {
        let mut say = |what: String| found.push(Violation { place: source.path.clone(), what });
        let lines = source.code().lines().count();
        if lines > MAX_LINES {
            say(format!("{lines} lines; split it (at most {MAX_LINES})"));
        }
        if !source.is_rust() {
            continue;
        }
        if !source.text.starts_with("//!") {
            say("begin the file with //! and what it is for".to_owned());
        }
        if source.path.ends_with("/mod.rs") {
            say("name it name.rs beside the folder name/".to_owned());
        }
        let vague = ["common", "util", "utils", "helpers", "misc"];
        if source.path.split('/').any(|part| vague.contains(&part.trim_end_matches(".rs"))) {
            say("name the subject: common, util, helpers and misc say nothing".to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(path: &str, text: &str) -> usize {
        check(&[Source { path: path.to_owned(), text: text.to_owned() }]).len()
    }

    #[test]
    fn each_rule_rejects_its_violation() {
        assert_eq!(violations("libs/a/src/lib.rs", "//! What it is.\n"), 0);
        assert_eq!(violations("libs/a/src/lib.rs", "fn f() {}\n"), 1);
        assert_eq!(violations("libs/a/src/b/mod.rs", "//! x\n"), 1);
        assert_eq!(violations("libs/util/src/lib.rs", "//! x\n"), 1);
        let long = format!("//! x\n{}", "\n".repeat(MAX_LINES));
        assert_eq!(violations("libs/a/src/lib.rs", &long), 1);
        let tested = format!("//! x\n#[cfg(test)]\nmod tests {{\n{}}}", "\n".repeat(MAX_LINES));
        assert_eq!(violations("libs/a/src/lib.rs", &tested), 0);
    }
}
