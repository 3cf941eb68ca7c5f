//! One expression at one instant.

use std::borrow::Cow;
use std::collections::HashMap;

use promql_parser::parser::{Expr, MatrixSelector, SubqueryExpr, VectorSelector};

use crate::engine::{Limits, unique};
use crate::select::{Selected, Steps, Window, millis, newest, reference, subquery_steps, within};
use crate::{Error, Labels, Sample, aggregate, binary, call};

/// Elements of an instant vector.
pub(crate) type Vector = Vec<(Labels, f64)>;

/// What an expression is at one instant.
pub(crate) enum Evaluated<'a> {
    Scalar(f64),
    Text(String),
    Vector(Vector),
    Matrix(Vec<Window<'a>>),
}

/// Evaluates the expressions of one query.
pub(crate) struct Evaluator<'a> {
    selected: &'a Selected,
    limits: Limits,
    query: Steps,
}

impl<'a> Evaluator<'a> {
    pub(crate) fn new(selected: &'a Selected, limits: Limits, query: Steps) -> Self {
        Self { selected, limits, query }
    }

    /// The expression's value at `t`.
    pub(crate) fn eval(&self, expr: &Expr, t: i64) -> Result<Evaluated<'a>, Error> {
        if self.limits.deadline.is_some_and(|deadline| openframe_clock::monotonic() > deadline) {
            return Err(Error::TimedOut);
        }
        Ok(match expr {
            Expr::NumberLiteral(number) => Evaluated::Scalar(number.val),
            Expr::StringLiteral(text) => Evaluated::Text(text.val.clone()),
            Expr::Paren(paren) => self.eval(&paren.expr, t)?,
            Expr::Unary(unary) => match self.eval(&unary.expr, t)? {
                Evaluated::Scalar(v) => Evaluated::Scalar(-v),
                Evaluated::Vector(elements) => Evaluated::Vector(unique(
                    elements.into_iter().map(|(labels, v)| (labels.nameless(), -v)).collect(),
                )?),
                Evaluated::Text(_) | Evaluated::Matrix(_) => return Err(wrong_type("a number")),
            },
            Expr::VectorSelector(selector) => Evaluated::Vector(
                self.samples(selector, t).map(|(labels, sample)| (labels, sample.v)).collect(),
            ),
            Expr::MatrixSelector(matrix) => Evaluated::Matrix(self.matrix(matrix, t)),
            Expr::Subquery(subquery) => Evaluated::Matrix(self.subquery(subquery, t)?),
            Expr::Aggregate(one) => Evaluated::Vector(aggregate::eval(self, one, t)?),
            Expr::Binary(one) => binary::eval(self, one, t)?,
            Expr::Call(one) => call::eval(self, one, t)?,
            Expr::Extension(_) => return Err(wrong_type("PromQL")),
        })
    }

    /// The expression's value at `t`, which must be a vector.
    pub(crate) fn vector(&self, expr: &Expr, t: i64) -> Result<Vector, Error> {
        match self.eval(expr, t)? {
            Evaluated::Vector(elements) => Ok(elements),
            Evaluated::Scalar(_) | Evaluated::Text(_) | Evaluated::Matrix(_) => {
                Err(wrong_type("an instant vector"))
            }
        }
    }

    /// The expression's value at `t`, which must be a number.
    pub(crate) fn scalar(&self, expr: &Expr, t: i64) -> Result<f64, Error> {
        match self.eval(expr, t)? {
            Evaluated::Scalar(v) => Ok(v),
            Evaluated::Vector(_) | Evaluated::Text(_) | Evaluated::Matrix(_) => {
                Err(wrong_type("a scalar"))
            }
        }
    }

    /// The expression's value, which must be a text.
    pub(crate) fn text(&self, expr: &Expr, t: i64) -> Result<String, Error> {
        match self.eval(expr, t)? {
            Evaluated::Text(text) => Ok(text),
            Evaluated::Vector(_) | Evaluated::Scalar(_) | Evaluated::Matrix(_) => {
                Err(wrong_type("a string"))
            }
        }
    }

    /// The newest samples that a selector sees at `t`.
    pub(crate) fn samples<'s>(
        &'s self,
        selector: &'s VectorSelector,
        t: i64,
    ) -> impl Iterator<Item = (Labels, Sample)> + 's {
        let to = reference(t, selector.at.as_ref(), selector.offset.as_ref(), self.query);
        let from = to - self.limits.lookback_ms;
        self.selected.series(selector).iter().filter_map(move |series| {
            Some((series.labels.clone(), newest(&series.samples, from, to)?))
        })
    }

    fn matrix(&self, matrix: &MatrixSelector, t: i64) -> Vec<Window<'a>> {
        let (from, to) = self.window(&Expr::MatrixSelector(matrix.clone()), t);
        let series = self.selected.series(&matrix.vs);
        let window = |series: &'a crate::Series| {
            let samples = within(&series.samples, from, to);
            (!samples.is_empty()).then(|| Window { labels: series.labels.clone(), samples })
        };
        series.iter().filter_map(window).collect()
    }

    /// The range, left-open, that a matrix selector or subquery looks at when the query is at `t`.
    pub(crate) fn window(&self, expr: &Expr, t: i64) -> (i64, i64) {
        let (range, at, offset) = match expr {
            Expr::MatrixSelector(one) => (one.range, one.vs.at.as_ref(), one.vs.offset.as_ref()),
            Expr::Subquery(one) => (one.range, one.at.as_ref(), one.offset.as_ref()),
            Expr::Paren(paren) => return self.window(&paren.expr, t),
            Expr::Aggregate(_)
            | Expr::Unary(_)
            | Expr::Binary(_)
            | Expr::NumberLiteral(_)
            | Expr::StringLiteral(_)
            | Expr::VectorSelector(_)
            | Expr::Call(_)
            | Expr::Extension(_) => return (t, t),
        };
        let to = reference(t, at, offset, self.query);
        (to - millis(range), to)
    }

    fn subquery(&self, subquery: &SubqueryExpr, t: i64) -> Result<Vec<Window<'a>>, Error> {
        let (_, end) = self.window(&Expr::Subquery(subquery.clone()), t);
        let (mut at, end, step) = subquery_steps(subquery, end);
        let mut found: HashMap<Labels, Vec<Sample>> = HashMap::new();
        let mut order = Vec::new();
        while at <= end {
            let elements = match self.eval(&subquery.expr, at)? {
                Evaluated::Scalar(v) => vec![(Labels::default(), v)],
                Evaluated::Vector(elements) => elements,
                Evaluated::Text(_) | Evaluated::Matrix(_) => {
                    return Err(wrong_type("an instant vector"));
                }
            };
            for (labels, v) in elements {
                let samples = found.entry(labels.clone()).or_insert_with(|| {
                    order.push(labels);
                    Vec::new()
                });
                samples.push(Sample { t_ms: at, v });
            }
            at += step;
        }
        let window = |labels: Labels| {
            let samples = Cow::Owned(found.remove(&labels).unwrap_or_default());
            Window { labels, samples }
        };
        Ok(order.into_iter().map(window).collect())
    }
}

pub(crate) fn wrong_type(wanted: &str) -> Error {
    Error::Parse(format!("the expression must be {wanted}"))
}
