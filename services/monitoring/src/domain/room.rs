//! How much is kept, and what has to go.

use std::collections::BTreeMap;

/// The first record that stays when a log of `parts` (first number, bytes; oldest first) is kept at
/// `limit` bytes and records before `needed` may go. Whole parts go, never the last; `None` when
/// none has to.
pub fn trim_to(parts: &[(u64, u64)], limit: u64, needed: u64) -> Option<u64> {
    let mut bytes: u64 = parts.iter().map(|(_, bytes)| bytes).sum();
    let mut target = None;
    for ((_, size), (next, _)) in parts.iter().zip(parts.iter().skip(1)) {
        if *next > needed && bytes <= limit {
            break;
        }
        bytes -= size;
        target = Some(*next);
    }
    target
}

/// The instant before which chunks go so that `excess` bytes are freed, if the chunks that end in
/// each of `minutes` have so many bytes.
pub fn cut(minutes: &BTreeMap<i64, usize>, excess: usize) -> Option<i64> {
    let mut freed = 0;
    for (minute, bytes) in minutes {
        freed += bytes;
        if freed >= excess {
            return Some(minute.saturating_add(1).saturating_mul(60_000));
        }
    }
    minutes.last_key_value().map(|(minute, _)| minute.saturating_add(1).saturating_mul(60_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_parts_go_and_never_the_last() {
        let parts = [(1, 100), (10, 100), (20, 100), (30, 50)];
        for (limit, needed, want) in [
            (1_000, 0, None),
            (1_000, 9, None),
            (1_000, 10, Some(10)),
            (1_000, 25, Some(20)),
            (1_000, 99, Some(30)),
            (350, 0, None),
            (349, 0, Some(10)),
            (200, 0, Some(20)),
            (0, 0, Some(30)),
            (249, 10, Some(20)),
        ] {
            assert_eq!(trim_to(&parts, limit, needed), want, "{limit} {needed}");
        }
        assert_eq!(trim_to(&[], 0, 9), None);
        assert_eq!(trim_to(&[(1, 100)], 0, 9), None);
    }

    #[test]
    fn the_oldest_minutes_go() {
        let minutes = [(1, 10), (2, 10), (5, 10)].into();
        for (excess, want) in [(1, 120_000), (10, 120_000), (11, 180_000), (21, 360_000)] {
            assert_eq!(cut(&minutes, excess), Some(want));
        }
        assert_eq!(cut(&minutes, 99), Some(360_000), "all there is");
        assert_eq!(cut(&BTreeMap::new(), 1), None);
    }
}
