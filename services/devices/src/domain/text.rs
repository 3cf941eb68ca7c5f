//! Output as text: characters whose bytes lie in two pieces stay whole.

use crate::domain::{Chunk, Stream};

/// Bytes of a character that has not ended, at most.
const PENDING: usize = 3;

/// Decodes the two streams of one command, piece by piece. A byte that belongs to no character
/// becomes U+FFFD; the bytes of a character that a piece begins are shown with the piece that ends it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decoder {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Decoder {
    /// A decoder that goes on after `stdout` and `stderr`, the last bytes (three are enough) that
    /// were written to each.
    pub fn after(stdout: &[u8], stderr: &[u8]) -> Self {
        let mut decoder = Self::default();
        for (stream, before) in [(Stream::Stdout, stdout), (Stream::Stderr, stderr)] {
            let last = before.len().saturating_sub(PENDING);
            decode(before.get(last..).unwrap_or_default(), decoder.pending(stream));
        }
        decoder
    }

    /// The text of the next piece.
    pub fn text(&mut self, chunk: &Chunk) -> String {
        let pending = self.pending(chunk.stream);
        let bytes = [pending.as_slice(), &chunk.data].concat();
        decode(&bytes, pending)
    }

    /// What is left of `stream` when nothing follows.
    pub fn rest(&mut self, stream: Stream) -> String {
        char::REPLACEMENT_CHARACTER.to_string().repeat(std::mem::take(self.pending(stream)).len())
    }

    fn pending(&mut self, stream: Stream) -> &mut Vec<u8> {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }
}

/// The text of `bytes`; those of a character that has not ended go to `pending`.
fn decode(bytes: &[u8], pending: &mut Vec<u8>) -> String {
    pending.clear();
    let mut text = String::with_capacity(bytes.len());
    let mut left = bytes.len();
    for part in bytes.utf8_chunks() {
        text.push_str(part.valid());
        left -= part.valid().len() + part.invalid().len();
        let invalid = part.invalid();
        let unfinished =
            left == 0 && str::from_utf8(invalid).is_err_and(|it| it.error_len().is_none());
        if unfinished {
            pending.extend_from_slice(invalid);
        } else {
            text.extend(std::iter::repeat_n(char::REPLACEMENT_CHARACTER, invalid.len()));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn piece(stream: Stream, data: &[u8]) -> Chunk {
        Chunk { stream, offset: 0, data: data.to_vec() }
    }

    #[track_caller]
    fn check(pieces: &[&[u8]], want: &[&str]) {
        let mut decoder = Decoder::default();
        let mut texts: Vec<String> =
            pieces.iter().map(|data| decoder.text(&piece(Stream::Stdout, data))).collect();
        texts.push(decoder.rest(Stream::Stdout));
        assert_eq!(texts, want);
    }

    #[test]
    fn characters_stay_whole_and_bytes_of_none_are_shown_once_each() {
        check(&[b"caf\xc3", b"\xa9!"], &["caf", "\u{e9}!", ""]);
        check(&[b"\xf0", b"\x9f", b"\x98", b"\x80"], &["", "", "", "\u{1f600}", ""]);
        check(&[b"\xff\xfe end"], &["\u{fffd}\u{fffd} end", ""]);
        check(&[b"\xe2\x82", b"x"], &["", "\u{fffd}\u{fffd}x", ""]);
        check(&[b"a\xe2\x82"], &["a", "\u{fffd}\u{fffd}"]);
        check(&[b"\xe2\x82", b"\xe2\x82\xac"], &["", "\u{fffd}\u{fffd}\u{20ac}", ""]);
    }

    #[test]
    fn the_streams_do_not_mix() {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.text(&piece(Stream::Stdout, b"\xc3")), "");
        assert_eq!(decoder.text(&piece(Stream::Stderr, b"\xa9")), "\u{fffd}");
        assert_eq!(decoder.text(&piece(Stream::Stdout, b"\xa9")), "\u{e9}");
    }

    proptest! {
        /// However the bytes are cut, and wherever a reader begins anew, the text is the same.
        #[test]
        fn cuts_do_not_show(
            bytes in prop::collection::vec(prop_oneof![
                any::<u8>(),
                proptest::sample::select(vec![0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80]),
            ], 0..60),
            cuts in prop::collection::vec((0_usize..60, any::<bool>()), 0..8),
        ) {
            let mut whole = Decoder::default();
            let mut want = whole.text(&piece(Stream::Stdout, &bytes));
            want += &whole.rest(Stream::Stdout);
            let mut cuts: Vec<(usize, bool)> =
                cuts.into_iter().map(|(at, anew)| (at.min(bytes.len()), anew)).collect();
            cuts.sort_unstable();
            cuts.push((bytes.len(), false));
            let (mut decoder, mut from, mut got) = (Decoder::default(), 0, String::new());
            for (to, anew) in cuts {
                got += &decoder.text(&piece(Stream::Stdout, &bytes[from..to]));
                from = to;
                if anew {
                    decoder = Decoder::after(&bytes[..to], b"");
                }
            }
            got += &decoder.rest(Stream::Stdout);
            prop_assert_eq!(got, want);
        }
    }
}
