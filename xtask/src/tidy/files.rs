//! Sizes of files, and what each must begin with.

use std::path::Path;

use anyhow::Context as _;

use super::Violation;
use super::code::Code;

/// Lines of a file at most, its tests left out.
const MAX_LINES: usize = 500;
/// Names that say nothing.
const VAGUE: [&str; 5] = ["common", "util", "utils", "helpers", "misc"];

/// A file of source.
pub(super) struct Source {
    /// Its path from the root.
    pub(super) path: String,
    /// Its text.
    pub(super) text: String,
    /// What a file of Rust says.
    pub(super) code: Option<Code>,
}

impl Source {
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
            let place = || path.display().to_string();
            let text = std::fs::read_to_string(&path).with_context(place)?;
            let is_rust = path.extension().is_some_and(|extension| extension == "rs");
            let code = if is_rust { Some(Code::read(&text).with_context(place)?) } else { None };
            let path = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            found.push(Source { path, text, code });
        }
    }
    Ok(())
}

pub(super) fn check(source: &Source) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut say = |what: String| found.push(Violation::of(&source.path, what));
    let is_test = |line: usize| source.code.as_ref().is_some_and(|code| code.is_test(line));
    let lines = (1..=source.text.lines().count()).filter(|line| !is_test(*line)).count();
    if lines > MAX_LINES {
        say(format!("{lines} lines; split it (at most {MAX_LINES})"));
    }
    if source.path.split('/').any(|part| VAGUE.contains(&part.split('.').next().unwrap_or(part))) {
        say("name the subject: common, util, helpers and misc say nothing".to_owned());
    }
    if source.code.is_none() {
        return found;
    }
    if !source.text.starts_with("//!") {
        say("begin the file with //! and what it is for".to_owned());
    }
    if source.path.ends_with("/mod.rs") {
        say("name it name.rs beside the folder name/".to_owned());
    }
    found
}
