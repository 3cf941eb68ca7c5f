//! What the server says to whoever started it: lines for a person, or JSON on standard output with the
//! lines for a person beside it on standard error.

use std::io::{self, Write as _};

use openframe_cli::Format;
use serde::Serialize;

/// Says things in one of the two ways.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress(pub(crate) Format);

impl Progress {
    /// Says a step that has been done.
    pub(crate) fn done(self, text: &str) {
        self.line(&format!("  ✓ {text}"));
    }

    /// Says a step that is under way.
    pub(crate) fn doing(self, text: &str) {
        self.line(&format!("  … {text}"));
    }

    /// Says a line.
    pub(crate) fn line(self, text: &str) {
        match self.0 {
            Format::Table => line(text),
            Format::Json => error(text),
        }
    }

    /// Gives the result: as JSON if that was asked for, or else in the words that `say` has for it.
    pub(crate) fn result<T: Serialize>(self, value: &T, say: impl FnOnce(Self)) {
        match self.0 {
            Format::Table => say(self),
            Format::Json => line(&serde_json::to_string(value).unwrap_or_default()),
        }
    }
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
