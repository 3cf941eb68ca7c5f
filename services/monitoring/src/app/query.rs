//! Reading telemetry: PromQL on the caller's own series.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use openframe_ids::TenantId;
use openframe_promql as promql;
use openframe_tokens::{Caller, Permission};

use super::{Monitoring, need};
use crate::Error;
use crate::domain::head::Matcher;

/// Series, or label values, in one answer at most.
const MAX_LISTED: usize = 100_000;

/// The caller's series as PromQL reads them.
struct Own<'a> {
    app: &'a Monitoring,
    tenant: TenantId,
}

impl promql::Source for Own<'_> {
    fn select(
        &self,
        matchers: &[promql::Matcher],
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Vec<promql::Series>, promql::SourceError> {
        // The window of PromQL is left-open, the head's is closed.
        let range = (start_ms.saturating_add(1), end_ms);
        let found = self.app.select_of(self.tenant, &ours(matchers), range);
        let series = |(labels, samples): (crate::domain::labels::Labels, Vec<_>)| promql::Series {
            labels: promql::Labels::new(labels.iter()),
            samples: samples.into_iter().map(|(t_ms, v)| promql::Sample { t_ms, v }).collect(),
        };
        Ok(found.into_iter().map(series).collect())
    }
}

/// When a query is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At one instant, Unix milliseconds.
    At(i64),
    /// From, to, and the step between, milliseconds.
    Steps(i64, i64, i64),
}

impl Monitoring {
    /// Evaluates a query; blocks no other request, and gives up after the configured time.
    pub async fn query(
        &self,
        caller: &Caller,
        text: String,
        when: When,
    ) -> Result<promql::Value, Error> {
        need(caller, Permission::TelemetryRead)?;
        self.query_of(caller.tenant, text, when).await
    }

    /// As [`Monitoring::query`], for whoever was checked already.
    pub(super) async fn query_of(
        &self,
        tenant: TenantId,
        text: String,
        when: When,
    ) -> Result<promql::Value, Error> {
        let app = self.clone();
        let work = move || app.evaluate(tenant, &text, when);
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| Error::Query(promql::Error::Execution(error.to_string())))?
    }

    fn evaluate(&self, tenant: TenantId, text: &str, when: When) -> Result<promql::Value, Error> {
        let config = &self.0.config;
        let limits = promql::Limits {
            max_samples: config.query_samples,
            deadline: Some(Instant::now() + Duration::from_secs(config.query_timeout_s)),
            ..promql::Limits::default()
        };
        let engine = promql::Engine { limits };
        let source = Own { app: self, tenant };
        match when {
            When::At(t) => engine.instant(&source, text, t),
            When::Steps(start, end, step) => engine.range(&source, text, (start, end, step)),
        }
        .map_err(Error::Query)
    }

    /// The labels of the series that fit any of `selectors` and have a sample in `[start, end]`.
    pub fn series(
        &self,
        caller: &Caller,
        selectors: &[Vec<promql::Matcher>],
        range: (i64, i64),
    ) -> Result<BTreeSet<promql::Labels>, Error> {
        need(caller, Permission::TelemetryRead)?;
        let mut found = BTreeSet::new();
        for matchers in selectors {
            for (labels, _) in self.select(caller, &ours(matchers), range)? {
                found.insert(promql::Labels::new(labels.iter()));
            }
            if found.len() > MAX_LISTED {
                let message = format!("more than {MAX_LISTED} series fit; narrow the selector");
                return Err(Error::Query(promql::Error::TooMuch(message)));
            }
        }
        Ok(found)
    }
}

fn ours(matchers: &[promql::Matcher]) -> Vec<Matcher> {
    let one = |matcher: &promql::Matcher| match &matcher.kind {
        promql::MatchKind::Equal => Matcher::equal(&matcher.name, matcher.value.clone()),
        promql::MatchKind::NotEqual
        | promql::MatchKind::Regex(_)
        | promql::MatchKind::NotRegex(_) => {
            let known = matcher.clone();
            let holds = std::sync::Arc::new(move |value: &str| known.matches(value));
            Matcher::when(&matcher.name, holds)
        }
    };
    matchers.iter().map(one).collect()
}
