//! The layers, and every mistake in them at once.

use std::fmt;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

/// What the name of each variable that sets something begins with.
pub const ENV_PREFIX: &str = "OPENFRAME_";

/// One thing that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where: a file's name, a variable or a flag.
    pub place: String,
    /// What is wrong and what would be right.
    pub what: String,
}

/// Everything that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Mistakes(pub Vec<Mistake>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0.len() == 1 { "mistake" } else { "mistakes" };
        write!(f, "{} {plural} in the settings:", self.0.len())?;
        for Mistake { place, what } in &self.0 {
            write!(f, "\n  {place}: {what}")?;
        }
        Ok(())
    }
}

/// Where settings come from, besides the defaults. Later fields win.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    /// The file's name, for messages, and its text.
    pub file: Option<(String, String)>,
    /// Variables: `OPENFRAME_GATEWAY__LISTEN` sets `gateway.listen`.
    pub environment: Vec<(String, String)>,
    /// Flags: dotted names and values.
    pub flags: Vec<(String, String)>,
}

impl Layers {
    /// Adds the file at `path`.
    pub fn with_file(mut self, path: &Path) -> Result<Self, Mistakes> {
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => self.file = Some((name, text)),
            Err(error) => {
                let what = format!("cannot be read: {error}");
                return Err(Mistakes(vec![Mistake { place: name, what }]));
            }
        }
        Ok(self)
    }
}

/// This process's variables that set something; those in `reserved` mean something else.
pub fn environment(reserved: &[&str]) -> Vec<(String, String)> {
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    settings_among(variables, reserved)
}

fn settings_among(
    variables: impl Iterator<Item = (String, String)>,
    reserved: &[&str],
) -> Vec<(String, String)> {
    let sets = |name: &str| name.starts_with(ENV_PREFIX) && !reserved.contains(&name);
    variables.filter(|(name, _)| sets(name)).collect()
}

/// One variable of this process, for the few that are no setting (`HOME`, `NO_COLOR`).
#[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var_os(name)?.into_string().ok()
}

/// Puts the layers over the defaults of `T`.
pub fn load<T>(layers: &Layers) -> Result<T, Mistakes>
where
    T: Default + Serialize + DeserializeOwned,
{
    let defaults = defaults::<T>()?;
    let mut settings = defaults.clone();
    let mut mistakes = Vec::new();
    for (place, path, value) in leaves(layers, &mut mistakes) {
        match check::<T>(&defaults, &path, value) {
            Ok(value) => set(&mut settings, &path, value),
            Err(what) => mistakes.push(Mistake { place, what }),
        }
    }
    if !mistakes.is_empty() {
        return Err(Mistakes(mistakes));
    }
    Value::Table(settings).try_into().map_err(|error: toml::de::Error| {
        let (place, what) = ("settings".to_owned(), error.message().to_owned());
        Mistakes(vec![Mistake { place, what }])
    })
}

fn defaults<T: Default + Serialize>() -> Result<Table, Mistakes> {
    Table::try_from(T::default()).map_err(|error| {
        let (place, what) = ("defaults".to_owned(), error.to_string());
        Mistakes(vec![Mistake { place, what }])
    })
}

type Leaf = (String, Vec<String>, Value);

/// Every single value that a layer sets: where it stands, its path and itself, weakest layer first.
fn leaves(layers: &Layers, mistakes: &mut Vec<Mistake>) -> Vec<Leaf> {
    let mut found = Vec::new();
    if let Some((name, text)) = &layers.file {
        match text.parse::<Table>() {
            Ok(table) => flatten(name, &mut Vec::new(), table, &mut found),
            Err(error) => {
                let line = error.span().map_or(0, |span| {
                    text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1
                });
                let what = format!("line {line}: {}", error.message());
                mistakes.push(Mistake { place: name.clone(), what });
            }
        }
    }
    for (name, value) in &layers.environment {
        let path = name.strip_prefix(ENV_PREFIX).unwrap_or(name).to_lowercase();
        let path = path.split("__").map(str::to_owned).collect();
        found.push((name.clone(), path, parse(value)));
    }
    for (name, value) in &layers.flags {
        let path = name.split('.').map(str::to_owned).collect();
        found.push((format!("--{name}"), path, parse(value)));
    }
    found
}

fn flatten(place: &str, path: &mut Vec<String>, table: Table, found: &mut Vec<Leaf>) {
    for (name, value) in table {
        path.push(name);
        if let Value::Table(inner) = value {
            flatten(place, path, inner, found);
        } else {
            found.push((place.to_owned(), path.clone(), value));
        }
        path.pop();
    }
}

/// A variable's or flag's text as a value: what TOML reads, or else the text itself.
fn parse(text: &str) -> Value {
    let line = format!("value = {text}");
    let table = line.parse::<Table>().ok();
    let value = table.filter(|table| table.len() == 1).and_then(|mut table| table.remove("value"));
    value.unwrap_or_else(|| Value::String(text.to_owned()))
}

/// The value as `T` accepts it among its defaults: a list may be given by its one item.
fn check<T: DeserializeOwned>(
    defaults: &Table,
    path: &[String],
    value: Value,
) -> Result<Value, String> {
    let try_value = |value: Value| {
        let mut settings = defaults.clone();
        set(&mut settings, path, value);
        Value::Table(settings).try_into::<T>().map(drop)
    };
    let Err(error) = try_value(value.clone()) else { return Ok(value) };
    let list = Value::Array(vec![value]);
    if is_list(defaults, path) && try_value(list.clone()).is_ok() {
        return Ok(list);
    }
    let message = error.message().lines().next().unwrap_or_default();
    Err(format!("`{}`: {message}", path.join(".")))
}

fn is_list(defaults: &Table, path: &[String]) -> bool {
    let Some((first, rest)) = path.split_first() else { return false };
    let value = rest.iter().fold(defaults.get(first), |value, name| value?.get(name));
    value.is_some_and(Value::is_array)
}

fn set(table: &mut Table, path: &[String], value: Value) {
    let Some((last, parents)) = path.split_last() else { return };
    let mut table = table;
    for parent in parents {
        let entry = table.entry(parent.clone()).or_insert_with(|| Value::Table(Table::new()));
        if !entry.is_table() {
            *entry = Value::Table(Table::new());
        }
        let Value::Table(inner) = entry else { return };
        table = inner;
    }
    table.insert(last.clone(), value);
}

#[cfg(test)]
mod tests;
