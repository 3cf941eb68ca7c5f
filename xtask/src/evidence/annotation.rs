//! The comments above tests.

use std::path::Path;

use anyhow::Context as _;

use super::catalogue::Catalogue;

/// What a test holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Annotation {
    /// File and line, from the root.
    pub(super) place: String,
    /// The test's name.
    pub(super) test: String,
    /// What fails if it does.
    pub(super) names: Vec<String>,
}

/// Those of every test of the checkout, in the order of their files.
pub(super) fn of_checkout(root: &Path, of: &Catalogue) -> anyhow::Result<Vec<Annotation>> {
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
            } else if has_tests(name) {
                files.push(path);
            }
        }
    }
    files.sort();
    for file in files {
        let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let place = file.strip_prefix(root).unwrap_or(&file).display().to_string();
        found.extend(of_file(&place, &text, of)?);
    }
    Ok(found)
}

/// Whether a file may have tests: in Rust, of the console's parts, or of the console in a browser.
fn has_tests(name: &str) -> bool {
    let kind = Path::new(name).extension().and_then(|kind| kind.to_str());
    matches!(kind, Some("rs" | "mjs")) || name.contains(".test.ts")
}

/// Those of one file.
fn of_file(place: &str, text: &str, of: &Catalogue) -> anyhow::Result<Vec<Annotation>> {
    let mut found = Vec::new();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    for (at, line) in lines.iter().enumerate() {
        let Some(names) = line.strip_prefix("// ").and_then(of.named) else { continue };
        let place = format!("{place}:{}", at + 1);
        let names = names.split(", ").map(str::to_owned).collect();
        let test =
            test_below(&lines, at).with_context(|| format!("{place}: what follows is no test"))?;
        found.push(Annotation { place, test, names });
    }
    Ok(found)
}

/// The name of the test that follows the line `at`.
fn test_below(lines: &[&str], at: usize) -> Option<String> {
    let below = lines.iter().skip(at + 1);
    let head = below.clone().take_while(|line| line.starts_with(['#', '/', '*']));
    let marked =
        head.clone().any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"));
    let first = below.clone().nth(head.count())?;
    // The console's tests are named by a text, those in a browser are functions of a module.
    let named = |start: &str, end| first.strip_prefix(start)?.split(end).next();
    let console = named("it('", '\'').or_else(|| named("export async function ", '('));
    if console.is_some() || !marked {
        return console.map(str::to_owned);
    }
    let mut below = below;
    let function = below.find_map(|line| line.trim_start_matches("async ").strip_prefix("fn "))?;
    function.split('(').next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::super::CATALOGUES;
    use super::*;

    fn of_file(place: &str, text: &str) -> anyhow::Result<Vec<Annotation>> {
        let [asvs, black_box] = &CATALOGUES;
        let mut all = super::of_file(place, text, asvs)?;
        all.extend(super::of_file(place, text, black_box)?);
        Ok(all)
    }

    fn want(place: &str, test: &str, names: &[&str]) -> Annotation {
        let names = names.iter().map(|&name| name.to_owned()).collect();
        Annotation { place: place.to_owned(), test: test.to_owned(), names }
    }

    #[test]
    fn a_test_says_what_it_holds() {
        let text = "//! x\n\n    // ASVS 6.2.1, 10.4.2\n    /// Why.\n    #[tokio::test]\n    \
                    async fn it_is_so() {}\n\n// B05.expired, B41\n#[test]\nfn another() {}\n";
        let found = of_file("a.rs", text).unwrap();
        let first = want("a.rs:3", "it_is_so", &["6.2.1", "10.4.2"]);
        assert_eq!(found, [first, want("a.rs:8", "another", &["B05.expired", "B41"])]);
    }

    #[test]
    fn a_test_holds_lines_of_both_lists() {
        let text = "// ASVS 6.2.1\n// B41\n#[test]\nfn a() {}\n";
        let found = of_file("a.rs", text).unwrap();
        assert_eq!(found, [want("a.rs:1", "a", &["6.2.1"]), want("a.rs:2", "a", &["B41"])]);
    }

    #[test]
    fn a_test_of_the_console_is_named_by_a_text_or_is_a_function_of_a_module() {
        for (file, text, name) in [
            ("a.test.tsx", "// ASVS 6.2.6\nit('hides it', async () => {\n", "hides it"),
            ("a.mjs", "// B02\n/** Why. */\nexport async function goes({ page }) {\n", "goes"),
            (
                "a.mjs",
                "// B02\n/**\n * Why.\n */\nexport async function goes({ page }) {\n",
                "goes",
            ),
        ] {
            let test = of_file(file, text).unwrap().pop().map(|it| it.test);
            assert_eq!(test.as_deref(), Some(name));
        }
        assert!(of_file("a.test.tsx", "// ASVS 6.2.6\nconst x = 1;").is_err());
        assert!(of_file("a.mjs", "// B02\nasync function own() {").is_err());
    }

    #[test]
    fn what_is_above_no_test_is_refused() {
        for text in ["// ASVS 6.2.1\nfn a() {}", "// ASVS 6.2.1\n", "// B41\n\n#[test]\nfn a() {}"]
        {
            let said = of_file("a.rs", text).unwrap_err().to_string();
            assert!(said.contains("no test"), "{text:?}: {said}");
        }
        assert_eq!(of_file("a.rs", "// Both.\nfn a() {}").unwrap(), []);
    }
}
