//! `ASVS.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::annotation::Annotation;
use super::{Number, Requirement, Requirements, text_of};

const HEAD: &str = "# What tests check of OWASP ASVS 5.0.0

Made by `cargo xtask asvs --write` from the comments `// ASVS 6.2.1` above tests; `cargo xtask golden`
compares it. A requirement is *tested* when a test fails once it is broken, *open* when there is no such
test (which says nothing of whether it is met), *not applicable* for the reason given. Chapters V6 to V10
and V16, levels 1 and 2.

The requirements are those of the [OWASP Application Security Verification Standard
5.0.0](https://github.com/OWASP/ASVS/tree/v5.0.0_release), in our words. The standard is under CC BY-SA 4.0, and
so is this page.
";

/// Chapters by number.
const CHAPTERS: [(u16, &str); 6] = [
    (6, "Authentication"),
    (7, "Session management"),
    (8, "Authorisation"),
    (9, "Self-contained tokens"),
    (10, "OAuth and OIDC"),
    (16, "Logging and errors"),
];

/// Files and their tests, by the requirement that they check.
type Tests<'a> = BTreeMap<Number, BTreeMap<&'a str, Vec<&'a str>>>;

/// How many requirements there are of each status.
#[derive(Debug, Clone, Copy, Default)]
struct Share {
    tested: usize,
    open: usize,
    not_applicable: usize,
}

impl Share {
    fn add(&mut self, requirement: &Requirement, tested: bool) {
        match (&requirement.not_applicable, tested) {
            (Some(_), _) => self.not_applicable += 1,
            (None, true) => self.tested += 1,
            (None, false) => self.open += 1,
        }
    }

    fn row(self, name: &str) -> String {
        let Self { tested, open, not_applicable } = self;
        let percent = (100 * tested).checked_div(tested + open).unwrap_or(100);
        format!("| {name} | {tested} | {open} | {not_applicable} | {percent} % |\n")
    }
}

/// The whole document.
pub(super) fn write(requirements: &Requirements, annotations: &[Annotation]) -> String {
    let tests = by_number(annotations);
    let (mut shares, mut all) = (String::new(), Share::default());
    let mut tables = String::new();
    for (chapter, name) in CHAPTERS {
        let title = format!("V{chapter} {name}");
        let mut share = Share::default();
        let mut rows = String::new();
        for (number, requirement) in requirements.range([chapter, 0, 0]..[chapter + 1, 0, 0]) {
            let found = tests.get(number);
            share.add(requirement, found.is_some());
            all.add(requirement, found.is_some());
            rows.push_str(&row(*number, requirement, found));
        }
        shares.push_str(&share.row(&title));
        // Writing to a text cannot fail.
        write!(
            tables,
            "\n## {title}\n\n| | level | required | status |\n|---|---|---|---|\n{rows}"
        )
        .ok();
    }
    let head = "\n| chapter | tested | open | not applicable | tested of what applies |\n|---|---|---|---|---|\n";
    format!("{HEAD}{head}{shares}{}{tables}", all.row("All"))
}

fn row(number: Number, of: &Requirement, tests: Option<&BTreeMap<&str, Vec<&str>>>) -> String {
    let status = match (&of.not_applicable, tests) {
        (Some(why), _) => format!("not applicable: {why}"),
        (None, None) => "open".to_owned(),
        (None, Some(tests)) => {
            let one = |(file, names): (&&str, &Vec<&str>)| {
                let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
                format!("{} in `{file}`", names.join(", "))
            };
            format!("tested: {}", tests.iter().map(one).collect::<Vec<_>>().join("; "))
        }
    };
    format!("| {} | {} | {} | {status} |\n", text_of(number), of.level, of.text)
}

fn by_number(annotations: &[Annotation]) -> Tests<'_> {
    let mut tests = Tests::new();
    for Annotation { place, test, numbers } in annotations {
        let file = place.split(':').next().unwrap_or(place);
        for number in numbers {
            tests.entry(*number).or_default().entry(file).or_default().push(test);
        }
    }
    tests
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_requirement_has_its_status_and_each_chapter_its_share() {
        let of = |text: &str, why: Option<&str>| Requirement {
            level: 1,
            text: text.to_owned(),
            not_applicable: why.map(str::to_owned),
        };
        let requirements = Requirements::from([
            ([6, 1, 1], of("One", None)),
            ([6, 1, 2], of("Two", None)),
            ([6, 1, 3], of("Three", Some("there is none"))),
        ]);
        let annotation = |place: &str, test: &str| Annotation {
            place: place.to_owned(),
            test: test.to_owned(),
            numbers: vec![[6, 1, 1]],
        };
        let annotations = [annotation("a.rs:3", "t"), annotation("a.rs:9", "u")];
        let text = write(&requirements, &annotations);
        for line in [
            "| V6 Authentication | 1 | 1 | 1 | 50 % |",
            "| All | 1 | 1 | 1 | 50 % |",
            "| 6.1.1 | 1 | One | tested: `t`, `u` in `a.rs` |",
            "| 6.1.2 | 1 | Two | open |",
            "| 6.1.3 | 1 | Three | not applicable: there is none |",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
