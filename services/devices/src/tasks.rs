//! What goes on in the background. Each loop survives a failed round and ends when told to.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::App;

#[derive(Debug, Clone, Copy)]
enum Chore {
    Presence,
    LastSeen,
    Expiry,
}

/// Starts every loop.
pub(crate) fn spawn(app: &App, tasks: &TaskTracker, stop: &CancellationToken) {
    let config = &app.config;
    for (chore, seconds) in [
        (Chore::Presence, config.presence_interval_s),
        (Chore::LastSeen, config.last_seen_interval_s),
        (Chore::Expiry, config.expiry_interval_s),
    ] {
        let every = Duration::from_secs(u64::from(seconds.max(1)));
        tasks.spawn(rounds(app.clone(), chore, every, stop.clone()));
    }
}

async fn rounds(app: App, chore: Chore, every: Duration, stop: CancellationToken) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        round(&app, chore).await;
    }
    // What is known in memory only is written before the process ends.
    if matches!(chore, Chore::LastSeen) {
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
    };
    if let Err(error) = done {
        tracing::warn!(chore = ?chore, "a background round failed: {}", openframe_fault::chain(&error));
    }
}
