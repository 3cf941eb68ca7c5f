//! Which key signs ID tokens, and when a new one is made. A new key is shown a day before it signs, for
//! clients that remember the keys they have read; an old one is shown until nothing it has signed can be
//! good.

use jiff::{SignedDuration, Timestamp};

/// How long the newest key has signed when another is made.
const RENEWED_AFTER: SignedDuration = SignedDuration::from_hours(24 * 28);
/// How long a key is shown before it signs.
const SHOWN_BEFORE: SignedDuration = SignedDuration::from_hours(24);
/// How long the key before it is shown afterwards.
const SHOWN_AFTER: SignedDuration = SignedDuration::from_hours(25);

/// When a key was made, and from when on it signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// When it was made.
    pub made: Timestamp,
    /// From when on it signs, until a younger one does.
    pub signs_from: Timestamp,
}

impl Times {
    /// Of a key that clients get to know before it signs.
    pub fn staged(now: Timestamp) -> Self {
        Self { made: now, signs_from: now.saturating_add(SHOWN_BEFORE).unwrap_or(Timestamp::MAX) }
    }

    /// Of a key that signs at once.
    pub fn at_once(now: Timestamp) -> Self {
        Self { made: now, signs_from: now }
    }
}

/// What a key is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Clients get to know it.
    Staged,
    /// It signs.
    Signing,
    /// What it has signed may still be good.
    Retiring,
}

impl Stage {
    /// What it is called.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Staged => "staged",
            Self::Signing => "signing",
            Self::Retiring => "retiring",
        }
    }
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// The place of the key that signs.
    pub signing: Option<usize>,
    /// A key is wanted, unless there is one that was made after this.
    pub wanted_since: Option<Timestamp>,
    /// Keys made before this are needed no more.
    pub needed_since: Option<Timestamp>,
}

impl Plan {
    /// What the key at a place is there for.
    pub fn stage(&self, place: usize) -> Stage {
        match self.signing {
            Some(signing) if place == signing => Stage::Signing,
            Some(signing) if place < signing => Stage::Retiring,
            Some(_) | None => Stage::Staged,
        }
    }
}

/// What is due at `now` with these keys, oldest first.
pub fn plan(keys: &[Times], now: Timestamp) -> Plan {
    // Where none is ready the oldest signs: a platform without a key would let nobody in.
    let signing = keys.iter().rposition(|key| key.signs_from <= now);
    let signing = signing.or_else(|| (!keys.is_empty()).then_some(0));
    let since = now.saturating_sub(RENEWED_AFTER).unwrap_or(Timestamp::MIN);
    let fresh = keys.last().is_some_and(|newest| newest.signs_from > since);
    let signs = signing.and_then(|place| keys.get(place));
    let alone = |key: &&Times| now.duration_since(key.signs_from) >= SHOWN_AFTER;
    Plan {
        signing,
        wanted_since: (!fresh).then_some(since),
        needed_since: signs.filter(alone).map(|key| key.made),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(hour: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hour)
    }

    /// The first key, which signs at once, and others.
    fn keys(staged: &[i64]) -> Vec<Times> {
        let staged = staged.iter().map(|made| Times::staged(hour(*made)));
        std::iter::once(Times::at_once(hour(0))).chain(staged).collect()
    }

    #[track_caller]
    fn check(keys: &[Times], now: i64, signing: usize, wanted: bool, needed: Option<i64>) {
        let plan = plan(keys, hour(now));
        assert_eq!(plan.signing, Some(signing), "signing");
        assert_eq!(plan.wanted_since.is_some(), wanted, "wanted");
        assert_eq!(plan.needed_since, needed.map(hour), "needed");
    }

    #[test]
    fn keys_come_and_go_without_a_gap() {
        assert_eq!(plan(&[], hour(0)).signing, None);
        assert!(plan(&[], hour(0)).wanted_since.is_some());
        let month = 24 * 28;
        let (one, two) = (keys(&[]), keys(&[month]));
        check(&one, 0, 0, false, None);
        check(&one, month - 1, 0, false, Some(0));
        check(&one, month, 0, true, Some(0));
        check(&two, month, 0, false, Some(0));
        check(&two, month + 23, 0, false, Some(0));
        check(&two, month + 24, 1, false, None);
        check(&two, month + 48, 1, false, None);
        check(&two, month + 49, 1, false, Some(month));
    }

    #[test]
    fn a_key_that_signs_at_once_outdoes_one_that_is_staged() {
        let mut all = keys(&[1]);
        all.push(Times::at_once(hour(2)));
        check(&all, 2, 2, false, None);
        let stages = |now| [0, 1, 2].map(|place| plan(&all, hour(now)).stage(place).as_str());
        assert_eq!(stages(1), ["signing", "staged", "staged"]);
        assert_eq!(stages(2), ["retiring", "retiring", "signing"]);
        // The staged one was never used: it goes with the first.
        check(&all, 27, 2, false, Some(2));
    }
}
