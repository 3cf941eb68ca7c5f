//! What `openframe up` and the server say to the person at the terminal.

use std::io::{self, Write as _};

/// Prints a step that has been done.
pub(crate) fn done(text: &str) {
    line(&format!("  ✓ {text}"));
}

/// Prints a step that is under way.
pub(crate) fn doing(text: &str) {
    line(&format!("  … {text}"));
}

/// Prints a line. Nobody is left to tell when that fails.
pub(crate) fn line(text: &str) {
    let mut out = io::stdout().lock();
    drop(writeln!(out, "{text}").and_then(|()| out.flush()));
}

/// Prints a line to standard error.
pub(crate) fn error(text: &str) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}
