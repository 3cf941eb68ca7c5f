//! The laws of a lane, against random agents and random answers.

use openframe_agent_api::link::{InventorySection, Snapshot};
use proptest::prelude::*;

use super::*;

fn snapshot(seq: u64) -> Frame {
    let body = Body::Snapshot(Snapshot { table_hash: 7, ..Snapshot::default() });
    Frame { channel: Channel::Telemetry.into(), seq, body: Some(body) }
}

fn with_table(seq: u64) -> Frame {
    let table = Some(SeriesTable::default());
    let body = Body::Snapshot(Snapshot { table_hash: 7, table, ..Snapshot::default() });
    Frame { channel: Channel::Telemetry.into(), seq, body: Some(body) }
}

fn refused(kind: Kind, code: &'static str) -> Result<(), Fault> {
    Err(Fault::new(kind, code, "no"))
}

fn numbers(frames: &[Frame]) -> Vec<u64> {
    frames.iter().map(|frame| frame.seq).collect()
}

fn lane(seqs: impl IntoIterator<Item = u64>) -> Lane {
    let mut lane = Lane::new(Channel::Telemetry);
    for seq in seqs {
        assert_eq!(lane.receive(snapshot(seq)), Ok(None));
    }
    lane
}

fn ack(seq: u64) -> Next {
    Next::Answer(Body::Ack(Ack { channel: Channel::Telemetry.into(), seq }))
}

#[test]
fn an_unavailable_service_gets_the_same_again() {
    let mut lane = lane([5, 6]);
    assert_eq!(numbers(lane.batch()), [5, 6]);
    assert_eq!(lane.answered(&refused(Kind::Unavailable, "x")), Next::Wait);
    assert_eq!(numbers(lane.batch()), [5, 6]);
    assert_eq!(lane.answered(&Ok(())), ack(6));
    assert!(lane.batch().is_empty());
}

#[test]
fn an_unknown_table_is_asked_for_and_what_follows_waits_for_it() {
    let mut lane = lane([5, 6]);
    lane.batch();
    let conflict = refused(Kind::Conflict, "unknown_series_table");
    assert_eq!(lane.answered(&conflict), Next::Split);
    assert_eq!(numbers(lane.batch()), [5]);
    let need = Next::Answer(Body::NeedTable(NeedTable { seq: 5, table_hash: 7 }));
    assert_eq!(lane.answered(&conflict), need);
    // Sent before the agent heard of it: acknowledging it would lose 5.
    assert_eq!(lane.receive(snapshot(7)), Ok(None));
    assert!(lane.batch().is_empty());
    for seq in [5, 6, 7] {
        assert_eq!(lane.receive(snapshot(seq)), Ok(None));
    }
    assert_eq!(numbers(lane.batch()), [5, 6, 7]);
    assert_eq!(lane.answered(&Ok(())), ack(7));
}

#[test]
fn a_poison_frame_does_not_block_the_others() {
    let mut lane = lane([1, 2, 3]);
    lane.batch();
    assert_eq!(lane.answered(&refused(Kind::Invalid, "x")), Next::Split);
    assert_eq!(numbers(lane.batch()), [1]);
    assert_eq!(lane.answered(&Ok(())), ack(1));
    assert_eq!(numbers(lane.batch()), [2]);
    assert_eq!(lane.answered(&refused(Kind::Invalid, "x")), ack(2));
    assert_eq!(numbers(lane.batch()), [3]);
}

#[test]
fn a_frame_out_of_place_is_a_violation() {
    let mut lane = lane([]);
    assert_eq!(lane.receive(snapshot(0)), Err(Violation::NoNumber));
    let control = Frame { channel: Channel::Control.into(), ..snapshot(1) };
    assert_eq!(lane.receive(control), Err(Violation::WrongChannel));
    // Of the right channel, with what belongs to another one, or to the platform.
    for body in [Body::Inventory(InventorySection::default()), Body::Ack(Ack::default())] {
        let foreign = Frame { body: Some(body), ..snapshot(1) };
        assert_eq!(lane.receive(foreign), Err(Violation::WrongChannel));
    }
}

