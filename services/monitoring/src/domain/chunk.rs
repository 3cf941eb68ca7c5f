//! A chunk: samples of one series in order of time, compressed.
//!
//! Times are deltas of deltas, values the XOR with the one before (the "Gorilla" scheme), as bits.
//! Every value comes back bit for bit, Prometheus' staleness marker included.

/// A chunk is closed once it holds so many samples.
pub const FULL: u16 = 120;

/// One sample: Unix milliseconds and a value.
pub type Sample = (i64, f64);

/// The value by which Prometheus says that a series has ended.
pub const STALE: u64 = 0x7ff0_0000_0000_0002;

/// Whether a value says that its series has ended.
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE
}

/// Compressed samples, at least one.
#[derive(Debug, Clone)]
pub struct Chunk {
    bits: Bits,
    samples: u16,
    first_ms: i64,
    last_ms: i64,
    last_delta: i64,
    last_value: u64,
}

impl Chunk {
    /// A chunk of one sample.
    pub fn new((t, value): Sample) -> Self {
        let mut bits = Bits::default();
        bits.push(value.to_bits(), 64);
        let last_value = value.to_bits();
        Self { bits, samples: 1, first_ms: t, last_ms: t, last_delta: 0, last_value }
    }

    /// Compresses samples that are in order; `None` of none.
    pub fn of(samples: &[Sample]) -> Option<Self> {
        let (first, rest) = samples.split_first()?;
        let mut chunk = Self::new(*first);
        for sample in rest {
            chunk.push(*sample);
        }
        Some(chunk)
    }

    /// Adds a sample later than all others.
    pub fn push(&mut self, (t, value): Sample) {
        let delta = t.wrapping_sub(self.last_ms);
        self.push_time(delta.wrapping_sub(self.last_delta));
        self.push_value(value.to_bits() ^ self.last_value);
        self.last_delta = delta;
        self.last_ms = t;
        self.last_value = value.to_bits();
        self.samples = self.samples.saturating_add(1);
    }

    fn push_time(&mut self, change: i64) {
        let zigzag = ((change << 1) ^ (change >> 63)).cast_unsigned();
        match 64 - zigzag.leading_zeros() {
            0 => self.bits.push(0, 1),
            1..=8 => self.bits.push(0b10 << 8 | zigzag, 10),
            9..=16 => self.bits.push(0b110 << 16 | zigzag, 19),
            _ => {
                self.bits.push(0b111, 3);
                self.bits.push(zigzag, 64);
            }
        }
    }

    fn push_value(&mut self, xor: u64) {
        if xor == 0 {
            return self.bits.push(0, 1);
        }
        let leading = xor.leading_zeros();
        let width = 64 - leading - xor.trailing_zeros();
        // 1, leading zeros (6 bits), width less one (6 bits), then the bits that differ.
        self.bits.push(1 << 12 | u64::from(leading) << 6 | u64::from(width - 1), 13);
        self.bits.push(xor >> xor.trailing_zeros(), width);
    }

    /// The samples, in order.
    pub fn samples(&self) -> Vec<Sample> {
        let mut bits = Reader { bytes: &self.bits.bytes, at: 0 };
        let (mut t, mut delta, mut value) = (self.first_ms, 0_i64, bits.take(64));
        let mut samples = Vec::with_capacity(self.len());
        samples.push((t, f64::from_bits(value)));
        for _ in 1..self.samples {
            delta = delta.wrapping_add(bits.time());
            t = t.wrapping_add(delta);
            value ^= bits.value();
            samples.push((t, f64::from_bits(value)));
        }
        samples
    }

    /// How many samples there are.
    #[expect(clippy::len_without_is_empty, reason = "a chunk is never empty")]
    pub fn len(&self) -> usize {
        usize::from(self.samples)
    }

    /// Whether it should be closed.
    pub fn is_full(&self) -> bool {
        self.samples >= FULL
    }

    /// The time of the first sample.
    pub fn first_ms(&self) -> i64 {
        self.first_ms
    }

    /// The last sample.
    pub fn last(&self) -> Sample {
        (self.last_ms, f64::from_bits(self.last_value))
    }

    /// Bytes of compressed data.
    pub fn bytes(&self) -> usize {
        self.bits.bytes.len()
    }

    /// Frees what was kept ready for more samples.
    pub fn close(&mut self) {
        self.bits.bytes.shrink_to_fit();
    }
}

#[derive(Debug, Clone, Default)]
struct Bits {
    bytes: Vec<u8>,
    /// Bits free in the last byte.
    free: u32,
}

impl Bits {
    /// Appends the lowest `count` bits of `value`, highest first.
    fn push(&mut self, value: u64, count: u32) {
        let mut left = count;
        while left > 0 {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            let take = left.min(self.free);
            let part = (value >> (left - take)) & ((1 << take) - 1);
            if let Some(last) = self.bytes.last_mut() {
                // `part` has at most eight bits.
                *last |= u8::try_from(part << (self.free - take)).unwrap_or(0);
            }
            self.free -= take;
            left -= take;
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take(&mut self, count: u32) -> u64 {
        let mut value = 0;
        let mut left = count;
        while left > 0 {
            let byte = u64::from(self.bytes.get(self.at / 8).copied().unwrap_or(0));
            let offset = u32::try_from(self.at % 8).unwrap_or(0);
            let take = left.min(8 - offset);
            value = value << take | (byte >> (8 - offset - take)) & ((1 << take) - 1);
            self.at += take as usize;
            left -= take;
        }
        value
    }

    fn time(&mut self) -> i64 {
        // The prefix: up to three ones, the first zero ends it.
        let ones = (0..3).take_while(|_| self.take(1) == 1).count();
        let zigzag = match ones {
            0 => 0,
            1 => self.take(8),
            2 => self.take(16),
            _ => self.take(64),
        };
        (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed()
    }

    fn value(&mut self) -> u64 {
        if self.take(1) == 0 {
            return 0;
        }
        let leading = u32::try_from(self.take(6)).unwrap_or(0);
        let width = u32::try_from(self.take(6)).unwrap_or(0) + 1;
        self.take(width).checked_shl(64_u32.saturating_sub(leading + width)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn samples_come_back_bit_for_bit(
            samples in prop::collection::vec((any::<i64>(), any::<u64>()), 1..200)
        ) {
            let samples: Vec<Sample> =
                samples.into_iter().map(|(t, bits)| (t, f64::from_bits(bits))).collect();
            let bits = |all: &[Sample]| all.iter().map(|(t, v)| (*t, v.to_bits())).collect::<Vec<_>>();
            prop_assert_eq!(bits(&Chunk::of(&samples).unwrap().samples()), bits(&samples));
        }
    }

    #[test]
    fn a_steady_series_takes_about_two_bits_a_sample() {
        let samples: Vec<Sample> =
            (0..120).map(|n| (1_700_000_000_000 + n * 10_000, 1.5)).collect();
        assert!(Chunk::of(&samples).unwrap().bytes() < 45);
    }

    #[test]
    fn the_staleness_marker_survives() {
        let stale = f64::from_bits(0x7ff0_0000_0000_0002);
        let back = Chunk::of(&[(1, 1.0), (2, stale)]).unwrap().samples();
        assert_eq!(back[1].1.to_bits(), stale.to_bits());
    }
}
