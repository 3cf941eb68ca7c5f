//! A copy of the checkout, in which mutants live: nothing that somebody works on is ever changed.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::{fs, io};

use anyhow::{Context as _, bail, ensure};
use cargo_metadata::MetadataCommand;

use super::patch::Mutant;
use super::verdict::Verdict;

/// Seconds that the tests of one mutant may take; one that waits for ever is not killed.
const LIMIT: &str = "900";

/// The copy. It stays, so that the next run builds only what has changed since.
#[derive(Debug)]
pub(crate) struct Copy {
    from: PathBuf,
    tree: PathBuf,
    target: PathBuf,
}

impl Copy {
    /// Brings the copy up to date with the checkout, files that git does not know yet included.
    pub(crate) fn of(root: &Path) -> anyhow::Result<Self> {
        let manifest = root.join("Cargo.toml");
        let metadata = MetadataCommand::new().manifest_path(manifest).no_deps().exec()?;
        let own = metadata.target_directory.into_std_path_buf().join("mutants");
        let copy =
            Self { from: root.to_owned(), tree: own.join("tree"), target: own.join("target") };
        fs::create_dir_all(&copy.tree)?;
        let wanted = files(root)?;
        for path in present(&copy.tree)?.difference(&wanted) {
            fs::remove_file(copy.tree.join(path))?;
        }
        for path in &wanted {
            copy.restore(path)?;
        }
        Ok(copy)
    }

    /// Makes a file of the copy what it is in the checkout. One that is the same keeps its time: what
    /// was built of it counts.
    pub(crate) fn restore(&self, path: &Path) -> anyhow::Result<()> {
        let (from, to) = (self.from.join(path), self.tree.join(path));
        let place = || path.display().to_string();
        let text = fs::read(&from).with_context(place)?;
        if fs::read(&to).is_ok_and(|kept| kept == text) {
            return Ok(());
        }
        fs::create_dir_all(to.parent().unwrap_or(&self.tree)).with_context(place)?;
        fs::write(&to, text).with_context(place)?;
        fs::set_permissions(&to, fs::metadata(&from)?.permissions()).with_context(place)
    }

    /// Applies a mutant; returns the file that it has changed.
    pub(crate) fn put(&self, mutant: &Mutant) -> anyhow::Result<PathBuf> {
        apply(&self.tree, &mutant.text, false).context("the patch does not apply any more")?;
        Ok(mutant.path.clone())
    }

    /// Builds tests, and runs them.
    pub(crate) fn test(&self, test: &[String]) -> anyhow::Result<Verdict> {
        let built = self.cargo(&[&["test".into(), "--no-run".into()], test].concat())?;
        if !built.status.success() {
            bail!("it does not build:\n{}", String::from_utf8_lossy(&built.stderr));
        }
        let ran = self.cargo(&[&["test".into()], test].concat())?;
        let printed = String::from_utf8_lossy(&ran.stdout);
        Verdict::read(&printed, ran.status.success())
            .with_context(|| format!("no test has failed, but the run ({})", ran.status))
    }

    fn cargo(&self, args: &[String]) -> io::Result<Output> {
        Command::new("timeout")
            .args(["--kill-after=10", LIMIT, "cargo"])
            .args(args)
            .current_dir(&self.tree)
            .env("CARGO_TARGET_DIR", &self.target)
            // No test that a mutant is tried with looks at the console.
            .env("OPENFRAME_CONSOLE", "skip")
            .stdin(Stdio::null())
            .output()
    }
}

/// Applies a patch to a folder, or says only whether it could be.
pub(crate) fn apply(tree: &Path, patch: &str, only_check: bool) -> anyhow::Result<()> {
    let mut command = Command::new("git");
    command.arg("apply").args(only_check.then_some("--check")).arg("-").current_dir(tree);
    // In a folder that a checkout ignores, such as `target`, git would apply nothing and say nothing.
    if let Some(above) = tree.parent() {
        command.env("GIT_CEILING_DIRECTORIES", above);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut git = command.spawn().context("git cannot be started")?;
    git.stdin.take().context("stdin is piped")?.write_all(patch.as_bytes())?;
    let output = git.wait_with_output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

/// The files of a checkout, but those that git ignores.
fn files(root: &Path) -> anyhow::Result<BTreeSet<PathBuf>> {
    let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").args(list).current_dir(root).output()?;
    ensure!(output.status.success(), "`git ls-files` failed");
    let text = String::from_utf8(output.stdout)?;
    let paths = text.split('\0').filter(|path| !path.is_empty()).map(PathBuf::from);
    // One that was removed and is still in the index is none.
    Ok(paths.filter(|path| root.join(path).is_file()).collect())
}

/// The files of a folder.
fn present(folder: &Path) -> io::Result<BTreeSet<PathBuf>> {
    let (mut found, mut open) = (BTreeSet::new(), vec![folder.to_owned()]);
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if let Ok(path) = path.strip_prefix(folder) {
                found.insert(path.to_owned());
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "Check: a\nSource: b\nTest: -p c --lib\n--- a/x.rs\n+++ b/x.rs\n\
                         @@ -1,2 +1,2 @@\n one\n-two\n+three\n";

    fn git(folder: &Path, args: &[&str]) {
        assert!(Command::new("git").args(args).current_dir(folder).status().unwrap().success());
    }

    #[test]
    fn a_patch_applies_to_what_it_was_made_of_only() {
        let folder = tempfile::tempdir().unwrap();
        git(folder.path(), &["init", "--quiet"]);
        fs::write(folder.path().join(".gitignore"), "/target\n").unwrap();
        let tree = folder.path().join("target/tree");
        fs::create_dir_all(&tree).unwrap();
        let file = tree.join("x.rs");
        fs::write(&file, "one\ntwo\n").unwrap();
        apply(&tree, PATCH, true).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "one\ntwo\n");
        apply(&tree, PATCH, false).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "one\nthree\n");
        assert!(apply(&tree, PATCH, true).is_err());
    }

    #[test]
    fn a_copy_is_what_the_checkout_is() {
        let (root, own) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        git(root.path(), &["init", "--quiet"]);
        for (path, text) in
            [(".gitignore", "/target\n"), ("a/x.rs", "one\ntwo\n"), ("target/y", "")]
        {
            let file = root.path().join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        let wanted = files(root.path()).unwrap();
        assert_eq!(wanted, BTreeSet::from([".gitignore".into(), "a/x.rs".into()]));
        let path = |name: &str| own.path().join(name);
        let copy =
            Copy { from: root.path().to_owned(), tree: path("tree"), target: path("target") };
        for path in &wanted {
            copy.restore(path).unwrap();
        }
        assert_eq!(present(&copy.tree).unwrap(), wanted);
        let file = copy.tree.join("a/x.rs");
        fs::write(&file, "changed\n").unwrap();
        copy.restore(Path::new("a/x.rs")).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "one\ntwo\n");
    }
}
