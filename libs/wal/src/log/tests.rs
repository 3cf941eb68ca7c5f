//! Every cut, every flipped byte, every failing file operation, and a model.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const SMALL: Options = Options { segment_bytes: 120, capacity_bytes: None, first_seq: 1 };
const ONE: Options = Options { segment_bytes: 1 << 20, capacity_bytes: None, first_seq: 1 };

fn read(wal: &mut Wal) -> Vec<(u64, Vec<u8>)> {
    let frames = wal.read_from(0).unwrap();
    frames.filter_map(Result::ok).map(|frame| (frame.seq, frame.payload)).collect()
}

fn payload(seq: u64) -> Vec<u8> {
    format!("payload {seq}").into_bytes()
}

fn fill(dir: &Path, options: Options, frames: u64) -> PathBuf {
    let (mut wal, _) = Wal::open(dir, options).unwrap();
    for seq in 1..=frames {
        assert_eq!(wal.append(&payload(seq)).unwrap(), seq);
    }
    wal.sync().unwrap();
    wal.segments.back().unwrap().path.clone()
}

#[test]
fn every_prefix_of_a_log_opens_and_keeps_the_whole_frames() {
    let whole = TempDir::new().unwrap();
    let bytes = fs::read(fill(whole.path(), ONE, 5)).unwrap();
    let size = HEADER_BYTES + payload(1).len();
    for cut in 0..=bytes.len() {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join(format!("{:020}.wal", 1)), &bytes[..cut]).unwrap();
        let (mut wal, report) = Wal::open(dir.path(), ONE).unwrap();
        let kept = cut / size;
        assert_eq!(report.frames, kept as u64);
        assert_eq!(report.torn.is_some(), cut % size != 0);
        assert!(report.damage.is_empty());
        assert_eq!(read(&mut wal).len(), kept);
        // And it takes frames again.
        let seq = wal.append(b"more").unwrap();
        wal.sync().unwrap();
        drop(wal);
        let (mut again, report) = Wal::open(dir.path(), ONE).unwrap();
        assert_eq!(report.torn, None);
        assert_eq!(read(&mut again).last().unwrap(), &(seq, b"more".to_vec()));
    }
}

#[test]
fn every_flipped_byte_is_noticed_and_costs_one_frame() {
    let whole = TempDir::new().unwrap();
    let bytes = fs::read(fill(whole.path(), ONE, 4)).unwrap();
    let size = HEADER_BYTES + payload(1).len();
    for at in 0..bytes.len() {
        let dir = TempDir::new().unwrap();
        let mut broken = bytes.clone();
        broken[at] ^= 0x40;
        fs::write(dir.path().join(format!("{:020}.wal", 1)), broken).unwrap();
        let (mut wal, report) = Wal::open(dir.path(), ONE).unwrap();
        let hit = (at / size) as u64 + 1;
        let want: Vec<_> = (1..=4).filter(|s| *s != hit).map(|s| (s, payload(s))).collect();
        assert_eq!(read(&mut wal), want);
        let header_of_last = hit == 4 && (at % size < 4 || (8..16).contains(&(at % size)));
        if header_of_last {
            // A last frame without its length or number cannot be told from one cut short.
            assert_eq!(report.torn.unwrap().offset, (3 * size) as u64);
        } else {
            let damage = &report.damage[0];
            assert_eq!((damage.lost, &report.torn), ((hit, hit + 1), &None));
            let (offset, bytes) = ((at / size * size) as u64, size as u64);
            assert_eq!((damage.offset, damage.bytes), (offset, bytes));
            let errors = wal.read_from(0).unwrap().filter(Result::is_err).count();
            assert_eq!(errors, 1, "reading says so as well");
            // The number is not given again, and the report stays.
            assert_eq!(wal.append(b"more").unwrap(), 5);
            wal.sync().unwrap();
            let (mut wal, again) = Wal::open(dir.path(), ONE).unwrap();
            assert_eq!((again.torn, &again.damage), (None, &report.damage));
            assert_eq!(read(&mut wal).len(), 4);
        }
    }
}

#[test]
fn what_is_found_is_durable_before_it_is_used() {
    let dir = TempDir::new().unwrap();
    let disk = Failing::new(i64::MAX, How::Broken);
    {
        // Written, then killed before the fsync.
        let (mut wal, _) = Wal::open_on(Arc::new(disk.clone()), dir.path(), ONE).unwrap();
        wal.append(&payload(1)).unwrap();
        wal.write_buffer().unwrap();
    }
    assert_eq!(*disk.durable.lock().unwrap(), 0);
    let (mut wal, report) = Wal::open_on(Arc::new(disk.clone()), dir.path(), ONE).unwrap();
    assert_eq!((report.frames, read(&mut wal).len()), (1, 1));
    let size = (HEADER_BYTES + payload(1).len()) as u64;
    assert_eq!(*disk.durable.lock().unwrap(), size);
}

