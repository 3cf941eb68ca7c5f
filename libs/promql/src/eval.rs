//! One expression at one instant.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;

use promql_parser::parser::{Expr, MatrixSelector, SubqueryExpr, VectorSelector};
use regex::Regex;

use crate::engine::unique;
use crate::parse::surrounded;
use crate::select::{Selected, Steps, Window, millis, newest, reference, subquery_steps, within};
use crate::{Budget, Error, Labels, Sample, aggregate, binary, call};

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
    pub(crate) budget: &'a Budget,
    query: Steps,
    /// Compiled once for all steps.
    regexes: RefCell<HashMap<String, Regex>>,
}

impl<'a> Evaluator<'a> {
    pub(crate) fn new(selected: &'a Selected, budget: &'a Budget, query: Steps) -> Self {
        Self { selected, budget, query, regexes: RefCell::default() }
    }

    /// The expression's value at `t`.
    pub(crate) fn eval(&self, expr: &Expr, t: i64) -> Result<Evaluated<'a>, Error> {
        self.budget.check()?;
        Ok(match expr {
            Expr::NumberLiteral(number) => Evaluated::Scalar(number.val),
            Expr::StringLiteral(text) => Evaluated::Text(text.val.clone()),
            Expr::Paren(paren) => self.eval(&paren.expr, t)?,
            Expr::Unary(unary) => negated(self.eval(&unary.expr, t)?)?,
            Expr::VectorSelector(selector) => Evaluated::Vector(self.instant(selector, t)?),
            Expr::MatrixSelector(matrix) => Evaluated::Matrix(self.matrix(matrix, t)),
            Expr::Subquery(subquery) => Evaluated::Matrix(self.subquery(subquery, t)?),
            Expr::Aggregate(one) => Evaluated::Vector(aggregate::eval(self, one, t)?),
            Expr::Binary(one) => binary::eval(self, one, t)?,
            Expr::Call(one) => call::eval(self, one, t)?,
            Expr::Extension(_) => return Err(wrong_type("PromQL")),
        })
    }

    /// The regular expression of `label_replace`.
    pub(crate) fn regex(&self, text: &str) -> Result<Regex, Error> {
        if let Some(known) = self.regexes.borrow().get(text) {
            return Ok(known.clone());
        }
        let regex = surrounded(text)?;
        self.regexes.borrow_mut().insert(text.to_owned(), regex.clone());
        Ok(regex)
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
        let from = to - self.budget.limits().lookback_ms;
        self.selected.series(selector).iter().filter_map(move |series| {
            Some((series.labels.clone(), newest(&series.samples, from, to)?))
        })
    }

    fn instant(&self, selector: &VectorSelector, t: i64) -> Result<Vector, Error> {
        let elements: Vector =
            self.samples(selector, t).map(|(labels, sample)| (labels, sample.v)).collect();
        self.budget.samples(elements.len())?;
        Ok(elements)
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
        let to = reference(t, subquery.at.as_ref(), subquery.offset.as_ref(), self.query);
        let found = self.steps(&subquery.expr, subquery_steps(subquery, to))?;
        let window = |(labels, samples)| Window { labels, samples: Cow::Owned(samples) };
        Ok(found.into_iter().map(window).collect())
    }

    /// The expression's values at each step, as series in the order of their first value.
    pub(crate) fn steps(
        &self,
        expr: &Expr,
        (first, last, step): Steps,
    ) -> Result<Vec<(Labels, Vec<Sample>)>, Error> {
        let mut index: HashMap<Labels, usize> = HashMap::new();
        let mut series: Vec<(Labels, Vec<Sample>)> = Vec::new();
        let mut t_ms = first;
        while t_ms <= last {
            for (labels, v) in self.budget.step(|| self.elements(expr, t_ms))? {
                let at = if let Some(at) = index.get(&labels) {
                    *at
                } else {
                    self.budget.labels(&labels)?;
                    index.insert(labels.clone(), series.len());
                    series.push((labels, Vec::new()));
                    series.len() - 1
                };
                self.budget.samples(1)?;
                if let Some((_, samples)) = series.get_mut(at) {
                    samples.push(Sample { t_ms, v });
                }
            }
            t_ms += step;
        }
        Ok(series)
    }

    /// The elements of one step; a number is one without labels.
    fn elements(&self, expr: &Expr, t: i64) -> Result<Vector, Error> {
        match self.eval(expr, t)? {
            Evaluated::Scalar(v) => Ok(vec![(Labels::default(), v)]),
            Evaluated::Vector(elements) => unique(elements),
            Evaluated::Text(_) | Evaluated::Matrix(_) => Err(wrong_type("an instant vector")),
        }
    }
}

fn negated(value: Evaluated<'_>) -> Result<Evaluated<'_>, Error> {
    match value {
        Evaluated::Scalar(v) => Ok(Evaluated::Scalar(-v)),
        Evaluated::Vector(elements) => {
            let negated = elements.into_iter().map(|(labels, v)| (labels.nameless(), -v));
            Ok(Evaluated::Vector(unique(negated.collect())?))
        }
        Evaluated::Text(_) | Evaluated::Matrix(_) => Err(wrong_type("a number")),
    }
}

pub(crate) fn wrong_type(wanted: &str) -> Error {
    Error::Parse(format!("the expression must be {wanted}"))
}
