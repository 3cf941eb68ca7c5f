//! One log, many tasks, one `fdatasync` for all who wait.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::{Wal, WalError};

/// Tasks that may wait for the writer at once; more wait for a place.
const QUEUE: usize = 1024;
/// Bytes that one `fdatasync` may serve.
const BATCH_BYTES: usize = 8 << 20;

type Work = Box<dyn FnOnce(&mut Wal) + Send>;

enum Job {
    Append(Bytes, oneshot::Sender<Result<u64, WalError>>),
    With(Work),
}

/// A log shared by tasks. Cheap to clone; the last clone's drop ends the writer.
#[derive(Clone, Debug)]
pub struct GroupCommit {
    jobs: mpsc::Sender<Job>,
    failure: Arc<Mutex<Option<WalError>>>,
}

impl GroupCommit {
    /// Starts the thread that writes.
    pub fn start(wal: Wal) -> Result<Self, WalError> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let failure = Arc::new(Mutex::new(None));
        let shared = Arc::clone(&failure);
        let thread = std::thread::Builder::new().name("wal".to_owned());
        let started = thread.spawn(move || write(wal, queue, &shared));
        started.map_err(|cause| WalError::io("start the writer of", "the log", cause))?;
        Ok(Self { jobs, failure })
    }

    /// Adds a frame; returns its number once it is durable.
    pub async fn append(&self, payload: Bytes) -> Result<u64, WalError> {
        let (answer, done) = oneshot::channel();
        self.jobs.send(Job::Append(payload, answer)).await.map_err(|_| WalError::Closed)?;
        done.await.map_err(|_| WalError::Closed)?
    }

    /// Does something with the log between two batches, on the thread that writes.
    pub async fn with<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Wal) -> R + Send + 'static,
    ) -> Result<R, WalError> {
        let (answer, done) = oneshot::channel();
        let failure = Arc::clone(&self.failure);
        let job = Job::With(Box::new(move |wal| {
            let result = work(wal);
            note(wal, &failure);
            // Whoever asked may have gone away; the work is done all the same.
            drop(answer.send(result));
        }));
        self.jobs.send(job).await.map_err(|_| WalError::Closed)?;
        done.await.map_err(|_| WalError::Closed)
    }

    /// The failure that stopped the log, if one did.
    pub fn failure(&self) -> Option<WalError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Opens a poisoned log again. A log that works is left alone.
    pub async fn reopen(&self) -> Result<(), WalError> {
        self.with(|wal| if wal.poisoned().is_some() { wal.reopen() } else { Ok(()) }).await?
    }
}

fn write(mut wal: Wal, mut queue: mpsc::Receiver<Job>, failure: &Mutex<Option<WalError>>) {
    let mut next = queue.blocking_recv();
    while let Some(job) = next.take() {
        let mut waiting = Vec::new();
        let mut bytes = 0;
        let mut current = Some(job);
        while let Some(job) = current.take() {
            match job {
                Job::Append(payload, answer) => {
                    bytes += payload.len();
                    waiting.push((wal.append(&payload), answer));
                }
                Job::With(work) => {
                    settle(&mut wal, std::mem::take(&mut waiting), failure);
                    work(&mut wal);
                }
            }
            if bytes < BATCH_BYTES {
                current = queue.try_recv().ok();
            }
        }
        settle(&mut wal, waiting, failure);
        next = queue.blocking_recv();
    }
}

type Waiting = Vec<(Result<u64, WalError>, oneshot::Sender<Result<u64, WalError>>)>;

/// Whether the log works, for those who ask without waiting for the writer.
fn note(wal: &Wal, failure: &Mutex<Option<WalError>>) {
    *failure.lock().unwrap_or_else(PoisonError::into_inner) = wal.poisoned().cloned();
}

/// Makes the batch durable and tells everyone in it.
fn settle(wal: &mut Wal, waiting: Waiting, failure: &Mutex<Option<WalError>>) {
    if waiting.is_empty() {
        return;
    }
    let synced = wal.sync();
    note(wal, failure);
    for (appended, answer) in waiting {
        // A waiter that went away no longer wants to know.
        drop(answer.send(appended.and_then(|seq| synced.clone().map(|()| seq))));
    }
}

#[cfg(test)]
mod tests;
