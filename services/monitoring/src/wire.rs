//! Protobuf messages read field by field: a whole body is never decoded at once, because a few bytes
//! of an empty message can become a hundred in memory.

use prost::Message;

use crate::Error;

/// Bytes of one message that is decoded as a whole, at most.
const MAX_MESSAGE_BYTES: usize = 1 << 20;

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// A number.
    Varint(u64),
    /// A message, text or bytes.
    Bytes(&'a [u8]),
    /// A number of four or eight bytes, which no message that is read here has.
    Fixed,
}

/// The fields of a message, in the order in which they were sent.
#[derive(Debug, Clone)]
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

/// Bytes that are no message.
const BROKEN: Error = Error::BadBody("not a protobuf message of the right kind");

impl<'a> Fields<'a> {
    /// The messages, texts and bytes of field `number`.
    pub(crate) fn all(
        &self,
        number: u64,
    ) -> impl Iterator<Item = Result<&'a [u8], Error>> + use<'a> {
        self.clone().filter_map(move |field| match field {
            Ok((found, Value::Bytes(bytes))) if found == number => Some(Ok(bytes)),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        })
    }

    /// The last text of field `number`; empty when it was not sent.
    pub(crate) fn text(&self, number: u64) -> Result<&'a str, Error> {
        let last = self.all(number).last().transpose()?.unwrap_or_default();
        std::str::from_utf8(last).map_err(|_| BROKEN)
    }

    /// The last number of field `number`; zero when it was not sent.
    pub(crate) fn number(&self, number: u64) -> Result<u64, Error> {
        let mut last = 0;
        for field in self.clone() {
            if let (found, Value::Varint(value)) = field?
                && found == number
            {
                last = value;
            }
        }
        Ok(last)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, size: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(size).ok()?)?;
        self.0 = rest;
        Some(taken)
    }

    fn field(&mut self) -> Option<(u64, Value<'a>)> {
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Varint(self.varint()?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let size = self.varint()?;
                Value::Bytes(self.take(size)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            _ => return None,
        };
        Some((key >> 3, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field.ok_or(BROKEN))
    }
}

/// Decodes a small message as a whole.
pub(crate) fn decode<M: Message + Default>(bytes: &[u8]) -> Result<M, Error> {
    if bytes.len() > MAX_MESSAGE_BYTES {
        return Err(Error::BadBody("one series or data point has more than 1 MiB"));
    }
    M::decode(bytes).map_err(|_| BROKEN)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields_are_found_by_their_number() {
        let bytes = [0x08, 0x96, 0x01, 0x12, 0x02, b'h', b'i', 0x19, 0, 0, 0, 0, 0, 0, 0, 0];
        let fields = Fields(&bytes);
        assert_eq!((fields.number(1).unwrap(), fields.text(2).unwrap()), (150, "hi"));
        assert_eq!((fields.number(7).unwrap(), fields.text(7).unwrap()), (0, ""));
        assert!(Fields(&bytes[..5]).text(2).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_go_on_for_ever(
            bytes in prop::collection::vec(any::<u8>(), 0..100)
        ) {
            prop_assert!(Fields(&bytes).count() <= bytes.len());
        }
    }
}
