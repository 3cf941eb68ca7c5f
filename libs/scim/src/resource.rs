//! People and groups: as they are sent, and as they are shown.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::matching::field;
use crate::{GROUP, Refusal, ScimType, USER};

/// Members of a group at most.
pub const MEMBERS: usize = 10_000;
/// The longest id of somebody else, in bytes.
pub const EXTERNAL_ID_MAX: usize = 255;

type Fields = Map<String, Value>;

/// What a resource says of a person. It says nothing of what the person may do: roles and entitlements
/// are passed over, and so is a password.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    /// What the person is called by.
    pub user_name: String,
    /// The id that the directory has.
    pub external_id: Option<String>,
    /// Whether the person may sign in.
    pub active: Option<bool>,
}

/// What a resource says of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// The id that the directory has.
    pub external_id: Option<String>,
    /// The ids of its members; each once, none of them checked.
    pub members: BTreeSet<String>,
}

/// What every resource tells of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// Its address.
    pub location: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed, if that is known.
    pub changed: Option<Timestamp>,
}

fn wrong<T>(message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new(ScimType::InvalidValue, message))
}

/// A text, or nothing where it is absent or empty.
fn text(fields: &Fields, name: &str) -> Result<Option<String>, Refusal> {
    match field(fields, name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => wrong(format!("{name} is a text")),
    }
}

fn external_id(fields: &Fields) -> Result<Option<String>, Refusal> {
    let id = text(fields, "externalId")?;
    let fits = |id: &String| id.len() <= EXTERNAL_ID_MAX && !id.chars().any(char::is_control);
    if id.as_ref().is_none_or(fits) {
        Ok(id)
    } else {
        wrong(format!("an externalId has {EXTERNAL_ID_MAX} bytes at most, all of them readable"))
    }
}

fn flag(fields: &Fields, name: &str) -> Result<Option<bool>, Refusal> {
    match field(fields, name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(value)) => Ok(Some(*value)),
        // As Entra ID writes it.
        Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
        Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
        Some(_) => wrong(format!("{name} is true or false")),
    }
}

/// The objects in a list; one alone counts as a list.
fn objects<'a>(fields: &'a Fields, name: &str) -> Result<Vec<&'a Fields>, Refusal> {
    let all = match field(fields, name) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(all)) => all.iter().collect(),
        Some(one) => vec![one],
    };
    let objects = all.into_iter().map(Value::as_object).collect::<Option<Vec<_>>>();
    objects.map_or_else(|| wrong(format!("{name} is a list of objects")), Ok)
}

/// Whether a schema is named at all, it must be the resource's own.
fn check_schema(fields: &Fields, own: &str) -> Result<(), Refusal> {
    let named = match field(fields, "schemas") {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Array(all)) => all.iter().any(|it| it.as_str() == Some(own)),
        Some(_) => false,
    };
    if named { Ok(()) } else { wrong(format!("schemas is a list with {own}")) }
}

impl Person {
    /// Reads a resource.
    ///
    /// # Errors
    /// When a value is missing or of another kind.
    pub fn read(fields: &Fields) -> Result<Self, Refusal> {
        check_schema(fields, USER)?;
        let Some(user_name) = text(fields, "userName")? else {
            return wrong("a person has a userName");
        };
        for email in objects(fields, "emails")? {
            text(email, "value")?;
        }
        let (external_id, active) = (external_id(fields)?, flag(fields, "active")?);
        Ok(Self { user_name, external_id, active })
    }
}

/// What a resource calls a person, if it says so, and beside `before` if it says something new: the
/// `displayName`, the formatted name, or given and family name together.
///
/// # Errors
/// When a value is of another kind.
pub fn person_name(fields: &Fields, before: Option<&Fields>) -> Result<Option<String>, Refusal> {
    let empty = Fields::new();
    let name = match field(fields, "name") {
        None | Some(Value::Null) => &empty,
        Some(Value::Object(name)) => name,
        Some(_) => return wrong("name is an object"),
    };
    let (shown, formatted) = (text(fields, "displayName")?, text(name, "formatted")?);
    let (given, family) = (text(name, "givenName")?, text(name, "familyName")?);
    let parts = given.zip(family).map(|(given, family)| format!("{given} {family}"));
    let known = before.map(|before| text(before, "displayName")).transpose()?.flatten();
    let all = [shown, formatted, parts];
    let new = all.iter().flatten().find(|it| Some(*it) != known.as_ref()).cloned();
    Ok(new.or(known))
}

