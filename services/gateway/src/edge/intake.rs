//! Bodies on their way in: how large one may be, how long it may take, and how much memory all
//! may take together.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::StatusCode;
use openframe_fault::{Fault, body};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Config;
use crate::routes::Size;

/// Bytes of one permit.
const UNIT: usize = 1 << 10;
/// What comes from nobody known may take this part of the memory: it must not keep out the rest.
const OPEN_PART: usize = 4;
/// Telemetry writes that a service works on at the same time at most.
const WRITES_AT_ONCE: usize = 8;
/// How long a write that is here waits for its turn.
const WRITE_WAIT: Duration = Duration::from_secs(5);
/// When to come back.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The memory of all bodies.
pub(crate) struct Intake {
    all: Arc<Semaphore>,
    open: Arc<Semaphore>,
    writes: Arc<Semaphore>,
    write_wait: Duration,
}

/// A body, and what it holds until the service has answered.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) bytes: Bytes,
    pub(super) held: Held,
}

/// Memory and turns, given back when this is dropped.
#[derive(Debug, Default)]
pub(super) struct Held {
    memory: [Option<OwnedSemaphorePermit>; 2],
    turn: Option<OwnedSemaphorePermit>,
}

impl Intake {
    pub(crate) fn new(config: &Config) -> Self {
        let units = (config.bodies_bytes / UNIT).clamp(1, Semaphore::MAX_PERMITS);
        let semaphore = |permits: usize| Arc::new(Semaphore::new(permits.max(1)));
        Self {
            all: semaphore(units),
            open: semaphore(units / OPEN_PART),
            writes: semaphore(WRITES_AT_ONCE),
            write_wait: WRITE_WAIT,
        }
    }

    /// Reads a body. `open` says that nobody known sends it. Memory is taken as it arrives, so a
    /// body that trickles holds what has arrived and nothing else.
    pub(super) async fn read(
        &self,
        config: &Config,
        (size, open): (Size, bool),
        content: Body,
    ) -> Result<Taken, Fault> {
        let mut held = Held::default();
        let reading = body::read_counted(content, config.limit(size), |bytes| {
            held.grow(0, &self.all, bytes)?;
            if open { held.grow(1, &self.open, bytes) } else { Ok(()) }
        });
        let late = || {
            Fault::invalid("body_too_slow", "the body did not arrive in time")
                .with_status(StatusCode::REQUEST_TIMEOUT)
        };
        let limit = config.body_timeout();
        let bytes = tokio::time::timeout(limit, reading).await.map_err(|_| late())??;
        if size == Size::Write {
            let turn = Arc::clone(&self.writes).acquire_owned();
            let turn = tokio::time::timeout(self.write_wait, turn).await.map_err(|_| busy())?;
            held.turn = turn.ok();
        }
        Ok(Taken { bytes, held })
    }
}

impl Held {
    fn grow(&mut self, part: usize, from: &Arc<Semaphore>, bytes: usize) -> Result<(), Fault> {
        let Some(memory) = self.memory.get_mut(part) else { return Ok(()) };
        let have = memory.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = u32::try_from(bytes.div_ceil(UNIT).saturating_sub(have)).unwrap_or(u32::MAX);
        let taken = Arc::clone(from).try_acquire_many_owned(more).map_err(|_| busy())?;
        match memory {
            Some(memory) => memory.merge(taken),
            None => *memory = Some(taken),
        }
        Ok(())
    }
}

fn busy() -> Fault {
    Fault::unavailable("busy", "too much is being sent at the moment; try again")
        .retry_after(RETRY_AFTER)
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    fn config() -> Config {
        Config { bodies_bytes: 64 << 10, ..Config::default() }
    }

    fn sized(bytes: usize) -> Body {
        Body::from(vec![0; bytes])
    }

    /// A body that sends `bytes` and then nothing, without an end.
    fn stuck(bytes: usize) -> Body {
        let first =
            stream::once(async move { Ok::<_, std::io::Error>(Bytes::from(vec![0; bytes])) });
        Body::from_stream(futures::StreamExt::chain(first, stream::pending()))
    }

    async fn read(intake: &Intake, what: (Size, bool), body: Body) -> Result<Taken, Fault> {
        intake.read(&config(), what, body).await
    }

    #[tokio::test]
    async fn a_body_over_its_routes_limit_is_refused() {
        let intake = Intake::new(&Config::default());
        for (size, limit) in
            [(Size::Small, 64 << 10), (Size::Usual, 1 << 20), (Size::Write, 4 << 20)]
        {
            let config = Config::default();
            assert!(intake.read(&config, (size, false), sized(limit)).await.is_ok());
            let refused = intake.read(&config, (size, false), sized(limit + 1)).await.unwrap_err();
            assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
        }
    }

    #[tokio::test]
    async fn all_bodies_share_the_memory_and_strangers_a_quarter_of_it() {
        let intake = Intake::new(&config());
        let stranger = read(&intake, (Size::Small, true), sized(16 << 10)).await.unwrap();
        let refused = read(&intake, (Size::Small, true), sized(1)).await.unwrap_err();
        assert_eq!((refused.code(), refused.status().as_u16()), ("busy", 503));
        let known = read(&intake, (Size::Usual, false), sized(48 << 10)).await.unwrap();
        assert!(read(&intake, (Size::Usual, false), sized(1)).await.is_err());
        drop(known);
        assert!(read(&intake, (Size::Usual, false), sized(48 << 10)).await.is_ok());
        drop(stranger);
        assert!(read(&intake, (Size::Small, true), sized(16 << 10)).await.is_ok());
    }

    #[tokio::test]
    async fn a_body_that_does_not_end_is_given_up_and_gives_its_memory_back() {
        let intake = Intake::new(&config());
        let hasty = Config { body_timeout_s: 0, ..config() };
        let slow = intake.read(&hasty, (Size::Usual, false), stuck(60 << 10));
        let late = slow.await.unwrap_err();
        assert_eq!(late.status(), StatusCode::REQUEST_TIMEOUT);
        assert!(read(&intake, (Size::Usual, false), sized(64 << 10)).await.is_ok());
    }

    #[tokio::test]
    async fn a_write_that_trickles_takes_no_turn_and_one_without_a_turn_may_come_back() {
        let intake = Intake { write_wait: Duration::ZERO, ..Intake::new(&config()) };
        let mut slow: Vec<_> = (0..WRITES_AT_ONCE)
            .map(|_| Box::pin(read(&intake, (Size::Write, false), stuck(1))))
            .collect();
        for one in &mut slow {
            assert!(futures::poll!(one).is_pending());
        }
        let mut turns = Vec::new();
        for _ in 0..WRITES_AT_ONCE {
            turns.push(read(&intake, (Size::Write, false), sized(1)).await.unwrap());
        }
        let refused = read(&intake, (Size::Write, false), sized(1)).await.unwrap_err();
        assert_eq!((refused.code(), refused.status().as_u16()), ("busy", 503));
        turns.clear();
        assert!(read(&intake, (Size::Write, false), sized(1)).await.is_ok());
    }
}
