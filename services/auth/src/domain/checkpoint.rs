//! Checkpoints of the audit trail: where it ended at a time, sealed by the platform. Who owns the
//! database can make a trail whose every hash follows from the one before, but no seal.

use jiff::{SignedDuration, Timestamp};
use openframe_ids::TenantId;
use openframe_pki::{Authority, Error, Seal};

/// What seals of checkpoints are for.
const PURPOSE: &str = "audit-checkpoint";

/// Where a trail ended at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose trail.
    pub tenant: TenantId,
    /// The last place.
    pub seq: u64,
    /// The hash of that entry, and thereby of all before it.
    pub hash: [u8; 32],
    /// When it was made.
    pub at: Timestamp,
    /// What shows that the platform made it.
    pub seal: Seal,
}

impl Checkpoint {
    /// Seals the end of a trail.
    pub fn make(
        authority: &Authority,
        tenant: TenantId,
        (seq, hash): (u64, [u8; 32]),
        at: Timestamp,
    ) -> Result<Self, Error> {
        let seal = authority.seal(PURPOSE, &message(tenant, seq, &hash, at), at)?;
        Ok(Self { tenant, seq, hash, at, seal })
    }

    /// Whether a platform with this root made it.
    pub fn is_sealed(&self, root_pem: &str) -> bool {
        let message = message(self.tenant, self.seq, &self.hash, self.at);
        self.seal.check(root_pem, (PURPOSE, &message), self.at).is_ok()
    }
}

/// Each part has a length that never changes: no two checkpoints have the same message.
fn message(tenant: TenantId, seq: u64, hash: &[u8; 32], at: Timestamp) -> Vec<u8> {
    let (seq, at) = (seq.to_be_bytes(), at.as_millisecond().to_be_bytes());
    [tenant.0.as_bytes().as_slice(), &seq, hash, &at].concat()
}

/// How often checkpoints are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// After this time, if there is any entry since.
    pub after: SignedDuration,
    /// After so many entries.
    pub entries: u64,
}

impl Pace {
    /// Whether the end of a trail, at `end`, should have a checkpoint.
    pub fn is_due(self, end: u64, last: Option<&Checkpoint>, now: Timestamp) -> bool {
        let Some(last) = last else { return end > 0 };
        let new = end.saturating_sub(last.seq);
        new > 0 && (new >= self.entries || now.duration_since(last.at) >= self.after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + hour * 3600).unwrap()
    }

    #[test]
    fn a_checkpoint_is_the_platform_s_and_says_one_thing() {
        let (authority, _) = Authority::create(at(0)).unwrap();
        let made = Checkpoint::make(&authority, TenantId::new(), (7, [7; 32]), at(1)).unwrap();
        let root = authority.root_pem();
        assert!(made.is_sealed(root));
        let later = Timestamp::from_millisecond(made.at.as_millisecond() + 1).unwrap();
        let forged = [
            Checkpoint { tenant: TenantId::new(), ..made.clone() },
            Checkpoint { seq: 8, ..made.clone() },
            Checkpoint { hash: [8; 32], ..made.clone() },
            Checkpoint { at: later, ..made.clone() },
        ];
        assert!(forged.iter().all(|it| !it.is_sealed(root)));
        let (other, _) = Authority::create(at(0)).unwrap();
        assert!(!made.is_sealed(other.root_pem()));
    }

    #[test]
    fn one_is_due_each_day_and_after_many_entries() {
        let (authority, _) = Authority::create(at(0)).unwrap();
        let pace = Pace { after: SignedDuration::from_hours(24), entries: 100 };
        let last = Checkpoint::make(&authority, TenantId::new(), (10, [0; 32]), at(0)).unwrap();
        assert!(!pace.is_due(0, None, at(0)) && pace.is_due(1, None, at(0)));
        for (end, hour, due) in [
            (11, 0, false),
            (11, 23, false),
            (11, 24, true),
            (10, 99, false),
            (9, 99, false),
            (109, 1, false),
            (110, 1, true),
        ] {
            assert_eq!(pace.is_due(end, Some(&last), at(hour)), due, "{end} at {hour}");
        }
    }
}
