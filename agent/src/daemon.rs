//! The loop that keeps a device connected and measured.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use openframe_agent_api::link::Snapshot;
use openframe_agent_api::table;
use openframe_clock::Clock;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::collect::Collectors;
use crate::commands::{Parts, Runner};
use crate::config::Config;
use crate::credentials::Credentials;
use crate::link::backoff::{Backoff, spread};
use crate::link::connection::{Ended, Line, Socket, drive, lock, open};
use crate::link::disk::DiskOutbox;
use crate::link::session::Action;
use crate::net::Server;
use crate::state::Folder;
use crate::status::{self, LinkState};
use crate::time::PlatformTime;
use crate::{Error, facts, inventory, renewal};

/// Seconds between two snapshots until the platform says another number.
const INTERVAL_S: u32 = 10;
/// The first connect of all is waited for so long before anything is measured.
const FIRST_CONNECT: Duration = Duration::from_secs(30);
/// A device that was retired asks so rarely whether that still holds.
const RETIRED_WAIT: Duration = Duration::from_hours(1);
/// The journal of commands is looked after so often.
const KEEP_HOUSE_EVERY: Duration = Duration::from_mins(10);
/// Commands have so long to end when the agent stops.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// What the tasks share.
#[derive(Debug, Clone)]
struct Shared {
    folder: Folder,
    config: Config,
    /// The device's clock: what the link measures.
    clock: Clock,
    time: PlatformTime,
    outbox: Arc<Mutex<DiskOutbox>>,
    wake: Arc<Notify>,
    interval_s: Arc<AtomicU32>,
    connected: Arc<Notify>,
}

/// Runs until `stop`.
pub async fn run(folder: &Folder, clock: &Clock, stop: &CancellationToken) -> Result<(), Error> {
    let _lock = folder.lock()?;
    let config = Config::read(folder)?;
    let identity = folder.identity()?.ok_or(Error::NotEnrolled)?;
    let server = Server::read(&identity.server)?.behind(config.proxy_ca.clone());
    let time = PlatformTime::open(folder, clock)?;
    let now_ms = time.now().as_millisecond();
    let outbox = DiskOutbox::open(folder, config.ring_bytes, now_ms)?;
    let shared = Shared {
        folder: folder.clone(),
        config,
        clock: clock.clone(),
        time,
        outbox: Arc::new(Mutex::new(outbox)),
        wake: Arc::default(),
        interval_s: Arc::new(AtomicU32::new(INTERVAL_S)),
        connected: Arc::default(),
    };
    let runner = Runner::open(shared.parts(stop))?;
    runner.recover();
    let platform_clock = shared.time.clock();
    sd_notify::notify(&[sd_notify::NotifyState::Ready]).ok();
    tokio::select! {
        () = stay_connected(&shared, &server, &runner, stop) => {}
        () = measure(&shared) => {}
        () = renewal::keep(folder, &server, &platform_clock) => {}
        () = take_stock(&shared) => {}
        () = keep_house(&runner) => {}
    }
    sd_notify::notify(&[sd_notify::NotifyState::Stopping]).ok();
    if tokio::time::timeout(STOP_LIMIT, runner.ended()).await.is_err() {
        tracing::warn!("commands did not end in time");
    }
    status::note(folder, LinkState::Stopped, &platform_clock);
    lock(&shared.outbox).close()
}

impl Shared {
    fn parts(&self, stop: &CancellationToken) -> Parts {
        Parts {
            folder: self.folder.clone(),
            config: self.config.clone(),
            outbox: Arc::clone(&self.outbox),
            wake: Arc::clone(&self.wake),
            clock: self.time.clock(),
            stop: stop.clone(),
        }
    }
}

