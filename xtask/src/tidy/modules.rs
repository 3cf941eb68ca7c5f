//! Every file of Rust belongs to a crate: it is a target's first file, or some `mod` names it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use cargo_metadata::Metadata;
use syn::{Expr, Item, ItemMod, Lit, Meta};

use super::Violation;
use super::files::Source;

pub(super) fn check(root: &Path, metadata: &Metadata, sources: &[Source]) -> Vec<Violation> {
    let roots: BTreeSet<PathBuf> = metadata
        .workspace_packages()
        .iter()
        .flat_map(|package| &package.targets)
        .filter_map(|target| target.src_path.as_std_path().strip_prefix(root).ok())
        .map(Path::to_owned)
        .collect();
    let mut named = roots.clone();
    let mut open: Vec<PathBuf> = roots.iter().cloned().collect();
    while let Some(path) = open.pop() {
        let source = sources.iter().find(|source| Path::new(&source.path) == path);
        let Some(code) = source.and_then(|source| source.code.as_ref()) else { continue };
        let parent = path.parent().unwrap_or(Path::new("")).to_owned();
        let is_first = roots.contains(&path) || path.ends_with("mod.rs");
        let below = if is_first { parent.clone() } else { path.with_extension("") };
        let mut children = Vec::new();
        collect(&code.file.items, (&parent, &below), &mut children);
        open.extend(children.into_iter().filter(|child| named.insert(child.clone())));
    }
    let is_lost =
        |source: &&Source| source.code.is_some() && !named.contains(Path::new(&source.path));
    let lost = sources.iter().filter(is_lost);
    lost.map(|source| Violation::of(&source.path, "no `mod` names it; name it or remove it"))
        .collect()
}

/// The files that the `mod`s among `items` may mean.
fn collect(items: &[Item], (parent, below): (&Path, &Path), found: &mut Vec<PathBuf>) {
    for item in items {
        let Item::Mod(module) = item else { continue };
        let name = module.ident.to_string();
        match &module.content {
            Some((_, items)) => collect(items, (parent, &below.join(name)), found),
            None => match own_path(module) {
                Some(path) => found.push(parent.join(path)),
                None => found
                    .extend([below.join(format!("{name}.rs")), below.join(name).join("mod.rs")]),
            },
        }
    }
}

/// What `#[path = "…"]` says.
fn own_path(module: &ItemMod) -> Option<String> {
    module.attrs.iter().find_map(|attribute| {
        let Meta::NameValue(pair) = &attribute.meta else { return None };
        let Expr::Lit(literal) = &pair.value else { return None };
        let Lit::Str(text) = &literal.lit else { return None };
        pair.path.is_ident("path").then(|| text.value())
    })
}