#[test]
fn what_finds_no_room_is_asked_for_again() {
    assert!(!lane(1..64).is_full());
    let mut lane = lane(1..65);
    assert!(lane.is_full());
    for seq in 65..70 {
        assert_eq!(lane.receive(with_table(seq)), Ok(None));
    }
    assert_eq!(lane.ask_again(), None, "there is no room yet");
    let mut acked = 0;
    while !lane.batch().is_empty() {
        acked += lane.batch().len() as u64;
        assert_eq!(lane.answered(&Ok(())), ack(acked));
    }
    assert_eq!(acked, 64);
    assert_eq!(lane.ask_again(), Some(Body::NeedTable(NeedTable { seq: 65, table_hash: 0 })));
    assert_eq!(lane.ask_again(), None, "asked once");
    assert_eq!(lane.receive(snapshot(70)), Ok(None), "sent before the agent heard of it");
    for seq in 65..71 {
        assert_eq!(lane.receive(snapshot(seq)), Ok(None));
    }
    // The agent has sent the table, and does not repeat it.
    assert_eq!(lane.batch().first(), Some(&with_table(65)));
    assert_eq!(numbers(lane.batch()), [65, 66, 67, 68, 69, 70]);
}

#[test]
fn what_the_agent_has_no_more_is_not_waited_for() {
    let mut lane = lane([5]);
    lane.batch();
    lane.answered(&refused(Kind::Conflict, "unknown_series_table"));
    // 5 has left the agent's ring; 6 is sent before the agent has read all, 7 after.
    assert_eq!(lane.receive(snapshot(6)), Ok(None));
    assert_eq!(lane.ask_again(), None);
    lane.read_all();
    assert_eq!(lane.ask_again(), Some(Body::NeedTable(NeedTable { seq: 6, table_hash: 0 })));
    for seq in [6, 7] {
        assert_eq!(lane.receive(snapshot(seq)), Ok(None));
    }
    assert_eq!(numbers(lane.batch()), [6, 7]);
    assert_eq!(lane.answered(&Ok(())), ack(7));
}

#[test]
fn a_device_that_is_no_more_is_closed() {
    let mut lane = lane([1, 2]);
    lane.batch();
    assert_eq!(lane.answered(&refused(Kind::NotFound, "no_such_device")), Next::Close);
}

proptest! {
    /// Whatever the service answers and however often the agent goes back: acknowledged means
    /// durable or refused for good, and acknowledgements never go back.
    #[test]
    fn acknowledged_means_durable(steps in prop::collection::vec((0_u8..8, 0_u64..5), 1..200)) {
        let mut lane = Lane::new(Channel::Telemetry);
        let (mut sent, mut acked) = (0, 0);
        let mut durable = std::collections::BTreeSet::new();
        for (step, back) in steps {
            if let Some(Body::NeedTable(need)) = lane.ask_again() {
                sent = need.seq - 1;
                lane.read_all();
            }
            let answer = match step {
                0..=3 => {
                    sent += 1;
                    lane.receive(snapshot(sent)).unwrap();
                    continue;
                }
                4 => {
                    sent = sent.saturating_sub(back).max(acked);
                    continue;
                }
                5 => Ok(()),
                6 => refused(Kind::Unavailable, "x"),
                _ => refused(Kind::Conflict, "unknown_series_table"),
            };
            let batch = numbers(lane.batch());
            if batch.is_empty() {
                continue;
            }
            prop_assert!(batch.is_sorted());
            if answer.is_ok() {
                durable.extend(batch);
            }
            match lane.answered(&answer) {
                Next::Answer(Body::Ack(ack)) => {
                    prop_assert!(ack.seq >= acked);
                    acked = ack.seq;
                    prop_assert!((1..=acked).all(|seq| durable.contains(&seq)));
                }
                Next::Answer(Body::NeedTable(need)) => sent = need.seq - 1,
                Next::Answer(_) | Next::Split | Next::Wait | Next::Close => {}
            }
        }
    }
}
