//! Reading telemetry: PromQL on the caller's own series.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use openframe_ids::TenantId;
use openframe_promql as promql;
use openframe_tokens::Caller;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Monitoring;
use super::sight::Sight;
use crate::domain::head::Matcher;
use crate::domain::labels::Labels;
use crate::domain::record::SeriesRef;
use crate::{Config, Error};

/// Series that are looked up at once; the head is locked while that is done.
const BATCH: usize = 1_000;

/// When a query is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At one instant, Unix milliseconds.
    At(i64),
    /// From, to, and the step between, milliseconds.
    Steps(i64, i64, i64),
}

/// A query, and how it is to be evaluated.
#[derive(Debug, Clone)]
pub struct Question {
    /// PromQL.
    pub text: String,
    /// For which instants.
    pub when: When,
    /// How long it may take, if less than the configured time.
    pub timeout: Option<Duration>,
    /// How far back an instant selector looks, if not the usual 5 minutes, milliseconds.
    pub lookback_ms: Option<i64>,
}

impl Question {
    /// A query with nothing special about it.
    pub fn new(text: String, when: When) -> Self {
        Self { text, when, timeout: None, lookback_ms: None }
    }
}

/// What is set about queries, and since when.
#[derive(Debug, Clone, Copy)]
pub struct QuerySettings {
    /// When the service started.
    pub started: Timestamp,
    /// Days that samples are kept.
    pub retention_days: u32,
    /// Samples that one query may hold.
    pub samples: usize,
    /// Queries at the same time.
    pub concurrency: usize,
    /// How long one may take.
    pub timeout: Duration,
}

/// One of the places for queries; it is free again when this is dropped.
#[derive(Debug)]
pub struct Place(#[expect(dead_code, reason = "it is held, not read")] OwnedSemaphorePermit);

/// What queries share.
pub(super) struct Queries {
    places: Arc<Semaphore>,
    started: Timestamp,
}

impl Queries {
    pub(super) fn new(config: &Config, started: Timestamp) -> Self {
        Self { places: Arc::new(Semaphore::new(config.query_concurrency.max(1))), started }
    }
}

/// Tells work that it is not wanted any more once whoever waits for it is gone.
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Monitoring {
    /// Evaluates a query and hands the answer to `write`, both where nobody else has to wait. Gives
    /// up after the configured time, and when the returned future is dropped. The place among the
    /// queries is the caller's until it drops that.
    pub async fn query<T: Send + 'static>(
        &self,
        caller: &Caller,
        question: Question,
        write: impl FnOnce(promql::Value) -> Result<T, promql::Error> + Send + 'static,
    ) -> Result<(T, Place), Error> {
        let own = Own { tenant: caller.tenant, sight: self.sight(caller).await? };
        self.in_turn(question.timeout, move |app, limits| {
            write(app.evaluate(&own, &question, limits)?)
        })
        .await
    }

    /// The answer of a query of the platform itself; it waits for no place.
    pub(super) async fn query_of(
        &self,
        tenant: TenantId,
        text: String,
        when: When,
    ) -> Result<promql::Value, Error> {
        let (question, own) = (Question::new(text, when), Own { tenant, sight: Sight::Everything });
        self.apart(self.deadline(None), move |app, limits| app.evaluate(&own, &question, limits))
            .await
    }

    /// Runs `work` when there is a place among the queries.
    pub(super) async fn in_turn<T: Send + 'static>(
        &self,
        timeout: Option<Duration>,
        work: impl FnOnce(&Self, promql::Limits) -> Result<T, promql::Error> + Send + 'static,
    ) -> Result<(T, Place), Error> {
        let deadline = self.deadline(timeout);
        let place = Arc::clone(&self.0.queries.places).acquire_owned();
        let Ok(Ok(place)) = tokio::time::timeout_at(deadline.into(), place).await else {
            return Err(Error::Query(promql::Error::TimedOut("query queue")));
        };
        self.catch_up().await;
        // The place is held until the work has really ended, whoever still waits.
        let work = move |app: &Self, limits| Ok((work(app, limits)?, Place(place)));
        self.apart(deadline, work).await
    }

    async fn apart<T: Send + 'static>(
        &self,
        deadline: Instant,
        work: impl FnOnce(&Self, promql::Limits) -> Result<T, promql::Error> + Send + 'static,
    ) -> Result<T, Error> {
        let waiting = Waiting(Arc::default());
        let config = &self.0.config;
        let limits = promql::Limits {
            max_samples: config.query_samples,
            max_series: config.query_series,
            deadline: Some(deadline),
            cancelled: Some(Arc::clone(&waiting.0)),
            ..promql::Limits::default()
        };
        let app = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&app, limits)).await;
        done.map_err(|error| Error::Encode(error.into()))?.map_err(Error::Query)
    }

    /// What is set about queries.
    pub fn query_settings(&self) -> QuerySettings {
        let config = &self.0.config;
        QuerySettings {
            started: self.0.queries.started,
            retention_days: config.retention_days.max(1),
            samples: config.query_samples,
            concurrency: config.query_concurrency.max(1),
            timeout: config.query_timeout(),
        }
    }

    /// Bytes of one query's answer at most.
    pub(crate) fn max_answer_bytes(&self) -> usize {
        self.0.config.query_answer_bytes
    }

    /// Time between two evaluations of the rules.
    pub(crate) fn evaluation_interval(&self) -> Duration {
        self.0.config.evaluation_interval()
    }

    fn deadline(&self, timeout: Option<Duration>) -> Instant {
        let most = self.0.config.query_timeout();
        openframe_clock::monotonic() + timeout.map_or(most, |timeout| timeout.min(most))
    }

    fn evaluate(
        &self,
        own: &Own,
        question: &Question,
        limits: promql::Limits,
    ) -> Result<promql::Value, promql::Error> {
        let lookback_ms = question.lookback_ms.unwrap_or(limits.lookback_ms);
        let engine = promql::Engine { limits: promql::Limits { lookback_ms, ..limits } };
        let source = Source { app: self, own };
        match question.when {
            When::At(t) => engine.instant(&source, &question.text, t),
            When::Steps(start, end, step) => {
                engine.range(&source, &question.text, (start, end, step))
            }
        }
    }
}

