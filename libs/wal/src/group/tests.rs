//! Many tasks on one log.

use tempfile::TempDir;

use super::*;
use crate::Options;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_waiter_gets_a_number_of_its_own_and_its_frame_is_there() {
    let dir = TempDir::new().unwrap();
    let (wal, _) = Wal::open(dir.path(), Options::default()).unwrap();
    let log = GroupCommit::start(wal).unwrap();
    let tasks: Vec<_> = (0..200u32)
        .map(|n| {
            let log = log.clone();
            tokio::spawn(async move {
                (log.append(Bytes::from(n.to_le_bytes().to_vec())).await.unwrap(), n)
            })
        })
        .collect();
    let mut told = Vec::new();
    for task in tasks {
        told.push(task.await.unwrap());
    }
    told.sort_unstable();
    let next = log.with(|wal| wal.next_seq()).await.unwrap();
    assert_eq!(next, 201);
    let (mut again, _) = Wal::open(dir.path(), Options::default()).unwrap();
    let found: Vec<_> = again
        .read_from(0)
        .unwrap()
        .map(|frame| frame.unwrap())
        .map(|frame| (frame.seq, u32::from_le_bytes(frame.payload.try_into().unwrap())))
        .collect();
    assert_eq!(found, told);
    assert!(log.failure().is_none());
}