async fn stay_connected(
    shared: &Shared,
    server: &Server,
    runner: &Runner,
    stop: &CancellationToken,
) {
    let mut backoff = Backoff::default();
    while !stop.is_cancelled() {
        let connecting = Box::pin(connect(shared, server));
        let Some(connected) = stop.run_until_cancelled(connecting).await else { return };
        let wait = match connected {
            Err(error) => failed(shared, &error, &mut backoff),
            Ok(socket) => {
                let (clock, outbox, wake) = (&shared.clock, &*shared.outbox, &*shared.wake);
                let line = Line { server, clock, outbox, wake, stop };
                let hello = facts::hello(clock, &shared.config);
                let ended = drive(socket, hello, &line, |action| {
                    act(shared, runner, &mut backoff, action);
                });
                match ended.await {
                    Ended::Stopped => return,
                    Ended::Drained(within) => spread(within),
                    Ended::Retired => failed(shared, &Error::Retired, &mut backoff),
                    Ended::Lost(error) => failed(shared, &error, &mut backoff),
                }
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Notes a failure; returns how long to wait.
fn failed(shared: &Shared, error: &Error, backoff: &mut Backoff) -> Duration {
    // Told by a close frame or, when it happened while this was away, by the refusal of the link.
    let error = if error.is_retired() { &Error::Retired } else { error };
    let why = openframe_fault::chain(error);
    tracing::warn!("not connected: {why}");
    status::note(&shared.folder, LinkState::Disconnected { why }, &shared.time.clock());
    if error.is_retired() {
        // For ever, as far as anybody knows. It is asked again because people make mistakes.
        return RETIRED_WAIT / 2 + spread(RETIRED_WAIT / 2);
    }
    backoff.next_wait()
}

/// Does what the platform asks for.
fn act(shared: &Shared, runner: &Runner, backoff: &mut Backoff, action: Action) {
    match action {
        Action::Welcomed { offset_ms, snapshot_interval_s } => {
            tracing::info!(offset_ms, "connected");
            // Only now does the connection count: a platform that accepts and closes is left alone.
            backoff.reset();
            shared.time.measured(offset_ms);
            shared.interval_s.store(snapshot_interval_s, Ordering::Relaxed);
            shared.connected.notify_one();
            status::note(&shared.folder, LinkState::Connected { offset_ms }, &shared.time.clock());
        }
        Action::Run(command) => runner.run(*command),
        Action::Cancel(id) => runner.cancel(&id),
        // The connection ends with it.
        Action::Drain(_) => {}
    }
}

/// Connects with the certificate that is kept now.
async fn connect(shared: &Shared, server: &Server) -> Result<Socket, Error> {
    let identity = shared.folder.identity()?.ok_or(Error::NotEnrolled)?;
    let (key, clock) = (shared.folder.key()?, shared.time.clock());
    let opened = open(server, Credentials::of(server, &identity, &key, &clock)?).await;
    if let Err(Error::ClockOff(there)) = &opened {
        // The next try signs by the platform's time. No link has measured it better yet.
        let ahead = there.duration_since(shared.clock.now()).as_millis();
        shared.time.measured(i64::try_from(ahead).unwrap_or_default());
    }
    opened
}

/// Takes a snapshot at each interval. Before anything is known of the platform's time it waits a
/// little: what was stamped wrongly stays so.
async fn measure(shared: &Shared) {
    tokio::time::timeout(FIRST_CONNECT, shared.time.known()).await.ok();
    let mut collectors = Collectors::new(&shared.config.without_collectors);
    loop {
        let interval = Duration::from_secs(shared.interval_s.load(Ordering::Relaxed).into());
        let due = tokio::time::Instant::now() + interval;
        let figures = {
            let outbox = lock(&shared.outbox);
            (outbox.ring().bytes(), outbox.ring().dropped(), outbox.ring().lost())
        };
        let (series, values) = collectors.collect(figures);
        let snapshot = Snapshot {
            time_ms: shared.time.now().as_millisecond(),
            table_hash: table::hash(&series),
            table: None,
            values: table::pack(&values).into(),
        };
        let kept = lock(&shared.outbox).keep(snapshot, &series);
        if let Err(error) = kept {
            lock(&shared.outbox).note_lost();
            tracing::warn!("a snapshot is lost: {}", openframe_fault::chain(&error));
        }
        shared.wake.notify_one();
        tokio::time::sleep_until(due).await;
    }
}

/// Looks at the inventory at each interval, and after each connect if that is not too soon.
async fn take_stock(shared: &Shared) {
    let interval = Duration::from_secs(shared.config.inventory_interval_s);
    let clock = shared.time.clock();
    loop {
        if let Err(error) = inventory::report(&shared.folder, &shared.outbox, &clock).await {
            tracing::warn!("no inventory: {}", openframe_fault::chain(&error));
        }
        shared.wake.notify_one();
        tokio::time::sleep(inventory::SOONEST.min(interval)).await;
        tokio::select! {
            () = tokio::time::sleep(interval.saturating_sub(inventory::SOONEST)) => {}
            () = shared.connected.notified() => {}
        }
    }
}

/// Looks after the journal of commands: what could not be told or forgotten before.
async fn keep_house(runner: &Runner) {
    loop {
        tokio::time::sleep(KEEP_HOUSE_EVERY).await;
        runner.keep_house();
    }
}
