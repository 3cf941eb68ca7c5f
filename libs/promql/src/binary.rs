//! Operators between two expressions: arithmetic, comparison, sets, and which elements meet.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use promql_parser::parser::{BinModifier, BinaryExpr, LabelModifier, VectorMatchCardinality};

use crate::engine::unique;
use crate::eval::{Evaluated, Evaluator, Vector, wrong_type};
use crate::types::NAME;
use crate::{Error, Labels};

/// Evaluates an operator at `t`.
pub(crate) fn eval<'a>(
    evaluator: &Evaluator<'a>,
    one: &BinaryExpr,
    t: i64,
) -> Result<Evaluated<'a>, Error> {
    let op = one.op.to_string();
    let modifier = one.modifier.as_ref();
    let operator = Operator { op: &op, bool: modifier.is_some_and(|m| m.return_bool) };
    let left = evaluator.eval(&one.lhs, t)?;
    let right = evaluator.eval(&one.rhs, t)?;
    Ok(match (left, right) {
        (Evaluated::Scalar(a), Evaluated::Scalar(b)) => Evaluated::Scalar(operator.numbers(a, b)),
        (Evaluated::Vector(elements), Evaluated::Scalar(b)) => {
            Evaluated::Vector(operator.with_scalar(elements, |v| (v, b))?)
        }
        (Evaluated::Scalar(a), Evaluated::Vector(elements)) => {
            Evaluated::Vector(operator.with_scalar(elements, |v| (a, v))?)
        }
        (Evaluated::Vector(left), Evaluated::Vector(right)) => {
            let matching = Matching::new(modifier);
            Evaluated::Vector(match op.as_str() {
                "and" => matching.keep(left, &right, true),
                "unless" => matching.keep(left, &right, false),
                "or" => matching.or(left, right),
                _ => matching.join(&operator, left, right)?,
            })
        }
        _ => return Err(wrong_type("numbers or instant vectors on both sides")),
    })
}

struct Operator<'o> {
    op: &'o str,
    bool: bool,
}

impl Operator<'_> {
    fn compares(&self) -> bool {
        matches!(self.op, "==" | "!=" | ">" | "<" | ">=" | "<=")
    }

    fn holds(&self, a: f64, b: f64) -> bool {
        match self.op {
            "==" => a == b,
            "!=" => a != b,
            ">" => a > b,
            "<" => a < b,
            ">=" => a >= b,
            _ => a <= b,
        }
    }

    fn numbers(&self, a: f64, b: f64) -> f64 {
        match self.op {
            "+" => a + b,
            "-" => a - b,
            "*" => a * b,
            "/" => a / b,
            "%" => a % b,
            "^" => a.powf(b),
            "atan2" => a.atan2(b),
            _ => f64::from(u8::from(self.holds(a, b))),
        }
    }

    /// Whether the answer is another quantity, so that the metric's name no longer fits.
    fn renames(&self) -> bool {
        !self.compares() || self.bool
    }

    /// The value of the pair, unless a comparison without `bool` leaves it out.
    fn pair(&self, a: f64, b: f64, kept: f64) -> Option<f64> {
        if self.compares() && !self.bool {
            return self.holds(a, b).then_some(kept);
        }
        Some(self.numbers(a, b))
    }

    fn with_scalar(
        &self,
        elements: Vector,
        sides: impl Fn(f64) -> (f64, f64),
    ) -> Result<Vector, Error> {
        let one = |(labels, v): (Labels, f64)| {
            let (a, b) = sides(v);
            let value = self.pair(a, b, v)?;
            Some((if self.renames() { labels.nameless() } else { labels }, value))
        };
        unique(elements.into_iter().filter_map(one).collect())
    }
}

/// Which labels say that two elements belong together, and which side may have many.
struct Matching<'m> {
    on: bool,
    labels: &'m [String],
    many: Many<'m>,
}

