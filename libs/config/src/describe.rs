//! The reference document, written from the structs themselves.

use schemars::{JsonSchema, schema_for};
use serde::Serialize;
use serde_json::{Map, Value};

/// Markdown with every setting of `T`: name, variable, type, default and what it is for.
pub fn describe<T: JsonSchema + Serialize + Default>() -> String {
    let schema = schema_for!(T).to_value();
    let defaults = serde_json::to_value(T::default()).unwrap_or_default();
    let mut text = String::new();
    section(&mut text, &schema, &schema, &defaults, &mut Vec::new());
    text
}

fn section(
    text: &mut String,
    root: &Value,
    schema: &Value,
    defaults: &Value,
    path: &mut Vec<String>,
) {
    let schema = resolve(root, schema);
    let empty = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    let is_group = |schema: &Value| resolve(root, schema).get("properties").is_some();
    let leaves: Vec<_> = properties.iter().filter(|(_, schema)| !is_group(schema)).collect();
    if !leaves.is_empty() {
        if !path.is_empty() {
            text.extend(["## ", &path.join("."), "\n\n"]);
        }
        if let Some(about) = schema.get("description").and_then(Value::as_str) {
            text.extend([&one_line(about), "\n\n"]);
        }
        text.push_str("| setting | default | what it is |\n|---|---|---|\n");
        for (name, schema) in leaves {
            path.push(name.clone());
            let about = schema.get("description").and_then(Value::as_str).unwrap_or_default();
            let default = defaults.get(name).unwrap_or(&Value::Null);
            let (dotted, variable) = (path.join("."), path.join("__").to_uppercase());
            let about = one_line(about);
            let row = format!("| `{dotted}`<br>`OPENFRAME_{variable}` | `{default}` | {about} |\n");
            text.push_str(&row);
            path.pop();
        }
        text.push('\n');
    }
    for (name, schema) in properties.iter().filter(|(_, schema)| is_group(schema)) {
        path.push(name.clone());
        section(text, root, schema, defaults.get(name).unwrap_or(&Value::Null), path);
        path.pop();
    }
}

/// Follows a reference to a definition.
fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let pointer = schema.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix('#'));
    pointer.and_then(|pointer| root.pointer(pointer)).unwrap_or(schema)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    /// All settings.
    #[derive(Default, Serialize, Deserialize, JsonSchema)]
    struct Settings {
        /// Where people
        /// are served.
        listen: String,
        limits: Limits,
    }

    /// Limits of requests.
    #[derive(Default, Serialize, Deserialize, JsonSchema)]
    struct Limits {
        /// Bytes of a body at most.
        body_bytes: u32,
    }

    #[test]
    fn every_field_is_described() {
        let text = describe::<Settings>();
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("| `")).collect();
        assert_eq!(
            lines,
            [
                "| `listen`<br>`OPENFRAME_LISTEN` | `\"\"` | Where people are served. |",
                "| `limits.body_bytes`<br>`OPENFRAME_LIMITS__BODY_BYTES` | `0` | Bytes of a body at \
                 most. |",
            ]
        );
        assert!(text.contains("## limits\n\nLimits of requests."));
    }
}
