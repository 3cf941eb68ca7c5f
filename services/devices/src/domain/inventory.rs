//! Sections of the inventory: what is accepted, and when a section counts as changed.

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::Error;

/// The sections that exist.
pub const SECTIONS: [&str; 6] = ["hardware", "os", "network", "users", "software", "services"];
/// Bytes of a section.
const BODY_LIMIT: usize = 1 << 20;
/// How deep a section's arrays and objects may nest.
const DEPTH_LIMIT: usize = 32;

/// A section as a device saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// One of [`SECTIONS`].
    pub section: String,
    /// When, by the device's clock.
    pub reported_at: Timestamp,
    /// SHA-256 of the body.
    pub hash: [u8; 32],
    /// JSON.
    pub body: Vec<u8>,
}

/// One version of a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Since when it is so, by this service's order.
    pub at: Timestamp,
    /// What the device said.
    pub seen: Seen,
}

/// Accepts what a device says a section is.
pub fn check(
    section: String,
    reported_at: Timestamp,
    hash: &[u8],
    body: Vec<u8>,
) -> Result<Seen, Error> {
    if !SECTIONS.contains(&section.as_str()) {
        return Err(Error::BadReport("no such inventory section"));
    }
    if body.len() > BODY_LIMIT {
        return Err(Error::BadReport("the inventory section is larger than 1 MiB"));
    }
    let actual: [u8; 32] = Sha256::digest(&body).into();
    if actual != hash {
        return Err(Error::BadReport("the inventory section's hash is not that of its body"));
    }
    if depth(&body) > DEPTH_LIMIT {
        return Err(Error::BadReport("the inventory section nests deeper than 32"));
    }
    if serde_json::from_slice::<serde_json::Value>(&body).is_err() {
        return Err(Error::BadReport("the inventory section is not JSON"));
    }
    Ok(Seen { section, reported_at, hash: actual, body })
}

/// How deep arrays and objects nest, counted without building them.
fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_text, mut escaped) = (false, false);
    for byte in json {
        match (in_text, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_text = !in_text,
            (false, b'[' | b'{') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Where `seen` belongs after the newest version: nowhere when nothing has changed. Versions are in
/// the order of arrival; a device's clock only says when, and never that the future has come.
pub fn placed(
    seen: Seen,
    newest: Option<(Timestamp, [u8; 32])>,
    now: Timestamp,
) -> Option<Version> {
    let at = seen.reported_at.min(now);
    match newest {
        Some((_, hash)) if hash == seen.hash => None,
        Some((newest, _)) => {
            let after = newest.saturating_add(SignedDuration::from_millis(1)).unwrap_or(newest);
            Some(Version { at: at.max(after), seen })
        }
        None => Some(Version { at, seen }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sha(body: &[u8]) -> [u8; 32] {
        Sha256::digest(body).into()
    }

    #[track_caller]
    fn refused(section: &str, body: &[u8], hash: &[u8]) {
        let seen = check(section.to_owned(), Timestamp::UNIX_EPOCH, hash, body.to_vec());
        assert!(matches!(seen, Err(Error::BadReport(_))), "{seen:?}");
    }

    #[test]
    fn what_is_wrong_is_refused() {
        refused("passwords", b"{}", &sha(b"{}"));
        refused("os", b"{}", &sha(b"{ }"));
        refused("os", b"{}", b"");
        refused("os", b"{", &sha(b"{"));
        let deep = [vec![b'['; 33], vec![b']'; 33]].concat();
        refused("os", &deep, &sha(&deep));
        let large = vec![b' '; BODY_LIMIT + 1];
        refused("os", &large, &sha(&large));
    }

    #[test]
    fn what_is_right_is_taken() {
        let deep = [vec![b'['; 32], vec![b']'; 32]].concat();
        for body in [deep.as_slice(), b"{}", br#"{"a":"[[[[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["}"#] {
            check("os".to_owned(), Timestamp::UNIX_EPOCH, &sha(body), body.to_vec()).unwrap();
        }
    }

    #[test]
    fn versions_are_in_order_of_arrival_and_never_in_the_future() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let seen = |second, body: &[u8]| Seen {
            section: "os".to_owned(),
            reported_at: at(second),
            hash: sha(body),
            body: body.to_vec(),
        };
        let place = |seen, newest: Option<i64>| {
            placed(seen, newest.map(|second| (at(second), sha(b"1"))), at(100)).map(|it| it.at)
        };
        assert_eq!(place(seen(50, b"1"), None), Some(at(50)));
        assert_eq!(place(seen(500, b"1"), None), Some(at(100)));
        assert_eq!(place(seen(70, b"1"), Some(60)), None);
        assert_eq!(place(seen(70, b"2"), Some(60)), Some(at(70)));
        let after = at(60) + SignedDuration::from_millis(1);
        assert_eq!(place(seen(10, b"2"), Some(60)), Some(after));
    }
}
