//! One frame as bytes.

/// The largest payload of a frame, in bytes.
pub const MAX_PAYLOAD_BYTES: usize = 16 << 20;
/// Bytes of a frame before its payload.
pub(crate) const HEADER_BYTES: usize = 16;

/// What stands at a place in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parsed<'a> {
    /// A whole frame of `bytes` bytes.
    Whole { seq: u64, payload: &'a [u8], bytes: usize },
    /// Nothing more.
    End,
    /// Not a frame, or not all of one.
    Bad,
}

/// Appends the frame of `payload` to `out`.
pub(crate) fn encode(out: &mut Vec<u8>, seq: u64, payload: &[u8]) {
    // Callers refuse payloads over `MAX_PAYLOAD_BYTES`.
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes();
    out.extend_from_slice(&length);
    out.extend_from_slice(&checksum(length, seq, payload).to_le_bytes());
    out.extend_from_slice(&seq.to_le_bytes());
    out.extend_from_slice(payload);
}

fn checksum(length: [u8; 4], seq: u64, payload: &[u8]) -> u32 {
    let head = crc32c::crc32c_append(crc32c::crc32c(&length), &seq.to_le_bytes());
    crc32c::crc32c_append(head, payload)
}

/// Reads the frame that begins where `bytes` begins.
pub(crate) fn parse(bytes: &[u8]) -> Parsed<'_> {
    if bytes.is_empty() {
        return Parsed::End;
    }
    read(bytes).map_or(Parsed::Bad, |(seq, payload)| Parsed::Whole {
        seq,
        payload,
        bytes: HEADER_BYTES + payload.len(),
    })
}

/// The sequence number that a frame here would claim, unchecked.
pub(crate) fn claimed_seq(bytes: &[u8]) -> Option<u64> {
    bytes.get(8..HEADER_BYTES)?.try_into().ok().map(u64::from_le_bytes)
}

/// Whether all bytes of a frame with this number stand here, though not as they were written. A write
/// that was cut short leaves too few.
pub(crate) fn seems_whole(bytes: &[u8], seq: u64) -> bool {
    let length = bytes.first_chunk::<4>().map(|length| u32::from_le_bytes(*length) as usize);
    let whole = length.is_some_and(|length| length <= bytes.len().saturating_sub(HEADER_BYTES));
    whole && claimed_seq(bytes) == Some(seq)
}

fn read(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    let (seq, rest) = rest.split_first_chunk::<8>()?;
    let (seq, size) = (u64::from_le_bytes(*seq), u32::from_le_bytes(*length) as usize);
    if size > MAX_PAYLOAD_BYTES {
        return None;
    }
    let payload = rest.get(..size)?;
    (checksum(*length, seq, payload) == u32::from_le_bytes(*sum)).then_some((seq, payload))
}
