//! The index of decisions (`docs/adr/README.md`) names every one of them, and nothing else.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context as _;

use super::Violation;

const FOLDER: &str = "docs/adr";

pub(super) fn check(root: &Path) -> anyhow::Result<Vec<Violation>> {
    let folder = root.join(FOLDER);
    let index = std::fs::read_to_string(folder.join("README.md")).context("docs/adr/README.md")?;
    let mut kept = BTreeSet::new();
    for entry in std::fs::read_dir(&folder).context(FOLDER)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name != "README.md" {
            kept.insert(name);
        }
    }
    let linked = index.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let linked: BTreeSet<String> = linked.map(str::to_owned).collect();
    let mut found = Vec::new();
    let place = |name: &String| format!("{FOLDER}/{name}");
    for name in kept.difference(&linked) {
        found.push(Violation::of(&place(name), "is not in the index docs/adr/README.md"));
    }
    for name in linked.difference(&kept) {
        found
            .push(Violation::of(&place(name), "is in the index docs/adr/README.md, but not there"));
    }
    for (number, name) in (1..).zip(&kept) {
        if !name.starts_with(&format!("{number:04}-")) {
            found.push(Violation::of(
                &place(name),
                format!("is the decision {number:04}; name it so"),
            ));
        }
    }
    Ok(found)
}
