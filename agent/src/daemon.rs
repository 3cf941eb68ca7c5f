//! The loop that keeps a device connected and measured.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use openframe_agent_api::link::frame::Body;
use openframe_agent_api::link::{Channel, Snapshot};
use openframe_agent_api::table;
use openframe_clock::Clock;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::link::backoff::{Backoff, spread};
use crate::link::connection::{Ended, Line, drive, lock, open};
use crate::link::outbox::MemoryOutbox;
use crate::link::session::Action;
use crate::net::Server;
use crate::state::Folder;
use crate::{Error, collect, enrol, facts};

/// Time between two snapshots until the platform says another.
const INTERVAL: Duration = Duration::from_secs(10);
/// Frames kept for a platform that cannot be reached: a day of them.
const KEPT: usize = 8_640;

/// Runs until `stop`.
pub async fn run(folder: &Folder, clock: &Clock, stop: &CancellationToken) -> Result<(), Error> {
    let _lock = folder.lock()?;
    let identity = folder.identity()?.ok_or(Error::NotEnrolled)?;
    let server = Server::read(&identity.server)?;
    let outbox = Arc::new(Mutex::new(MemoryOutbox::default()));
    let wake = Arc::new(Notify::new());
    let measuring = measure(Arc::clone(&outbox), Arc::clone(&wake), clock.clone());
    let measuring = tokio::spawn(measuring);
    let mut backoff = Backoff::default();
    while !stop.is_cancelled() {
        let wait = match connect(folder, &server, clock).await {
            Err(error) => {
                tracing::warn!("not connected: {}", openframe_fault::chain(&error));
                backoff.next_wait()
            }
            Ok(socket) => {
                backoff.reset();
                let line = Line { server: &server, clock, outbox: &outbox, wake: &wake, stop };
                let ended =
                    drive(socket, facts::hello(clock), &line, |action| welcomed(&action)).await;
                match ended {
                    Ended::Stopped => break,
                    Ended::Drained(within) => spread(within),
                    Ended::Lost(error) => {
                        tracing::warn!("link lost: {}", openframe_fault::chain(&error));
                        backoff.next_wait()
                    }
                }
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.cancelled() => break,
        }
    }
    measuring.abort();
    Ok(())
}

fn welcomed(action: &Action) {
    if let Action::Welcomed { offset_ms, .. } = action {
        tracing::info!(offset_ms, "connected");
    }
}

/// Connects with the certificate in force, renewed first when half of its life is over.
async fn connect(
    folder: &Folder,
    server: &Server,
    clock: &Clock,
) -> Result<crate::link::connection::Socket, Error> {
    let mut identity = folder.identity()?.ok_or(Error::NotEnrolled)?;
    let key = folder.key()?;
    let half = identity.issued + identity.not_after.duration_since(identity.issued) / 2;
    if clock.now() > half {
        identity = enrol::renew(&identity, &key, &facts::hostname(), clock).await?;
        folder.keep_identity(&identity)?;
    }
    open(server, enrol::tls(&identity, &key)?).await
}

/// Takes a snapshot at each interval.
async fn measure(outbox: Arc<Mutex<MemoryOutbox>>, wake: Arc<Notify>, clock: Clock) {
    let mut ticks = tokio::time::interval(INTERVAL);
    loop {
        ticks.tick().await;
        let (series, values) = collect::table(&collect::collect());
        let hash = table::hash(&series);
        let snapshot = Snapshot {
            time_ms: clock.now().as_millisecond(),
            table_hash: hash,
            table: None,
            values: table::pack(&values).into(),
        };
        let mut outbox = lock(&outbox);
        if outbox.len() < KEPT {
            outbox.keep_table(hash, series);
            outbox.push(Channel::Telemetry, Body::Snapshot(snapshot));
        }
        drop(outbox);
        wake.notify_one();
    }
}
