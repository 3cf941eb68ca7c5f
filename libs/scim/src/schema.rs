//! What the server can, and what its resources are like (RFC 7643, 5 to 7).

use serde_json::{Value, json};

use crate::{GROUP, USER};

/// What the server can. `most` is how many resources a page has at most.
pub fn provider_config(location: &str, most: usize) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": { "supported": true },
        "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
        "filter": { "supported": true, "maxResults": most },
        "changePassword": { "supported": false },
        "sort": { "supported": false },
        "etag": { "supported": true },
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "API key",
            "description": "An API key with the scope people:provision, as a bearer token",
            "primary": true,
        }],
        "meta": { "resourceType": "ServiceProviderConfig", "location": location },
    })
}

/// The kinds of resources, with their addresses below `base`.
pub fn resource_types(base: &str) -> Vec<Value> {
    let kind = |name: &str, endpoint: &str, schema: &str, description: &str| {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
            "id": name,
            "name": name,
            "endpoint": endpoint,
            "description": description,
            "schema": schema,
            "schemaExtensions": [],
            "meta": {
                "resourceType": "ResourceType",
                "location": format!("{base}/ResourceTypes/{name}"),
            },
        })
    };
    vec![
        kind("User", "/Users", USER, "A person"),
        kind("Group", "/Groups", GROUP, "A set of people"),
    ]
}

/// An attribute: its name, its type and what may be done with it.
fn attribute(name: &str, kind: &str, (mutability, required): (&str, bool)) -> Value {
    json!({
        "name": name,
        "type": kind,
        "multiValued": false,
        "description": name,
        "required": required,
        "caseExact": kind == "reference" || name == "externalId",
        "mutability": mutability,
        "returned": "default",
        "uniqueness": "none",
    })
}

/// An attribute with parts, of which it may have several values.
fn complex(name: &str, many: bool, mutability: &str, parts: Vec<Value>) -> Value {
    let mut value = attribute(name, "complex", (mutability, false));
    if let Some(fields) = value.as_object_mut() {
        fields.insert("multiValued".to_owned(), many.into());
        fields.insert("subAttributes".to_owned(), parts.into());
    }
    value
}

fn unique(mut attribute: Value) -> Value {
    if let Some(fields) = attribute.as_object_mut() {
        fields.insert("uniqueness".to_owned(), "server".into());
    }
    attribute
}

fn schema(base: &str, (id, name): (&str, &str), attributes: &[Value]) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
        "id": id,
        "name": name,
        "description": name,
        "attributes": attributes,
        "meta": { "resourceType": "Schema", "location": format!("{base}/Schemas/{id}") },
    })
}

/// What people and groups are like. Attributes that are not named are passed over.
pub fn schemas(base: &str) -> Vec<Value> {
    const WRITE: (&str, bool) = ("readWrite", false);
    const NEEDED: (&str, bool) = ("readWrite", true);
    const READ: (&str, bool) = ("readOnly", false);
    let text = |name| attribute(name, "string", WRITE);
    let email = vec![
        attribute("value", "string", READ),
        attribute("type", "string", READ),
        attribute("primary", "boolean", READ),
    ];
    let member = vec![
        attribute("value", "string", ("immutable", true)),
        attribute("$ref", "reference", READ),
        attribute("type", "string", ("immutable", false)),
    ];
    let name = vec![text("formatted"), text("givenName"), text("familyName")];
    let person = vec![
        unique(attribute("userName", "string", NEEDED)),
        unique(text("externalId")),
        text("displayName"),
        complex("name", false, "readWrite", name),
        attribute("active", "boolean", WRITE),
        complex("emails", true, "readOnly", email),
    ];
    let group = vec![
        attribute("displayName", "string", NEEDED),
        unique(text("externalId")),
        complex("members", true, "readWrite", member),
    ];
    vec![schema(base, (USER, "User"), &person), schema(base, (GROUP, "Group"), &group)]
}
