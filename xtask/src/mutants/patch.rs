//! What a patch in `tests/mutants` says of itself, in three lines before its diff:
//!
//! ```text
//! Check: what it turns off
//! Source: where that is asked for, such as `B04, RFC 9700 4.1.3`
//! Test: -p openframe-oauth --lib redirect
//! --- a/libs/oauth/src/redirect.rs
//! +++ b/libs/oauth/src/redirect.rs
//! ```

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};

/// Where they are.
pub(crate) const FOLDER: &str = "tests/mutants";

/// A check turned off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mutant {
    /// The name of its file, without the ending.
    pub(crate) name: String,
    /// What is turned off.
    pub(crate) check: String,
    /// Where that is asked for.
    pub(crate) source: String,
    /// The arguments of `cargo test` that must notice.
    pub(crate) test: Vec<String>,
    /// The file that is changed.
    pub(crate) path: PathBuf,
    /// The patch.
    pub(crate) text: String,
}

/// Every mutant of a checkout, by name.
pub(crate) fn all(root: &Path) -> anyhow::Result<Vec<Mutant>> {
    let folder = root.join(FOLDER);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&folder).context(FOLDER)? {
        let path = entry?.path();
        let place = || path.display().to_string();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let name = name.strip_suffix(".patch").with_context(place).context("not a .patch")?;
        let text = std::fs::read_to_string(&path).with_context(place)?;
        found.push(Mutant::read(name, &text).with_context(place)?);
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

impl Mutant {
    /// Whether tests of one crate must notice it.
    pub(crate) fn is_of_a_library(&self) -> bool {
        self.test.iter().any(|argument| argument == "--lib")
    }

    /// Reads a patch.
    pub(crate) fn read(name: &str, text: &str) -> anyhow::Result<Self> {
        let at = text.find("--- a/").context("there is no diff")?;
        let (head, diff) = text.split_at_checked(at).context("there is no diff")?;
        let mut lines = head.lines();
        let mut value = |key: &str| {
            let line = lines.next().unwrap_or_default();
            let value = line.strip_prefix(key).and_then(|rest| rest.strip_prefix(": "));
            let value = value.map(str::trim).filter(|value| !value.is_empty());
            value.map(str::to_owned).with_context(|| format!("`{key}: …` is missing in its place"))
        };
        let (check, source, test) = (value("Check")?, value("Source")?, value("Test")?);
        ensure!(lines.next().is_none(), "more than three lines come before the diff");
        let mut files = diff.lines().filter_map(|line| line.strip_prefix("--- a/"));
        let path = PathBuf::from(files.next().context("there is no diff")?);
        ensure!(
            files.next().is_none(),
            "it changes several files: one check is turned off at a time"
        );
        let test = arguments(&test)?;
        Ok(Self { name: name.to_owned(), check, source, test, path, text: text.to_owned() })
    }
}

/// What `cargo test` is called with: one binary of one crate, and perhaps the beginning of names.
fn arguments(text: &str) -> anyhow::Result<Vec<String>> {
    let words: Vec<&str> = text.split(' ').collect();
    let (["-p", _, "--lib", rest @ ..] | ["-p", _, "--test", _, rest @ ..]) = words.as_slice()
    else {
        bail!("the test is `-p CRATE --lib` or `-p CRATE --test BINARY`, and perhaps a name");
    };
    ensure!(
        rest.len() <= 1 && words.iter().all(|word| !word.is_empty()),
        "one name at most picks the tests, with single spaces between the words"
    );
    Ok(words.into_iter().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "Check: the redirect address\nSource: B04\nTest: -p x --lib redirect\n\
                        --- a/libs/x.rs\n+++ b/libs/x.rs\n@@ -1 +1 @@\n-a\n+b\n";

    #[test]
    fn a_patch_says_what_it_turns_off_and_who_must_notice() {
        let read = Mutant::read("name", GOOD).unwrap();
        assert_eq!((read.name.as_str(), read.source.as_str()), ("name", "B04"));
        assert_eq!(read.check, "the redirect address");
        assert_eq!(read.test, ["-p", "x", "--lib", "redirect"]);
        assert_eq!((read.path.as_path(), read.text.as_str()), (Path::new("libs/x.rs"), GOOD));
        let other = GOOD.replace("--lib redirect", "--test all");
        assert_eq!(Mutant::read("name", &other).unwrap().test, ["-p", "x", "--test", "all"]);
    }

    #[test]
    fn what_is_missing_is_said() {
        for (from, to, wanted) in [
            ("Check: the redirect address\n", "", "`Check: …`"),
            ("Source: B04", "Source:  ", "`Source: …`"),
            ("Source: B04\n", "Why: B04\n", "`Source: …`"),
            ("Test: ", "Tests: ", "`Test: …`"),
            ("--- a/", "--- c/", "no diff"),
            ("--- a/", "More: x\n--- a/", "more than three"),
            ("-a\n", "-a\n--- a/y\n", "several files"),
            ("-p x --lib redirect", "redirect", "the test is"),
            ("-p x --lib redirect", "-p x", "the test is"),
            ("--lib redirect", "--lib one two", "one name"),
            ("--lib redirect", "--lib  redirect", "one name"),
        ] {
            let text = GOOD.replace(from, to);
            let said = format!("{:#}", Mutant::read("name", &text).unwrap_err());
            assert!(said.contains(wanted), "{from:?} -> {to:?}: {said}");
        }
    }
}
