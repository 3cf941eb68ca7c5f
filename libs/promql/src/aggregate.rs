//! Aggregations: many elements to one per group, or to some of each group.

use std::collections::HashMap;

use promql_parser::parser::{AggregateExpr, LabelModifier};

use crate::eval::{Evaluator, Vector};
use crate::types::NAME;
use crate::{Error, Labels, format, numeric};

/// Evaluates an aggregation at `t`.
pub(crate) fn eval(
    evaluator: &Evaluator<'_>,
    one: &AggregateExpr,
    t: i64,
) -> Result<Vector, Error> {
    let elements = evaluator.vector(&one.expr, t)?;
    let op = one.op.to_string();
    let number = || match &one.param {
        Some(param) => evaluator.scalar(param, t),
        None => Ok(0.0),
    };
    match op.as_str() {
        "topk" | "bottomk" => {
            let k = places(number()?)?;
            Ok(ranked(groups(elements, one), k, op == "topk"))
        }
        "quantile" => {
            let phi = number()?;
            Ok(each(groups(elements, one), |values| numeric::quantile(phi, values)))
        }
        "count_values" => {
            let label = match &one.param {
                Some(param) => evaluator.text(param, t)?,
                None => String::new(),
            };
            if label.is_empty() || label == NAME && one.param.is_none() {
                return Err(Error::execution(format!("invalid label name {label:?}")));
            }
            Ok(count_values(elements, one, &label))
        }
        _ => simple(&op, groups(elements, one)),
    }
}

type Groups = Vec<(Labels, Vec<(Labels, f64)>)>;

/// Elements by the labels that their group has, groups in the order of their first element.
fn groups(elements: Vector, one: &AggregateExpr) -> Groups {
    let mut index: HashMap<Labels, usize> = HashMap::new();
    let mut groups: Groups = Vec::new();
    for (labels, v) in elements {
        let key = group_labels(&labels, one);
        let at = *index.entry(key.clone()).or_insert_with(|| {
            groups.push((key, Vec::new()));
            groups.len() - 1
        });
        if let Some((_, members)) = groups.get_mut(at) {
            members.push((labels, v));
        }
    }
    groups
}

fn group_labels(labels: &Labels, one: &AggregateExpr) -> Labels {
    match &one.modifier {
        None => Labels::default(),
        Some(LabelModifier::Include(by)) => {
            labels.filter(|name| by.labels.iter().any(|wanted| wanted == name))
        }
        Some(LabelModifier::Exclude(without)) => labels
            .filter(|name| name != NAME && !without.labels.iter().any(|unwanted| unwanted == name)),
    }
}

fn each(groups: Groups, value: impl Fn(Vec<f64>) -> f64) -> Vector {
    let of = |(labels, members): (Labels, Vec<(Labels, f64)>)| {
        (labels, value(members.into_iter().map(|(_, v)| v).collect()))
    };
    groups.into_iter().map(of).collect()
}

fn simple(op: &str, groups: Groups) -> Result<Vector, Error> {
    let value: fn(Vec<f64>) -> f64 = match op {
        "sum" => numeric::sum,
        "avg" => numeric::average,
        "count" => |values| values.len() as f64,
        "group" => |_| 1.0,
        "min" => |values| extreme(values, |best, v| v < best),
        "max" => |values| extreme(values, |best, v| v > best),
        "stdvar" => numeric::variance,
        "stddev" => |values| numeric::variance(values).sqrt(),
        _ => return Err(Error::Parse(format!("the aggregation {op} is not supported"))),
    };
    Ok(each(groups, value))
}

fn extreme(values: Vec<f64>, better: fn(f64, f64) -> bool) -> f64 {
    let take = |best: f64, v: f64| if better(best, v) || best.is_nan() { v } else { best };
    values.into_iter().reduce(take).unwrap_or(f64::NAN)
}

/// How many elements a parameter asks for.
fn places(k: f64) -> Result<usize, Error> {
    if k.is_nan() {
        return Err(Error::execution("Parameter value is NaN"));
    }
    if k >= 2.0_f64.powi(63) {
        let k = format::exponent(k);
        return Err(Error::execution(format!("Scalar value {k} overflows int64")));
    }
    Ok(if k < 1.0 { 0 } else { k as usize })
}

/// The `k` greatest (or least) elements of each group, best first; NaN is never better.
fn ranked(groups: Groups, k: usize, greatest: bool) -> Vector {
    let mut all = Vec::new();
    for (_, mut members) in groups {
        members.sort_by(|(_, a), (_, b)| {
            let order = if greatest { b.partial_cmp(a) } else { a.partial_cmp(b) };
            a.is_nan().cmp(&b.is_nan()).then(order.unwrap_or(std::cmp::Ordering::Equal))
        });
        members.truncate(k);
        all.extend(members);
    }
    all
}

fn count_values(elements: Vector, one: &AggregateExpr, label: &str) -> Vector {
    let mut order = Vec::new();
    let mut counts: HashMap<Labels, f64> = HashMap::new();
    for (labels, v) in elements {
        let key = group_labels(&labels, one).with(label, &format::plain(v));
        *counts.entry(key.clone()).or_insert_with(|| {
            order.push(key);
            0.0
        }) += 1.0;
    }
    let count = |labels: Labels| {
        let count = counts.get(&labels).copied().unwrap_or_default();
        (labels, count)
    };
    order.into_iter().map(count).collect()
}