#[test]
fn reopening_reads_nothing() {
    let dir = TempDir::new().unwrap();
    let disk = Failing::new(i64::MAX, How::Full);
    let (mut wal, _) = Wal::open_on(Arc::new(disk.clone()), dir.path(), SMALL).unwrap();
    for seq in 1..=20 {
        wal.append(&payload(seq)).unwrap();
    }
    wal.sync().unwrap();
    disk.left.store(0, Ordering::SeqCst);
    wal.append(&payload(21)).and_then(|_| wal.sync()).unwrap_err();
    disk.repair();
    let before = disk.reads.load(Ordering::SeqCst);
    wal.reopen().unwrap();
    assert_eq!(disk.reads.load(Ordering::SeqCst), before);
    assert_eq!((wal.append(&payload(21)).unwrap(), wal.next_seq()), (21, 22));
    wal.sync().unwrap();
    assert_eq!(read(&mut wal).len(), 21);
}

#[test]
fn a_damaged_end_of_a_closed_segment_and_a_missing_one_are_reported() {
    let dir = TempDir::new().unwrap();
    fill(dir.path(), SMALL, 12);
    let (wal, _) = Wal::open(dir.path(), SMALL).unwrap();
    let paths: Vec<_> = wal.segments.iter().map(|s| (s.first_seq, s.path.clone())).collect();
    drop(wal);
    let (second, third) = (&paths[1], &paths[2]);
    let bytes = fs::read(&second.1).unwrap();
    fs::write(&second.1, &bytes[..bytes.len() - 1]).unwrap();
    let (mut wal, report) = Wal::open(dir.path(), SMALL).unwrap();
    assert_eq!(report.torn, None);
    assert_eq!(report.damage.len(), 1);
    assert_eq!(report.damage[0].lost, (third.0 - 1, third.0));
    assert_eq!(read(&mut wal).len(), 11);
    fs::remove_file(&second.1).unwrap();
    let (_, report) = Wal::open(dir.path(), SMALL).unwrap();
    assert_eq!(report.damage[0].lost, (second.0, third.0));
}

#[test]
fn a_trimmed_prefix_stays_trimmed_and_frees_segments() {
    let dir = TempDir::new().unwrap();
    fill(dir.path(), SMALL, 20);
    let (mut wal, _) = Wal::open(dir.path(), SMALL).unwrap();
    let before = wal.bytes();
    wal.trim_to(12).unwrap();
    assert!(wal.bytes() < before);
    drop(wal);
    let (mut wal, report) = Wal::open(dir.path(), SMALL).unwrap();
    assert!(report.damage.is_empty());
    assert_eq!((wal.first_seq(), wal.next_seq()), (12, 21));
    assert_eq!(read(&mut wal)[0].0, 12);
    // Everything trimmed, every file lost: numbers still go on.
    wal.trim_to(21).unwrap();
    for segment in wal.segments.clone() {
        fs::remove_file(segment.path).unwrap();
    }
    let (wal, _) = Wal::open(dir.path(), SMALL).unwrap();
    assert_eq!((wal.first_seq(), wal.next_seq()), (21, 21));
}

#[test]
fn over_capacity_the_oldest_go_and_are_counted() {
    let dir = TempDir::new().unwrap();
    let options = Options { capacity_bytes: Some(300), ..SMALL };
    let (mut wal, _) = Wal::open(dir.path(), options).unwrap();
    for seq in 1..=40 {
        wal.append(&payload(seq)).unwrap();
    }
    wal.sync().unwrap();
    let dropped = wal.drop_oldest().unwrap();
    assert!(wal.bytes() <= 300);
    assert_eq!(wal.first_seq(), dropped + 1);
    assert_eq!(read(&mut wal).len() as u64, 40 - dropped);
}

/// A disk on which the n-th operation that changes something fails.
#[derive(Clone)]
struct Failing {
    left: Arc<AtomicI64>,
    how: Arc<Mutex<How>>,
    /// Bytes of the file last made durable.
    durable: Arc<Mutex<u64>>,
    reads: Arc<AtomicI64>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum How {
    Full,
    Broken,
    ShortThenFull,
}

impl Failing {
    fn new(after: i64, how: How) -> Self {
        let (left, how) = (Arc::new(AtomicI64::new(after)), Arc::new(Mutex::new(how)));
        Self { left, how, durable: Arc::default(), reads: Arc::default() }
    }

