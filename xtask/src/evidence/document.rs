//! The document about a catalogue.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::annotation::Annotation;
use super::catalogue::Catalogue;
use super::{Item, Untested};

/// Files and their tests, by the item that they hold.
type Tests<'a> = BTreeMap<&'a str, BTreeMap<&'a str, Vec<&'a str>>>;

/// How many items there are of each status.
#[derive(Debug, Clone, Copy, Default)]
struct Share {
    tested: usize,
    open: usize,
    not_applicable: usize,
}

impl Share {
    fn add(&mut self, item: &Item, tested: bool) {
        match (&item.untested, tested) {
            (Some(Untested::NotApplicable(_)), _) => self.not_applicable += 1,
            (Some(Untested::Open(_)), _) | (None, false) => self.open += 1,
            (None, true) => self.tested += 1,
        }
    }

    fn row(self, name: &str) -> String {
        let Self { tested, open, not_applicable } = self;
        let percent = (100 * tested).checked_div(tested + open).unwrap_or(100);
        format!("| {name} | {tested} | {open} | {not_applicable} | {percent} % |\n")
    }
}

/// The whole document.
pub(super) fn write(of: &Catalogue, items: &[Item], annotations: &[Annotation]) -> String {
    let tests = by_name(annotations);
    let (mut shares, mut all) = (String::new(), Share::default());
    let mut tables = String::new();
    let columns = of.columns.join(" | ");
    let rule = "|---".repeat(of.columns.len() + 2);
    for (title, items) in chapters(of, items) {
        let mut share = Share::default();
        let mut rows = String::new();
        for item in items {
            let found = tests.get(item.name.as_str());
            share.add(item, found.is_some());
            all.add(item, found.is_some());
            rows.push_str(&row(item, found));
        }
        shares.push_str(&share.row(title));
        // Writing to a text cannot fail.
        write!(tables, "\n## {title}\n\n| | {columns} | status |\n{rule}|\n{rows}").ok();
    }
    let head = "\n| chapter | tested | open | not applicable | tested of what applies |\n|---|---|---|---|---|\n";
    format!("{}{head}{shares}{}{tables}", of.head, all.row("All"))
}

/// The items of each chapter; a chapter begins with the first item whose name begins as its own does.
fn chapters<'a>(of: &Catalogue, items: &'a [Item]) -> Vec<(&'static str, Vec<&'a Item>)> {
    let mut all: Vec<_> = of.chapters.iter().map(|(_, title)| (*title, Vec::new())).collect();
    let mut place = 0;
    for item in items {
        let begun = of.chapters.iter().position(|(name, _)| item.name.starts_with(name));
        place = begun.unwrap_or(place);
        if let Some((_, own)) = all.get_mut(place) {
            own.push(item);
        }
    }
    all
}

fn row(item: &Item, tests: Option<&BTreeMap<&str, Vec<&str>>>) -> String {
    let status = match (&item.untested, tests) {
        (Some(Untested::NotApplicable(why)), _) => format!("not applicable: {why}"),
        (Some(Untested::Open(why)), _) => format!("open: {why}"),
        (None, None) => "open".to_owned(),
        (None, Some(tests)) => {
            let one = |(file, names): (&&str, &Vec<&str>)| {
                let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
                format!("{} in `{file}`", names.join(", "))
            };
            format!("tested: {}", tests.iter().map(one).collect::<Vec<_>>().join("; "))
        }
    };
    format!("| {} | {} | {status} |\n", item.name, item.cells.join(" | "))
}

fn by_name(annotations: &[Annotation]) -> Tests<'_> {
    let mut tests = Tests::new();
    for Annotation { place, test, names } in annotations {
        let file = place.split(':').next().unwrap_or(place);
        for name in names {
            tests.entry(name).or_default().entry(file).or_default().push(test);
        }
    }
    tests
}

#[cfg(test)]
mod tests {
    use super::super::CATALOGUES;
    use super::*;

    fn item(name: &str, cells: &[&str], untested: Option<Untested>) -> Item {
        let cells = cells.iter().map(|&cell| cell.to_owned()).collect();
        Item { name: name.to_owned(), cells, untested }
    }

    fn annotation(place: &str, test: &str, name: &str) -> Annotation {
        let names = vec![name.to_owned()];
        Annotation { place: place.to_owned(), test: test.to_owned(), names }
    }

    #[track_caller]
    fn check(of: &Catalogue, items: &[Item], (annotations, wanted): (&[Annotation], &[&str])) {
        let text = write(of, items, annotations);
        for line in wanted {
            assert!(text.lines().any(|found| found == *line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn each_requirement_has_its_status_and_each_chapter_its_share() {
        let [asvs, _] = CATALOGUES;
        let none = Untested::NotApplicable("there is none".to_owned());
        let items = [
            item("6.1.1", &["1", "One"], None),
            item("6.1.2", &["1", "Two"], None),
            item("6.1.3", &["2", "Three"], Some(none)),
            item("10.1.1", &["2", "Four"], None),
        ];
        let held = [annotation("a.rs:3", "t", "6.1.1"), annotation("a.rs:9", "u", "6.1.1")];
        let wanted = [
            "| V6 Authentication | 1 | 1 | 1 | 50 % |",
            "| V7 Session management | 0 | 0 | 0 | 100 % |",
            "| V10 OAuth and OIDC | 0 | 1 | 0 | 0 % |",
            "| All | 1 | 2 | 1 | 33 % |",
            "| | level | required | status |",
            "| 6.1.1 | 1 | One | tested: `t`, `u` in `a.rs` |",
            "| 6.1.2 | 1 | Two | open |",
            "| 6.1.3 | 2 | Three | not applicable: there is none |",
            "| 10.1.1 | 2 | Four | open |",
        ];
        check(&asvs, &items, (&held, &wanted));
    }

    #[test]
    fn what_is_open_says_why() {
        let [_, black_box] = CATALOGUES;
        let open = Untested::Open("not built yet".to_owned());
        let items = [item("B05.expired", &["A code"], None), item("B21.text", &["x"], Some(open))];
        let held = [annotation("a.rs:3", "t", "B05.expired")];
        let wanted = [
            "| Signing in | 0 | 1 | 0 | 0 % |",
            "| All | 1 | 1 | 0 | 50 % |",
            "| | tried | status |",
            "|---|---|---|",
            "| B05.expired | A code | tested: `t` in `a.rs` |",
            "| B21.text | x | open: not built yet |",
        ];
        check(&black_box, &items, (&held, &wanted));
    }
}
