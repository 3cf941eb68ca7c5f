//! The platform's time, on a device whose own clock may be wrong and may jump.
//!
//! Each connect measures how far the platform is ahead. From then on the time goes by how long the
//! machine is up, which nobody can set, so that a clock that is corrected meanwhile moves nothing.
//! The measure is kept on disk: an agent that starts without a connection stamps rightly as well.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use openframe_clock::Clock;
use procfs::Current as _;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::Error;
use crate::link::connection::lock;
use crate::state::Folder;

const FILE: &str = "clock.json";
/// A clock that is off by no more is right: the way of the question and the answer takes as long.
const RIGHT_MS: i64 = 2_000;

/// What one connect measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Measured {
    /// The platform is so far ahead of the device's clock.
    offset_ms: i64,
    /// The boot that the next field belongs to.
    boot_id: String,
    /// The platform's time when the machine's uptime was zero.
    booted_ms: Option<i64>,
}

/// The platform's time. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PlatformTime(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: Folder,
    device: Clock,
    uptime_ms: fn() -> Option<i64>,
    boot_id: String,
    measured: Mutex<Option<Measured>>,
    known: watch::Sender<bool>,
}

impl PlatformTime {
    /// What was measured last, or the device's own time when nothing ever was.
    pub fn open(folder: &Folder, device: &Clock) -> Result<Self, Error> {
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
        Self::open_in(folder, device, (boot_id.unwrap_or_default(), uptime_ms))
    }

    fn open_in(
        folder: &Folder,
        device: &Clock,
        (boot_id, uptime_ms): (String, fn() -> Option<i64>),
    ) -> Result<Self, Error> {
        let measured: Option<Measured> = folder.read_json(FILE)?;
        let (known, _) = watch::channel(measured.is_some());
        let (folder, device) = (folder.clone(), device.clone());
        let measured = Mutex::new(measured);
        Ok(Self(Arc::new(Inner { folder, device, uptime_ms, boot_id, measured, known })))
    }

    /// A connect has measured how far the platform is ahead of the device's clock.
    pub fn measured(&self, offset_ms: i64) {
        let inner = &*self.0;
        let offset_ms = if offset_ms.abs() <= RIGHT_MS { 0 } else { offset_ms };
        let now_ms = inner.device.now().as_millisecond().saturating_add(offset_ms);
        let booted_ms = (inner.uptime_ms)().map(|uptime| now_ms.saturating_sub(uptime));
        let new = Measured { offset_ms, boot_id: inner.boot_id.clone(), booted_ms };
        let kept = lock(&inner.measured).replace(new.clone());
        inner.known.send_replace(true);
        // Written only when it tells something new: connections come and go.
        let same = |old: Measured| {
            let moved = old.booted_ms.zip(new.booted_ms).map(|(a, b)| a.abs_diff(b));
            old.boot_id == new.boot_id
                && old.offset_ms.abs_diff(new.offset_ms) < RIGHT_MS.unsigned_abs()
                && moved.is_some_and(|moved| moved < RIGHT_MS.unsigned_abs())
        };
        if kept.is_some_and(same) {
            return;
        }
        if let Err(error) = inner.folder.write_json(FILE, &new) {
            tracing::warn!("cannot keep the clock's offset: {}", openframe_fault::chain(&error));
        }
    }

    /// The platform's time now, as far as it is known.
    pub fn now(&self) -> Timestamp {
        let inner = &*self.0;
        let own_ms = inner.device.now().as_millisecond();
        let measured = lock(&inner.measured);
        let Some(measured) = &*measured else { return inner.device.now() };
        let booted_ms = measured.booted_ms.filter(|_| measured.boot_id == inner.boot_id);
        let by_uptime =
            booted_ms.zip((inner.uptime_ms)()).map(|(boot, up)| boot.saturating_add(up));
        let now_ms = by_uptime.unwrap_or_else(|| own_ms.saturating_add(measured.offset_ms));
        Timestamp::from_millisecond(now_ms).unwrap_or_else(|_| inner.device.now())
    }

    /// It as a clock.
    pub fn clock(&self) -> Clock {
        let this = self.clone();
        Clock::by(move || this.now())
    }

    /// Waits until anything was ever measured.
    pub async fn known(&self) {
        // The sender lives as long as this, so the wait cannot fail.
        self.0.known.subscribe().wait_for(|known| *known).await.ok();
    }
}

/// How long the machine is up, time asleep included.
fn uptime_ms() -> Option<i64> {
    let uptime = procfs::Uptime::current().ok()?.uptime_duration();
    i64::try_from(uptime.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use openframe_clock::ManualClock;

    use super::*;

    fn open(folder: &Folder, device: &Clock, boot: &str, up: fn() -> Option<i64>) -> PlatformTime {
        PlatformTime::open_in(folder, device, (boot.to_owned(), up)).unwrap()
    }

    #[test]
    fn a_wrong_clock_is_corrected_and_may_jump() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let hand = ManualClock::new(Timestamp::UNIX_EPOCH);
        let device = hand.clock();
        let time = open(&folder, &device, "a", || Some(7_000));
        assert_eq!(time.now().as_millisecond(), 0, "nothing is known yet");
        time.measured(-600_000);
        assert_eq!(time.now().as_millisecond(), -600_000);
        hand.advance(SignedDuration::from_mins(-10));
        assert_eq!(time.now().as_millisecond(), -600_000, "the clock was set, no time went by");
        // After a crash of the agent, in the same boot and in the next.
        let time = open(&folder, &device, "a", || Some(9_000));
        assert_eq!(time.now().as_millisecond(), -598_000);
        let time = open(&folder, &device, "b", || Some(1_000));
        assert_eq!(time.now().as_millisecond(), -1_200_000, "the clock and the last offset");
    }

    #[test]
    fn a_right_clock_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let device = ManualClock::new(Timestamp::UNIX_EPOCH).clock();
        let time = open(&folder, &device, "a", || None);
        time.measured(RIGHT_MS);
        assert_eq!(time.now().as_millisecond(), 0);
    }
}
