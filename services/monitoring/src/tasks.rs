//! Background loops.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::app::Monitoring;

/// Looks after the log until told to stop.
pub(crate) async fn upkeep(app: Monitoring, interval: Duration, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut said = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        match app.upkeep().await {
            Ok(()) => said = false,
            Err(error) if !said => {
                tracing::error!("the telemetry log fails: {}", openframe_fault::chain(&error));
                said = true;
            }
            // Said once; the state is in `ready`.
            Err(_) => {}
        }
    }
}

/// How long a failed delivery may wait beyond its time.
const LOOK: Duration = Duration::from_secs(1);

/// Evaluates the rules until told to stop. Nothing is evaluated while a round takes longer than the
/// interval: the next one begins when it is over.
pub(crate) async fn evaluate(app: Monitoring, interval: Duration, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        // A round that is cut off has kept each change or not.
        tokio::select! {
            () = stop.cancelled() => return,
            () = app.evaluate_rules() => {}
        }
    }
}

/// Delivers notifications until told to stop. One that is cut off on its way is sent again after
/// the next start, with the same key.
pub(crate) async fn deliver(app: Monitoring, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = app.something_to_tell() => {}
            _ = ticks.tick() => {}
        }
        let delivered = tokio::select! {
            () = stop.cancelled() => return,
            delivered = app.deliver() => delivered,
        };
        if let Err(error) = delivered {
            tracing::warn!("notifications wait: {}", openframe_fault::chain(&error));
        }
    }
}