/// Whose series, and which of them are seen.
struct Own {
    tenant: TenantId,
    sight: Sight,
}

/// The caller's series as PromQL reads them.
struct Source<'a> {
    app: &'a Monitoring,
    own: &'a Own,
}

impl promql::Source for Source<'_> {
    fn select(
        &self,
        matchers: &[promql::Matcher],
        start_ms: i64,
        end_ms: i64,
        budget: &promql::Budget,
    ) -> Result<Vec<promql::Series>, promql::Error> {
        // The window of PromQL is left-open, the head's is closed. What is older than what is kept
        // may still be in a chunk.
        let oldest_ms = self.app.oldest_ms(self.app.now_ms());
        let range = (start_ms.saturating_add(1).max(oldest_ms), end_ms);
        let wanted = conditions(matchers, &self.own.sight, budget.limits());
        let numbers = self.app.head().find(self.own.tenant, &wanted);
        budget.check()?;
        let mut texts = Texts::default();
        let mut found = Vec::new();
        let numbers: Vec<SeriesRef> = numbers.into_iter().collect();
        for batch in numbers.chunks(BATCH) {
            let batch = self.app.head().snapshots(batch, range);
            for snapshot in batch {
                budget.check()?;
                let samples = snapshot.samples();
                if samples.is_empty() {
                    continue;
                }
                let labels = texts.labels(&snapshot.labels);
                budget.series(found.len(), &labels)?;
                budget.samples(samples.len())?;
                let samples = samples.into_iter().map(|(t_ms, v)| promql::Sample { t_ms, v });
                found.push(promql::Series { labels, samples: samples.collect() });
            }
        }
        Ok(found)
    }
}

/// Names and values of labels, each kept once: series share most of theirs.
#[derive(Default)]
struct Texts(HashSet<Arc<str>>);

impl Texts {
    fn shared(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = text.into();
        self.0.insert(Arc::clone(&new));
        new
    }

    fn labels(&mut self, labels: &Labels) -> promql::Labels {
        let pairs = labels.iter().map(|(name, value)| (self.shared(name), self.shared(value)));
        promql::Labels::new(pairs.collect::<Vec<_>>())
    }
}

/// Matchers as the head takes them, less what is not seen. Once the time is over nothing matches, so that a search of many
/// values ends.
pub(super) fn conditions(
    matchers: &[promql::Matcher],
    sight: &Sight,
    limits: &promql::Limits,
) -> Vec<Matcher> {
    let one = |matcher: &promql::Matcher| match &matcher.kind {
        promql::MatchKind::Equal => Matcher::equal(&matcher.name, matcher.value.clone()),
        promql::MatchKind::NotEqual
        | promql::MatchKind::Regex(_)
        | promql::MatchKind::NotRegex(_) => {
            let (known, limits) = (matcher.clone(), limits.clone());
            let holds = move |value: &str| !limits.over() && known.matches(value);
            Matcher::when(&matcher.name, Arc::new(holds))
        }
    };
    matchers.iter().map(one).chain(sight.condition()).collect()
}
