//! Background work.

use std::time::Duration;

use openframe_fault::chain;
use tokio_util::sync::CancellationToken;

use crate::Auth;

/// Forgets ended sessions now and then, until told to stop.
pub(crate) async fn clean_up(app: Auth, every: Duration, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(every)).await.is_some() {
        match app.clean_up().await {
            Ok(0) => {}
            Ok(cleaned) => {
                app.metrics.sessions_cleaned.inc_by(cleaned);
                tracing::debug!(cleaned, "forgot {cleaned} ended sessions");
            }
            Err(error) => tracing::warn!("ended sessions stay for now: {}", chain(&error)),
        }
    }
}

/// How often refusals are looked at that wait to be told together.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Puts counted refusals on the audit trail, until told to stop.
pub(crate) async fn tell_refusals(app: Auth, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(TELL_EVERY)).await.is_some() {
        app.tell_refusals(false).await;
    }
}
