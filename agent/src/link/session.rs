//! The link's protocol without I/O: what to send next, and what a received frame means. The agent
//! and the simulator drive the same code.
//!
//! Laws (tested): every frame of the outbox is sent until it is acknowledged, in order, with the
//! number it got once; acknowledgements may come late, twice or too high.

use std::collections::HashMap;

use openframe_agent_api::link::frame::Body;
use openframe_agent_api::link::{
    Ack, Channel, Command, Frame, Hello, NeedTable, Ping, Snapshot, Welcome,
};

use crate::link::outbox::Outbox;

/// Frames of one channel that are sent ahead of their acknowledgement.
pub const WINDOW: u64 = 64;
/// Without progress for so long, everything unacknowledged is sent again.
pub const RESEND_MS: u64 = 60_000;
/// The heartbeat before the platform has said one.
const HEARTBEAT_MS: u64 = 30_000;

/// One instant on both clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Moment {
    /// The device's clock, Unix milliseconds. May jump.
    pub wall_ms: i64,
    /// Milliseconds since some fixed instant. Never goes back.
    pub mono_ms: u64,
}

/// What a received frame asks of the agent.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// The platform took the connection.
    Welcomed {
        /// The platform's clock is so far ahead of ours.
        offset_ms: i64,
        /// Seconds between snapshots.
        snapshot_interval_s: u32,
    },
    /// Run this.
    Run(Box<Command>),
    /// Stop that.
    Cancel(String),
    /// Connect again after a random wait of at most so many milliseconds.
    Drain(u32),
}

#[derive(Debug, Default)]
struct Lane {
    /// The last one sent, counted down again when frames must be repeated.
    sent: u64,
    /// The highest ever sent on this connection.
    highest: u64,
    acked: u64,
    progress_ms: u64,
}

/// One connection's state. Make a new one for each connection.
#[derive(Debug)]
pub struct Session {
    telemetry: Lane,
    control: Lane,
    /// Tables the platform was sent, with the snapshot that carried each.
    tables: HashMap<u64, u64>,
    welcomed: bool,
    hello_at: Moment,
    heartbeat_ms: u64,
    last_sent_ms: u64,
    last_heard_ms: u64,
    last_ping_ms: u64,
}

impl Session {
    /// Starts a connection: the session, and the first frame to send.
    pub fn open(hello: Hello, now: Moment) -> (Self, Frame) {
        let session = Self {
            telemetry: Lane::default(),
            control: Lane::default(),
            tables: HashMap::new(),
            welcomed: false,
            hello_at: now,
            heartbeat_ms: HEARTBEAT_MS,
            last_sent_ms: now.mono_ms,
            last_heard_ms: now.mono_ms,
            last_ping_ms: now.mono_ms,
        };
        (session, management(Body::Hello(hello)))
    }

    /// The next frame to send now, if any. Control goes before telemetry: a command's answer does
    /// not wait behind a day of samples.
    pub fn next(&mut self, now: Moment, outbox: &mut impl Outbox) -> Option<Frame> {
        if !self.welcomed {
            return None;
        }
        self.repeat_if_stuck(now);
        let frame = self
            .next_of(Channel::Control, now, outbox)
            .or_else(|| self.next_of(Channel::Telemetry, now, outbox))
            .or_else(|| self.ping(now))?;
        self.last_sent_ms = now.mono_ms;
        Some(frame)
    }

    /// Takes a received frame. Frames that mean nothing to an agent are ignored.
    pub fn receive(
        &mut self,
        frame: Frame,
        now: Moment,
        outbox: &mut impl Outbox,
    ) -> Option<Action> {
        self.last_heard_ms = now.mono_ms;
        match frame.body? {
            Body::Welcome(welcome) => return Some(self.welcome(&welcome, now)),
            Body::Ack(ack) => self.ack(ack, now, outbox),
            Body::NeedTable(need) => self.need_table(need),
            Body::Drain(drain) => return Some(Action::Drain(drain.reconnect_within_ms)),
            Body::Command(command) => return Some(Action::Run(Box::new(command))),
            Body::Cancel(cancel) => return Some(Action::Cancel(cancel.id)),
            Body::Pong(_)
            | Body::Hello(_)
            | Body::Goodbye(_)
            | Body::Ping(_)
            | Body::Snapshot(_)
            | Body::Inventory(_)
            | Body::CommandState(_)
            | Body::CommandOutput(_) => {}
        }
        None
    }

    /// When [`Self::next`] should be asked again although nothing happened, on the monotonic clock.
    pub fn wake_ms(&self) -> u64 {
        if !self.welcomed {
            // Nothing may be sent yet: only the silence of the platform is worth waking for.
            return self.last_heard_ms + 3 * self.heartbeat_ms + 1;
        }
        self.last_sent_ms.max(self.last_ping_ms) + self.heartbeat_ms
    }

