//! The laws of the protocol against a platform that loses connections, acknowledges late or never,
//! forgets tables, and repeats itself.

use std::collections::HashSet;

use openframe_agent_api::link::SeriesTable;
use proptest::prelude::*;

use super::*;
use crate::link::outbox::MemoryOutbox;

fn moment(ms: u64) -> Moment {
    Moment { wall_ms: i64::try_from(ms).unwrap(), mono_ms: ms }
}

fn snapshot(hash: u64, time_ms: i64) -> Body {
    Body::Snapshot(Snapshot { time_ms, table_hash: hash, ..Snapshot::default() })
}

fn outbox(tables: u64) -> MemoryOutbox {
    let mut outbox = MemoryOutbox::default();
    for hash in 0..tables {
        outbox.keep_table(hash, SeriesTable::default());
    }
    outbox
}

fn opened(outbox: &mut MemoryOutbox, now: Moment) -> Session {
    let (mut session, hello) = Session::open(Hello::default(), now);
    assert!(matches!(hello.body, Some(Body::Hello(_))));
    assert_eq!(session.next(now, outbox), None, "nothing goes before the welcome");
    let welcome = Welcome { heartbeat_s: 30, snapshot_interval_s: 10, ..Welcome::default() };
    session.receive(management(Body::Welcome(welcome)), now, outbox);
    session
}

fn ack(seq: u64) -> Frame {
    management(Body::Ack(Ack { channel: Channel::Telemetry.into(), seq }))
}

#[test]
fn the_clock_offset_counts_half_the_round_trip() {
    let mut outbox = outbox(0);
    let (mut session, _) = Session::open(Hello::default(), moment(1_000));
    let welcome = Welcome { time_ms: 5_100, ..Welcome::default() };
    let action = session.receive(management(Body::Welcome(welcome)), moment(1_200), &mut outbox);
    assert_eq!(action, Some(Action::Welcomed { offset_ms: 4_000, snapshot_interval_s: 1 }));
}

#[test]
fn the_first_snapshot_of_a_connection_carries_the_table() {
    let mut outbox = outbox(1);
    for time in 0..3 {
        outbox.push(Channel::Telemetry, snapshot(0, time));
    }
    for _connection in 0..2 {
        let mut session = opened(&mut outbox, moment(0));
        let carried: Vec<bool> = std::iter::from_fn(|| session.next(moment(0), &mut outbox))
            .map(|frame| {
                matches!(frame.body, Some(Body::Snapshot(Snapshot { table: Some(_), .. })))
            })
            .collect();
        assert_eq!(carried, [true, false, false]);
    }
}

#[test]
fn an_acknowledgement_beyond_what_was_sent_throws_nothing_away() {
    let mut outbox = outbox(1);
    let mut session = opened(&mut outbox, moment(0));
    outbox.push(Channel::Telemetry, snapshot(0, 0));
    session.receive(ack(u64::MAX), moment(0), &mut outbox);
    assert_eq!(outbox.len(), 1);
    assert_eq!(session.next(moment(0), &mut outbox).unwrap().seq, 1);
    session.receive(ack(u64::MAX), moment(0), &mut outbox);
    session.receive(ack(1), moment(0), &mut outbox);
    assert!(outbox.is_empty());
}

#[test]
fn silence_makes_a_heartbeat_and_then_death() {
    let mut outbox = outbox(0);
    let mut session = opened(&mut outbox, moment(0));
    assert_eq!(session.next(moment(29_999), &mut outbox), None);
    assert_eq!(session.wake_ms(), 30_000);
    let ping = session.next(moment(30_000), &mut outbox).unwrap();
    assert!(matches!(ping.body, Some(Body::Ping(_))));
    assert!(!session.is_dead(moment(90_000)));
    assert!(session.is_dead(moment(90_001)));
}

