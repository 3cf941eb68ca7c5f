//! Printing. The only file of this crate that writes to the terminal.

use std::io::{self, IsTerminal as _, Write as _};

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

/// Prints `value` as JSON on one line, for output that goes on.
pub(crate) fn json_line<T: Serialize>(value: &T) -> Result<(), Fault> {
    let text = serde_json::to_string(value).map_err(failed)?;
    line(&text)
}

/// Says that something was done to the thing `id`: `{"id": …, "done": "revoked"}`.
pub(crate) fn done(format: Format, id: &str, what: &str) -> Result<(), Fault> {
    match format {
        Format::Json => json(&serde_json::json!({ "id": id, "done": what })),
        Format::Table => line(&format!("{id} {what}")),
    }
}

/// Prints one line.
pub(crate) fn line(text: &str) -> Result<(), Fault> {
    writeln!(io::stdout().lock(), "{text}").map_err(failed)
}

/// Standard output, for bytes that are saved or piped.
pub(crate) fn raw() -> impl io::Write {
    io::stdout()
}

/// Prints what a device wrote, at once: as it is into a file or a pipe, made harmless on a terminal.
pub(crate) fn written(text: &str, to_stderr: bool) -> Result<(), Fault> {
    let (mut out, is_terminal): (Box<dyn io::Write>, bool) = if to_stderr {
        (Box::new(io::stderr().lock()), io::stderr().is_terminal())
    } else {
        (Box::new(io::stdout().lock()), io::stdout().is_terminal())
    };
    let shown = if is_terminal { visible_lines(text) } else { text.to_owned() };
    out.write_all(shown.as_bytes()).and_then(|()| out.flush()).map_err(failed)
}

/// As [`visible`], for text of several lines.
fn visible_lines(text: &str) -> String {
    text.split_inclusive(['\n', '\t'])
        .map(|part| {
            let end = part.len() - usize::from(part.ends_with(['\n', '\t']));
            let (content, end) = part.split_at_checked(end).unwrap_or((part, ""));
            visible(content) + end
        })
        .collect()
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
        let lines = "a\tb\x1b]0;title\x07\nc\r\n";
        assert_eq!(visible_lines(lines), "a\tb\u{241b}]0;title\u{2407}\nc\u{240d}\n");
        assert_eq!(visible("a\x1b[2Jb\u{202e}c\u{7f}"), "a\u{241b}[2Jb\u{fffd}c\u{2421}");
    }
}
