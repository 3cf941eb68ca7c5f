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
