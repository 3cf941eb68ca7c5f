//! The platform's half of the link's protocol, without I/O: what to hand on, and what to answer.
//!
//! Laws (tested): a frame is acknowledged only once it is durable, and acknowledgements never go
//! back. An agent may go back (it repeats what was not acknowledged) and may leave numbers out (its
//! ring on disk has an end), so the order of arrival counts and not the difference of numbers.

use std::collections::VecDeque;

use openframe_agent_api::link::frame::Body;
use openframe_agent_api::link::{Ack, Channel, Frame, NeedTable, SeriesTable};
use openframe_fault::{Fault, Kind};
use prost::Message as _;

/// Frames that wait at most, per link and channel.
const QUEUE_FRAMES: usize = 64;
/// Bytes that wait at most, per link and channel.
const QUEUE_BYTES: usize = 1 << 20;
/// Tables of dropped snapshots that are remembered, per link.
const TABLES: usize = 4;
/// Frames handed on together at most.
const BATCH: usize = 16;

/// What a link broke of the protocol; the link is closed with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Violation {
    #[error("a frame has no number")]
    NoNumber,
    #[error("a frame is not of its channel")]
    WrongChannel,
}

/// What to do after a service has answered.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "made and taken apart at once, never kept")]
pub(crate) enum Next {
    /// Send this to the agent.
    Answer(Body),
    /// Hand the same on again, frame by frame, at once.
    Split,
    /// Hand the same on again after a while.
    Wait,
    /// The service does not know the device any more.
    Close,
}

/// One channel of one link.
#[derive(Debug)]
pub(crate) struct Lane {
    channel: Channel,
    queue: VecDeque<Frame>,
    queued_bytes: usize,
    flying: Vec<Frame>,
    /// The highest number that came, kept or not.
    highest: u64,
    acked: u64,
    /// Something was dropped: what comes before the agent goes back to it is dropped as well.
    rewinding: bool,
    /// The first frame that was dropped since the agent was last asked to go back.
    missed: Option<u64>,
    /// The agent was asked to go back, and may not have read that yet.
    asked: bool,
    /// Tables of dropped snapshots, oldest first: the agent believes that they are known.
    tables: VecDeque<(u64, SeriesTable)>,
    /// The last batch was refused: one frame at a time for so many frames.
    singly: usize,
}

impl Lane {
    pub(crate) fn new(channel: Channel) -> Self {
        Self {
            channel,
            queue: VecDeque::new(),
            queued_bytes: 0,
            flying: Vec::new(),
            highest: 0,
            acked: 0,
            rewinding: false,
            missed: None,
            asked: false,
            tables: VecDeque::new(),
            singly: 0,
        }
    }

    /// Whether there is no room for more.
    pub(crate) fn is_full(&self) -> bool {
        self.queue.len() >= QUEUE_FRAMES || self.queued_bytes >= QUEUE_BYTES
    }

    /// Takes a frame. Returns an acknowledgement when it was durable before. Telemetry that finds
    /// no room is dropped and asked for again later, so that it never holds up the other lane.
    pub(crate) fn receive(&mut self, mut frame: Frame) -> Result<Option<Body>, Violation> {
        if frame.seq == 0 {
            return Err(Violation::NoNumber);
        }
        if channel_of(&frame) != Some(self.channel) || frame.channel() != self.channel {
            return Err(Violation::WrongChannel);
        }
        let back = frame.seq <= self.highest;
        self.highest = self.highest.max(frame.seq);
        if frame.seq <= self.acked {
            return Ok(Some(self.ack()));
        }
        if back {
            (self.rewinding, self.missed) = (false, None);
            while let Some(last) = self.queue.pop_back_if(|last| last.seq >= frame.seq) {
                self.queued_bytes -= last.encoded_len();
                self.remember_table(last);
            }
        }
        if self.rewinding || (self.channel == Channel::Telemetry && self.is_full()) {
            self.rewinding = true;
            self.missed.get_or_insert(frame.seq);
            self.remember_table(frame);
            return Ok(None);
        }
        self.add_table(&mut frame);
        self.queued_bytes += frame.encoded_len();
        self.queue.push_back(frame);
        Ok(None)
    }

    /// Asks the agent to go back to what was dropped, once there is room for it.
    pub(crate) fn ask_again(&mut self) -> Option<Body> {
        let idle = self.queue.is_empty() && self.flying.is_empty();
        if !idle || !self.rewinding || self.asked {
            return None;
        }
        // The agent has it no more when nothing came after it was asked: then all is well.
        let Some(seq) = self.missed.take() else {
            self.rewinding = false;
            return None;
        };
        self.asked = true;
        // Of no table: the one that it needs is remembered.
        Some(Body::NeedTable(NeedTable { seq, table_hash: 0 }))
    }

