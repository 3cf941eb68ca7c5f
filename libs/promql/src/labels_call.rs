//! Functions that change labels or look at which elements there are.

use promql_parser::parser::{Call, Expr};

use crate::engine::unique;
use crate::eval::{Evaluator, Vector};
use crate::parse::matchers;
use crate::types::NAME;
use crate::{Error, Labels, MatchKind};

/// `label_replace(v, dst, replacement, src, regex)`.
pub(crate) fn replace(evaluator: &Evaluator<'_>, call: &Call, t: i64) -> Result<Vector, Error> {
    let [v, dst, replacement, src, regex] = call.args.args.as_slice() else {
        return Err(crate::eval::wrong_type("label_replace with five arguments"));
    };
    let elements = evaluator.vector(v, t)?;
    let dst = label_name(evaluator.text(dst, t)?, "label_replace")?;
    let replacement = evaluator.text(replacement, t)?;
    let src = evaluator.text(src, t)?;
    let text = evaluator.text(regex, t)?;
    let regex = evaluator.regex(&text).map_err(|_| {
        Error::execution(format!("invalid regular expression in label_replace(): {text}"))
    })?;
    let one = |(labels, v): (Labels, f64)| {
        let Some(found) = regex.captures(labels.get(&src)) else { return Ok((labels, v)) };
        let mut value = String::new();
        found.expand(&replacement, &mut value);
        evaluator.budget.text(value.len())?;
        Ok((labels.with(&dst, &value), v))
    };
    unique(elements.into_iter().map(one).collect::<Result<_, Error>>()?)
}

/// `label_join(v, dst, separator, src…)`.
pub(crate) fn join(evaluator: &Evaluator<'_>, call: &Call, t: i64) -> Result<Vector, Error> {
    let [v, dst, separator, sources @ ..] = call.args.args.as_slice() else {
        return Err(crate::eval::wrong_type("label_join with three arguments or more"));
    };
    let elements = evaluator.vector(v, t)?;
    let dst = label_name(evaluator.text(dst, t)?, "label_join")?;
    let separator = evaluator.text(separator, t)?;
    let sources: Vec<String> =
        sources.iter().map(|source| evaluator.text(source, t)).collect::<Result<_, _>>()?;
    let one = |(labels, v): (Labels, f64)| {
        let values: Vec<&str> = sources.iter().map(|source| labels.get(source)).collect();
        let value = values.join(&separator);
        evaluator.budget.text(value.len())?;
        Ok((labels.with(&dst, &value), v))
    };
    unique(elements.into_iter().map(one).collect::<Result<_, Error>>()?)
}

fn label_name(name: String, function: &str) -> Result<String, Error> {
    if name.is_empty() {
        return Err(Error::execution(format!(
            "invalid destination label name in {function}(): {name}"
        )));
    }
    Ok(name)
}

/// The labels that `absent` gives: those that the selector asks for by `=`, once each.
pub(crate) fn absent_labels(expr: &Expr) -> Labels {
    if let Expr::Paren(paren) = expr {
        return absent_labels(&paren.expr);
    }
    let selector = if let Expr::VectorSelector(selector) = expr {
        selector
    } else if let Expr::MatrixSelector(matrix) = expr {
        &matrix.vs
    } else {
        return Labels::default();
    };
    let Ok(matchers) = matchers(None, &selector.matchers) else {
        return Labels::default();
    };
    let alone = |name: &str| matchers.iter().filter(|other| other.name == name).count() == 1;
    let equal = matchers.iter().filter(|matcher| {
        matches!(matcher.kind, MatchKind::Equal) && matcher.name != NAME && alone(&matcher.name)
    });
    Labels::new(equal.map(|matcher| (matcher.name.as_str(), matcher.value.as_str())))
}
