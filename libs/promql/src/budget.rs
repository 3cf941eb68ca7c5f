//! What one query may use, counted while it is used.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::{Error, Labels};

/// Bytes of a sample in memory; texts are counted in samples as well.
const SAMPLE_BYTES: usize = 16;
/// What a series costs beside its samples and labels, in samples.
const SERIES: usize = 8;

/// What a query may use.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Samples that it may hold in memory at once, read and computed ones; 16 bytes of label text
    /// count as one.
    pub max_samples: usize,
    /// Series read by one selector at most.
    pub max_series: usize,
    /// How far back an instant selector looks, milliseconds.
    pub lookback_ms: i64,
    /// When to give up.
    pub deadline: Option<Instant>,
    /// Set when nobody wants the answer any more.
    pub cancelled: Option<Arc<AtomicBool>>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_samples: 50_000_000,
            max_series: 200_000,
            lookback_ms: 300_000,
            deadline: None,
            cancelled: None,
        }
    }
}

impl Limits {
    /// Whether the query's time is over or nobody waits for it.
    pub fn over(&self) -> bool {
        self.gone() || self.deadline.is_some_and(|deadline| openframe_clock::monotonic() > deadline)
    }

    fn gone(&self) -> bool {
        self.cancelled.as_ref().is_some_and(|it| it.load(Ordering::Relaxed))
    }
}

/// The limits of one query and what it has used of them.
#[derive(Debug)]
pub struct Budget {
    limits: Limits,
    used: Cell<usize>,
}

impl Budget {
    /// A budget of which nothing is used.
    pub fn new(limits: Limits) -> Self {
        Self { limits, used: Cell::new(0) }
    }

    /// The limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Fails once the query's time is over or nobody waits for it.
    pub fn check(&self) -> Result<(), Error> {
        if !self.limits.over() {
            return Ok(());
        }
        Err(if self.limits.gone() {
            Error::Cancelled
        } else {
            Error::TimedOut("expression evaluation")
        })
    }

    /// Counts samples that are about to be held.
    pub fn samples(&self, count: usize) -> Result<(), Error> {
        let used = self.used.get().saturating_add(count);
        self.used.set(used);
        let most = self.limits.max_samples;
        if used > most {
            return Err(Error::TooMuch(format!(
                "query processing would load too many samples into memory in query execution \
                 (more than {most})"
            )));
        }
        Ok(())
    }

    /// Counts one more series, after `before` others of the same selector.
    pub fn series(&self, before: usize, labels: &Labels) -> Result<(), Error> {
        let most = self.limits.max_series;
        if before >= most {
            let message = format!("a selector fits more than {most} series; narrow it");
            return Err(Error::TooMuch(message));
        }
        self.labels(labels)
    }

    /// Counts a series that was computed.
    pub(crate) fn labels(&self, labels: &Labels) -> Result<(), Error> {
        self.samples(SERIES)?;
        self.text(labels.iter().map(|(name, value)| name.len() + value.len()).sum())
    }

    /// Counts text that is about to be held.
    pub(crate) fn text(&self, bytes: usize) -> Result<(), Error> {
        self.samples(bytes.div_ceil(SAMPLE_BYTES))
    }

    /// Runs one step, whose own results are let go afterwards.
    pub(crate) fn step<T>(&self, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let before = self.used.get();
        let done = work()?;
        self.used.set(before);
        Ok(done)
    }
}
