//! Reading: each selector of a query once, for all the steps that will look at it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use promql_parser::parser::{AtModifier, Expr, Offset, SubqueryExpr, VectorSelector};

use crate::parse::matchers;
use crate::{Budget, Error, Labels, Sample, Series, Source, is_stale};

/// The step of a subquery that names none, milliseconds: Prometheus' default evaluation interval.
pub(crate) const SUBQUERY_STEP_MS: i64 = 60_000;

/// First step, last step and step width, Unix milliseconds.
pub(crate) type Steps = (i64, i64, i64);

/// The series of every selector of one query.
pub(crate) struct Selected(HashMap<*const VectorSelector, Vec<Series>>);

/// Samples of one series within a range.
#[derive(Debug, Clone)]
pub(crate) struct Window<'a> {
    pub(crate) labels: Labels,
    pub(crate) samples: Cow<'a, [Sample]>,
}

impl Selected {
    /// Reads what `expr` needs for `steps`.
    pub(crate) fn read(
        expr: &Expr,
        source: &dyn Source,
        budget: &Budget,
        steps: Steps,
    ) -> Result<Self, Error> {
        let mut reader = Reader { source, budget, query: steps, read: HashMap::new() };
        reader.expr(expr, (steps.0, steps.1))?;
        Ok(Self(reader.read))
    }

    pub(crate) fn series(&self, selector: &VectorSelector) -> &[Series] {
        let key: *const VectorSelector = selector;
        self.0.get(&key).map_or(&[], Vec::as_slice)
    }
}

struct Reader<'a> {
    source: &'a dyn Source,
    budget: &'a Budget,
    query: Steps,
    read: HashMap<*const VectorSelector, Vec<Series>>,
}

impl Reader<'_> {
    /// Reads for `expr` being evaluated at instants within `(first, last)`.
    fn expr(&mut self, expr: &Expr, span: (i64, i64)) -> Result<(), Error> {
        match expr {
            Expr::VectorSelector(selector) => {
                self.selector(selector, self.budget.limits().lookback_ms, span)
            }
            Expr::MatrixSelector(matrix) => self.selector(&matrix.vs, millis(matrix.range), span),
            Expr::Subquery(subquery) => {
                let at =
                    |t| reference(t, subquery.at.as_ref(), subquery.offset.as_ref(), self.query);
                let (first, last) = (at(span.0), at(span.1));
                self.expr(&subquery.expr, (first - millis(subquery.range), last))
            }
            Expr::Aggregate(aggregate) => {
                if let Some(param) = &aggregate.param {
                    self.expr(param, span)?;
                }
                self.expr(&aggregate.expr, span)
            }
            Expr::Unary(unary) => self.expr(&unary.expr, span),
            Expr::Paren(paren) => self.expr(&paren.expr, span),
            Expr::Binary(binary) => {
                self.expr(&binary.lhs, span)?;
                self.expr(&binary.rhs, span)
            }
            Expr::Call(call) => {
                call.args.args.iter().try_for_each(|argument| self.expr(argument, span))
            }
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => Ok(()),
        }
    }

    fn selector(
        &mut self,
        selector: &VectorSelector,
        range_ms: i64,
        span: (i64, i64),
    ) -> Result<(), Error> {
        let at = |t| reference(t, selector.at.as_ref(), selector.offset.as_ref(), self.query);
        let (first, last) = (at(span.0), at(span.1));
        let wanted = matchers(selector.name.as_deref(), &selector.matchers)?;
        let series = self.source.select(&wanted, first - range_ms, last, self.budget)?;
        let key: *const VectorSelector = selector;
        self.read.insert(key, series);
        Ok(())
    }
}

/// The instant that a selector looks at when the query is at `t`.
pub(crate) fn reference(
    t: i64,
    at: Option<&AtModifier>,
    offset: Option<&Offset>,
    query: Steps,
) -> i64 {
    let t = match at {
        None => t,
        Some(AtModifier::Start) => query.0,
        Some(AtModifier::End) => query.1,
        Some(AtModifier::At(time)) => unix_ms(*time),
    };
    match offset {
        None => t,
        Some(Offset::Pos(back)) => t - millis(*back),
        Some(Offset::Neg(ahead)) => t + millis(*ahead),
    }
}

fn unix_ms(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => millis(after),
        Err(before) => -millis(before.duration()),
    }
}

pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

/// The newest sample after `from` up to and including `to`, unless the series has ended by then.
pub(crate) fn newest(samples: &[Sample], from: i64, to: i64) -> Option<Sample> {
    let end = samples.partition_point(|sample| sample.t_ms <= to);
    let last = samples.get(end.checked_sub(1)?)?;
    (last.t_ms > from && !is_stale(last.v)).then_some(*last)
}

/// The samples after `from` up to and including `to`, staleness markers left out.
pub(crate) fn within(samples: &[Sample], from: i64, to: i64) -> Cow<'_, [Sample]> {
    let start = samples.partition_point(|sample| sample.t_ms <= from);
    let end = samples.partition_point(|sample| sample.t_ms <= to);
    let window = samples.get(start..end).unwrap_or_default();
    if window.iter().any(|sample| is_stale(sample.v)) {
        return window.iter().filter(|sample| !is_stale(sample.v)).copied().collect();
    }
    Cow::Borrowed(window)
}

/// The instants at which a subquery that ends at `end` evaluates: multiples of its step after its
/// start.
pub(crate) fn subquery_steps(subquery: &SubqueryExpr, end: i64) -> Steps {
    let step = subquery.step.map_or(SUBQUERY_STEP_MS, millis).max(1);
    let from = end - millis(subquery.range);
    // Truncated division, as in Go; only instants after `from` count.
    let mut first = step * (from / step);
    if first <= from {
        first += step;
    }
    (first, end, step)
}
