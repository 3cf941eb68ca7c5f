//! `cargo xtask tidy`: the rules of `STYLE.md` and `ARCHITECTURE.md` that a compiler does not check.

use anyhow::bail;

use crate::run::root;
use crate::say::line;

mod absence;
mod dependencies;
mod files;

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    /// Where.
    pub(crate) place: String,
    /// What is wrong, and what to do.
    pub(crate) what: String,
}

/// Checks every rule and prints what is broken.
pub(crate) fn tidy() -> anyhow::Result<()> {
    let root = root();
    let sources = files::sources(&root)?;
    let mut violations = dependencies::check(&root)?;
    violations.extend(files::check(&sources));
    violations.extend(absence::check(&sources));
    for Violation { place, what } in &violations {
        line(&format!("{place}: {what}"));
    }
    if !violations.is_empty() {
        bail!("{} rule(s) broken", violations.len());
    }
    line(&format!("{} files are tidy", sources.len()));
    Ok(())
}
