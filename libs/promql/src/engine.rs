//! From a text to an answer: parse, read the series, evaluate each step, collect.

use promql_parser::parser::value::ValueType;

use crate::eval::{Evaluated, Evaluator};
use crate::parse::parse;
use crate::select::Selected;
use crate::{Budget, Error, Labels, Limits, Sample, Series, Source, Value};

/// Evaluates queries.
#[derive(Debug, Clone, Default)]
pub struct Engine {
    /// What each query may use.
    pub limits: Limits,
}

impl Engine {
    /// Evaluates `text` at one instant (Unix milliseconds).
    pub fn instant(&self, source: &dyn Source, text: &str, t_ms: i64) -> Result<Value, Error> {
        let expr = parse(text)?;
        let budget = Budget::new(self.limits.clone());
        let selected = Selected::read(&expr, source, &budget, (t_ms, t_ms, 0))?;
        let evaluator = Evaluator::new(&selected, &budget, (t_ms, t_ms, 0));
        Ok(match evaluator.eval(&expr, t_ms)? {
            Evaluated::Scalar(v) => Value::Scalar(Sample { t_ms, v }),
            Evaluated::Text(text) => Value::String(t_ms, text),
            Evaluated::Vector(elements) => {
                let sample = |(labels, v)| (labels, Sample { t_ms, v });
                Value::Vector(unique(elements)?.into_iter().map(sample).collect())
            }
            Evaluated::Matrix(series) => {
                let mut list = Vec::with_capacity(series.len());
                for window in series {
                    budget.samples(window.samples.len())?;
                    let samples = window.samples.into_owned();
                    list.push(Series { labels: window.labels, samples });
                }
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
            let kind =
                if expr.value_type() == ValueType::Matrix { "range vector" } else { "string" };
            return Err(Error::Parse(format!(
                "invalid expression type \"{kind}\" for range query, must be Scalar or instant Vector"
            )));
        }
        let steps = (start_ms, end_ms, step_ms);
        let budget = Budget::new(self.limits.clone());
        let selected = Selected::read(&expr, source, &budget, steps)?;
        let evaluator = Evaluator::new(&selected, &budget, steps);
        let series = evaluator.steps(&expr, steps)?;
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