    /// Whether the platform has been silent for so long that the connection must be dead.
    pub fn is_dead(&self, now: Moment) -> bool {
        now.mono_ms.saturating_sub(self.last_heard_ms) > 3 * self.heartbeat_ms
    }

    fn welcome(&mut self, welcome: &Welcome, now: Moment) -> Action {
        self.welcomed = true;
        self.heartbeat_ms = u64::from(welcome.heartbeat_s.clamp(5, 600)) * 1_000;
        self.telemetry.progress_ms = now.mono_ms;
        self.control.progress_ms = now.mono_ms;
        // The platform read its clock about half way between our question and its answer.
        let round_trip = now.mono_ms.saturating_sub(self.hello_at.mono_ms);
        let half = i64::try_from(round_trip / 2).unwrap_or(0);
        Action::Welcomed {
            offset_ms: welcome.time_ms.saturating_sub(self.hello_at.wall_ms.saturating_add(half)),
            snapshot_interval_s: welcome.snapshot_interval_s.clamp(1, 300),
        }
    }

    fn ack(&mut self, ack: Ack, now: Moment, outbox: &mut impl Outbox) {
        let channel = ack.channel();
        let Some(lane) = self.lane(channel) else { return };
        // Never beyond what was sent: a wrong number must not throw away what waits.
        let upto = ack.seq.min(lane.highest);
        if upto <= lane.acked {
            return;
        }
        lane.acked = upto;
        lane.sent = lane.sent.max(upto);
        lane.progress_ms = now.mono_ms;
        outbox.acknowledged(channel, upto);
    }

    /// The platform lost a table: go back to the snapshot it could not read. While a snapshot that
    /// carries the table is on its way, further complaints are older than it.
    fn need_table(&mut self, need: NeedTable) {
        let acked = self.telemetry.acked;
        let on_its_way = self.tables.get(&need.table_hash).is_some_and(|carrier| *carrier > acked);
        if on_its_way && need.seq != acked + 1 {
            return;
        }
        self.tables.remove(&need.table_hash);
        self.telemetry.sent =
            need.seq.saturating_sub(1).clamp(acked, self.telemetry.sent.max(acked));
    }

    fn repeat_if_stuck(&mut self, now: Moment) {
        for lane in [&mut self.telemetry, &mut self.control] {
            if lane.sent > lane.acked && now.mono_ms >= lane.progress_ms + RESEND_MS {
                lane.sent = lane.acked;
                lane.progress_ms = now.mono_ms;
                self.tables.clear();
            }
        }
    }

    fn next_of(
        &mut self,
        channel: Channel,
        now: Moment,
        outbox: &mut impl Outbox,
    ) -> Option<Frame> {
        loop {
            let lane = self.lane(channel)?;
            let idle = lane.sent == lane.acked;
            if !idle && lane.sent.saturating_sub(lane.acked) >= WINDOW {
                return None;
            }
            let mut frame = outbox.next(channel, lane.sent)?;
            if idle {
                // Nothing is on its way: the window counts from here, whatever was trimmed before.
                lane.acked = lane.acked.max(frame.seq.saturating_sub(1));
                lane.progress_ms = now.mono_ms;
            }
            lane.sent = frame.seq;
            lane.highest = lane.highest.max(frame.seq);
            if self.add_table(&mut frame, outbox) {
                return Some(frame);
            }
            outbox.unsendable(frame.seq);
        }
    }

    /// Gives a snapshot its table if the platform has not seen it on this connection. False when
    /// the table is gone.
    fn add_table(&mut self, frame: &mut Frame, outbox: &mut impl Outbox) -> bool {
        let seq = frame.seq;
        let Some(Body::Snapshot(Snapshot { table_hash, table, .. })) = &mut frame.body else {
            return true;
        };
        if self.tables.contains_key(table_hash) {
            return true;
        }
        *table = outbox.table(*table_hash);
        if table.is_some() {
            self.tables.insert(*table_hash, seq);
        }
        table.is_some()
    }

    /// A heartbeat when nothing was sent, or nothing heard, for its interval.
    fn ping(&mut self, now: Moment) -> Option<Frame> {
        let quiet = |since: u64| now.mono_ms.saturating_sub(since) >= self.heartbeat_ms;
        if !quiet(self.last_ping_ms) || !(quiet(self.last_sent_ms) || quiet(self.last_heard_ms)) {
            return None;
        }
        self.last_ping_ms = now.mono_ms;
        Some(management(Body::Ping(Ping { time_ms: now.wall_ms })))
    }

    fn lane(&mut self, channel: Channel) -> Option<&mut Lane> {
        match channel {
            Channel::Telemetry => Some(&mut self.telemetry),
            Channel::Control => Some(&mut self.control),
            Channel::Unspecified => None,
        }
    }
}

/// A frame that is never acknowledged.
pub fn management(body: Body) -> Frame {
    Frame { channel: Channel::Unspecified.into(), seq: 0, body: Some(body) }
}

#[cfg(test)]
mod tests;
