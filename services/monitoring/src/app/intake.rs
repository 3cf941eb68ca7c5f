//! Samples on their way in: which series they belong to, and which of them are refused.

use openframe_ids::TenantId;

use super::Monitoring;
use crate::domain::chunk::Sample;
use crate::domain::head::Head;
use crate::domain::labels::Labels;
use crate::domain::record::{Record, SeriesRef};
use crate::domain::refused::Refused;
use crate::otlp::Take;

/// Series that are looked up under one lock.
const AT_ONCE: usize = 256;

/// What one request brings.
pub(crate) struct Intake {
    app: Monitoring,
    tenant: TenantId,
    /// What is to be stored.
    pub(super) record: Record,
    /// What is not.
    pub(super) refused: Refused,
    oldest_ms: i64,
    future_ms: i64,
    waiting: Vec<(Labels, Vec<Sample>)>,
}

impl Intake {
    pub(super) fn new(app: &Monitoring, tenant: TenantId) -> Self {
        let received_ms = app.now_ms();
        let ahead_ms = i64::from(app.0.config.max_future_s) * 1_000;
        Self {
            app: app.clone(),
            tenant,
            record: Record { received_ms, ..Record::default() },
            refused: Refused::default(),
            oldest_ms: app.oldest_ms(received_ms),
            future_ms: received_ms.saturating_add(ahead_ms),
            waiting: Vec::new(),
        }
    }

    /// Gives every series its number.
    pub(super) fn look_up(&mut self) {
        let app = self.app.clone();
        let (limit, now_ms) = (app.0.config.max_series, self.record.received_ms);
        let mut head = app.head_mut();
        for (labels, samples) in std::mem::take(&mut self.waiting) {
            match head.resolve(self.tenant, &labels, limit, now_ms) {
                Ok(number) => self.keep(&head, number, samples),
                Err(_) => self.refused.over_limit += samples.len() as u64,
            }
        }
    }

    /// Adds timely samples to the record, unless they are stored already.
    pub(super) fn keep(
        &mut self,
        head: &Head,
        number: SeriesRef,
        samples: impl IntoIterator<Item = Sample>,
    ) {
        for (t, value) in samples {
            if head.has(number, t) {
                self.app.0.metrics.repeated.inc();
            } else {
                self.record.samples.push((number, t, value));
            }
        }
    }
}

impl Take for Intake {
    fn add(&mut self, labels: Vec<(String, String)>, mut samples: Vec<Sample>) {
        samples.retain(|(t, _)| self.timely(*t));
        if samples.is_empty() {
            return;
        }
        match Labels::new(labels) {
            Ok(labels) => self.waiting.push((labels, samples)),
            Err(why) => self.refused.bad_labels(why, samples.len() as u64),
        }
        if self.waiting.len() >= AT_ONCE {
            self.look_up();
        }
    }

    fn timely(&mut self, t: i64) -> bool {
        self.refused.too_old += u64::from(t < self.oldest_ms);
        self.refused.future += u64::from(t > self.future_ms);
        (self.oldest_ms..=self.future_ms).contains(&t)
    }

    fn refused(&mut self) -> &mut Refused {
        &mut self.refused
    }
}
