//! A disk that fills up.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};

use openframe_wal::LogFile;

use super::*;

const OPTIONS: Options = Options { segment_bytes: 1_000, reserve_bytes: 300 };

/// A disk in memory that holds so many bytes.
#[derive(Clone)]
struct Small(Arc<Mutex<State>>);

struct State {
    files: HashMap<PathBuf, Vec<u8>>,
    capacity: usize,
    reads: usize,
}

struct SmallFile(Small, PathBuf);

impl Small {
    fn new(capacity: usize) -> Self {
        Self(Arc::new(Mutex::new(State { files: HashMap::new(), capacity, reads: 0 })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl LogFile for SmallFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.0.state();
        let used: usize = state.files.values().map(Vec::len).sum();
        if used + bytes.len() > state.capacity {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.files.entry(self.1.clone()).or_default().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Storage for Small {
    fn create_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }
    fn list(&self, _dir: &Path) -> io::Result<Vec<String>> {
        let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        Ok(self.state().files.keys().map(name).collect())
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.state().reads += 1;
        self.state().files.get(path).cloned().ok_or(io::ErrorKind::NotFound.into())
    }
    fn create(&self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        self.state().files.insert(path.to_owned(), Vec::new());
        Ok(Box::new(SmallFile(self.clone(), path.to_owned())))
    }
    fn truncate(&self, path: &Path, bytes: u64) -> io::Result<()> {
        let mut state = self.state();
        state.files.get_mut(path).unwrap().truncate(usize::try_from(bytes).unwrap());
        Ok(())
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        let bytes = state.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.files.insert(to.to_owned(), bytes);
        Ok(())
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.state().files.remove(path).map(drop).ok_or(io::ErrorKind::NotFound.into())
    }
    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }
}

/// Appends until the disk is full; returns how many records were taken.
async fn fill(log: &Log) -> u64 {
    let mut taken = 0;
    while log.append(0, Bytes::from_static(&[7; 100])).await.is_ok() {
        taken += 1;
    }
    assert!(log.failure().is_some());
    taken
}

fn keep(count: usize) -> Records {
    Box::new(std::iter::repeat_n(Bytes::from_static(&[1; 80]), count))
}

async fn records(log: &Log) -> u64 {
    log.replay(&mut |_, _| {}).await.unwrap().records
}

#[tokio::test]
async fn a_full_disk_is_tried_without_reading_and_works_only_once_there_is_room() {
    let disk = Small::new(4_000);
    let log = Log::open_on(Arc::new(disk.clone()), Path::new("/log"), OPTIONS).unwrap();
    let taken = fill(&log).await;
    let reads = disk.state().reads;
    for _ in 0..3 {
        log.reopen().await.unwrap_err();
        assert!(log.failure().is_some(), "it does not say that it works");
    }
    // Room for one record is not enough to say that it works.
    disk.state().capacity += 150;
    log.reopen().await.unwrap_err();
    disk.state().capacity += 1_000;
    log.reopen().await.unwrap();
    assert_eq!((log.failure(), disk.state().reads), (None, reads));
    log.append(0, Bytes::from_static(b"more")).await.unwrap();
    assert_eq!(records(&log).await, taken + 1);
}

#[tokio::test]
async fn old_records_can_go_from_a_full_disk() {
    let disk = Small::new(4_000);
    let log = Log::open_on(Arc::new(disk.clone()), Path::new("/log"), OPTIONS).unwrap();
    let taken = fill(&log).await;
    let second = log.parts().await.unwrap()[1].0;
    log.trim_to(second, keep(2)).await.unwrap();
    assert_eq!(log.failure(), None);
    log.append(0, Bytes::from_static(b"more")).await.unwrap();
    assert_eq!(records(&log).await, taken - (second - 1) + 3);
}

#[tokio::test]
async fn trimming_that_does_not_fit_loses_nothing_and_can_be_tried_again() {
    let disk = Small::new(4_000);
    let log = Log::open_on(Arc::new(disk.clone()), Path::new("/log"), OPTIONS).unwrap();
    let taken = fill(&log).await;
    let second = log.parts().await.unwrap()[1].0;
    log.trim_to(second, keep(20)).await.unwrap_err();
    assert!(log.failure().is_some());
    log.append(0, Bytes::from_static(b"no")).await.unwrap_err();
    assert!(records(&log).await >= taken);
    log.trim_to(second, keep(2)).await.unwrap();
    assert_eq!(log.failure(), None);
    log.append(0, Bytes::from_static(b"more")).await.unwrap();
}
