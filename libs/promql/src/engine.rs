//! From a text to an answer: parse, read the series, evaluate each step, collect.

use std::collections::HashMap;
use std::time::Instant;

use promql_parser::parser::value::ValueType;

use crate::eval::{Evaluated, Evaluator};
use crate::parse::parse;
use crate::select::Selected;
use crate::{Error, Labels, Sample, Series, Source, Value};

/// What a query may use.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Samples read at most.
    pub max_samples: usize,
    /// Series read by one selector at most.
    pub max_series: usize,
    /// How far back an instant selector looks, milliseconds.
    pub lookback_ms: i64,
    /// When to give up.
    pub deadline: Option<Instant>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_samples: 50_000_000, max_series: 200_000, lookback_ms: 300_000, deadline: None }
    }
}

/// Evaluates queries.
#[derive(Debug, Clone, Copy, Default)]
pub struct Engine {
    /// What each query may use.
    pub limits: Limits,
}

impl Engine {
    /// Evaluates `text` at one instant (Unix milliseconds).
    pub fn instant(&self, source: &dyn Source, text: &str, t_ms: i64) -> Result<Value, Error> {
        let expr = parse(text)?;
        let selected = Selected::read(&expr, source, self.limits, (t_ms, t_ms, 0))?;
        let evaluator = Evaluator::new(&selected, self.limits, (t_ms, t_ms, 0));
        Ok(match evaluator.eval(&expr, t_ms)? {
            Evaluated::Scalar(v) => Value::Scalar(Sample { t_ms, v }),
            Evaluated::Text(text) => Value::String(t_ms, text),
            Evaluated::Vector(elements) => {
                let sample = |(labels, v)| (labels, Sample { t_ms, v });
                Value::Vector(unique(elements)?.into_iter().map(sample).collect())
            }
            Evaluated::Matrix(series) => {
                let mut list: Vec<Series> = series
                    .into_iter()
                    .map(|window| Series {
                        labels: window.labels,
                        samples: window.samples.into_owned(),
                    })
                    .collect();
                list.sort_by(|a, b| a.labels.cmp(&b.labels));
                Value::Matrix(list)
            }
        })
    }

    /// Evaluates `text` at each step from `start_ms` to `end_ms` inclusive.
    pub fn range(
        &self,
        source: &dyn Source,
        text: &str,
        (start_ms, end_ms, step_ms): (i64, i64, i64),
    ) -> Result<Value, Error> {
        if step_ms <= 0 {
            return Err(Error::Parse("zero or negative query resolution step".to_owned()));
        }
        let expr = parse(text)?;
        if !matches!(expr.value_type(), ValueType::Vector | ValueType::Scalar) {
            let kind = expr.value_type();
            return Err(Error::Parse(format!(
                "invalid expression type \"{kind}\" for range query, must be Scalar or instant Vector"
            )));
        }
        let steps = (start_ms, end_ms, step_ms);
        let selected = Selected::read(&expr, source, self.limits, steps)?;
        let evaluator = Evaluator::new(&selected, self.limits, steps);
        let mut series: HashMap<Labels, Vec<Sample>> = HashMap::new();
        let mut t_ms = start_ms;
        while t_ms <= end_ms {
            let elements = match evaluator.eval(&expr, t_ms)? {
                Evaluated::Scalar(v) => vec![(Labels::default(), v)],
                Evaluated::Vector(elements) => unique(elements)?,
                Evaluated::Text(_) | Evaluated::Matrix(_) => Vec::new(),
            };
            for (labels, v) in elements {
                series.entry(labels).or_default().push(Sample { t_ms, v });
            }
            t_ms += step_ms;
        }
        let mut list: Vec<Series> =
            series.into_iter().map(|(labels, samples)| Series { labels, samples }).collect();
        list.sort_by(|a, b| a.labels.cmp(&b.labels));
        Ok(Value::Matrix(list))
    }
}

/// Refuses two elements of the same labels.
pub(crate) fn unique(elements: Vec<(Labels, f64)>) -> Result<Vec<(Labels, f64)>, Error> {
    let mut seen = std::collections::HashSet::with_capacity(elements.len());
    if elements.iter().all(|(labels, _)| seen.insert(labels)) {
        return Ok(elements);
    }
    Err(Error::execution("vector cannot contain metrics with the same labelset"))
}
