//! What a PATCH asks for, and what becomes of a resource by it (RFC 7644, 3.5.2).

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::matching::field;
use crate::{Filter, Path, Refusal, ScimType};

/// Operations of one request at most.
pub const OPERATIONS: usize = 1000;
/// What one request may make of work: values looked at, once for each term, and bytes written.
const WORK: usize = 16 << 20;

type Fields = Map<String, Value>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Add,
    Replace,
    Remove,
}

#[derive(Debug, Clone)]
struct Operation {
    kind: Kind,
    path: Option<Path>,
    value: Value,
}

/// What a PATCH asks for.
#[derive(Debug, Clone)]
pub struct Change(Vec<Operation>);

fn refused<T>(kind: ScimType, message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new(kind, message))
}

impl Change {
    /// Reads the body of a PATCH.
    ///
    /// # Errors
    /// When it is none, or asks for more than one may.
    pub fn parse(body: &Value) -> Result<Self, Refusal> {
        let fields = body.as_object();
        let Some(Value::Array(all)) = fields.and_then(|fields| field(fields, "Operations")) else {
            return refused(ScimType::InvalidSyntax, "a PATCH has a list of Operations");
        };
        if all.len() > OPERATIONS {
            let message = format!("a PATCH has {OPERATIONS} operations at most");
            return refused(ScimType::TooMany, message);
        }
        Ok(Self(all.iter().map(operation).collect::<Result<_, _>>()?))
    }

    /// Makes the changes to a resource, all or, when it refuses, some of them.
    ///
    /// # Errors
    /// When one of them cannot be made, or all of them would be too much work.
    pub fn apply(&self, resource: &mut Fields) -> Result<(), Refusal> {
        let mut work = Work(WORK);
        for Operation { kind, path, value } in &self.0 {
            match (path, value) {
                (Some(path), value) => at(resource, (*kind, path), value, &mut work)?,
                (None, Value::Object(fields)) if *kind != Kind::Remove => {
                    for (key, value) in fields {
                        at(resource, (*kind, &Path::parse(key)?), value, &mut work)?;
                    }
                }
                (None, _) => {
                    let message = "say by a path what to change, or give a value of named fields";
                    return refused(ScimType::NoTarget, message);
                }
            }
        }
        Ok(())
    }
}

fn operation(value: &Value) -> Result<Operation, Refusal> {
    let fields = value.as_object();
    let part = |name| fields.and_then(|fields| field(fields, name));
    let kind = part("op").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
    let kind = match kind.as_str() {
        "add" => Kind::Add,
        "replace" => Kind::Replace,
        "remove" => Kind::Remove,
        _ => return refused(ScimType::InvalidSyntax, "an op is add, replace or remove"),
    };
    let path = match part("path") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.is_empty() => None,
        Some(Value::String(text)) => Some(Path::parse(text)?),
        Some(_) => return refused(ScimType::InvalidPath, "a path is a text"),
    };
    Ok(Operation { kind, path, value: part("value").cloned().unwrap_or_default() })
}

/// What is left of the work that one request may make.
struct Work(usize);

impl Work {
    fn take(&mut self, cost: usize) -> Result<(), Refusal> {
        match self.0.checked_sub(cost) {
            Some(left) => {
                self.0 = left;
                Ok(())
            }
            None => refused(ScimType::TooMany, "this is too much for one request; send several"),
        }
    }

    fn write(&mut self, value: &Value) -> Result<(), Refusal> {
        self.take(size(value))
    }
}

/// About how many bytes a value takes.
fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 16,
        Value::String(text) => 16 + text.len(),
        Value::Array(all) => 16 + all.iter().map(size).sum::<usize>(),
        Value::Object(fields) => {
            16 + fields.iter().map(|(key, value)| key.len() + size(value)).sum::<usize>()
        }
    }
}

/// The name that a field has here, in whatever case it is asked for.
fn name_of(object: &Fields, wanted: &str) -> String {
    let known = object.keys().find(|key| key.eq_ignore_ascii_case(wanted));
    known.map_or(wanted, String::as_str).to_owned()
}

fn at(
    resource: &mut Fields,
    (kind, path): (Kind, &Path),
    value: &Value,
    work: &mut Work,
) -> Result<(), Refusal> {
    work.take(16)?;
    let attribute = &path.attribute;
    let object = match &attribute.schema {
        Some(schema) if !attribute.is_core() => {
            let name = name_of(resource, schema);
            let extension = resource.entry(name).or_insert_with(|| Fields::new().into());
            let Some(extension) = extension.as_object_mut() else {
                return refused(ScimType::InvalidValue, "an extension is an object");
            };
            extension
        }
        Some(_) | None => resource,
    };
    let name = name_of(object, &attribute.name);
    match (&path.filter, &attribute.sub) {
        (Some(filter), sub) => found(object, &name, (filter, sub.as_deref()), (kind, value), work),
        (None, Some(sub)) => part(object, &name, sub, (kind, value), work),
        (None, None) => whole(object, name, (kind, value), work),
    }
}

