//! `cargo xtask tidy`: the rules of `STYLE.md` and `ARCHITECTURE.md` that a compiler does not check.
//!
//! Each rule is a function from the checkout to what breaks it; `tests.rs` plants one violation of
//! each into a small workspace and expects this very check to find it.

use std::path::Path;

use anyhow::bail;
use cargo_metadata::MetadataCommand;

use crate::run::root;
use crate::say::line;

mod absence;
mod code;
mod decisions;
mod dependencies;
mod files;
mod items;
mod modules;
mod mutants;
#[cfg(test)]
mod tests;

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    /// Where.
    pub(crate) place: String,
    /// What is wrong, and what to do.
    pub(crate) what: String,
}

impl Violation {
    fn at(place: &str, line: usize, what: impl Into<String>) -> Self {
        Self { place: format!("{place}:{line}"), what: what.into() }
    }

    fn of(place: &str, what: impl Into<String>) -> Self {
        Self { place: place.to_owned(), what: what.into() }
    }
}

/// Checks every rule and prints what is broken.
pub(crate) fn tidy() -> anyhow::Result<()> {
    let (files, violations) = check(&root())?;
    for Violation { place, what } in &violations {
        line(&format!("{place}: {what}"));
    }
    if !violations.is_empty() {
        bail!("{} rule(s) broken", violations.len());
    }
    line(&format!("{files} files are tidy"));
    Ok(())
}

/// How many files there are in the checkout at `root`, and what is broken.
fn check(root: &Path) -> anyhow::Result<(usize, Vec<Violation>)> {
    let manifest = root.join("Cargo.toml");
    let metadata = MetadataCommand::new().manifest_path(manifest).no_deps().exec()?;
    let sources = files::sources(root)?;
    let mut violations = dependencies::check(root, &metadata)?;
    violations.extend(decisions::check(root)?);
    violations.extend(modules::check(root, &metadata, &sources));
    violations.extend(mutants::check(root));
    for source in &sources {
        violations.extend(files::check(source));
        if let Some(code) = &source.code {
            violations.extend(absence::check(source, code));
            violations.extend(items::check(source, code));
        }
    }
    Ok((sources.len(), violations))
}
