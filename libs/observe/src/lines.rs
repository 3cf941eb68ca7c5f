//! One line for each event, whatever was in it: nobody else begins a line of the log or tells a terminal
//! what to do.

use std::fmt::Write as _;
use std::io;

/// Writes each event, which comes whole, as one line.
#[derive(Debug)]
pub(crate) struct OneLine<W>(pub(crate) W);

fn escaped(event: &str) -> String {
    let (line, end) = event.strip_suffix('\n').map_or((event, ""), |line| (line, "\n"));
    let mut text = String::with_capacity(event.len());
    for letter in line.chars() {
        if breaks(letter) {
            // As JSON has it, so that a line of JSON stays one. Writing to a string does not fail.
            write!(text, "\\u{:04x}", u32::from(letter)).ok();
        } else {
            text.push(letter);
        }
    }
    text.push_str(end);
    text
}

/// Whether a letter ends lines, or has a terminal do something else than show it: controls, other ends of
/// lines, and what turns the order of reading round.
fn breaks(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl<W: io::Write> io::Write for OneLine<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let line = escaped(&String::from_utf8_lossy(event));
        self.0.write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
