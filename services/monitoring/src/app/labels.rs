//! Which series, labels and values there are.

use openframe_promql as promql;
use openframe_tokens::{Caller, Permission};

use super::query::{Place, conditions};
use super::sight::Sight;
use super::{Monitoring, need};
use crate::Error;
use crate::domain::head::{Matcher, Statistics};
use crate::domain::labels::Labels;

/// Series, or names or values of labels, in one answer at most.
const MAX_LISTED: usize = 100_000;

/// Of which series.
#[derive(Debug, Clone)]
pub struct Scope {
    /// Selectors as PromQL writes them; of none, every series.
    pub selectors: Vec<String>,
    /// With samples from here to there, Unix milliseconds.
    pub range: (i64, i64),
}

impl Monitoring {
    /// The labels of the series in a scope, in order.
    pub async fn series(
        &self,
        caller: &Caller,
        scope: Scope,
    ) -> Result<(Vec<Labels>, Place), Error> {
        let (tenant, sight) = (caller.tenant, self.sight(caller).await?);
        self.in_turn(None, move |app, limits| {
            let selectors = scope.parsed(&sight, &limits)?;
            let range = app.still(scope.range);
            let mut found = app.head().list_series(tenant, &selectors, range, MAX_LISTED + 1);
            whole(found.len(), limits)?;
            found.sort();
            Ok(found)
        })
        .await
    }

    /// The names of the labels in a scope, in order.
    pub async fn label_names(
        &self,
        caller: &Caller,
        scope: Scope,
    ) -> Result<(Vec<String>, Place), Error> {
        let (tenant, sight) = (caller.tenant, self.sight(caller).await?);
        self.in_turn(None, move |app, limits| {
            let selectors = scope.parsed(&sight, &limits)?;
            let found = app.head().list_names(tenant, &selectors, app.still(scope.range));
            whole(found.len(), limits)?;
            Ok(found.into_iter().collect())
        })
        .await
    }

    /// The values of a label in a scope, in order.
    pub async fn label_values(
        &self,
        caller: &Caller,
        name: String,
        scope: Scope,
    ) -> Result<(Vec<String>, Place), Error> {
        let (tenant, sight) = (caller.tenant, self.sight(caller).await?);
        self.in_turn(None, move |app, limits| {
            let selectors = scope.parsed(&sight, &limits)?;
            let scope = (selectors.as_slice(), app.still(scope.range));
            let found = app.head().list_values(tenant, &name, scope, MAX_LISTED + 1);
            whole(found.len(), limits)?;
            Ok(found)
        })
        .await
    }

    /// How much the tenant has: for whoever sees all of it.
    pub async fn statistics(&self, caller: &Caller) -> Result<Statistics, Error> {
        need(caller, Permission::TelemetryRead)?;
        let tenant = caller.tenant;
        let (found, _) =
            self.in_turn(None, move |app, _| Ok(app.head().statistics(tenant))).await?;
        Ok(found)
    }

    /// Writes a query in the usual layout.
    pub async fn format_query(&self, caller: &Caller, text: String) -> Result<String, Error> {
        self.sight(caller).await?;
        let (text, _) = self.in_turn(None, move |_, _| promql::format(&text)).await?;
        Ok(text)
    }

    /// The range, less what is older than what is kept.
    fn still(&self, (start_ms, end_ms): (i64, i64)) -> (i64, i64) {
        (start_ms.max(self.oldest_ms(self.now_ms())), end_ms)
    }
}

impl Scope {
    fn parsed(
        &self,
        sight: &Sight,
        limits: &promql::Limits,
    ) -> Result<Vec<Vec<Matcher>>, promql::Error> {
        if self.selectors.is_empty() {
            return Ok(vec![sight.condition().into_iter().collect()]);
        }
        let parse = |text: &String| Ok(conditions(&promql::parse_selector(text)?, sight, limits));
        self.selectors.iter().map(parse).collect()
    }
}

/// Whether what was found is all there is.
fn whole(found: usize, limits: promql::Limits) -> Result<(), promql::Error> {
    promql::Budget::new(limits).check()?;
    if found > MAX_LISTED {
        let message = format!("more than {MAX_LISTED} fit; narrow the selector or the time");
        return Err(promql::Error::TooMuch(message));
    }
    Ok(())
}
