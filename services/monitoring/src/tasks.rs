//! Background loops.

use std::collections::HashSet;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use crate::app::Monitoring;
use crate::store::alerts::StoreError;

/// Looks after the log until told to stop.
pub(crate) async fn upkeep(app: Monitoring, interval: Duration, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut trouble = Trouble::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        // Said once; the state is in `ready`.
        if let Some(why) = trouble.begins(app.upkeep().await) {
            tracing::error!("the telemetry log fails: {why}");
        }
    }
}

/// Whether the last round failed: of many that do, the first is worth a word.
#[derive(Debug, Default)]
struct Trouble(bool);

impl Trouble {
    /// Why a round failed, if the one before it did not.
    fn begins<T, E: std::error::Error + 'static>(&mut self, round: Result<T, E>) -> Option<String> {
        let known = std::mem::replace(&mut self.0, round.is_err());
        round.err().filter(|_| !known).map(|error| openframe_fault::chain(&error))
    }
}

/// How often the logs of other replicas are looked at, whatever they tell.
const FOLLOW_EVERY: Duration = Duration::from_millis(250);
/// How often replicas agree on who decides about alerts.
const AGREE_EVERY: Duration = Duration::from_secs(1);

/// Takes in what other replicas store until told to stop.
pub(crate) async fn follow(app: Monitoring, stop: CancellationToken) {
    let mut trouble = Trouble::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(FOLLOW_EVERY) => {}
            () = app.something_to_read() => {}
        }
        let Some(read) = stop.run_until_cancelled(app.follow()).await else { return };
        if let Some(why) = trouble.begins(read) {
            tracing::warn!("what other replicas store is not read: {why}");
        }
    }
}

/// Agrees with other replicas on who decides about alerts, and on what was decided, until told to
/// stop.
pub(crate) async fn agree(app: Monitoring, stop: CancellationToken) {
    let mut trouble = Trouble::default();
    while stop.run_until_cancelled(tokio::time::sleep(AGREE_EVERY)).await.is_some() {
        if let Some(why) = trouble.begins(app.agree().await) {
            tracing::warn!("alerts wait: {why}");
        }
    }
    if let Err(error) = app.resign().await {
        tracing::debug!("another replica decides about alerts later: {error}");
    }
}

/// How long a failed delivery may wait beyond its time.
const LOOK: Duration = Duration::from_secs(1);
/// Channels that are served at the same time.
const CHANNELS_AT_ONCE: usize = 64;

/// Looks at the rules at fixed instants until told to stop. One that passes while a round goes on
/// is left out.
pub(crate) async fn evaluate(app: Monitoring, stop: CancellationToken) {
    loop {
        let (at_ms, wait) = app.next_look();
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
        // A round that is cut off has kept each change or not.
        tokio::select! {
            () = stop.cancelled() => return,
            () = app.evaluate_rules(at_ms) => {}
        }
    }
}

/// Delivers notifications until told to stop, each channel's for itself: one that is slow keeps no
/// other waiting. One that is cut off on its way is sent again after the next start, with the same
/// key.
pub(crate) async fn deliver(app: Monitoring, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut busy, mut sending) = (HashSet::new(), FuturesUnordered::new());
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = app.something_to_tell() => {}
            _ = ticks.tick() => {}
            Some((channel, sent)) = sending.next() => {
                busy.remove(&channel);
                complain(sent);
            }
        }
        match app.due().await {
            Ok(due) => {
                for one in due {
                    if busy.len() < CHANNELS_AT_ONCE && busy.insert(one.channel) {
                        let app = app.clone();
                        sending.push(async move { (one.channel, app.try_one(one).await) });
                    }
                }
            }
            Err(error) => complain(Err(error)),
        }
    }
}

fn complain(result: Result<(), StoreError>) {
    if let Err(error) = result {
        tracing::warn!("notifications wait: {}", openframe_fault::chain(&error));
    }
}
