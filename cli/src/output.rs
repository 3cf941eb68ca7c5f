//! Printing. The only file of this crate that writes to the terminal.

use std::io::{self, Write as _};

use comfy_table::{ContentArrangement, Table, presets};
use openframe_fault::{Fault, Kind};
use serde::Serialize;

use crate::Format;

/// Prints `value` as JSON, or `rows` under `headings` as a table.
pub(crate) fn print<T: Serialize>(
    format: Format,
    value: &T,
    headings: &[&str],
    rows: Vec<Vec<String>>,
) -> Result<(), Fault> {
    match format {
        Format::Json => json(value),
        Format::Table => {
            let mut table = Table::new();
            table.load_style(presets::UTF8_HORIZONTAL_ONLY);
            table.set_content_arrangement(ContentArrangement::Dynamic).set_header(headings);
            for row in rows {
                table.add_row(row.iter().map(|cell| visible(cell)));
            }
            line(&table.to_string())
        }
    }
}

/// Prints `value` as JSON.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<(), Fault> {
    let text = serde_json::to_string_pretty(value).map_err(failed)?;
    line(&text)
}

/// Prints one line.
pub(crate) fn line(text: &str) -> Result<(), Fault> {
    writeln!(io::stdout().lock(), "{text}").map_err(failed)
}

/// Prints text as it is, at once.
pub(crate) fn raw(text: &str, to_stderr: bool) -> Result<(), Fault> {
    let written = if to_stderr {
        io::stderr().lock().write_all(text.as_bytes())
    } else {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush())
    };
    written.map_err(failed)
}

/// Prints one line to standard error. Nobody is left to tell when that fails.
pub(crate) fn error_line(text: &str) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// Makes control characters visible: what a device sends must not steer the terminal.
pub(crate) fn visible(text: &str) -> String {
    let show = |c: char| match u32::from(c) {
        code @ 0..=31 => char::from_u32(0x2400 + code).unwrap_or('\u{fffd}'),
        127 => '\u{2421}',
        128..=159 | 0x202a..=0x202e | 0x2066..=0x2069 => '\u{fffd}',
        _ => c,
    };
    text.chars().map(show).collect()
}

fn failed(error: impl Into<openframe_fault::BoxError>) -> Fault {
    Fault::new(Kind::Internal, "cannot_print", "the answer could not be printed").because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_cannot_steer_the_terminal() {
        assert_eq!(visible("a\x1b[2Jb\u{202e}c\u{7f}"), "a\u{241b}[2Jb\u{fffd}c\u{2421}");
    }
}
