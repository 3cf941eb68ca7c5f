//! `cargo xtask evidence`: which tests hold what is asked of the product.
//!
//! There are two catalogues: the requirements of OWASP ASVS 5.0.0, and what is tried on identity from
//! outside. A comment `// ASVS 6.2.1, 6.2.4` or `// B05.expired` above a test says that the test fails if
//! one of those is broken. From all comments and the list of a catalogue comes its document.

mod annotation;
mod catalogue;
mod document;

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context as _, bail, ensure};

use crate::golden::compared;
use crate::run::root;
use annotation::Annotation;
pub(crate) use catalogue::CATALOGUES;
use catalogue::Catalogue;

/// A line of a list: what is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Item {
    name: String,
    /// What the columns of its list say.
    cells: Vec<String>,
    untested: Option<Untested>,
}

/// Why no test holds an item.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Untested {
    /// One is missing.
    Open(String),
    /// There is nothing to be held.
    NotApplicable(String),
}

impl Untested {
    fn read(reason: &str) -> Self {
        match reason.strip_prefix("open: ") {
            Some(why) => Self::Open(why.to_owned()),
            None => Self::NotApplicable(reason.to_owned()),
        }
    }
}

/// Writes the documents, or fails when one is not what the annotations say.
pub(crate) fn evidence(write: bool) -> anyhow::Result<()> {
    let mut stale = Vec::new();
    for catalogue in &CATALOGUES {
        stale.extend(compared(catalogue.document, &document(catalogue)?, write)?);
    }
    if !stale.is_empty() {
        bail!("out of date: {}; run `cargo xtask evidence --write` and look", stale.join(", "));
    }
    Ok(())
}

/// A catalogue's document, as it should be.
pub(crate) fn document(catalogue: &Catalogue) -> anyhow::Result<String> {
    let root = root();
    let list = fs::read_to_string(root.join(catalogue.list)).context(catalogue.list)?;
    let items = items(&list, catalogue).context(catalogue.list)?;
    let annotations = annotation::of_checkout(&root, catalogue)?;
    check(&items, &annotations, catalogue)?;
    Ok(document::write(catalogue, &items, &annotations))
}

/// Fails when an annotation names what is not in the list, or what no test should hold by what the list
/// says; and when nobody knows why there is no test, where somebody should.
fn check(items: &[Item], annotations: &[Annotation], of: &Catalogue) -> anyhow::Result<()> {
    let list = of.list;
    let mut held = BTreeSet::new();
    for Annotation { place, names, .. } in annotations {
        for name in names {
            let found = items.iter().find(|item| item.name == *name);
            let found = found.with_context(|| format!("{place}: {name} is not in {list}"))?;
            match &found.untested {
                None => held.insert(name),
                Some(Untested::NotApplicable(_)) => {
                    bail!("{place}: {list} says that {name} does not apply")
                }
                Some(Untested::Open(_)) => bail!("{place}: {list} says that {name} is open"),
            };
        }
    }
    for Item { name, untested, .. } in items {
        let known = !of.gives_reasons || untested.is_some() || held.contains(name);
        ensure!(known, "{list}: no test holds {name}; say why");
    }
    Ok(())
}

/// Reads a list: tabs between the fields, `#` before notes.
fn items(list: &str, of: &Catalogue) -> anyhow::Result<Vec<Item>> {
    let mut all: Vec<Item> = Vec::new();
    for line in list.lines().filter(|line| !line.starts_with('#')) {
        let columns = of.columns.join(", ");
        let bad = || format!("{line:?} is not a name, {columns} and perhaps a reason");
        let mut fields = line.split('\t');
        let name = fields.next().unwrap_or_default().to_owned();
        let cells: Vec<String> =
            fields.by_ref().take(of.columns.len()).map(str::to_owned).collect();
        let untested = fields.next().map(Untested::read);
        let whole = cells.len() == of.columns.len() && fields.next().is_none();
        let said = [&name].into_iter().chain(&cells).all(|field| !field.is_empty());
        ensure!(whole && said, bad());
        ensure!(all.iter().all(|item| item.name != name), "{name} is there twice");
        all.push(Item { name, cells, untested });
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Catalogue = Catalogue {
        document: "x.md",
        list: "x.tsv",
        named: |comment| comment.strip_prefix("X "),
        columns: &["level", "required"],
        chapters: &[("9.", "V9"), ("10.", "V10")],
        gives_reasons: false,
        head: "",
    };

    #[test]
    fn a_list_is_read_line_by_line() {
        let list = "# a note\n9.1.1\t1\tFirst\tthere is none\n10.1.1\t2\tLast\topen: not built\n";
        let read = items(list, &PLAIN).unwrap();
        let reasons: Vec<_> = read.iter().map(|item| item.untested.clone().unwrap()).collect();
        let none = Untested::NotApplicable("there is none".to_owned());
        assert_eq!(reasons, [none, Untested::Open("not built".to_owned())]);
        assert_eq!((read[1].name.as_str(), read[1].cells.join(" ").as_str()), ("10.1.1", "2 Last"));
        for bad in ["", "9.1.1", "9.1.1\t1", "9.1.1\t1\t", "\t1\tx", "9.1.1\t1\tx\ty\tz"] {
            assert!(items(&format!("{bad}\n"), &PLAIN).is_err(), "{bad}");
        }
        assert!(items("9.1.1\t1\tx\n9.1.1\t1\ty", &PLAIN).is_err(), "twice");
    }

    #[test]
    fn an_annotation_names_what_tests_should_hold() {
        let list = "9.1.1\t1\tFirst\tthere is none\n9.1.2\t1\tSecond\n9.1.4\t1\tLast\topen: later";
        let list = items(list, &PLAIN).unwrap();
        let of = |name: &str| {
            let (place, test) = ("x.rs:1".to_owned(), "t".to_owned());
            vec![Annotation { place, test, names: vec![name.to_owned()] }]
        };
        check(&list, &of("9.1.2"), &PLAIN).unwrap();
        for (name, wanted) in
            [("9.1.3", "is not in"), ("9.1.1", "does not apply"), ("9.1.4", "is open")]
        {
            let said = check(&list, &of(name), &PLAIN).unwrap_err().to_string();
            assert!(said.contains(wanted), "{said}");
        }
    }

    #[test]
    fn where_reasons_are_given_each_line_has_a_test_or_a_reason() {
        let strict = Catalogue { gives_reasons: true, ..PLAIN };
        let list = items("9.1.1\t1\tFirst\topen: later\n9.1.2\t1\tSecond", &PLAIN).unwrap();
        check(&list, &[], &PLAIN).unwrap();
        let said = check(&list, &[], &strict).unwrap_err().to_string();
        assert!(said.contains("no test holds 9.1.2"), "{said}");
        let (place, test) = ("x.rs:1".to_owned(), "t".to_owned());
        let held = Annotation { place, test, names: vec!["9.1.2".to_owned()] };
        check(&list, &[held], &strict).unwrap();
    }
}
