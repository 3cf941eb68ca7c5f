//! What a received frame means, without I/O.
//!
//! A [`Lane`] is one channel of one connection. Law (tested): a frame is acknowledged only after it
//! and every frame before it on this connection was durable.

use openframe_agent_api::link::frame::Body;
use openframe_agent_api::link::{Channel, Frame};

/// Which lane a frame belongs to, or what it says of the link itself.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Meaning {
    /// Telemetry, for the monitoring service.
    Telemetry(Frame),
    /// A report, for the devices service.
    Control(Frame),
    /// The agent lives, and its clock shows this.
    Ping(i64),
    /// The agent is about to go.
    Goodbye(i32),
    /// Nothing that an agent may send here: the link must be closed.
    Violation(&'static str),
}

/// Reads what a frame means. The first frame of a link, `Hello`, is read elsewhere.
pub(super) fn meaning(frame: Frame) -> Meaning {
    let channel = frame.channel();
    match (&frame.body, channel) {
        (Some(Body::Ping(ping)), Channel::Unspecified) => Meaning::Ping(ping.time_ms),
        (Some(Body::Goodbye(goodbye)), Channel::Unspecified) => Meaning::Goodbye(goodbye.reason),
        (Some(Body::Snapshot(_)), Channel::Telemetry) if frame.seq > 0 => Meaning::Telemetry(frame),
        (
            Some(Body::Inventory(_) | Body::CommandState(_) | Body::CommandOutput(_)),
            Channel::Control,
        ) if frame.seq > 0 => Meaning::Control(frame),
        (None, _) => Meaning::Violation("a frame of an unknown kind"),
        _ => Meaning::Violation("a frame that does not belong here"),
    }
}

/// The order of one channel on one connection.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Lane {
    /// The number that must come next; none before the first frame.
    expected: Option<u64>,
}

impl Lane {
    /// Whether a frame of this number is to be handed on. Frames after a gap are left: the agent
    /// sends again from the gap on.
    pub(super) fn takes(&self, seq: u64) -> bool {
        self.expected.is_none_or(|expected| seq <= expected)
    }

    /// Notes that the frame of this number is durable; returns the number to acknowledge.
    pub(super) fn durable(&mut self, seq: u64) -> u64 {
        let next = self.expected.map_or(seq + 1, |expected| expected.max(seq + 1));
        self.expected = Some(next);
        next - 1
    }

    /// Notes that the frame of this number must come again.
    pub(super) fn again(&mut self, seq: u64) {
        self.expected = Some(seq);
    }
}

#[cfg(test)]
mod tests {
    use openframe_agent_api::link::{Hello, Snapshot};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn frames_after_a_gap_wait_for_it() {
        let mut lane = Lane::default();
        assert!(lane.takes(7));
        assert_eq!(lane.durable(7), 7);
        assert!(lane.takes(8));
        lane.again(8);
        assert!(!lane.takes(9));
        assert!(lane.takes(8));
        assert_eq!(lane.durable(8), 8);
        assert!(lane.takes(7), "a repeated frame is taken again");
        assert_eq!(lane.durable(7), 8);
    }

    #[test]
    fn frames_that_do_not_belong_are_violations() {
        let frame = |channel: Channel, seq, body| Frame { channel: channel.into(), seq, body };
        let snapshot = Some(Body::Snapshot(Snapshot::default()));
        for bad in [
            frame(Channel::Control, 1, snapshot.clone()),
            frame(Channel::Telemetry, 0, snapshot),
            frame(Channel::Unspecified, 0, Some(Body::Hello(Hello::default()))),
            frame(Channel::Unspecified, 0, None),
        ] {
            assert!(matches!(meaning(bad), Meaning::Violation(_)));
        }
    }

    proptest! {
        #[test]
        fn nothing_is_acknowledged_before_it_is_durable(steps in prop::collection::vec((1_u64..20, any::<bool>()), 1..200)) {
            let (mut lane, mut stored, mut first) = (Lane::default(), Vec::new(), None);
            for (seq, works) in steps {
                if !lane.takes(seq) {
                    continue;
                }
                let first = *first.get_or_insert(seq);
                if works {
                    stored.push(seq);
                    let acknowledged = lane.durable(seq);
                    for number in first..=acknowledged {
                        prop_assert!(stored.contains(&number), "{number} of {acknowledged}");
                    }
                } else {
                    lane.again(seq);
                }
            }
        }
    }
}