    /// The agent has read all that it was sent when it was last asked to go back.
    pub(crate) fn read_all(&mut self) {
        self.asked = false;
    }

    fn remember_table(&mut self, frame: Frame) {
        let Some(Body::Snapshot(snapshot)) = frame.body else { return };
        let Some(table) = snapshot.table else { return };
        self.tables.retain(|(hash, _)| *hash != snapshot.table_hash);
        self.tables.push_back((snapshot.table_hash, table));
        if self.tables.len() > TABLES {
            self.tables.pop_front();
        }
    }

    fn add_table(&mut self, frame: &mut Frame) {
        let Some(Body::Snapshot(snapshot)) = &mut frame.body else { return };
        let Some(at) = self.tables.iter().position(|(hash, _)| *hash == snapshot.table_hash) else {
            return;
        };
        let known = self.tables.remove(at);
        if snapshot.table.is_none() {
            snapshot.table = known.map(|(_, table)| table);
        }
    }

    /// The frames to hand on now: those handed on before without success, else the next ones.
    pub(crate) fn batch(&mut self) -> &[Frame] {
        if !self.flying.is_empty() {
            return &self.flying;
        }
        let most = if self.singly > 0 { 1 } else { BATCH };
        while self.flying.len() < most {
            let Some(frame) = self.queue.pop_front() else { break };
            self.queued_bytes -= frame.encoded_len();
            // Repeated by the agent while it was handed on.
            if frame.seq > self.acked {
                self.flying.push(frame);
            }
        }
        &self.flying
    }

    /// Says what the service answered about the last batch.
    pub(crate) fn answered(&mut self, answer: &Result<(), Fault>) -> Next {
        let Err(fault) = answer else { return self.durable() };
        match fault.kind() {
            Kind::Unavailable | Kind::TooMany | Kind::Internal => Next::Wait,
            Kind::Unauthenticated | Kind::Forbidden => Next::Close,
            Kind::NotFound if fault.code() == "no_such_device" => Next::Close,
            Kind::Invalid | Kind::NotFound | Kind::Conflict if self.flying.len() > 1 => {
                self.split();
                Next::Split
            }
            Kind::Conflict if fault.code() == "unknown_series_table" => self.need_table(),
            // Refused for good: kept, it would block all that comes after it for ever.
            Kind::Invalid | Kind::NotFound | Kind::Conflict => self.durable(),
        }
    }

    fn durable(&mut self) -> Next {
        let last = self.flying.iter().map(|frame| frame.seq).max().unwrap_or(0);
        self.singly = self.singly.saturating_sub(self.flying.len());
        self.flying.clear();
        self.acked = self.acked.max(last);
        Next::Answer(self.ack())
    }

    fn split(&mut self) {
        self.singly = self.flying.len();
        while self.flying.len() > 1 {
            let Some(frame) = self.flying.pop() else { break };
            self.queued_bytes += frame.encoded_len();
            self.queue.push_front(frame);
        }
    }

    /// Forgets what came after a snapshot whose table is unknown: the agent goes back to it.
    fn need_table(&mut self) -> Next {
        let Some(frame) = self.flying.pop() else { return Next::Wait };
        let table_hash = match &frame.body {
            Some(Body::Snapshot(snapshot)) => snapshot.table_hash,
            _ => 0,
        };
        while let Some(later) = self.queue.pop_front() {
            self.remember_table(later);
        }
        self.queued_bytes = 0;
        self.singly = 0;
        (self.rewinding, self.missed, self.asked) = (true, None, true);
        Next::Answer(Body::NeedTable(NeedTable { seq: frame.seq, table_hash }))
    }

    fn ack(&self) -> Body {
        Body::Ack(Ack { channel: self.channel.into(), seq: self.acked })
    }
}

/// The channel that a frame's body belongs to; `None` when an agent must not send it.
pub(crate) fn channel_of(frame: &Frame) -> Option<Channel> {
    match frame.body.as_ref()? {
        Body::Snapshot(_) => Some(Channel::Telemetry),
        Body::Inventory(_) | Body::CommandState(_) | Body::CommandOutput(_) => {
            Some(Channel::Control)
        }
        Body::Hello(_) | Body::Goodbye(_) | Body::Ping(_) => Some(Channel::Unspecified),
        Body::Welcome(_)
        | Body::Ack(_)
        | Body::NeedTable(_)
        | Body::Drain(_)
        | Body::Pong(_)
        | Body::Command(_)
        | Body::Cancel(_) => None,
    }
}

#[cfg(test)]
mod tests;
