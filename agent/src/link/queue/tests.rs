//! What a queue on disk promises.

use openframe_agent_api::link::Snapshot;

use super::*;

const SETTINGS: Settings = Settings {
    name: "ring",
    channel: Channel::Telemetry,
    capacity: None,
    sync_every: Duration::ZERO,
};

fn body(time_ms: i64) -> Body {
    Body::Snapshot(Snapshot { time_ms, ..Snapshot::default() })
}

fn times(queue: &mut Queue) -> Vec<(u64, i64)> {
    let (mut after, mut all) = (0, Vec::new());
    while let Some(frame) = queue.next(after) {
        after = frame.seq;
        let Some(Body::Snapshot(snapshot)) = frame.body else { panic!("not a snapshot") };
        all.push((frame.seq, snapshot.time_ms));
    }
    all
}

#[test]
fn frames_and_numbers_survive_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    let mut queue = Queue::open(&folder, SETTINGS, 9).unwrap();
    for time in 1..=5 {
        queue.append(body(time)).unwrap();
    }
    assert_eq!(times(&mut queue).len(), 5);
    queue.acknowledged(2);
    queue.tidy(true);
    drop(queue);
    let mut queue = Queue::open(&folder, SETTINGS, 9).unwrap();
    assert_eq!(times(&mut queue), [(3, 3), (4, 4), (5, 5)]);
    assert_eq!(queue.append(body(6)).unwrap(), 6);
    assert_eq!(times(&mut queue).last(), Some(&(6, 6)));
}

#[test]
fn what_was_never_durable_was_never_sent() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    let settings = Settings { sync_every: Duration::from_hours(1), ..SETTINGS };
    let mut queue = Queue::open(&folder, settings, 9).unwrap();
    queue.append(body(1)).unwrap();
    assert_eq!(queue.next(0).unwrap().seq, 1);
    queue.append(body(2)).unwrap();
    assert_eq!(queue.next(1), None, "number 2 could be lost and given again");
    queue.sync().unwrap();
    assert_eq!(queue.next(1).unwrap().seq, 2);
}

#[test]
fn a_full_ring_drops_the_oldest_and_counts_them() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    let settings = Settings { capacity: Some(256 << 10), ..SETTINGS };
    let mut queue = Queue::open(&folder, settings, 9).unwrap();
    let values = bytes::Bytes::from(vec![7; 8 << 10]);
    for time_ms in 1..=100 {
        let snapshot = Snapshot { time_ms, values: values.clone(), ..Snapshot::default() };
        queue.append(Body::Snapshot(snapshot)).unwrap();
    }
    let kept = times(&mut queue);
    assert_eq!(kept.last(), Some(&(100, 100)));
    assert_eq!(kept.first().unwrap().0, queue.dropped() + 1);
    assert!(queue.bytes() <= 320 << 10);
    assert!(queue.dropped() > 50);
}

#[test]
fn a_backlog_is_read_from_disk_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    let mut queue = Queue::open(&folder, SETTINGS, 9).unwrap();
    let values = bytes::Bytes::from(vec![7; 4 << 10]);
    for time_ms in 1..=300 {
        let snapshot = Snapshot { time_ms, values: values.clone(), ..Snapshot::default() };
        queue.append(Body::Snapshot(snapshot)).unwrap();
    }
    let all: Vec<u64> = times(&mut queue).into_iter().map(|(seq, _)| seq).collect();
    assert!(all.iter().copied().eq(1..=300));
    assert_eq!(queue.next(4).unwrap().seq, 5, "it can go back");
}

#[test]
fn a_queue_that_cannot_be_read_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    let mut queue = Queue::open(&folder, SETTINGS, 9).unwrap();
    queue.append(body(1)).unwrap();
    queue.sync().unwrap();
    queue.acknowledged(1);
    queue.tidy(true);
    drop(queue);
    fs::write(dir.path().join("ring/trimmed"), b"nonsense").unwrap();
    let mut queue = Queue::open(&folder, SETTINGS, 1_000).unwrap();
    assert_eq!(queue.append(body(2)).unwrap(), 1_000);
    assert_eq!(fs::read(dir.path().join("ring.corrupt-1/trimmed")).unwrap(), b"nonsense");
}

#[test]
fn damage_in_the_middle_costs_only_what_it_hit() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    let mut queue = Queue::open(&folder, SETTINGS, 9).unwrap();
    for time in 1..=3 {
        queue.append(body(time)).unwrap();
    }
    queue.sync().unwrap();
    drop(queue);
    let segment = dir.path().join(format!("ring/{:020}.wal", 1));
    let mut bytes = fs::read(&segment).unwrap();
    let second = bytes.len() / 3 + 17;
    bytes[second] ^= 0xff;
    fs::write(&segment, &bytes).unwrap();
    let mut queue = Queue::open(&folder, SETTINGS, 9).unwrap();
    assert_eq!(times(&mut queue), [(1, 1), (3, 3)]);
    assert_eq!(queue.lost(), 1);
    assert!(segment.with_extension("corrupt").exists());
}
