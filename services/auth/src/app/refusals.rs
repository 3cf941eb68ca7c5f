//! Refusals on the audit trail: each has its line while they are few; of many, the first has one and
//! the others are counted and told together. Refusing somebody must never cost a write each, or a
//! stranger could fill the disk.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use openframe_fault::chain;

use super::Auth;
use crate::domain::{Event, Rate};

/// How long refusals of one kind are counted before they are told.
const WINDOW: SignedDuration = SignedDuration::from_secs(60);
/// Kinds that are counted at the same time at most.
const KINDS: usize = 64;
/// Lines that are written at once, and then one each second.
const LINES: (u32, i64) = (60, 1000);

/// Refusals of one kind.
#[derive(Debug)]
struct Count {
    first: Event,
    more: u64,
    since: Timestamp,
}

#[derive(Debug, Default)]
struct Open {
    lines_whole_at: i64,
    counts: HashMap<(String, String), Count>,
}

/// The refusals that are not on the trail yet. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Refusals(Arc<Mutex<Open>>);

impl Refusals {
    fn lock(&self) -> MutexGuard<'_, Open> {
        // Poisoned by a panicking test at most: a count is a whole count.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether `event` has a line of its own; else it has been counted. Those of one action that
    /// are `together` have one line.
    fn has_line(&self, event: &Event, together: Option<&str>) -> bool {
        let mut open = self.lock();
        let kind = |whose: &str| (event.action.clone(), whose.to_owned());
        let known = together.and_then(|whose| open.counts.get_mut(&kind(whose)));
        if let Some(count) = known {
            count.more += 1;
            return false;
        }
        let line = Rate::new(LINES.0, LINES.1).next(open.lines_whole_at, event.at.as_millisecond());
        let room = open.counts.len() < KINDS;
        match (line, together) {
            (Ok(next), None) => open.lines_whole_at = next,
            (Ok(next), Some(whose)) if room => {
                open.lines_whole_at = next;
                let count = Count { first: event.clone(), more: 0, since: event.at };
                open.counts.insert(kind(whose), count);
            }
            (Ok(_) | Err(_), _) => {
                // Whoever it was: there were too many of them to tell apart.
                let nobody = Event {
                    actor: String::new(),
                    target: String::new(),
                    remote_address: String::new(),
                    request_id: String::new(),
                    ..event.clone()
                };
                let count = Count { first: nobody, more: 0, since: event.at };
                open.counts.entry(kind("")).or_insert(count).more += 1;
                return false;
            }
        }
        true
    }

    /// Takes out what has been counted long enough by `now`, as lines to write.
    fn due(&self, now: Timestamp) -> Vec<Event> {
        let mut open = self.lock();
        let over = |count: &Count| now.duration_since(count.since) >= WINDOW;
        let due = open.counts.extract_if(|_, count| over(count));
        due.filter(|(_, count)| count.more > 0)
            .map(|(_, Count { first, more, since })| {
                let seconds = now.duration_since(since).as_secs();
                let detail = format!("{more} more in {seconds} s {}", first.detail);
                Event { at: now, detail: detail.trim_end().to_owned(), ..first }
            })
            .collect()
    }
}

impl Auth {
    /// Puts a refusal on the trail, alone or counted with those it is `together` with. That it
    /// cannot be written changes nothing for the one who was refused.
    pub(super) async fn refused(&self, event: Event, together: Option<&str>) {
        self.unsuccessful(Event { outcome: "refused".to_owned(), ..event }, together).await;
    }

    /// The same for what has failed though nobody refuses it.
    pub(super) async fn failed(&self, event: Event, together: Option<&str>) {
        self.unsuccessful(Event { outcome: "failed".to_owned(), ..event }, together).await;
    }

    async fn unsuccessful(&self, event: Event, together: Option<&str>) {
        if self.refusals.has_line(&event, together) {
            self.write_refusals(vec![event]).await;
        }
    }

    /// Puts on the trail what has been counted long enough; everything when the service `ends`.
    pub async fn tell_refusals(&self, ends: bool) {
        let now = if ends { Timestamp::MAX } else { self.now() };
        let at = self.now();
        let due = self.refusals.due(now).into_iter().map(|event| Event { at, ..event });
        self.write_refusals(due.collect()).await;
    }

    async fn write_refusals(&self, events: Vec<Event>) {
        for event in events {
            if let Err(error) = self.store.trail.append(self.tenant, &event).await {
                tracing::warn!(
                    "a refusal of {} is not on the audit trail: {}",
                    event.action,
                    chain(&error)
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(second: i64, action: &str) -> Event {
        let empty = String::new;
        Event {
            at: Timestamp::from_second(second).unwrap(),
            actor_kind: "nobody".to_owned(),
            actor: "ann".to_owned(),
            action: action.to_owned(),
            target: empty(),
            outcome: "refused".to_owned(),
            detail: "why".to_owned(),
            remote_address: empty(),
            request_id: empty(),
        }
    }

    #[test]
    fn the_first_has_a_line_and_the_others_one_together() {
        let refusals = Refusals::default();
        assert!(refusals.has_line(&event(0, "a"), Some("net")));
        for second in 0..50 {
            assert!(!refusals.has_line(&event(second, "a"), Some("net")));
        }
        assert!(refusals.has_line(&event(0, "a"), Some("other net")));
        assert!(refusals.due(event(59, "").at).is_empty());
        let due = refusals.due(event(60, "").at);
        assert_eq!(due.len(), 1);
        assert_eq!((due[0].actor.as_str(), due[0].detail.as_str()), ("ann", "50 more in 60 s why"));
        assert!(refusals.has_line(&event(60, "a"), Some("net")), "a new window");
    }

    #[test]
    fn a_flood_costs_few_lines() {
        let refusals = Refusals::default();
        let lines = (0..10_000).filter(|n| {
            let own = n.to_string();
            refusals.has_line(&event(0, "a"), (n % 2 == 0).then_some(&own))
        });
        assert_eq!(lines.count(), 60);
        let due = refusals.due(event(60, "").at);
        assert_eq!(due.len(), 1);
        assert_eq!((due[0].actor.as_str(), due[0].detail.as_str()), ("", "9940 more in 60 s why"));
    }
}
