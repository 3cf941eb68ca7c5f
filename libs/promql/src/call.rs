//! Function calls.

use promql_parser::parser::{Call, Expr};

use crate::engine::unique;
use crate::eval::{Evaluated, Evaluator, Vector, wrong_type};
use crate::over_time::{self, Range};
use crate::{Error, Labels, date, histogram, labels_call, numeric};

/// Evaluates a call at `t`.
pub(crate) fn eval<'a>(
    evaluator: &Evaluator<'a>,
    call: &Call,
    t: i64,
) -> Result<Evaluated<'a>, Error> {
    let name = call.func.name;
    let args = call.args.args.as_slice();
    let number = |at: usize, usual: f64| match args.get(at) {
        Some(expr) => evaluator.scalar(expr, t),
        None => Ok(usual),
    };
    Ok(Evaluated::Vector(match (name, args) {
        ("time", _) => return Ok(Evaluated::Scalar(t as f64 / 1000.0)),
        ("pi", _) => return Ok(Evaluated::Scalar(std::f64::consts::PI)),
        ("scalar", [expr]) => {
            let elements = evaluator.vector(expr, t)?;
            let only = if let [(_, v)] = elements.as_slice() { *v } else { f64::NAN };
            return Ok(Evaluated::Scalar(only));
        }
        ("vector", [expr]) => vec![(Labels::default(), evaluator.scalar(expr, t)?)],
        ("absent", [expr]) => absent(evaluator.vector(expr, t)?.is_empty(), expr),
        ("absent_over_time", [expr]) => absent(matrix(evaluator, expr, t)?.is_empty(), expr),
        ("timestamp", [expr]) => timestamp(evaluator, expr, t)?,
        ("sort" | "sort_desc", [expr]) => sorted(evaluator.vector(expr, t)?, name == "sort_desc"),
        ("sort_by_label" | "sort_by_label_desc", [expr, labels @ ..]) => {
            let labels: Vec<String> =
                labels.iter().map(|label| evaluator.text(label, t)).collect::<Result<_, _>>()?;
            by_label(evaluator.vector(expr, t)?, &labels, name.ends_with("_desc"))
        }
        ("label_replace", _) => labels_call::replace(evaluator, call, t)?,
        ("label_join", _) => labels_call::join(evaluator, call, t)?,
        ("histogram_quantile", [phi, expr]) => {
            let phi = evaluator.scalar(phi, t)?;
            unique(histogram::quantile(phi, evaluator.vector(expr, t)?))?
        }
        ("clamp", [expr, ..]) => {
            let (low, high) = (number(1, f64::NAN)?, number(2, f64::NAN)?);
            if low > high { Vec::new() } else { map(evaluator, expr, t, |v| clamp(v, low, high))? }
        }
        ("clamp_min", [expr, ..]) => {
            let low = number(1, f64::NAN)?;
            map(evaluator, expr, t, |v| clamp(v, low, f64::INFINITY))?
        }
        ("clamp_max", [expr, ..]) => {
            let high = number(1, f64::NAN)?;
            map(evaluator, expr, t, |v| clamp(v, f64::NEG_INFINITY, high))?
        }
        ("round", [expr, ..]) => {
            let inverse = 1.0 / number(1, 1.0)?;
            map(evaluator, expr, t, |v| (v * inverse + 0.5).floor() / inverse)?
        }
        ("quantile_over_time", [phi, expr]) => {
            let phi = evaluator.scalar(phi, t)?;
            let values = |range: &Range<'_>| range.samples.iter().map(|sample| sample.v).collect();
            ranges(evaluator, expr, t, |range| Some(numeric::quantile(phi, values(range))))?
        }
        ("predict_linear", [expr, ..]) => {
            let ahead = number(1, 0.0)?;
            ranges(evaluator, expr, t, |range| over_time::predict(range, ahead, t))?
        }
        ("double_exponential_smoothing", [expr, ..]) => {
            smoothed(evaluator, expr, (number(1, 0.0)?, number(2, 0.0)?), t)?
        }
        _ => return plain(evaluator, call, t).map(Evaluated::Vector),
    }))
}

/// Functions of one argument: of each value, of a date, or of a range.
fn plain(evaluator: &Evaluator<'_>, call: &Call, t: i64) -> Result<Vector, Error> {
    let name = call.func.name;
    let args = call.args.args.as_slice();
    if let Some(part) = date::part(name) {
        return match args.first() {
            None => Ok(vec![(Labels::default(), part(t as f64 / 1000.0))]),
            Some(expr) => map(evaluator, expr, t, part),
        };
    }
    let unknown = || Error::Parse(format!("the function {name} is not supported"));
    let expr = args.first().ok_or_else(unknown)?;
    if let Some(function) = of_value(name) {
        return map(evaluator, expr, t, function);
    }
    let function = over_time::find(name).ok_or_else(unknown)?;
    let keeps_name = matches!(name, "last_over_time" | "first_over_time");
    let elements = ranges_named(evaluator, expr, t, function)?;
    if keeps_name {
        return unique(elements);
    }
    unique(elements.into_iter().map(|(labels, v)| (labels.nameless(), v)).collect())
}

