//! Whether a resource is what a filter looks for.

use std::cmp::Ordering;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::filter::{AttrPath, Filter, Literal, Operator};

/// A field of an object, in whatever case its name is written (RFC 7643, 2.1).
pub fn field<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let same = || object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
    object.get(name).or_else(|| same().map(|(_, value)| value))
}

impl Filter {
    /// Whether a resource, or one value of an attribute, is what the filter looks for.
    pub fn matches(&self, object: &Map<String, Value>) -> bool {
        match self {
            Self::Present(path) => values(object, path).into_iter().any(is_something),
            Self::Compare(path, operator, literal) => compare(object, path, (*operator, literal)),
            Self::Some(path, inner) => values(object, path)
                .into_iter()
                .any(|value| value.as_object().is_some_and(|object| inner.matches(object))),
            Self::And(all) => all.iter().all(|part| part.matches(object)),
            Self::Or(all) => all.iter().any(|part| part.matches(object)),
            Self::Not(inner) => !inner.matches(object),
        }
    }
}

fn is_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(all) => !all.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

fn flat(value: &Value) -> Vec<&Value> {
    if let Value::Array(all) = value { all.iter().collect() } else { vec![value] }
}

/// Each value that an attribute has.
fn values<'a>(object: &'a Map<String, Value>, path: &AttrPath) -> Vec<&'a Value> {
    let of = match &path.schema {
        Some(schema) if !path.is_core() => field(object, schema).and_then(Value::as_object),
        Some(_) | None => Some(object),
    };
    let all = of.and_then(|of| field(of, &path.name)).map(flat).unwrap_or_default();
    let Some(sub) = &path.sub else { return all };
    let part = |value: &'a Value| value.as_object().and_then(|of| field(of, sub));
    all.into_iter().filter_map(part).flat_map(flat).collect()
}

/// The `value` of a value that has several parts: what it is compared by.
fn plain(value: &Value) -> &Value {
    value.as_object().and_then(|of| field(of, "value")).unwrap_or(value)
}

fn compare(
    object: &Map<String, Value>,
    path: &AttrPath,
    (operator, literal): (Operator, &Literal),
) -> bool {
    let all = values(object, path);
    let is = |operator| {
        let nothing = *literal == Literal::Null && !all.iter().any(|value| is_something(value));
        nothing || all.iter().any(|value| holds(plain(value), operator, (literal, is_exact(path))))
    };
    // Of several values none may be the same.
    if operator == Operator::Ne { !is(Operator::Eq) } else { is(operator) }
}

/// Whether upper and lower case differ (RFC 7643, 3.1 and 4).
fn is_exact(path: &AttrPath) -> bool {
    ["id", "externalId", "members", "meta"].iter().any(|name| path.name.eq_ignore_ascii_case(name))
}

fn holds(value: &Value, operator: Operator, (literal, exact): (&Literal, bool)) -> bool {
    match (value, literal) {
        (Value::String(own), Literal::Text(other)) => {
            if exact {
                text(own, operator, other)
            } else {
                text(&own.to_lowercase(), operator, &other.to_lowercase())
            }
        }
        (Value::Number(own), Literal::Number(other)) => {
            own.as_f64().is_some_and(|own| ordered(own.partial_cmp(other), operator))
        }
        (Value::Bool(own), Literal::Bool(other)) => operator == Operator::Eq && own == other,
        // As Entra ID writes it.
        (Value::Bool(own), Literal::Text(other)) => {
            operator == Operator::Eq && other.eq_ignore_ascii_case(&own.to_string())
        }
        _ => false,
    }
}

fn text(own: &str, operator: Operator, other: &str) -> bool {
    match operator {
        Operator::Co => own.contains(other),
        Operator::Sw => own.starts_with(other),
        Operator::Ew => own.ends_with(other),
        Operator::Eq | Operator::Ne | Operator::Gt | Operator::Ge | Operator::Lt | Operator::Le => {
            let times = own.parse::<Timestamp>().ok().zip(other.parse::<Timestamp>().ok());
            let order = times.map_or_else(|| own.cmp(other), |(own, other)| own.cmp(&other));
            ordered(Some(order), operator)
        }
    }
}

fn ordered(order: Option<Ordering>, operator: Operator) -> bool {
    let Some(order) = order else { return false };
    match operator {
        Operator::Eq => order.is_eq(),
        Operator::Gt => order.is_gt(),
        Operator::Ge => order.is_ge(),
        Operator::Lt => order.is_lt(),
        Operator::Le => order.is_le(),
        Operator::Ne | Operator::Co | Operator::Sw | Operator::Ew => false,
    }
}