impl Group {
    /// Reads a resource.
    ///
    /// # Errors
    /// When a value is missing or of another kind, or there are too many members.
    pub fn read(fields: &Fields) -> Result<Self, Refusal> {
        check_schema(fields, GROUP)?;
        let Some(name) = text(fields, "displayName")? else {
            return wrong("a group has a displayName");
        };
        let mut members = BTreeSet::new();
        for member in objects(fields, "members")? {
            let kind = text(member, "type")?;
            if kind.is_some_and(|kind| !kind.eq_ignore_ascii_case("user")) {
                return wrong("members of a group are people");
            }
            let Some(id) = text(member, "value")? else {
                return wrong("a member is an object with the id of a person as value");
            };
            members.insert(id.to_ascii_lowercase());
        }
        if members.len() > MEMBERS {
            let message = format!("a group has {MEMBERS} members at most");
            return Err(Refusal::new(ScimType::TooMany, message));
        }
        Ok(Self { name, external_id: external_id(fields)?, members })
    }
}

/// The resource that a PUT makes of `before`: what it says, and of `keeps` what it says nothing of.
pub fn replaced(before: &Fields, mut sent: Fields, keeps: &[&str]) -> Fields {
    for name in keeps {
        if let (None, Some(value)) = (field(&sent, name), before.get(*name)) {
            sent.insert((*name).to_owned(), value.clone());
        }
    }
    sent
}

fn with_meta(mut fields: Fields, kind: &str, meta: &Meta) -> Fields {
    let mut own = json!({
        "resourceType": kind,
        "location": meta.location,
        "created": meta.created.to_string(),
        "version": version(&fields),
    });
    if let (Some(changed), Some(own)) = (meta.changed, own.as_object_mut()) {
        own.insert("lastModified".to_owned(), changed.to_string().into());
    }
    fields.insert("meta".to_owned(), own);
    fields
}

/// What tells one state of a resource from another.
pub fn version(fields: &Fields) -> String {
    let mut hasher = Sha256::new();
    for (name, value) in fields.iter().filter(|(name, _)| *name != "meta") {
        hasher.update(name.as_bytes());
        hasher.update(value.to_string().as_bytes());
    }
    let digest = hasher.finalize();
    let start = digest.iter().take(12).fold(0_u128, |all, byte| (all << 8) | u128::from(*byte));
    format!("W/\"{start:024x}\"")
}

fn shown(value: Value) -> Fields {
    match value {
        Value::Object(fields) => fields,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Fields::new()
        }
    }
}

/// A person, as shown: the id, what is known, and the name.
pub fn show_person(id: &str, person: &Person, name: &str, meta: &Meta) -> Fields {
    let mut fields = shown(json!({
        "schemas": [USER],
        "id": id,
        "userName": person.user_name,
        "displayName": name,
        "name": { "formatted": name },
        "active": person.active.unwrap_or_default(),
        "emails": [{ "value": person.user_name, "type": "work", "primary": true }],
    }));
    if let Some(external) = &person.external_id {
        fields.insert("externalId".to_owned(), external.as_str().into());
    }
    with_meta(fields, "User", meta)
}

/// A group, as shown. `users` is the address that the ids of its members follow.
pub fn show_group(id: &str, group: &Group, users: &str, meta: &Meta) -> Fields {
    let member =
        |id: &String| json!({ "value": id, "$ref": format!("{users}/{id}"), "type": "User" });
    let members: Vec<Value> = group.members.iter().map(member).collect();
    let mut fields = shown(json!({
        "schemas": [GROUP],
        "id": id,
        "displayName": group.name,
        "members": members,
    }));
    if let Some(external) = &group.external_id {
        fields.insert("externalId".to_owned(), external.as_str().into());
    }
    with_meta(fields, "Group", meta)
}
