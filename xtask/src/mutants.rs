//! `cargo xtask mutants`: shows that tests of security can fail.
//!
//! Each patch in `tests/mutants` turns one check off and names the tests that must notice. In a copy of
//! the checkout, which has a target folder of its own, those tests pass first; then one patch after the
//! other is applied, and one test at least must fail. A patch that does not apply any more, or does not
//! build, is an error: it shows nothing.

mod copy;
mod patch;
mod verdict;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail, ensure};

use crate::run::root;
use crate::say::line;
use copy::Copy;
pub(crate) use copy::apply;
use patch::Mutant;
pub(crate) use patch::{FOLDER, all};
use verdict::Verdict;

/// What is tried.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Choice {
    /// Only those with this in their names
    #[arg(long, default_value = "")]
    only: String,
    /// So many of them: others with each commit, the same for the same commit
    #[arg(long)]
    some: Option<usize>,
    /// Only those that tests of one crate must notice: what is built for them takes minutes
    #[arg(long)]
    libraries: bool,
}

/// How many are tried each time that all tests run.
const A_FEW: usize = 5;

/// Tries a few, others with each commit.
pub(crate) fn a_few() -> anyhow::Result<()> {
    mutants(&Choice { only: String::new(), some: Some(A_FEW), libraries: true })
}

/// Tries mutants; fails unless each is killed.
pub(crate) fn mutants(choice: &Choice) -> anyhow::Result<()> {
    let root = root();
    let wanted =
        |it: &Mutant| it.name.contains(&choice.only) && (it.is_of_a_library() || !choice.libraries);
    let found = all(&root)?.into_iter().filter(wanted).collect();
    let chosen = match choice.some {
        Some(some) => rotated(found, &commit(&root)?, some)?,
        None => found,
    };
    ensure!(!chosen.is_empty(), "no mutant has {:?} in its name", choice.only);
    let copy = Copy::of(&root)?;
    let tests: BTreeSet<&[String]> = chosen.iter().map(|it| it.test.as_slice()).collect();
    for test in tests {
        passes(&copy, test)?;
    }
    let mut wrong = 0;
    for mutant in &chosen {
        let said = match tried(&copy, mutant) {
            Ok(Verdict::Failed(tests)) => format!("killed    {} by {}", mutant.name, one(&tests)),
            Ok(Verdict::Passed(_)) => {
                wrong += 1;
                format!("SURVIVED  {}: {} ({})", mutant.name, mutant.check, mutant.source)
            }
            Err(error) => {
                wrong += 1;
                format!("ERROR     {}: {error:#}", mutant.name)
            }
        };
        line(&said);
    }
    line(&format!("{} of {} killed", chosen.len() - wrong, chosen.len()));
    ensure!(wrong == 0, "{wrong} mutant(s) not killed");
    Ok(())
}

/// The first of several, and how many more there are.
fn one(tests: &[String]) -> String {
    let first = tests.first().map_or("", String::as_str);
    match tests.len() {
        0 | 1 => first.to_owned(),
        more => format!("{first} and {} more", more - 1),
    }
}

/// Fails unless the tests pass, one at least: a name that fits none would show nothing.
fn passes(copy: &Copy, test: &[String]) -> anyhow::Result<()> {
    match copy.test(test)? {
        Verdict::Passed(1..) => Ok(()),
        Verdict::Passed(0) => bail!("`cargo test {}` runs no test", test.join(" ")),
        Verdict::Failed(tests) => bail!("without a mutant {} fails", one(&tests)),
    }
}

/// What the tests say of a mutant. The copy is whole again afterwards.
fn tried(copy: &Copy, mutant: &Mutant) -> anyhow::Result<Verdict> {
    let path = copy.put(mutant)?;
    let verdict = copy.test(&mutant.test);
    copy.restore(&path)?;
    verdict
}

/// So many mutants, from a place that the commit's hash tells.
fn rotated(mut all: Vec<Mutant>, commit: &str, some: usize) -> anyhow::Result<Vec<Mutant>> {
    let hash = commit.get(..8).and_then(|text| u32::from_str_radix(text, 16).ok());
    let hash = usize::try_from(hash.context("a commit's hash has eight hex digits")?)?;
    let place = hash.checked_rem(all.len()).unwrap_or(0);
    all.rotate_left(place);
    all.truncate(some);
    Ok(all)
}

fn commit(root: &Path) -> anyhow::Result<String> {
    let output = Command::new("git").args(["rev-parse", "HEAD"]).current_dir(root).output()?;
    ensure!(output.status.success(), "`git rev-parse HEAD` failed");
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutant(name: &str) -> Mutant {
        let text = "Check: a\nSource: b\nTest: -p c --lib\n--- a/d\n+++ b/d\n";
        Mutant::read(name, text).unwrap()
    }

    #[test]
    fn each_commit_has_its_own_few() {
        let all = || ["a", "b", "c"].map(mutant).to_vec();
        let names = |commit: &str, some| -> Vec<String> {
            let chosen = rotated(all(), commit, some).unwrap();
            chosen.into_iter().map(|it| it.name).collect()
        };
        assert_eq!(names("00000000f", 2), ["a", "b"]);
        assert_eq!(names("00000002f", 2), ["c", "a"]);
        assert_eq!(names("00000004f", 2), ["b", "c"]);
        assert_eq!(names("00000001f", 9), ["b", "c", "a"]);
        assert!(rotated(all(), "x", 1).is_err());
        assert!(rotated(Vec::new(), "00000001", 1).unwrap().is_empty());
    }
}
