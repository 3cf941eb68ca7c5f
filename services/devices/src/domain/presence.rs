//! Whether a device is there.

use jiff::{SignedDuration, Timestamp};
use openframe_ids::LinkId;

/// How long a device may stay silent before it counts as lost.
pub const SILENCE_LIMIT: SignedDuration = SignedDuration::from_secs(90);

/// Whether a device is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Presence {
    /// Heard from lately.
    Online,
    /// Said goodbye.
    Sleeping,
    /// Silent without a goodbye.
    Lost,
}

impl Presence {
    /// Its text form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Sleeping => "sleeping",
            Self::Lost => "lost",
        }
    }
}

/// How a device's last connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Goodbye {
    /// Without a word, or not yet.
    None,
    /// It shut down.
    Shutdown,
    /// It went to sleep.
    Sleep,
    /// Its agent is being replaced.
    Update,
}

impl Goodbye {
    /// The number it is kept as: the one of the link protocol.
    pub fn code(self) -> i64 {
        match self {
            Self::None => 0,
            Self::Shutdown => 1,
            Self::Sleep => 2,
            Self::Update => 3,
        }
    }

    /// The goodbye of a number; an unknown one is no goodbye.
    pub fn of_code(code: i64) -> Self {
        match code {
            1 => Self::Shutdown,
            2 => Self::Sleep,
            3 => Self::Update,
            _ => Self::None,
        }
    }
}

/// What is known of a device's connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The connection that is open, and since when.
    pub open: Option<(LinkId, Timestamp)>,
    /// The newest connection that was ever opened.
    pub newest: Option<LinkId>,
    /// When the device was last heard from.
    pub last_heard: Timestamp,
    /// How the last connection ended.
    pub goodbye: Goodbye,
}

impl Link {
    /// Of a device whose connection is not known.
    pub fn unknown(last_heard: Timestamp, goodbye: Goodbye) -> Self {
        Self { open: None, newest: None, last_heard, goodbye }
    }

    /// The connection `link` was opened. Names of connections rise with time, and the news of two
    /// may overtake each other: false when a newer one is known.
    pub fn opened(&mut self, link: LinkId, now: Timestamp) -> bool {
        if self.newest.is_some_and(|newest| newest > link) {
            return false;
        }
        (self.open, self.newest) = (Some((link, now)), Some(link));
        self.heard(now);
        true
    }

    /// Whether the device is there at `now`. One stamped in the future counts as heard: clocks of
    /// two replicas differ, and nobody should be paged for that.
    pub fn presence(&self, now: Timestamp) -> Presence {
        if self.open.is_none() && self.goodbye != Goodbye::None {
            return Presence::Sleeping;
        }
        if now.duration_since(self.last_heard) > SILENCE_LIMIT {
            Presence::Lost
        } else {
            Presence::Online
        }
    }

    /// The device was heard from.
    pub fn heard(&mut self, now: Timestamp) {
        self.last_heard = self.last_heard.max(now);
        // Whoever speaks is awake, whatever was said before a restart of this service.
        self.goodbye = Goodbye::None;
    }

    /// Takes in what another replica knows: the newer connection counts, an end is an end, and
    /// nobody unhears a device. In whatever order news come, all replicas come to know the same.
    pub fn merge(&mut self, other: &Self) {
        if other.newest > self.newest {
            (self.newest, self.open) = (other.newest, other.open);
        } else if other.newest == self.newest && other.open.is_none() {
            self.open = None;
        }
        let (own, theirs) = ((self.last_heard, self.goodbye), (other.last_heard, other.goodbye));
        (self.last_heard, self.goodbye) = own.max(theirs);
    }

    /// The connection `link` has ended. Only the newest may end: the end of an older one can arrive
    /// after the device has connected again. False when it was an older one.
    pub fn close(&mut self, link: LinkId, goodbye: Goodbye) -> bool {
        if self.newest.is_some_and(|newest| newest != link) {
            return false;
        }
        self.open = None;
        self.goodbye = goodbye;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(open: bool, goodbye: Goodbye, silent_s: i64, want: Presence) {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let last_heard = now - SignedDuration::from_secs(silent_s);
        let open = open.then(|| (LinkId::new(), last_heard));
        let link = Link { open, newest: None, last_heard, goodbye };
        assert_eq!(link.presence(now), want);
    }

    #[test]
    fn silence_up_to_the_limit_is_online() {
        check(true, Goodbye::None, 0, Presence::Online);
        check(true, Goodbye::None, 90, Presence::Online);
        check(true, Goodbye::None, 91, Presence::Lost);
        check(true, Goodbye::None, -500, Presence::Online);
    }

    #[test]
    fn a_closed_link_is_sleep_only_after_a_goodbye() {
        check(false, Goodbye::None, 10, Presence::Online);
        check(false, Goodbye::None, 91, Presence::Lost);
        for goodbye in [Goodbye::Shutdown, Goodbye::Sleep, Goodbye::Update] {
            check(false, goodbye, 0, Presence::Sleeping);
            check(false, goodbye, 1_000_000, Presence::Sleeping);
            check(true, goodbye, 0, Presence::Online);
        }
    }

    #[test]
    fn replicas_come_to_know_the_same_in_any_order() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let (first, second) = (LinkId::new(), LinkId::new());
        let of = |open, newest, heard, goodbye| Link {
            open,
            newest: Some(newest),
            last_heard: at(heard),
            goodbye,
        };
        let news = [
            Link::unknown(at(3), Goodbye::None),
            of(Some((first, at(1))), first, 1, Goodbye::None),
            of(None, first, 2, Goodbye::Sleep),
            of(Some((second, at(4))), second, 4, Goodbye::None),
            of(None, second, 4, Goodbye::Shutdown),
        ];
        let want = of(None, second, 4, Goodbye::Shutdown);
        for start in 0..news.len() {
            for step in [1, 2, 3, 4] {
                let mut known = Link::unknown(at(0), Goodbye::None);
                for n in 0..news.len() {
                    known.merge(&news[(start + n * step) % news.len()]);
                }
                assert_eq!(known, want);
            }
        }
    }

    #[test]
    fn only_the_newest_link_counts() {
        let (first, second) = (LinkId::new(), LinkId::new());
        assert!(first < second);
        let now = Timestamp::UNIX_EPOCH;
        let mut link = Link::unknown(now, Goodbye::Shutdown);
        assert!(link.opened(second, now));
        // The news of the older one comes late, its end as well.
        assert!(!link.opened(first, now));
        assert!(!link.close(first, Goodbye::Sleep));
        assert_eq!((link.open, link.presence(now)), (Some((second, now)), Presence::Online));
        assert!(link.close(second, Goodbye::Sleep));
        assert_eq!(link.presence(now), Presence::Sleeping);
        assert!(!link.opened(first, now), "also after the newer has ended");
        assert_eq!(link.presence(now), Presence::Sleeping);
        // A second end of it, or one after a restart, changes nothing worse.
        assert!(link.close(second, Goodbye::Sleep));
    }
}
