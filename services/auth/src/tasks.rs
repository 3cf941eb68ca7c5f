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
