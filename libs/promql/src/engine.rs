//! From a text to an answer: parse, read the series, evaluate each step, collect.

use std::collections::HashMap;
use std::time::Instant;

use promql_parser::label::{MatchOp, Matchers};
use promql_parser::parser::value::ValueType;
use promql_parser::parser::{self, Expr};

use crate::eval::{Evaluated, Evaluator};
use crate::select::Selected;
use crate::types::NAME;
use crate::{Error, Labels, MatchKind, Matcher, Sample, Series, Source, Value};

/// A query's text at most, bytes.
const MAX_TEXT: usize = 10_000;
/// Brackets in brackets at most; the parser is recursive.
const MAX_DEPTH: usize = 100;

/// Whether `text` is PromQL that can be evaluated at an instant.
pub fn check(text: &str) -> Result<(), Error> {
    parse(text).map(drop)
}

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

fn parse(text: &str) -> Result<Expr, Error> {
    guard(text)?;
    parser::parse(text).map_err(Error::Parse)
}

/// Refuses text that could exhaust the parser's stack.
fn guard(text: &str) -> Result<(), Error> {
    if text.len() > MAX_TEXT {
        return Err(Error::Parse(format!("the query is longer than {MAX_TEXT} bytes")));
    }
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    // A chain of signs nests as well.
    let signs = text.split(|c: char| !"+- ".contains(c)).map(str::len).max().unwrap_or_default();
    if deepest > MAX_DEPTH || signs > 2 * MAX_DEPTH {
        return Err(Error::Parse(format!("the query is nested deeper than {MAX_DEPTH}")));
    }
    Ok(())
}

/// Reads a selector such as `up{job="a"}`, as `match[]` has it. Several alternatives
/// (`{a="1" or b="2"}`) are not among what Prometheus takes.
pub fn parse_selector(text: &str) -> Result<Vec<Matcher>, Error> {
    let Expr::VectorSelector(selector) = parse(text)? else {
        return Err(Error::Parse("a series selector is expected".to_owned()));
    };
    matchers(selector.name.as_deref(), &selector.matchers)
}

/// The parser's matchers as ours.
pub(crate) fn matchers(name: Option<&str>, parsed: &Matchers) -> Result<Vec<Matcher>, Error> {
    if !parsed.or_matchers.is_empty() {
        return Err(Error::Parse("`or` between matchers is not PromQL".to_owned()));
    }
    let mut list = Vec::with_capacity(parsed.matchers.len() + 1);
    if let Some(name) = name {
        let (value, kind) = (name.to_owned(), MatchKind::Equal);
        list.push(Matcher { name: NAME.to_owned(), value, kind });
    }
    for matcher in &parsed.matchers {
        let kind = match &matcher.op {
            MatchOp::Equal => MatchKind::Equal,
            MatchOp::NotEqual => MatchKind::NotEqual,
            MatchOp::Re(_) => MatchKind::Regex(anchored(&matcher.value)?),
            MatchOp::NotRe(_) => MatchKind::NotRegex(anchored(&matcher.value)?),
        };
        list.push(Matcher { name: matcher.name.clone(), value: matcher.value.clone(), kind });
    }
    Ok(list)
}

/// A regular expression as PromQL means it: the whole value, `.` also a line feed.
pub(crate) fn anchored(text: &str) -> Result<regex::Regex, Error> {
    regex::RegexBuilder::new(&format!("^(?s:{text})$"))
        .size_limit(1 << 20)
        .build()
        .map_err(|error| Error::Parse(format!("error parsing regexp: {error}")))
}
