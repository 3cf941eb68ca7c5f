//! The one encoding of a snapshot: values in the order of a table of series.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use prost::Message as _;
use sha2::{Digest as _, Sha256};

use crate::MAX_SERIES;
use crate::link::SeriesTable;

/// Why a snapshot cannot be read. The sender is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadValues {
    /// The compressed bytes are damaged.
    #[error("the values are not a whole DEFLATE stream")]
    Damaged,
    /// More values than a table may have series.
    #[error("there are more than {MAX_SERIES} values")]
    TooMany,
}

/// The name of a table: the first eight bytes of its encoding's SHA-256, little-endian.
pub fn hash(table: &SeriesTable) -> u64 {
    let digest = Sha256::digest(table.encode_to_vec());
    digest.iter().take(8).rev().fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}

/// Packs one value per series of the table; `NaN` stands for no value.
pub fn pack(values: &[f64]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    for value in values {
        // Writing to memory cannot fail.
        drop(encoder.write_all(&value.to_le_bytes()));
    }
    encoder.finish().unwrap_or_default()
}

/// Unpacks values, never more than [`MAX_SERIES`] whatever the bytes claim.
pub fn unpack(packed: &[u8]) -> Result<Vec<f64>, BadValues> {
    let limit = MAX_SERIES * size_of::<f64>();
    let mut bytes = Vec::new();
    let capped = DeflateDecoder::new(packed).take(limit as u64 + 1).read_to_end(&mut bytes);
    capped.map_err(|_| BadValues::Damaged)?;
    if bytes.len() > limit {
        return Err(BadValues::TooMany);
    }
    let (values, rest) = bytes.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(BadValues::Damaged);
    }
    Ok(values.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::link::Series;

    #[test]
    fn a_table_is_named_by_its_content() {
        let series = |name: &str| Series { name: name.to_owned(), labels: Vec::new() };
        let one = SeriesTable { series: vec![series("a"), series("b")] };
        let other = SeriesTable { series: vec![series("b"), series("a")] };
        assert_eq!(hash(&one), hash(&one.clone()));
        assert_ne!(hash(&one), hash(&other));
    }

    #[test]
    fn a_bomb_is_refused_before_it_fills_memory() {
        let bomb = pack(&vec![0.0; 1_000_000]);
        assert!(bomb.len() < 20_000);
        assert_eq!(unpack(&bomb), Err(BadValues::TooMany));
    }

    proptest! {
        #[test]
        fn values_come_back_bit_for_bit(bits in prop::collection::vec(any::<u64>(), 0..300)) {
            let values: Vec<f64> = bits.iter().map(|bits| f64::from_bits(*bits)).collect();
            let back: Vec<u64> = unpack(&pack(&values)).unwrap().iter().map(|v| v.to_bits()).collect();
            prop_assert_eq!(back, bits);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
            drop(unpack(&bytes));
        }
    }
}
