//! What Entra ID and Okta send, word for word.

use serde_json::{Map, Value, json};

use super::object;
use crate::{Change, Filter, Group, Meta, Person, person_name, replaced, show_group, show_person};

fn meta() -> Meta {
    let created = "2026-01-01T00:00:00Z".parse().unwrap();
    Meta { location: "/scim/v2/Users/1".to_owned(), created, changed: None }
}

fn bob() -> Map<String, Value> {
    let user_name = "bob@example.org".to_owned();
    let person = Person { user_name, external_id: None, active: Some(true) };
    show_person("1", &person, "Bob", &meta())
}

#[expect(clippy::needless_pass_by_value, reason = "what is made on the spot is handed over")]
fn patched(body: Value) -> Map<String, Value> {
    let mut resource = bob();
    Change::parse(&body).unwrap().apply(&mut resource).unwrap();
    resource
}

#[test]
fn entra_disables_by_a_text_and_a_capital_letter() {
    for value in [json!("False"), json!(false), json!("false")] {
        let resource = patched(json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{ "op": "Replace", "path": "active", "value": value }],
        }));
        assert_eq!(Person::read(&resource).unwrap().active, Some(false));
    }
}

#[test]
fn entra_changes_a_name_without_a_path() {
    let resource = patched(json!({
        "Operations": [{ "op": "Add", "value": {
            "displayName": "Bob Example",
            "name.givenName": "Robert",
            "name.familyName": "Example",
            "externalId": "e-1",
            "emails[type eq \"work\"].value": "robert@example.org",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department": "Ops",
            "roles[primary eq \"True\"].value": "owner",
        }}],
    }));
    assert_eq!(person_name(&resource, Some(&bob())).unwrap().as_deref(), Some("Bob Example"));
    let person = Person::read(&resource).unwrap();
    assert_eq!(person.external_id.as_deref(), Some("e-1"));
    assert_eq!(person.user_name, "bob@example.org");
    assert_eq!(resource["name"]["givenName"], "Robert");
}

#[test]
fn entra_puts_people_into_groups_and_takes_them_out() {
    let members = ["0a", "0b"].map(str::to_owned).into();
    let group = Group { name: "Ops".to_owned(), external_id: None, members };
    let mut resource = show_group("9", &group, "/scim/v2/Users", &meta());
    let mut change = |operation: Value| {
        let body = json!({ "Operations": [operation] });
        Change::parse(&body).unwrap().apply(&mut resource).unwrap();
        Group::read(&resource).unwrap().members.into_iter().collect::<Vec<_>>()
    };
    let add =
        json!({ "op": "Add", "path": "members", "value": [{ "value": "0C" }, { "value": "0a" }] });
    assert_eq!(change(add), ["0a", "0b", "0c"]);
    let out = json!({ "op": "Remove", "path": "members", "value": [{ "value": "0a" }] });
    assert_eq!(change(out), ["0b", "0c"]);
    let out = json!({ "op": "Remove", "path": "members[value eq \"0b\"]" });
    assert_eq!(change(out), ["0c"]);
    let all = json!({ "op": "Replace", "path": "members", "value": { "value": "0d" } });
    assert_eq!(change(all), ["0d"]);
    assert!(change(json!({ "op": "remove", "path": "members" })).is_empty());
}

#[test]
fn okta_disables_by_a_value_and_sends_people_whole() {
    let resource =
        patched(json!({ "Operations": [{ "op": "replace", "value": { "active": false } }] }));
    assert_eq!(Person::read(&resource).unwrap().active, Some(false));
    let sent = object(json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "id": "1",
        "userName": "bob@example.org",
        "name": { "givenName": "Bob", "middleName": "", "familyName": "Okta" },
        "emails": [{ "primary": true, "value": "bob@example.org", "type": "work" }],
        "password": "1mz050nq",
        "groups": [],
        "active": true,
        "meta": { "resourceType": "User" },
    }));
    let resource = replaced(&bob(), sent, &["active", "externalId", "displayName"]);
    assert_eq!(person_name(&resource, Some(&bob())).unwrap().as_deref(), Some("Bob Okta"));
    let person = Person::read(&resource).unwrap();
    assert_eq!((person.active, person.external_id), (Some(true), None));
}

#[test]
fn both_look_people_up_before_they_make_them() {
    for text in [
        r#"userName eq "bob@example.org""#,
        r#"userName Eq "Bob@Example.org""#,
        r#"(userName eq "bob@example.org")"#,
        r#"emails[type eq "work"].value eq "bob@example.org""#,
    ] {
        match Filter::parse(text) {
            Ok(filter) => assert!(filter.matches(&bob()), "{text}"),
            // The protocol has no such filter, and neither has Entra ID by default.
            Err(_) => assert!(text.contains("].value")),
        }
    }
}
