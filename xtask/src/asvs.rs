//! `cargo xtask asvs`: which requirements of OWASP ASVS 5.0.0 a test checks.
//!
//! A comment `// ASVS 6.2.1, 6.2.4` above a test says that the test fails if one of those is broken.
//! From all of them and the list of requirements comes `ASVS.md`.

mod annotation;
mod document;

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, bail, ensure};

use crate::golden::compared;
use crate::run::root;
use annotation::Annotation;

/// The document, from the root.
pub(crate) const DOCUMENT: &str = "ASVS.md";
/// The list of requirements, from the root.
const LIST: &str = "xtask/data/asvs.tsv";

/// A requirement, by its number.
type Requirements = BTreeMap<Number, Requirement>;

/// A number such as 10.4.2, in parts, so that 10 comes after 9.
type Number = [u16; 3];

/// What is required.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Requirement {
    level: u8,
    text: String,
    /// Why it does not apply to the platform, if it does not.
    not_applicable: Option<String>,
}

/// Writes the document, or fails when it is not what the annotations say.
pub(crate) fn asvs(write: bool) -> anyhow::Result<()> {
    match compared(DOCUMENT, &document()?, write)? {
        None => Ok(()),
        Some(path) => bail!("out of date: {path}; run `cargo xtask asvs --write` and look"),
    }
}

/// The document, as it should be.
pub(crate) fn document() -> anyhow::Result<String> {
    let root = root();
    let list = fs::read_to_string(root.join(LIST)).context(LIST)?;
    let requirements = requirements(&list).context(LIST)?;
    let annotations = annotation::of_checkout(&root)?;
    check(&requirements, &annotations)?;
    Ok(document::write(&requirements, &annotations))
}

/// Fails when an annotation names what is not in the list, or what is said not to apply.
fn check(requirements: &Requirements, annotations: &[Annotation]) -> anyhow::Result<()> {
    for Annotation { place, numbers, .. } in annotations {
        for number in numbers {
            let found = requirements
                .get(number)
                .with_context(|| format!("{place}: {} is not in {LIST}", text_of(*number)))?;
            let applies = found.not_applicable.is_none();
            ensure!(applies, "{place}: {LIST} says that {} does not apply", text_of(*number));
        }
    }
    Ok(())
}

/// Reads the list of requirements: tabs between the fields, `#` before notes.
fn requirements(list: &str) -> anyhow::Result<Requirements> {
    let mut all = Requirements::new();
    for line in list.lines().filter(|line| !line.starts_with('#')) {
        let mut fields = line.split('\t');
        let (number, level, text) = (fields.next(), fields.next(), fields.next());
        let not_applicable = fields.next().map(str::to_owned);
        let bad = || format!("{line:?} is not number, level, text and perhaps a reason");
        let number = number.and_then(number_of).with_context(bad)?;
        let level = level.and_then(|level| level.parse().ok()).with_context(bad)?;
        let text = text.filter(|text| !text.is_empty()).with_context(bad)?.to_owned();
        ensure!(fields.next().is_none(), bad());
        let requirement = Requirement { level, text, not_applicable };
        ensure!(all.insert(number, requirement).is_none(), "{} is there twice", text_of(number));
    }
    Ok(all)
}

fn number_of(text: &str) -> Option<Number> {
    let parts: Option<Vec<u16>> = text.split('.').map(|part| part.parse().ok()).collect();
    parts?.try_into().ok()
}

fn text_of([chapter, section, item]: Number) -> String {
    format!("{chapter}.{section}.{item}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_read_in_order() {
        let list = "# a note\n10.1.1\t2\tLast\n9.1.1\t1\tFirst\tthere is none\n";
        let read = requirements(list).unwrap();
        let numbers: Vec<String> = read.keys().map(|number| text_of(*number)).collect();
        assert_eq!(numbers, ["9.1.1", "10.1.1"]);
        assert_eq!(read[&[9, 1, 1]].not_applicable.as_deref(), Some("there is none"));
        for bad in ["9.1\t1\tx", "9.1.1\tone\tx", "9.1.1\t1\t", "9.1.1\t1\tx\ty\tz", "9.1.1"] {
            assert!(requirements(bad).is_err(), "{bad}");
        }
        assert!(requirements("9.1.1\t1\tx\n9.1.1\t1\ty").is_err(), "twice");
    }

    #[test]
    fn an_annotation_names_what_is_required() {
        let list = requirements("9.1.1\t1\tFirst\tthere is none\n9.1.2\t1\tSecond").unwrap();
        let of = |number| {
            let (place, test) = ("x.rs:1".to_owned(), "t".to_owned());
            vec![Annotation { place, test, numbers: vec![number] }]
        };
        check(&list, &of([9, 1, 2])).unwrap();
        for (number, wanted) in [([9, 1, 3], "is not in"), ([9, 1, 1], "does not apply")] {
            let said = check(&list, &of(number)).unwrap_err().to_string();
            assert!(said.contains(wanted), "{said}");
        }
    }
}
