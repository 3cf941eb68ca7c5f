//! What waits to be sent. Frames get their sequence number here, once and for ever, and stay until
//! the platform acknowledged them.

use std::collections::{HashMap, VecDeque};

use openframe_agent_api::link::frame::Body;
use openframe_agent_api::link::{Channel, Frame, SeriesTable};

/// The two acknowledged channels' frames, oldest first.
pub trait Outbox {
    /// The first kept frame of `channel` whose number is above `after`. Snapshots have no table.
    fn next(&mut self, channel: Channel, after: u64) -> Option<Frame>;

    /// Everything up to `upto` is durable at the platform.
    fn acknowledged(&mut self, channel: Channel, upto: u64);

    /// The table of that hash, if it is still known.
    fn table(&mut self, hash: u64) -> Option<SeriesTable>;

    /// A snapshot cannot be sent, because its table is gone.
    fn unsendable(&mut self, seq: u64);
}

/// An outbox in memory: for simulated devices, and for tests of the protocol.
#[derive(Debug, Default)]
pub struct MemoryOutbox {
    telemetry: VecDeque<Frame>,
    control: VecDeque<Frame>,
    last: [u64; 2],
    tables: HashMap<u64, SeriesTable>,
    /// Every `(channel, seq)` newly acknowledged is told here, in order.
    pub acknowledged: Vec<(Channel, u64)>,
}

impl MemoryOutbox {
    /// Keeps a table for the snapshots that name it.
    pub fn keep_table(&mut self, hash: u64, table: SeriesTable) {
        self.tables.insert(hash, table);
    }

    /// Adds a frame and returns its number.
    pub fn push(&mut self, channel: Channel, body: Body) -> u64 {
        let [telemetry, control] = &mut self.last;
        let last = if channel == Channel::Telemetry { telemetry } else { control };
        *last += 1;
        let seq = *last;
        self.queue(channel).push_back(Frame { channel: channel.into(), seq, body: Some(body) });
        seq
    }

    /// Frames that wait.
    pub fn len(&self) -> usize {
        self.telemetry.len() + self.control.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn queue(&mut self, channel: Channel) -> &mut VecDeque<Frame> {
        match channel {
            Channel::Telemetry => &mut self.telemetry,
            Channel::Control | Channel::Unspecified => &mut self.control,
        }
    }
}

impl Outbox for MemoryOutbox {
    fn next(&mut self, channel: Channel, after: u64) -> Option<Frame> {
        let queue = self.queue(channel);
        let first = queue.partition_point(|frame| frame.seq <= after);
        queue.get(first).cloned()
    }

    fn acknowledged(&mut self, channel: Channel, upto: u64) {
        while let Some(frame) = self.queue(channel).pop_front_if(|frame| frame.seq <= upto) {
            self.acknowledged.push((channel, frame.seq));
        }
    }

    fn table(&mut self, hash: u64) -> Option<SeriesTable> {
        self.tables.get(&hash).cloned()
    }

    fn unsendable(&mut self, _seq: u64) {}
}
