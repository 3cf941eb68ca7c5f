//! Answers that are lists, and the choice of what a resource shows (RFC 7644, 3.4.2 and 3.9).

use serde_json::{Map, Value, json};

use crate::{AttrPath, Path, Refusal, ScimType};

/// How many attributes may be named.
const NAMES: usize = 50;

/// Which attributes a resource shows.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    only: Vec<AttrPath>,
    without: Vec<AttrPath>,
}

fn named(list: Option<&str>) -> Result<Vec<AttrPath>, Refusal> {
    let names = list.unwrap_or_default().split(',').map(str::trim).filter(|it| !it.is_empty());
    let mut all = Vec::new();
    for name in names {
        let path = Path::parse(name)?;
        if path.filter.is_some() || all.len() >= NAMES {
            let message = format!("name {NAMES} attributes at most, without brackets");
            return Err(Refusal::new(ScimType::InvalidValue, message));
        }
        all.push(path.attribute);
    }
    Ok(all)
}

impl Selection {
    /// Reads `attributes` and `excludedAttributes`.
    ///
    /// # Errors
    /// When one of them names none, or too many.
    pub fn parse(only: Option<&str>, without: Option<&str>) -> Result<Self, Refusal> {
        Ok(Self { only: named(only)?, without: named(without)? })
    }

    /// Whether an attribute is shown, or a part of it.
    pub fn shows(&self, name: &str) -> bool {
        let is = |path: &AttrPath| path.is_core() && path.name.eq_ignore_ascii_case(name);
        let out = |path: &AttrPath| is(path) && path.sub.is_none();
        let wanted = self.only.is_empty() || self.only.iter().any(is);
        is_always_shown(name) || (wanted && !self.without.iter().any(out))
    }

    /// Leaves what is shown.
    pub fn narrow(&self, resource: &mut Map<String, Value>) {
        resource.retain(|name, _| self.shows(name));
        for (name, value) in resource.iter_mut() {
            let parts = |paths: &[AttrPath]| {
                let of = paths.iter().filter(|path| path.name.eq_ignore_ascii_case(name));
                of.filter_map(|path| path.sub.clone()).collect::<Vec<_>>()
            };
            let whole = self.only.iter().any(|it| it.is(name, None));
            let only = if whole { Vec::new() } else { parts(&self.only) };
            narrow_parts(value, &only, &parts(&self.without));
        }
    }
}

fn is_always_shown(name: &str) -> bool {
    ["id", "schemas"].iter().any(|it| it.eq_ignore_ascii_case(name))
}

fn narrow_parts(value: &mut Value, only: &[String], without: &[String]) {
    let has = |names: &[String], name: &str| names.iter().any(|it| it.eq_ignore_ascii_case(name));
    match value {
        Value::Object(parts) => {
            parts.retain(|name, _| (only.is_empty() || has(only, name)) && !has(without, name));
        }
        Value::Array(all) if !(only.is_empty() && without.is_empty()) => {
            for one in all.iter_mut().filter(|it| it.is_object()) {
                narrow_parts(one, only, without);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {}
    }
}

/// A page of a list: how many there are in all, the place of the first from 1, and the page.
pub fn list(total: usize, start: usize, resources: &[Value]) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": total,
        "startIndex": start,
        "itemsPerPage": resources.len(),
        "Resources": resources,
    })
}
