//! The comments above tests.

use std::path::Path;

use anyhow::{Context as _, bail};

use super::{Number, number_of};

/// How a comment begins.
const MARK: &str = "// ASVS ";

/// What a test checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Annotation {
    /// File and line, from the root.
    pub(super) place: String,
    /// The test's name.
    pub(super) test: String,
    /// What fails if it does.
    pub(super) numbers: Vec<Number>,
}

/// Those of every test of the checkout, in the order of their files.
pub(super) fn of_checkout(root: &Path) -> anyhow::Result<Vec<Annotation>> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    let mut files = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            // The chores are no part of the product, and this file has examples.
            let skipped = ["target", "node_modules", "openframe-data", "xtask"].contains(&name);
            if path.is_dir() && !skipped && !name.starts_with('.') {
                open.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") || name.contains(".test.ts") {
                files.push(path);
            }
        }
    }
    files.sort();
    for file in files {
        let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let place = file.strip_prefix(root).unwrap_or(&file).display().to_string();
        found.extend(of_file(&place, &text)?);
    }
    Ok(found)
}

/// Those of one file.
fn of_file(place: &str, text: &str) -> anyhow::Result<Vec<Annotation>> {
    let mut found = Vec::new();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    for (at, line) in lines.iter().enumerate() {
        let Some(numbers) = line.strip_prefix(MARK) else { continue };
        let place = format!("{place}:{}", at + 1);
        let numbers: Option<Vec<Number>> = numbers.split(", ").map(number_of).collect();
        let Some(numbers) = numbers else {
            bail!("{place}: write `{MARK}6.2.1, 6.2.4`");
        };
        let test =
            test_below(&lines, at).with_context(|| format!("{place}: what follows is no test"))?;
        found.push(Annotation { place, test, numbers });
    }
    Ok(found)
}

/// The name of the test that follows the line `at`.
fn test_below(lines: &[&str], at: usize) -> Option<String> {
    let mut below = lines.iter().skip(at + 1);
    // The console's tests are named by a text: `it('goes back', …`.
    let first = below.clone().next()?;
    if let Some(named) = first.strip_prefix("it('") {
        return named.split('\'').next().map(str::to_owned);
    }
    let mut head = below.clone().take_while(|line| line.starts_with(['#', '/']));
    if !head.any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test")) {
        return None;
    }
    let function = below.find_map(|line| line.trim_start_matches("async ").strip_prefix("fn "))?;
    function.split('(').next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_says_what_it_checks() {
        let text = "//! x\n\n    // ASVS 6.2.1, 10.4.2\n    /// Why.\n    #[tokio::test]\n    \
                    async fn it_is_so() {}\n\n// ASVS 7.1.1\n#[test]\nfn another() {}\n";
        let found = of_file("a.rs", text).unwrap();
        let want = |place: &str, test: &str, numbers: &[Number]| Annotation {
            place: place.to_owned(),
            test: test.to_owned(),
            numbers: numbers.to_vec(),
        };
        let first = want("a.rs:3", "it_is_so", &[[6, 2, 1], [10, 4, 2]]);
        assert_eq!(found, [first, want("a.rs:8", "another", &[[7, 1, 1]])]);
    }

    #[test]
    fn a_test_of_the_console_is_named_by_a_text() {
        let text = "// ASVS 6.2.6\nit('hides it', async () => {\n";
        let test = of_file("a.test.tsx", text).unwrap().pop().map(|it| it.test);
        assert_eq!(test.as_deref(), Some("hides it"));
        assert!(of_file("a.test.tsx", "// ASVS 6.2.6\nconst x = 1;").is_err());
    }

    #[test]
    fn what_says_nothing_is_refused() {
        for (text, wanted) in [
            ("// ASVS 6.2\n#[test]\nfn a() {}", "write"),
            ("// ASVS 6.2.1 and 6.2.2\n#[test]\nfn a() {}", "write"),
            ("// ASVS 6.2.1\nfn a() {}", "no test"),
            ("// ASVS 6.2.1\n", "no test"),
        ] {
            let said = of_file("a.rs", text).unwrap_err().to_string();
            assert!(said.contains(wanted), "{text:?}: {said}");
        }
    }
}