enum Many<'m> {
    Neither,
    Left(&'m [String]),
    Right(&'m [String]),
}

impl<'m> Matching<'m> {
    fn new(modifier: Option<&'m BinModifier>) -> Self {
        let (on, labels) = match modifier.and_then(|modifier| modifier.matching.as_ref()) {
            Some(LabelModifier::Include(labels)) => (true, labels.labels.as_slice()),
            Some(LabelModifier::Exclude(labels)) => (false, labels.labels.as_slice()),
            None => (false, [].as_slice()),
        };
        let many = match modifier.map(|modifier| &modifier.card) {
            Some(VectorMatchCardinality::ManyToOne(labels)) => Many::Left(&labels.labels),
            Some(VectorMatchCardinality::OneToMany(labels)) => Many::Right(&labels.labels),
            _ => Many::Neither,
        };
        Self { on, labels, many }
    }

    fn has(&self, name: &str) -> bool {
        self.labels.iter().any(|label| label == name)
    }

    fn key(&self, labels: &Labels) -> Labels {
        if self.on {
            labels.filter(|name| self.has(name))
        } else {
            labels.filter(|name| name != NAME && !self.has(name))
        }
    }

    /// `and`, or `unless` when `wanted` is false.
    fn keep(&self, left: Vector, right: &Vector, wanted: bool) -> Vector {
        let known: HashSet<Labels> = right.iter().map(|(labels, _)| self.key(labels)).collect();
        left.into_iter().filter(|(labels, _)| known.contains(&self.key(labels)) == wanted).collect()
    }

    fn or(&self, left: Vector, right: Vector) -> Vector {
        let known: HashSet<Labels> = left.iter().map(|(labels, _)| self.key(labels)).collect();
        let rest = right.into_iter().filter(|(labels, _)| !known.contains(&self.key(labels)));
        left.into_iter().chain(rest).collect()
    }

    fn join(&self, operator: &Operator<'_>, left: Vector, right: Vector) -> Result<Vector, Error> {
        if left.is_empty() || right.is_empty() {
            return Ok(Vec::new());
        }
        let swapped = matches!(self.many, Many::Right(_));
        let (many, one) = if swapped { (right, left) } else { (left, right) };
        let mut ones: HashMap<Labels, (Labels, f64)> = HashMap::with_capacity(one.len());
        for (labels, v) in one {
            let key = self.key(&labels);
            if let Some((known, _)) = ones.get(&key) {
                return Err(duplicate(
                    &key,
                    [known, &labels],
                    if swapped { "left" } else { "right" },
                ));
            }
            ones.insert(key, (labels, v));
        }
        let mut seen: HashMap<Labels, HashSet<Labels>> = HashMap::new();
        let mut answer = Vec::new();
        for (labels, v) in many {
            let key = self.key(&labels);
            let Some((other, w)) = ones.get(&key) else { continue };
            let (a, b) = if swapped { (*w, v) } else { (v, *w) };
            let group = seen.entry(key);
            if matches!(self.many, Many::Neither) && matches!(group, Entry::Occupied(_)) {
                return Err(Error::execution(
                    "multiple matches for labels: many-to-one matching must be explicit \
                     (group_left/group_right)",
                ));
            }
            // Whether it is unique counts before whether a comparison keeps it.
            let joined = self.joined(operator, &labels, other);
            if !group.or_default().insert(joined.clone()) {
                return Err(Error::execution(
                    "multiple matches for labels: grouping labels must ensure unique matches",
                ));
            }
            if let Some(value) = operator.pair(a, b, a) {
                answer.push((joined, value));
            }
        }
        unique(answer)
    }

    /// The labels of a pair: those of the side with many.
    fn joined(&self, operator: &Operator<'_>, many: &Labels, one: &Labels) -> Labels {
        let kept = if operator.renames() { many.nameless() } else { many.clone() };
        let included = match self.many {
            Many::Neither if self.on => return kept.filter(|name| self.has(name)),
            Many::Neither => return kept.filter(|name| !self.has(name)),
            Many::Left(included) | Many::Right(included) => included,
        };
        included.iter().fold(kept, |labels, name| labels.with(name, one.get(name)))
    }
}

fn duplicate(key: &Labels, pair: [&Labels; 2], side: &str) -> Error {
    let [one, other] = pair;
    Error::execution(format!(
        "found duplicate series for the match group {key} on the {side} hand-side of the operation: \
         [{one}, {other}];many-to-many matching not allowed: matching labels must be unique on one \
         side"
    ))
}