    fn gate(&self) -> io::Result<()> {
        if self.left.fetch_sub(1, Ordering::SeqCst) > 0 {
            return Ok(());
        }
        Err(match *self.how.lock().unwrap() {
            How::Broken => io::Error::other("input/output error"),
            How::Full | How::ShortThenFull => io::ErrorKind::StorageFull.into(),
        })
    }

    fn repair(&self) {
        self.left.store(i64::MAX, Ordering::SeqCst);
    }
}

struct FailingFile(Box<dyn LogFile>, Failing);

impl LogFile for FailingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let short = *self.1.how.lock().unwrap() == How::ShortThenFull;
        if short && bytes.len() > 7 && self.1.left.load(Ordering::SeqCst) > 0 {
            return self.0.write(&bytes[..7]);
        }
        if let Err(error) = self.1.gate() {
            if short {
                // Part of it reaches the disk all the same.
                self.0.write(&bytes[..bytes.len() / 2])?;
            }
            return Err(error);
        }
        self.0.write(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.1.gate()?;
        self.0.sync()
    }
}

impl Storage for Failing {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        Disk.create_dir(dir)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        Disk.list(dir)
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        Disk.read(path)
    }
    fn create(&self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        self.gate()?;
        Ok(Box::new(FailingFile(Disk.create(path)?, self.clone())))
    }
    fn truncate(&self, path: &Path, bytes: u64) -> io::Result<()> {
        *self.durable.lock().unwrap() = bytes;
        Disk.truncate(path, bytes)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.gate()?;
        Disk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.gate()?;
        Disk.remove(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.gate()?;
        Disk.sync_dir(dir)
    }
}

#[test]
fn whatever_fails_nothing_that_was_synced_is_lost_and_the_log_refuses_until_reopened() {
    for how in [How::Full, How::Broken, How::ShortThenFull] {
        for after in 0..40 {
            let dir = TempDir::new().unwrap();
            let disk = Failing::new(after, how);
            let opened = Wal::open_on(Arc::new(disk.clone()), dir.path(), SMALL);
            let (mut wal, _) = opened.unwrap();
            let mut synced = 0;
            let failed = (1..=15).find_map(|seq| {
                let result = wal.append(&payload(seq)).and_then(|_| wal.sync());
                if result.is_ok() {
                    synced = seq;
                }
                result.err()
            });
            if let Some(error) = failed {
                assert_eq!(error.is_full(), how != How::Broken);
                let refused = wal.append(b"no").unwrap_err();
                assert!(matches!(refused, WalError::Poisoned(_)), "{refused}");
                disk.repair();
                assert!(matches!(wal.sync(), Err(WalError::Poisoned(_))), "not by itself");
                wal.reopen().unwrap();
            }
            let want: Vec<_> = (1..=synced).map(|seq| (seq, payload(seq))).collect();
            assert_eq!(read(&mut wal), want, "{how:?} after {after}");
            disk.repair();
            assert_eq!(wal.append(b"again").unwrap(), synced + 1);
            wal.sync().unwrap();
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<u8>),
    Sync,
    Reopen,
    Trim(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..60).prop_map(Step::Append),
        2 => Just(Step::Sync),
        1 => Just(Step::Reopen),
        1 => (0..40u64).prop_map(Step::Trim),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn it_behaves_like_a_vector(steps in prop::collection::vec(step(), 0..40)) {
        let dir = TempDir::new().unwrap();
        let (mut wal, _) = Wal::open(dir.path(), SMALL).unwrap();
        let mut model: Vec<(u64, Vec<u8>)> = Vec::new();
        let (mut next, mut mark) = (1, 0);
        for step in steps {
            match step {
                Step::Append(bytes) => {
                    prop_assert_eq!(wal.append(&bytes).unwrap(), next);
                    model.push((next, bytes));
                    next += 1;
                }
                Step::Sync => wal.sync().unwrap(),
                Step::Reopen => {
                    wal.sync().unwrap();
                    let (opened, report) = Wal::open(dir.path(), SMALL).unwrap();
                    prop_assert!(report.torn.is_none() && report.damage.is_empty());
                    wal = opened;
                }
                Step::Trim(seq) => {
                    wal.sync().unwrap();
                    wal.trim_to(seq).unwrap();
                    mark = mark.max(seq.min(next));
                    model.retain(|(seq, _)| *seq >= mark);
                }
            }
            prop_assert_eq!(wal.next_seq(), next);
            prop_assert_eq!(&read(&mut wal), &model);
        }
    }
}
