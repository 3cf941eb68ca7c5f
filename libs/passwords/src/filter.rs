//! A set of which only some bits are kept (Bloom filter): it never forgets what was put in, and rarely
//! takes something else for it.

use std::borrow::Cow;

use sha2::{Digest as _, Sha256};

/// Bits for each text.
const BITS: usize = 24;
/// Bits that are set for each: with [`BITS`] one text in a hundred thousand is taken for one of the set.
const SET: u64 = 16;

/// A set of texts.
#[derive(Debug)]
pub struct Filter<'a>(Cow<'a, [u8]>);

impl<'a> Filter<'a> {
    /// An empty one with room for `count` texts.
    pub fn with_room(count: usize) -> Self {
        Self(Cow::Owned(vec![0; (count * BITS).div_ceil(8)]))
    }

    /// The one that was kept as these bytes.
    pub fn of(bytes: &'a [u8]) -> Self {
        Self(Cow::Borrowed(bytes))
    }

    /// What to keep of it.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Puts `text` in.
    pub fn put(&mut self, text: &str) {
        let places = places(text, self.0.len());
        for (byte, bit) in places {
            if let Some(byte) = self.0.to_mut().get_mut(byte) {
                *byte |= bit;
            }
        }
    }

    /// Whether `text` was put in, or is one of the few that look so.
    pub fn holds(&self, text: &str) -> bool {
        let mut places = places(text, self.0.len());
        places.all(|(byte, bit)| self.0.get(byte).is_some_and(|byte| byte & bit != 0))
    }
}

/// Where the bits of `text` are in so many bytes: two halves of its hash give all of them.
fn places(text: &str, bytes: usize) -> impl Iterator<Item = (usize, u8)> + use<> {
    let digest: [u8; 32] = Sha256::digest(text).into();
    let half = |bytes: Option<&[u8; 8]>| bytes.map_or(0, |it| u64::from_le_bytes(*it));
    let first = half(digest.first_chunk());
    let step = half(digest.last_chunk()) | 1;
    let bits = (bytes as u64 * 8).max(1);
    (0..SET).map(move |n| {
        let bit = first.wrapping_add(n.wrapping_mul(step)) % bits;
        (usize::try_from(bit / 8).unwrap_or(usize::MAX), 1 << (bit % 8))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_is_there_and_little_else() {
        let mut filter = Filter::with_room(1000);
        for n in 0..1000 {
            filter.put(&format!("in {n}"));
        }
        let kept = filter.bytes().to_vec();
        let filter = Filter::of(&kept);
        assert!((0..1000).all(|n| filter.holds(&format!("in {n}"))));
        assert!((0..10_000).filter(|n| filter.holds(&format!("out {n}"))).count() <= 2);
        assert!(!Filter::of(&[]).holds("x"));
    }
}
