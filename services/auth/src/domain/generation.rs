//! Which certificate of a device is its latest, by which two copies of one device are told apart.
//!
//! Each certificate comes with a number that only the platform can write, and the next one is asked for
//! by showing it. A device that shows an older one has fallen behind itself: there are two of it. The one
//! exception is an answer that was lost, which is known by the request: it is the same to the letter.

use sha2::{Digest as _, Sha256};

/// Where a device stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Generation {
    /// The number that the latest certificate came with; 0 when none came with one.
    pub number: u64,
    /// Whether the device has shown a number since it joined or was re-admitted: from then on it must.
    pub shown: bool,
    /// The SHA-256 of the request that the latest certificate answered, once a number was shown.
    pub request: Option<[u8; 32]>,
}

/// What a device shows when it asks for a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Showing {
    /// A token that enrols it, which counts for more than a number.
    Token,
    /// No number: it has none yet.
    Nothing,
    /// The number that came with its certificate.
    Number(u64),
}

/// What a request for a certificate is known by.
pub fn request_hash(csr_pem: &str) -> [u8; 32] {
    Sha256::digest(csr_pem).into()
}

impl Generation {
    /// Of a device that has just joined.
    pub const FIRST: Self = Self { number: 1, shown: false, request: None };

    /// Where the device stands once its request is granted; `None` when there are two of it.
    pub fn next(self, showing: Showing, request: [u8; 32]) -> Option<Self> {
        if self.shown && self.request == Some(request) {
            // The answer was lost, so it is given again.
            return Some(self);
        }
        let after = |number: u64| {
            Some(Self { number: number.saturating_add(1), shown: true, request: Some(request) })
        };
        match (showing, self.shown) {
            (Showing::Token | Showing::Nothing, false) => {
                Some(Self { number: self.number.max(1), ..self })
            }
            (Showing::Token, true) => after(self.number),
            (Showing::Nothing, true) => None,
            // One that is ahead of us has seen what a restored database has forgotten.
            (Showing::Number(number), shown) => {
                if shown && number < self.number {
                    None
                } else {
                    after(number.max(self.number))
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: [u8; 32] = [1; 32];
    const TWO: [u8; 32] = [2; 32];

    fn at(number: u64) -> Generation {
        Generation { number, shown: true, request: Some(ONE) }
    }

    // B47.lost, B48
    #[test]
    fn a_number_is_good_once_and_its_answer_may_be_lost() {
        let next = at(5).next(Showing::Number(5), TWO).unwrap();
        assert_eq!(next, Generation { number: 6, shown: true, request: Some(TWO) });
        assert_eq!(next.next(Showing::Number(5), TWO), Some(next), "the same request again");
        assert_eq!(next.next(Showing::Number(5), ONE), None, "another one: a copy");
        assert_eq!(at(5).next(Showing::Number(4), TWO), None);
        assert_eq!(at(5).next(Showing::Number(9), TWO).unwrap().number, 10);
    }

    // B48
    #[test]
    fn who_has_shown_a_number_must_go_on() {
        let old = Generation::default();
        let joined = old.next(Showing::Nothing, ONE).unwrap();
        assert_eq!(joined, Generation { number: 1, shown: false, request: None });
        assert_eq!(
            joined.next(Showing::Nothing, TWO),
            Some(joined),
            "one that knows of no numbers"
        );
        let shown = joined.next(Showing::Number(1), ONE).unwrap();
        assert_eq!((shown.number, shown.shown), (2, true));
        assert_eq!(shown.next(Showing::Nothing, TWO), None);
        assert_eq!(shown.next(Showing::Token, TWO).unwrap().number, 3);
    }

    // B48
    #[test]
    fn after_it_was_readmitted_the_first_to_come_is_the_device() {
        let readmitted = Generation { shown: false, request: None, ..at(5) };
        let first = readmitted.next(Showing::Number(3), ONE).unwrap();
        assert_eq!((first.number, first.shown), (6, true));
        assert_eq!(first.next(Showing::Number(5), TWO), None);
    }
}
