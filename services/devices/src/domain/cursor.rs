//! Where a list goes on: the key of the last item of the page before, opaque to the caller.

use openframe_ids::DeviceId;
use uuid::Uuid;

/// A device's place in an order: the sorted value, and its id to tell equals apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The sorted value, written so that bytes compare as values do.
    pub value: Vec<u8>,
    /// The device.
    pub id: DeviceId,
}

impl Key {
    /// Writes it for the order called by the letter `order`.
    pub fn encode(&self, order: u8) -> String {
        let mut bytes = vec![order];
        bytes.extend(self.id.0.as_bytes());
        bytes.extend(&self.value);
        hex(&bytes)
    }

    /// Reads it back, if it is one of `order`.
    pub fn decode(text: &str, order: u8) -> Option<Self> {
        let bytes = from_hex(text)?;
        let (head, rest) = bytes.split_first()?;
        let (id, value) = rest.split_first_chunk::<16>()?;
        let id = DeviceId(Uuid::from_bytes(*id));
        (*head == order).then(|| Self { value: value.to_vec(), id })
    }
}

/// Writes bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Reads hexadecimal digits.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_in_its_own_order_only() {
        let key = Key { value: "Ü\0x".into(), id: DeviceId::new() };
        let text = key.encode(b'n');
        assert_eq!(Key::decode(&text, b'n'), Some(key));
        assert_eq!(Key::decode(&text, b's'), None);
        for bad in ["", "zz", "6e0", "6e00", "üü", "🙂"] {
            assert_eq!(Key::decode(bad, b'n'), None, "{bad}");
        }
    }
}
