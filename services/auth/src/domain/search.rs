//! Which entries of the audit trail are looked for.

use jiff::Timestamp;

use super::Entry;

/// What is looked for by action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// This one.
    Is(String),
    /// Every one that begins so: `session.`, with the dot.
    Under(String),
}

impl Action {
    /// Reads `session.create`, or `session.` for all of them.
    pub fn read(text: String) -> Self {
        if text.ends_with('.') { Self::Under(text) } else { Self::Is(text) }
    }

    /// The prefix up to its first dot, by which actions are found.
    pub fn family(prefix: &str) -> &str {
        prefix.split_inclusive('.').next().unwrap_or(prefix)
    }
}

/// What an entry must be to be found; every entry is found by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// What was done.
    pub action: Option<Action>,
    /// By whom.
    pub actor: Option<String>,
    /// To what.
    pub target: Option<String>,
    /// How it ended.
    pub outcome: Option<String>,
    /// At this time or later, to the millisecond.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
    /// Between these places, both included. What a search by time comes down to, as
    /// [`Trail::span`](crate::store::Trail::span) says; it changes nothing about what is found.
    pub places: Option<(u64, u64)>,
}

impl Filter {
    /// Whether it asks for a time.
    pub fn is_of_time(&self) -> bool {
        self.from.is_some() || self.to.is_some()
    }

    /// Whether `entry` is found.
    pub fn finds(&self, entry: &Entry) -> bool {
        let event = &entry.event;
        let action = self.action.as_ref().is_none_or(|wanted| match wanted {
            Action::Is(action) => event.action == *action,
            Action::Under(prefix) => event.action.starts_with(prefix),
        });
        let is = |wanted: &Option<String>, it: &str| wanted.as_ref().is_none_or(|of| of == it);
        let placed = |(first, last): &(u64, u64)| (*first..=*last).contains(&entry.seq);
        action
            && is(&self.actor, &event.actor)
            && is(&self.target, &event.target)
            && is(&self.outcome, &event.outcome)
            && within((self.from, self.to), event.at)
            && self.places.as_ref().is_none_or(placed)
    }
}

/// Whether `at` is not before the one time, and before the other.
pub fn within((from, to): (Option<Timestamp>, Option<Timestamp>), at: Timestamp) -> bool {
    let at = at.as_millisecond();
    from.is_none_or(|from| at >= from.as_millisecond())
        && to.is_none_or(|to| at < to.as_millisecond())
}
