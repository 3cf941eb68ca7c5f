//! What goes on in the background. Each loop survives a failed round and ends when told to.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::App;

/// How often other replicas are told what is new.
const TELL_EVERY: Duration = Duration::from_millis(250);

#[derive(Debug, Clone, Copy)]
enum Chore {
    Presence,
    LastSeen,
    Expiry,
    Siblings,
    Reread,
}

/// Starts every loop.
pub(crate) fn spawn(app: &App, tasks: &TaskTracker, stop: &CancellationToken) {
    let config = &app.config;
    let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds.max(1)));
    for (chore, every) in [
        (Chore::Presence, seconds(config.presence_interval_s)),
        (Chore::LastSeen, seconds(config.last_seen_interval_s)),
        (Chore::Expiry, seconds(config.expiry_interval_s)),
        (Chore::Siblings, TELL_EVERY),
        (Chore::Reread, seconds(config.reread_interval_s)),
    ] {
        tasks.spawn(rounds(app.clone(), chore, every, stop.clone()));
    }
}

async fn rounds(app: App, chore: Chore, every: Duration, stop: CancellationToken) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        round(&app, chore).await;
    }
    // What is known in memory only is written, or told, before the process ends.
    if matches!(chore, Chore::LastSeen | Chore::Siblings) {
        round(&app, chore).await;
    }
}

async fn round(app: &App, chore: Chore) {
    let done = match chore {
        Chore::Presence => {
            app.push_again();
            app.look_at_presence().await
        }
        Chore::LastSeen => app.save_last_seen().await,
        Chore::Expiry => app.expire().await,
        Chore::Siblings => {
            app.siblings.tell().await;
            Ok(())
        }
        Chore::Reread => app.reread().await,
    };
    if let Err(error) = done {
        tracing::warn!(chore = ?chore, "a background round failed: {}", openframe_fault::chain(&error));
    }
}
