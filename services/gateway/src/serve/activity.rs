//! What a connection does now, so that one that does nothing, or whose client does not read, ends.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use crate::Config;

/// The requests of one connection.
#[derive(Debug)]
pub(crate) struct Activity {
    state: Mutex<State>,
    /// Told when the first request comes.
    first: Notify,
    /// Told when the last request ends.
    rest: Notify,
}

#[derive(Debug)]
struct State {
    /// Whether there ever was a request.
    began: bool,
    /// Requests without a whole answer.
    active: usize,
    /// Of these, the ones whose client has to read before more can be sent.
    unread: usize,
    /// When something was last received or sent.
    moved: Instant,
}

/// A request until its answer is sent or given up.
#[derive(Debug)]
pub(crate) struct Active {
    activity: Arc<Activity>,
    unread: bool,
}

/// Why a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overdue {
    /// No request came in time.
    Silent,
    /// No further request came in time.
    Idle,
    /// The client does not read.
    Unread,
}

/// How long each may last.
#[derive(Debug, Clone, Copy)]
struct Limits {
    silent: Duration,
    idle: Duration,
    unread: Duration,
}

impl Activity {
    pub(crate) fn new() -> Arc<Self> {
        let now = Instant::now();
        let state = Mutex::new(State { began: false, active: 0, unread: 0, moved: now });
        Arc::new(Self { state, first: Notify::new(), rest: Notify::new() })
    }

    /// A request has come.
    pub(crate) fn begin(self: &Arc<Self>) -> Active {
        let mut state = self.lock();
        if !std::mem::replace(&mut state.began, true) {
            self.first.notify_waiters();
        }
        state.active += 1;
        state.moved = Instant::now();
        Active { activity: Arc::clone(self), unread: false }
    }

    /// Returns when the connection should be closed.
    pub(crate) async fn overdue(&self, config: &Config) -> Overdue {
        let limits = Limits {
            silent: Duration::from_secs(config.header_timeout_s),
            idle: Duration::from_secs(config.idle_timeout_s),
            unread: Duration::from_secs(config.write_timeout_s),
        };
        let shortest = limits.silent.min(limits.idle).min(limits.unread);
        loop {
            if let Some(overdue) = self.lock().overdue(limits, Instant::now()) {
                return overdue;
            }
            sleep((shortest / 4).max(Duration::from_millis(50))).await;
        }
    }

    /// Returns when there was a request, or none came within `limit`.
    pub(crate) async fn began(&self, limit: Duration) {
        let first = self.first.notified();
        if !self.lock().began {
            drop(timeout(limit, first).await);
        }
    }

    /// Returns when there is no request.
    pub(crate) async fn rested(&self) {
        loop {
            let told = self.rest.notified();
            if self.lock().active == 0 {
                return;
            }
            told.await;
        }
    }

    // A poisoned state is still whole: nothing panics between two of its changes.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn overdue(&self, limits: Limits, now: Instant) -> Option<Overdue> {
        let still = now.duration_since(self.moved);
        if !self.began {
            return (still >= limits.silent).then_some(Overdue::Silent);
        }
        if self.active == 0 {
            return (still >= limits.idle).then_some(Overdue::Idle);
        }
        (self.unread > 0 && still >= limits.unread).then_some(Overdue::Unread)
    }
}

impl Active {
    /// More of the answer is asked for: the client has read what there was.
    pub(crate) fn asked(&mut self) {
        let mut state = self.activity.lock();
        state.unread -= usize::from(std::mem::take(&mut self.unread));
    }

    /// A part of the answer is given: it is the client's turn.
    pub(crate) fn gave(&mut self) {
        let mut state = self.activity.lock();
        state.unread += usize::from(!std::mem::replace(&mut self.unread, true));
        state.moved = Instant::now();
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        let mut state = self.activity.lock();
        state.unread -= usize::from(self.unread);
        state.active -= 1;
        state.moved = Instant::now();
        if state.active == 0 {
            self.activity.rest.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        silent: Duration::from_secs(10),
        idle: Duration::from_mins(1),
        unread: Duration::from_secs(20),
    };

    #[track_caller]
    fn check(activity: &Activity, after_s: u64, want: Option<Overdue>) {
        let state = activity.lock();
        assert_eq!(state.overdue(LIMITS, state.moved + Duration::from_secs(after_s)), want);
    }

    #[test]
    fn a_connection_without_a_request_ends() {
        let activity = Activity::new();
        check(&activity, 9, None);
        check(&activity, 10, Some(Overdue::Silent));
    }

    #[test]
    fn a_connection_between_requests_is_kept_a_while() {
        let activity = Activity::new();
        drop(activity.begin());
        check(&activity, 59, None);
        check(&activity, 60, Some(Overdue::Idle));
    }

    #[test]
    fn an_answer_that_nobody_reads_ends_the_connection_and_a_quiet_stream_does_not() {
        let activity = Activity::new();
        let mut quiet = activity.begin();
        quiet.gave();
        quiet.asked();
        check(&activity, 3_600, None);
        let mut stuck = activity.begin();
        stuck.gave();
        check(&activity, 19, None);
        check(&activity, 20, Some(Overdue::Unread));
        drop(stuck);
        check(&activity, 3_600, None);
    }
}
