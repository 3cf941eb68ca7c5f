//! Background work.

use std::time::Duration;

use openframe_fault::chain;
use openframe_webhook::Webhooks;
use tokio_util::sync::CancellationToken;

use crate::app::{Round, Stream};
use crate::{Auth, Error};

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

/// How often the audit trail is looked at for whether a checkpoint is due.
const CHECK_EVERY: Duration = Duration::from_secs(10);

/// Makes checkpoints of the audit trail, until told to stop.
pub(crate) async fn make_checkpoints(app: Auth, stop: CancellationToken) {
    loop {
        match app.checkpoint(false).await {
            Ok(_) => {}
            // Nothing a restart would mend: somebody has to look, and is told until then.
            Err(error @ Error::Tampered(_)) => tracing::error!("{error}"),
            Err(error) => tracing::warn!("no checkpoint for now: {}", chain(&error)),
        }
        if stop.run_until_cancelled(tokio::time::sleep(CHECK_EVERY)).await.is_none() {
            return;
        }
    }
}

/// How long until the trail, the outbox or what clients are to hear is looked at again, when all was sent.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long until it is asked again whether another replica sends.
const ASK_EVERY: Duration = Duration::from_secs(3);

/// Tells clients that sessions have ended, until told to stop.
pub(crate) async fn tell_logouts(app: Auth, webhooks: Webhooks, stop: CancellationToken) {
    // What is cut off is told by whoever takes it next.
    while let Some(round) = stop.run_until_cancelled(app.tell_logouts(&webhooks)).await {
        if !rested(round, "clients are not told of logouts for now", &stop).await {
            return;
        }
    }
}

/// Sends mail as it is due, until told to stop.
pub(crate) async fn send_mail(app: Auth, stop: CancellationToken) {
    // A letter under way is not cut off: it would be sent once more.
    while rested(app.send_mail().await, "mail waits", &stop).await {}
}

/// Waits for the next round of what waits in the store: not at all where this one says that there may be
/// more. `trouble` is what its failure means. `false` when told to stop.
async fn rested(round: Result<bool, Error>, trouble: &str, stop: &CancellationToken) -> bool {
    let wait = match round {
        Ok(true) => Duration::ZERO,
        Ok(false) => LOOK_EVERY,
        Err(error) => {
            tracing::warn!("{trouble}: {}", chain(&error));
            ASK_EVERY
        }
    };
    stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_some()
}

/// Sends the audit trail to one destination, until told to stop.
pub(crate) async fn stream(app: Auth, mut stream: Stream, stop: CancellationToken) {
    loop {
        // A batch that is cut off is sent again by whoever goes on.
        let round = stop.run_until_cancelled(app.stream(&mut stream)).await;
        let Some(round) = round else { break };
        let wait = match round {
            Ok(Round::More) => Duration::ZERO,
            Ok(Round::Idle) => LOOK_EVERY,
            Ok(Round::Elsewhere) => ASK_EVERY,
            Err(error) => {
                let name = stream.name();
                tracing::warn!("the audit trail is not sent to {name}: {}", chain(&error));
                stream.wait()
            }
        };
        if stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
            break;
        }
    }
    if let Err(error) = app.resign(&mut stream).await {
        tracing::debug!("another replica sends the audit trail later: {error}");
    }
}
