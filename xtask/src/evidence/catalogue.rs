//! What is asked of the product, and where the answers are.

/// A list, what its lines are called in comments, and the document about it.
pub(crate) struct Catalogue {
    /// The document, from the root.
    pub(crate) document: &'static str,
    /// The list, from the root.
    pub(super) list: &'static str,
    /// The part of a comment that names lines, if the comment does.
    pub(super) named: fn(&str) -> Option<&str>,
    /// What is between a line's name and its status.
    pub(super) columns: &'static [&'static str],
    /// How the name of a chapter's first line begins, and the chapter's title; in their order.
    pub(super) chapters: &'static [(&'static str, &'static str)],
    /// Whether a line without a test says why there is none.
    pub(super) gives_reasons: bool,
    /// What the document begins with.
    pub(super) head: &'static str,
}

/// All of them.
pub(crate) const CATALOGUES: [Catalogue; 2] = [ASVS, BLACK_BOX];

const ASVS: Catalogue = Catalogue {
    document: "ASVS.md",
    list: "xtask/data/asvs.tsv",
    named: |comment| comment.strip_prefix("ASVS "),
    columns: &["level", "required"],
    chapters: &[
        ("6.", "V6 Authentication"),
        ("7.", "V7 Session management"),
        ("8.", "V8 Authorisation"),
        ("9.", "V9 Self-contained tokens"),
        ("10.", "V10 OAuth and OIDC"),
        ("16.", "V16 Logging and errors"),
    ],
    gives_reasons: false,
    head: "# What tests check of OWASP ASVS 5.0.0

Made by `cargo xtask evidence --write` from the comments `// ASVS 6.2.1` above tests; `cargo xtask golden`
compares it. A requirement is *tested* when a test fails once it is broken, *open* when there is no such
test (which says nothing of whether it is met), *not applicable* for the reason given. Chapters V6 to V10
and V16, levels 1 and 2.

The requirements are those of the [OWASP Application Security Verification Standard
5.0.0](https://github.com/OWASP/ASVS/tree/v5.0.0_release), in our words. The standard is under CC BY-SA 4.0, and
so is this page.
",
};

const BLACK_BOX: Catalogue = Catalogue {
    document: "BLACK_BOX.md",
    list: "xtask/data/black_box.tsv",
    named: |comment| {
        let number = comment.strip_prefix('B')?.get(..2)?;
        number.bytes().all(|digit| digit.is_ascii_digit()).then_some(comment)
    },
    columns: &["tried"],
    chapters: &[
        ("B01", "Programs: OAuth and OIDC"),
        ("B21", "Signing in"),
        ("B30", "The API and its tenants"),
        ("B40", "Devices"),
        ("B61", "The gateway and what is behind it"),
        ("B70", "Operations"),
    ],
    gives_reasons: true,
    head: "# What is tried on identity from outside

Made by `cargo xtask evidence --write` from the comments `// B05.expired` above tests; `cargo xtask golden`
compares it. What is tried is *tested* when a test fails once it does not go as this page says, *open* when
there is no such test or when it does not go so, *not applicable* when there is nothing to be tried. Of
what is not tested the reason stands here. Tests in `clusters` run where a lab of clusters is up.
",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_told_apart_by_what_they_begin_with() {
        let named = |comment| [(ASVS.named)(comment), (BLACK_BOX.named)(comment)];
        assert_eq!(named("ASVS 6.2.1, 6.2.4"), [Some("6.2.1, 6.2.4"), None]);
        assert_eq!(named("B05.expired, B41"), [None, Some("B05.expired, B41")]);
        for other in ["Both are good.", "B", "B4", "BB05", "ASVS", "6.2.1", "Bü5"] {
            assert_eq!(named(other), [None, None], "{other}");
        }
    }
}
