//! What directories send, what nobody honest sends, and what must hold of all of it.

mod laws;
mod quirks;

use serde_json::{Map, Value, json};

use crate::{
    Change, DEPTH, Filter, Group, LENGTH, Path, Person, ScimType, Selection, TERMS, list,
    person_name, version,
};

#[expect(clippy::needless_pass_by_value, reason = "what is made on the spot is handed over")]
fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn ann() -> Map<String, Value> {
    object(json!({
        "id": "0192", "userName": "ann@example.org", "externalId": "Ab", "active": true,
        "name": { "formatted": "Ann Example" }, "age": 42,
        "emails": [
            { "value": "ann@example.org", "type": "work", "primary": true },
            { "value": "ann@home.example", "type": "home" },
        ],
        "urn:x:2.0:User": { "department": "Ops" },
        "meta": { "created": "2026-01-01T00:00:00Z" },
    }))
}

#[test]
fn filters_find_what_they_say() {
    for (text, wanted) in [
        (r#"userName eq "ann@example.org""#, true),
        (r#"USERNAME EQ "ANN@example.org""#, true),
        (r#"externalId eq "ab""#, false),
        (r#"externalId eq "Ab""#, true),
        (r#"userName ne "ann@example.org""#, false),
        (r#"title ne "x""#, true),
        ("title eq null", true),
        ("userName eq null", false),
        (r#"userName co "@example" and userName sw "ann" and userName ew ".org""#, true),
        (r#"userName co """#, true),
        ("active eq true", true),
        (r#"active eq "True""#, true),
        ("active ne true", false),
        ("age gt 41 and age ge 42 and age lt 43 and age le 42", true),
        (r#"age eq "42""#, false),
        (r#"meta.created gt "2025-12-31T23:59:59.5Z""#, true),
        (r#"meta.created lt "2026-01-01T00:00:00+01:00""#, false),
        ("name pr and not (title pr)", true),
        (r#"name.formatted co "EXAMPLE""#, true),
        (r#"emails eq "ann@home.example""#, true),
        (r#"emails.type eq "other""#, false),
        (r#"emails[type eq "home" and value co "home"]"#, true),
        (r#"emails[type eq "work" and value co "home"]"#, false),
        (r#"urn:x:2.0:User:department eq "ops""#, true),
        (r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "ann""#, true),
        // "and" binds closer than "or".
        ("active eq true or active eq true and active eq false", true),
        ("(active eq true or active eq true) and active eq false", false),
        ("not (active eq true) or not(title pr)", true),
        (r#"userName eq "\"a\\""#, false),
        // What no other says.
        ("not pr", false),
    ] {
        let filter = Filter::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(filter.matches(&ann()), wanted, "{text}");
    }
}

// B35.filter, B35.deep
#[test]
fn what_is_no_filter_is_refused() {
    let deep = |n: usize| format!("{}a pr{}", "(".repeat(n), ")".repeat(n));
    let many = |n: usize| vec!["a pr"; n].join(" or ");
    assert!(Filter::parse(&deep(DEPTH)).is_ok() && Filter::parse(&many(TERMS)).is_ok());
    let long = format!("a eq \"{}\"", "x".repeat(LENGTH));
    let nots = format!("{}a pr{}", "not (".repeat(10_000), ")".repeat(10_000));
    let bad = [
        "",
        " ",
        "a",
        "a eq",
        "a eq b",
        "a eq 'b'",
        "a xx 1",
        "1 eq 1",
        "a eq \"",
        "a eq \"\\\"",
        "a eq \"\\x\"",
        "a pr b",
        "a pr and",
        "(a pr",
        "a pr)",
        "a[b pr",
        "a[b pr] c",
        "a[b[c pr]]",
        "a.b[c pr]",
        "a eq inf",
        "a eq nan",
        "a eq 1e999",
        "a..b pr",
        "a. pr",
        ":a pr",
        "a.b.c pr",
        "a pr or or b pr",
        "a eq true'; drop table users --",
        "a eq \"x\" or 1=1",
        "a\u{0} pr",
        "é pr",
        "() pr",
        "not a pr",
        &deep(DEPTH + 1),
        &deep(10_000),
        &many(TERMS + 1),
        &long,
        &nots,
    ];
    for text in bad {
        let refused = Filter::parse(text).expect_err(text);
        assert_eq!(refused.kind, ScimType::InvalidFilter, "{text}");
    }
    for text in ["", "a[", "a[b pr].", "a[b pr].c.d", "a b", "a[]", "a.b[c pr]", "a[b[c pr]]"] {
        let refused = Path::parse(text).expect_err(text);
        assert_eq!(refused.kind, ScimType::InvalidPath, "{text}");
    }
}

#[test]
fn an_index_answers_what_is_the_same_in_all_that_is_found() {
    let pinned = |text: &str| Filter::parse(text).unwrap().pinned("userName").map(str::to_owned);
    assert_eq!(pinned(r#"username eq "a""#).as_deref(), Some("a"));
    assert_eq!(pinned(r#"active eq true and userName eq "a""#).as_deref(), Some("a"));
    for text in [
        r#"userName eq "a" or active eq true"#,
        r#"not (userName eq "a")"#,
        r#"userName sw "a""#,
        r#"userName.x eq "a""#,
        r#"urn:x:userName eq "a""#,
    ] {
        assert_eq!(pinned(text), None, "{text}");
    }
}

#[expect(clippy::needless_pass_by_value, reason = "what is made on the spot is handed over")]
fn patched(operations: Value) -> Result<Map<String, Value>, ScimType> {
    let mut resource = ann();
    let change = Change::parse(&json!({ "Operations": operations })).map_err(|it| it.kind)?;
    change.apply(&mut resource).map_err(|it| it.kind)?;
    Ok(resource)
}

#[test]
fn a_change_is_made_where_its_path_says() {
    let one = |op: &str, path: &str, value: Value| {
        patched(json!([{ "op": op, "path": path, "value": value }])).unwrap()
    };
    let value = one("replace", "name.formatted", json!("Ann B."));
    assert_eq!(value["name"], json!({ "formatted": "Ann B." }));
    let value = one("replace", "name", json!({ "givenName": "Ann" }));
    assert_eq!(value["name"], json!({ "formatted": "Ann Example", "givenName": "Ann" }));
    let value = one("replace", r#"emails[type eq "work"].value"#, json!("a@b.c"));
    assert_eq!(value["emails"][0]["value"], "a@b.c");
    assert_eq!(value["emails"][1]["value"], "ann@home.example");
    let value = one("add", r#"phoneNumbers[type eq "work"].value"#, json!("1"));
    assert_eq!(value["phoneNumbers"], json!([{ "type": "work", "value": "1" }]));
    let value = one("add", "emails", json!([{ "value": "ann@example.org" }, { "value": "n" }]));
    assert_eq!(value["emails"].as_array().unwrap().len(), 3, "one was there");
    let value = one("remove", r#"emails[type eq "work"]"#, Value::Null);
    assert_eq!(value["emails"].as_array().unwrap().len(), 1);
    let value = one("remove", "emails", json!([{ "value": "ann@home.example" }]));
    assert_eq!(value["emails"][0]["type"], "work");
    assert!(!one("remove", "externalId", Value::Null).contains_key("externalId"));
    assert!(one("remove", "nothing.there", Value::Null).contains_key("id"));
    let value = one("add", "urn:x:2.0:User:department", json!("Dev"));
    assert_eq!(value["urn:x:2.0:User"]["department"], "Dev");
}

#[test]
fn a_change_that_cannot_be_made_is_refused_in_the_protocols_words() {
    use ScimType::{InvalidPath, InvalidSyntax, InvalidValue, NoTarget};
    for (operation, wanted) in [
        (json!({ "op": "move", "path": "a" }), InvalidSyntax),
        (json!({ "path": "a" }), InvalidSyntax),
        (json!(7), InvalidSyntax),
        (json!({ "op": "remove" }), NoTarget),
        (json!({ "op": "add", "value": "x" }), NoTarget),
        (json!({ "op": "add", "path": "a b", "value": 1 }), InvalidPath),
        (json!({ "op": "add", "path": 7, "value": 1 }), InvalidPath),
        (json!({ "op": "add", "path": "userName.x", "value": 1 }), InvalidPath),
        (json!({ "op": "add", "path": "userName[x pr].y", "value": 1 }), InvalidPath),
        (json!({ "op": "replace", "path": "emails[type pr]", "value": 1 }), InvalidValue),
        (json!({ "op": "add", "value": { "a b": 1 } }), InvalidPath),
    ] {
        assert_eq!(patched(json!([operation])), Err(wanted), "{operation}");
    }
    for body in [json!(null), json!([]), json!({}), json!({ "Operations": {} })] {
        assert_eq!(Change::parse(&body).err().map(|it| it.kind), Some(InvalidSyntax), "{body}");
    }
}

// B35.flood
#[test]
fn a_change_is_no_more_work_than_one_request_may_make() {
    let many = vec![json!({ "op": "add", "path": "a", "value": 1 }); crate::OPERATIONS + 1];
    assert_eq!(patched(many.into()), Err(ScimType::TooMany));
    // Small when it is sent, and large when it is done.
    let all: Vec<Value> = (0..10_000).map(|n| json!({ "value": n.to_string() })).collect();
    let more = json!({ "op": "add", "path": "x[value pr].y", "value": "z".repeat(100_000) });
    let grown = patched(json!([{ "op": "add", "path": "x", "value": all }, more]));
    assert_eq!(grown, Err(ScimType::TooMany));
}

#[test]
fn what_a_person_is_called() {
    let called = |value: Value, before: Option<Value>| {
        person_name(&object(value), before.map(object).as_ref()).unwrap()
    };
    let parts = json!({ "name": { "givenName": "Ann", "familyName": "Example" } });
    assert_eq!(called(parts, None).as_deref(), Some("Ann Example"));
    assert_eq!(called(json!({ "name": { "givenName": "Ann" } }), None), None);
    assert_eq!(called(json!({ "displayName": "A", "name": null }), None).as_deref(), Some("A"));
    let before = || Some(json!({ "displayName": "Old", "name": { "formatted": "Old" } }));
    let new = json!({ "displayName": "Old", "name": { "formatted": "New" } });
    assert_eq!(called(new, before()).as_deref(), Some("New"));
    assert_eq!(called(json!({ "displayName": "New" }), before()).as_deref(), Some("New"));
    assert_eq!(called(json!({}), before()).as_deref(), Some("Old"));
    assert!(person_name(&object(json!({ "name": "Ann" })), None).is_err());
}

// B35.types
#[test]
fn values_of_another_kind_are_refused() {
    for wrong in [
        json!({}),
        json!({ "userName": 7 }),
        json!({ "userName": " " }),
        json!({ "userName": "a@b.c", "active": 1 }),
        json!({ "userName": "a@b.c", "active": "maybe" }),
        json!({ "userName": "a@b.c", "externalId": ["x"] }),
        json!({ "userName": "a@b.c", "externalId": "x".repeat(256) }),
        json!({ "userName": "a@b.c", "externalId": "x\u{0}" }),
        json!({ "userName": "a@b.c", "emails": "a@b.c" }),
        json!({ "userName": "a@b.c", "emails": [{ "value": 7 }] }),
        json!({ "userName": "a@b.c", "schemas": [crate::GROUP] }),
        json!({ "userName": "a@b.c", "schemas": 7 }),
    ] {
        let refused = Person::read(&object(wrong.clone())).expect_err(&wrong.to_string());
        assert_eq!(refused.kind, ScimType::InvalidValue, "{wrong}");
    }
    for wrong in [
        json!({}),
        json!({ "displayName": "g", "members": ["x"] }),
        json!({ "displayName": "g", "members": [{ "value": 7 }] }),
        json!({ "displayName": "g", "members": [{ "display": "x" }] }),
        json!({ "displayName": "g", "members": [{ "value": "x", "type": "Group" }] }),
    ] {
        let refused = Group::read(&object(wrong.clone())).expect_err(&wrong.to_string());
        assert_eq!(refused.kind, ScimType::InvalidValue, "{wrong}");
    }
    let members: Vec<Value> =
        (0..=crate::MEMBERS).map(|n| json!({ "value": n.to_string() })).collect();
    let group = object(json!({ "displayName": "g", "members": members }));
    assert_eq!(Group::read(&group).err().map(|it| it.kind), Some(ScimType::TooMany));
}

#[test]
fn a_resource_shows_what_was_asked_for() {
    let shown = |only: Option<&str>, without: Option<&str>| {
        let mut resource = ann();
        Selection::parse(only, without).unwrap().narrow(&mut resource);
        resource
    };
    let names = |resource: Map<String, Value>| resource.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(shown(Some("USERNAME"), None)), ["id", "userName"]);
    let value = shown(Some("emails.value,name"), None);
    assert_eq!(value["emails"][0], json!({ "value": "ann@example.org" }));
    assert_eq!(value["name"], json!({ "formatted": "Ann Example" }));
    let value = shown(None, Some("emails.value, meta,id"));
    assert_eq!(value["emails"][1], json!({ "type": "home" }));
    assert!(!value.contains_key("meta") && value.contains_key("id"));
    assert!(Selection::parse(Some("a[b pr]"), None).is_err());
    assert!(Selection::parse(None, Some(&"a,".repeat(51))).is_err());
}

#[test]
fn a_page_and_a_version_tell_what_there_is() {
    let page = list(7, 3, &[json!({}), json!({})]);
    assert_eq!(
        (&page["totalResults"], &page["startIndex"], &page["itemsPerPage"]),
        (&json!(7), &json!(3), &json!(2))
    );
    let (one, mut other) = (ann(), ann());
    assert_eq!(version(&one), version(&other));
    other.insert("meta".to_owned(), json!({ "created": "another" }));
    assert_eq!(version(&one), version(&other), "it is of what there is to change");
    other.insert("active".to_owned(), json!(false));
    assert_ne!(version(&one), version(&other));
}