/// Changes an attribute as such.
fn whole(
    object: &mut Fields,
    name: String,
    (kind, value): (Kind, &Value),
    work: &mut Work,
) -> Result<(), Refusal> {
    match (kind, object.get_mut(&name), value) {
        // As Entra ID takes members out: no filter, but a list of values.
        (Kind::Remove, Some(Value::Array(all)), Value::Array(out)) if !out.is_empty() => {
            work.take(all.len() + out.len())?;
            let out: HashSet<&str> = out.iter().filter_map(key).collect();
            all.retain(|one| key(one).is_none_or(|key| !out.contains(key)));
        }
        (Kind::Remove, _, _) => {
            object.remove(&name);
        }
        (Kind::Add, Some(Value::Array(all)), value) => add(all, value, work)?,
        // Only the named parts change (RFC 7644, 3.5.2.1 and 3.5.2.3).
        (Kind::Add | Kind::Replace, Some(Value::Object(own)), Value::Object(parts)) => {
            work.write(value)?;
            for (key, value) in parts {
                let key = name_of(own, key);
                own.insert(key, value.clone());
            }
        }
        (Kind::Replace, Some(Value::Array(_)), Value::Object(_)) => {
            work.write(value)?;
            object.insert(name, Value::Array(vec![value.clone()]));
        }
        (Kind::Add | Kind::Replace, _, value) => {
            work.write(value)?;
            object.insert(name, value.clone());
        }
    }
    Ok(())
}

/// What a value is known by among others.
fn key(value: &Value) -> Option<&str> {
    let own = value.as_object().map_or(Some(value), |fields| field(fields, "value"));
    own.and_then(Value::as_str)
}

/// Adds values that are not there yet.
fn add(all: &mut Vec<Value>, value: &Value, work: &mut Work) -> Result<(), Refusal> {
    work.take(all.len())?;
    work.write(value)?;
    let more = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    let mut known: HashSet<&str> = all.iter().filter_map(key).collect();
    let new = more.iter().filter(|one| key(one).is_none_or(|key| known.insert(key)));
    let new: Vec<Value> = new.cloned().collect();
    all.extend(new);
    Ok(())
}

/// Changes a part of an attribute, or of each of its values.
fn part(
    object: &mut Fields,
    name: &str,
    sub: &str,
    change: (Kind, &Value),
    work: &mut Work,
) -> Result<(), Refusal> {
    match object.get_mut(name) {
        None | Some(Value::Null) if change.0 == Kind::Remove => Ok(()),
        None | Some(Value::Null) => {
            let mut own = Fields::new();
            set(&mut own, sub, change, work)?;
            object.insert(name.to_owned(), own.into());
            Ok(())
        }
        Some(Value::Object(own)) => set(own, sub, change, work),
        Some(Value::Array(all)) => {
            for one in all.iter_mut().filter_map(Value::as_object_mut) {
                set(one, sub, change, work)?;
            }
            Ok(())
        }
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
            refused(ScimType::InvalidPath, format!("{name} has no parts"))
        }
    }
}

fn set(
    own: &mut Fields,
    sub: &str,
    (kind, value): (Kind, &Value),
    work: &mut Work,
) -> Result<(), Refusal> {
    let sub = name_of(own, sub);
    if kind == Kind::Remove {
        own.remove(&sub);
        return work.take(1);
    }
    work.write(value)?;
    work.take(sub.len())?;
    own.insert(sub, value.clone());
    Ok(())
}

/// Changes those values of an attribute that a filter finds. Where it finds none, one is made that it
/// would find: directories say so of what they have never written before.
fn found(
    object: &mut Fields,
    name: &str,
    (filter, sub): (&Filter, Option<&str>),
    (kind, value): (Kind, &Value),
    work: &mut Work,
) -> Result<(), Refusal> {
    let all = object.entry(name).or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Object(_) = all {
        *all = Value::Array(vec![all.take()]);
    }
    let Value::Array(all) = all else {
        return refused(ScimType::InvalidPath, format!("{name} has no values to choose from"));
    };
    work.take(all.len() * filter.terms())?;
    let fits = |one: &Value| one.as_object().is_some_and(|one| filter.matches(one));
    if kind == Kind::Remove && sub.is_none() {
        all.retain(|one| !fits(one));
        return Ok(());
    }
    let mut any = false;
    for one in all.iter_mut().filter(|one| fits(one)) {
        any = true;
        one_found(one, sub, (kind, value), work)?;
    }
    if any || kind == Kind::Remove {
        return Ok(());
    }
    let mut new = Value::Object(made_of(filter));
    one_found(&mut new, sub, (kind, value), work)?;
    all.push(new);
    Ok(())
}

fn one_found(
    one: &mut Value,
    sub: Option<&str>,
    (kind, value): (Kind, &Value),
    work: &mut Work,
) -> Result<(), Refusal> {
    match (one.as_object_mut(), sub, value) {
        (Some(own), Some(sub), _) => set(own, sub, (kind, value), work),
        (Some(own), None, Value::Object(parts)) => {
            for (part, value) in parts {
                set(own, part, (kind, value), work)?;
            }
            Ok(())
        }
        (_, None, _) | (None, Some(_), _) => {
            refused(ScimType::InvalidValue, "the value must be an object")
        }
    }
}

/// The parts that a value has which the filter finds.
fn made_of(filter: &Filter) -> Fields {
    use crate::{Literal, Operator};
    let one = |part: &Filter| match part {
        Filter::Compare(path, Operator::Eq, literal) if path.sub.is_none() => {
            let value = match literal {
                Literal::Null => return None,
                Literal::Bool(value) => Value::from(*value),
                Literal::Number(value) => Value::from(*value),
                Literal::Text(text) => Value::from(text.as_str()),
            };
            Some((path.name.clone(), value))
        }
        Filter::Compare(..)
        | Filter::Present(_)
        | Filter::Some(..)
        | Filter::And(_)
        | Filter::Or(_)
        | Filter::Not(_) => None,
    };
    if let Filter::And(all) = filter {
        all.iter().filter_map(one).collect()
    } else {
        one(filter).into_iter().collect()
    }
}