/// What happens next on the platform's side.
#[derive(Debug, Clone)]
enum Step {
    Collect(u64),
    Deliver,
    AckNow,
    AckTwice,
    ForgetTables,
    Lose,
    Wait,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..3_u64).prop_map(Step::Collect),
        4 => Just(Step::Deliver),
        2 => Just(Step::AckNow),
        1 => Just(Step::AckTwice),
        1 => Just(Step::ForgetTables),
        1 => Just(Step::Lose),
        1 => Just(Step::Wait),
    ]
}

/// A platform as the protocol describes it: takes snapshots in order, asks for tables it does not
/// know, remembers what it took.
#[derive(Default)]
struct Platform {
    tables: HashSet<u64>,
    upto: u64,
    taken: Vec<(u64, i64)>,
    /// Set by a question for a table until that snapshot comes again.
    waiting_for: Option<u64>,
}

impl Platform {
    /// The number to acknowledge: never one behind a snapshot that must come again, although an
    /// earlier connection may have made it durable.
    fn acknowledges(&self) -> u64 {
        self.waiting_for.map_or(self.upto, |seq| self.upto.min(seq - 1))
    }

    fn take(&mut self, frame: &Frame) -> Option<Frame> {
        let Some(Body::Snapshot(snapshot)) = &frame.body else { return None };
        if let Some(seq) = self.waiting_for
            && frame.seq != seq
        {
            let need = NeedTable { seq: frame.seq, table_hash: snapshot.table_hash };
            return Some(management(Body::NeedTable(need)));
        }
        if snapshot.table.is_some() {
            self.tables.insert(snapshot.table_hash);
        }
        if !self.tables.contains(&snapshot.table_hash) {
            self.waiting_for = Some(frame.seq);
            let need = NeedTable { seq: frame.seq, table_hash: snapshot.table_hash };
            return Some(management(Body::NeedTable(need)));
        }
        self.waiting_for = None;
        if frame.seq > self.upto {
            assert_eq!(frame.seq, self.upto + 1, "a snapshot was left out");
            self.taken.push((frame.seq, snapshot.time_ms));
            self.upto = frame.seq;
        }
        None
    }
}

proptest! {
    #[test]
    fn every_snapshot_arrives_once_in_order(steps in prop::collection::vec(step(), 1..200)) {
        let mut outbox = outbox(3);
        let mut platform = Platform::default();
        let mut clock = 0;
        let mut given = Vec::new();
        let mut session = opened(&mut outbox, moment(clock));
        for step in steps {
            match step {
                Step::Collect(hash) => {
                    let time = i64::try_from(given.len()).unwrap();
                    let seq = outbox.push(Channel::Telemetry, snapshot(hash, time));
                    given.push((seq, time));
                }
                Step::Deliver => deliver(&mut session, &mut outbox, &mut platform, clock),
                Step::AckNow => drop(session.receive(ack(platform.acknowledges()), moment(clock), &mut outbox)),
                Step::AckTwice => for _ in 0..2 {
                    session.receive(ack(platform.acknowledges() / 2), moment(clock), &mut outbox);
                },
                Step::ForgetTables => platform.tables.clear(),
                Step::Lose => {
                    platform.waiting_for = None;
                    session = opened(&mut outbox, moment(clock));
                }
                Step::Wait => clock += RESEND_MS,
            }
        }
        // Left in peace, everything arrives.
        for _ in 0..given.len() + 3 {
            for _ in 0..WINDOW + 3 {
                deliver(&mut session, &mut outbox, &mut platform, clock);
            }
            session.receive(ack(platform.acknowledges()), moment(clock), &mut outbox);
            clock += RESEND_MS;
        }
        prop_assert_eq!(&platform.taken, &given);
        prop_assert!(outbox.is_empty());
        let acked: Vec<u64> = outbox.acknowledged.iter().map(|(_, seq)| *seq).collect();
        prop_assert!(acked.iter().copied().eq(1..=given.len() as u64));
    }
}

fn deliver(session: &mut Session, outbox: &mut MemoryOutbox, platform: &mut Platform, clock: u64) {
    if let Some(frame) = session.next(moment(clock), outbox)
        && let Some(answer) = platform.take(&frame)
    {
        session.receive(answer, moment(clock), outbox);
    }
}