fn map(
    evaluator: &Evaluator<'_>,
    expr: &Expr,
    t: i64,
    function: impl Fn(f64) -> f64,
) -> Result<Vector, Error> {
    let elements = evaluator.vector(expr, t)?;
    unique(elements.into_iter().map(|(labels, v)| (labels.nameless(), function(v))).collect())
}

fn matrix<'a>(
    evaluator: &Evaluator<'a>,
    expr: &Expr,
    t: i64,
) -> Result<Vec<crate::select::Window<'a>>, Error> {
    match evaluator.eval(expr, t)? {
        Evaluated::Matrix(windows) => Ok(windows),
        Evaluated::Vector(_) | Evaluated::Scalar(_) | Evaluated::Text(_) => {
            Err(wrong_type("a range vector"))
        }
    }
}

fn ranges_named(
    evaluator: &Evaluator<'_>,
    expr: &Expr,
    t: i64,
    function: impl Fn(&Range<'_>) -> Option<f64>,
) -> Result<Vector, Error> {
    let (from, to) = evaluator.window(expr, t);
    let windows = matrix(evaluator, expr, t)?;
    let one = |window: crate::select::Window<'_>| {
        let value = function(&Range { samples: &window.samples, from, to })?;
        Some((window.labels, value))
    };
    Ok(windows.into_iter().filter_map(one).collect())
}

fn ranges(
    evaluator: &Evaluator<'_>,
    expr: &Expr,
    t: i64,
    function: impl Fn(&Range<'_>) -> Option<f64>,
) -> Result<Vector, Error> {
    let elements = ranges_named(evaluator, expr, t, function)?;
    unique(elements.into_iter().map(|(labels, v)| (labels.nameless(), v)).collect())
}

fn smoothed(
    evaluator: &Evaluator<'_>,
    expr: &Expr,
    (level, trend): (f64, f64),
    t: i64,
) -> Result<Vector, Error> {
    for (what, short, factor) in [("smoothing", "sf", level), ("trend", "tf", trend)] {
        if factor <= 0.0 || factor >= 1.0 {
            return Err(Error::execution(format!(
                "invalid {what} factor. Expected: 0 < {short} < 1, got: {factor:.6}"
            )));
        }
    }
    ranges(evaluator, expr, t, |range| over_time::smooth(range, level, trend))
}

fn absent(is_absent: bool, expr: &Expr) -> Vector {
    if is_absent { vec![(labels_call::absent_labels(expr), 1.0)] } else { Vec::new() }
}

/// Of a plain selector the samples' own times; of all else the time of the evaluation.
fn timestamp(evaluator: &Evaluator<'_>, expr: &Expr, t: i64) -> Result<Vector, Error> {
    let mut inner = expr;
    while let Expr::Paren(paren) = inner {
        inner = &paren.expr;
    }
    if let Expr::VectorSelector(selector) = inner {
        let at = |(labels, sample): (Labels, crate::Sample)| {
            (labels.nameless(), sample.t_ms as f64 / 1000.0)
        };
        return unique(evaluator.samples(selector, t).map(at).collect());
    }
    map(evaluator, expr, t, |_| t as f64 / 1000.0)
}

fn sorted(mut elements: Vector, descending: bool) -> Vector {
    elements.sort_by(|(_, a), (_, b)| {
        let order = if descending { b.partial_cmp(a) } else { a.partial_cmp(b) };
        a.is_nan().cmp(&b.is_nan()).then(order.unwrap_or(std::cmp::Ordering::Equal))
    });
    elements
}

fn by_label(mut elements: Vector, names: &[String], descending: bool) -> Vector {
    elements.sort_by(|(a, _), (b, _)| {
        let by_name = names.iter().map(|name| a.get(name).cmp(b.get(name)));
        let order = by_name.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then);
        let order = order.then_with(|| a.cmp(b));
        if descending { order.reverse() } else { order }
    });
    elements
}

fn clamp(v: f64, low: f64, high: f64) -> f64 {
    if v.is_nan() || low.is_nan() || high.is_nan() { f64::NAN } else { v.min(high).max(low) }
}

fn of_value(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "abs" => f64::abs,
        "ceil" => f64::ceil,
        "floor" => f64::floor,
        "exp" => f64::exp,
        "ln" => f64::ln,
        "log2" => f64::log2,
        "log10" => f64::log10,
        "sqrt" => f64::sqrt,
        "sgn" => |v| if v.is_nan() || v == 0.0 { v } else { v.signum() },
        "sin" => f64::sin,
        "cos" => f64::cos,
        "tan" => f64::tan,
        "asin" => f64::asin,
        "acos" => f64::acos,
        "atan" => f64::atan,
        "sinh" => f64::sinh,
        "cosh" => f64::cosh,
        "tanh" => f64::tanh,
        "asinh" => f64::asinh,
        "acosh" => f64::acosh,
        "atanh" => f64::atanh,
        "deg" => |v| v * 180.0 / std::f64::consts::PI,
        "rad" => |v| v * std::f64::consts::PI / 180.0,
        _ => return None,
    })
}
