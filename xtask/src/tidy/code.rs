//! A Rust file as the rules look at it: its items and the paths it names, its tests left out.

use std::ops::RangeInclusive;

use anyhow::Context as _;
use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned as _;
use syn::{Attribute, File, ImplItem, Item, Meta};

/// A file of Rust, read.
pub(super) struct Code {
    /// Its items.
    pub(super) file: File,
    /// Every path that its code names, as written, and the line of each: `std :: env` is `std::env`.
    pub(super) paths: Vec<(String, usize)>,
    tests: Vec<RangeInclusive<usize>>,
}

impl Code {
    /// Reads the text of a file.
    pub(super) fn read(text: &str) -> anyhow::Result<Self> {
        let file = syn::parse_file(text)?;
        let mut tests = Vec::new();
        test_lines(&file.items, &mut tests);
        // The first line may be `#!`, which is not among the tokens.
        let tokens: TokenStream =
            text.parse().map_err(|error| anyhow::anyhow!("{error}")).context("its tokens")?;
        let mut paths = Vec::new();
        collect_paths(tokens, &mut paths);
        paths.retain(|(_, line)| !tests.iter().any(|range| range.contains(line)));
        Ok(Self { file, paths, tests })
    }

    /// Whether the line belongs to tests.
    pub(super) fn is_test(&self, line: usize) -> bool {
        self.tests.iter().any(|range| range.contains(&line))
    }
}

/// Whether the item is for tests only.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let Meta::List(list) = &attribute.meta else { return false };
        list.path.is_ident("cfg") && list.tokens.to_string() == "test"
    })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "syn's list of kinds is open")]
fn test_lines(items: &[Item], found: &mut Vec<RangeInclusive<usize>>) {
    for item in items {
        if is_for_tests(attributes(item)) {
            found.push(lines(item.span()));
            continue;
        }
        match item {
            Item::Mod(inner) => {
                if let Some((_, items)) = &inner.content {
                    test_lines(items, found);
                }
            }
            Item::Impl(block) => {
                for item in &block.items {
                    if let ImplItem::Fn(function) = item
                        && is_for_tests(&function.attrs)
                    {
                        found.push(lines(function.span()));
                    }
                }
            }
            _ => {}
        }
    }
}

fn lines(span: proc_macro2::Span) -> RangeInclusive<usize> {
    span.start().line..=span.end().line
}

/// An item's attributes.
#[expect(clippy::wildcard_enum_match_arm, reason = "syn's list of kinds is open")]
pub(super) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(it) => &it.attrs,
        Item::Enum(it) => &it.attrs,
        Item::Fn(it) => &it.attrs,
        Item::Impl(it) => &it.attrs,
        Item::Macro(it) => &it.attrs,
        Item::Mod(it) => &it.attrs,
        Item::Static(it) => &it.attrs,
        Item::Struct(it) => &it.attrs,
        Item::Trait(it) => &it.attrs,
        Item::Type(it) => &it.attrs,
        Item::Union(it) => &it.attrs,
        Item::Use(it) => &it.attrs,
        _ => &[],
    }
}

/// Joins names with `::` between them; comments are no tokens, and text in quotes is left out.
fn collect_paths(tokens: TokenStream, found: &mut Vec<(String, usize)>) {
    // After a name, colons seen since; two of them join the next name to it.
    let mut colons = None;
    for token in tokens {
        match token {
            TokenTree::Ident(name) => {
                let line = name.span().start().line;
                match (colons, found.last_mut()) {
                    (Some(2), Some((path, _))) => path.extend(["::", &name.to_string()]),
                    _ => found.push((name.to_string(), line)),
                }
                colons = Some(0);
            }
            TokenTree::Punct(mark) if mark.as_char() == ':' => {
                colons = colons.map(|seen| seen + 1);
            }
            TokenTree::Group(group) => {
                collect_paths(group.stream(), found);
                colons = None;
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => colons = None,
        }
    }
}
