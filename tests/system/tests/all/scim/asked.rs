//! What directories ask: filters, pages, and what is wrong and refused in the protocol's words.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use http::{StatusCode, header};
use serde_json::{Value, json};

use super::{BOB, Directory, patch};

// B35.filter, B35.deep
#[tokio::test]
async fn a_filter_finds_what_it_says_and_nothing_is_read_into_it() {
    let it = Directory::start(&[]).await;
    it.create(BOB).await;
    let found = async |filter: &str| {
        let filter: String = url_encoded(filter);
        it.done(&format!("GET Users?filter={filter}"), &Value::Null).await["totalResults"].clone()
    };
    for (filter, wanted) in [
        (r#"userName eq "bob@example.org""#, 1),
        (r#"userName eq "' or '1'='1""#, 0),
        (r#"externalId eq "x' or 1=1 --""#, 0),
        (r#"externalId eq "%""#, 0),
        (r#"userName sw "bob" and not (active eq false)"#, 1),
        (r#"userName co "_" or userName ew "%""#, 0),
        (r#"userName eq "bob@example.org" and active eq false"#, 0),
        (r#"displayName eq "\u0000""#, 0),
        ("active pr", 3),
    ] {
        assert_eq!(found(filter).await, wanted, "{filter}");
    }
    for filter in [
        r#"userName eq "x"; drop table users"#,
        r#"userName eq "x" union select"#,
        r#""1" eq "1""#,
        "userName eq",
        "userName",
        &format!("{}userName pr{}", "(".repeat(17), ")".repeat(17)),
        &format!("{}userName pr{}", "not(".repeat(500), ")".repeat(500)),
    ] {
        let operation = format!("GET Users?filter={}", url_encoded(filter));
        let refused = it.refused(&operation, &Value::Null).await;
        assert_eq!(refused, (400, "invalidFilter".to_owned()), "{filter}");
    }
    let deep = format!("{}userName pr{}", "(".repeat(10_000), ")".repeat(10_000));
    let answer = it.send(&format!("GET Users?filter={deep}"), &Value::Null, &[]).await;
    assert!(answer.status().is_client_error(), "{}", answer.status());
    let path = format!("members{}", "[".repeat(10_000));
    let deep = patch(&json!([{ "op": "add", "path": path, "value": 1 }]));
    let id = it.create("deep@example.org").await;
    let refused = it.refused(&format!("PATCH Users/{id}"), &deep).await;
    assert_eq!(refused, (400, "invalidPath".to_owned()));
    assert_eq!(found("active pr").await, 4, "it goes on");
}

fn url_encoded(text: &str) -> String {
    let mut all = String::new();
    for byte in text.bytes() {
        write!(all, "%{byte:02X}").unwrap();
    }
    all
}

// B35.pages
#[tokio::test]
async fn pages_show_everybody_once() {
    let it = Directory::start(&[]).await;
    let mut made = BTreeSet::new();
    for n in 0..23 {
        made.insert(it.create(&format!("p{n}@example.org")).await);
    }
    for (filter, count) in [("userName sw \"p\"", 7), ("userName sw \"p\"", 1), ("id pr", 10)] {
        let ids = it.found(filter, count).await;
        let once: BTreeSet<String> = ids.iter().cloned().collect();
        assert_eq!(once.len(), ids.len(), "{filter} {count}");
        assert!(made.is_subset(&once) && ids.is_sorted(), "{filter} {count}");
    }
    for (query, (start, items)) in [
        ("count=0", (1, 0)),
        ("startIndex=-5&count=2", (1, 2)),
        ("startIndex=25&count=100", (25, 1)),
        ("startIndex=99", (99, 0)),
        ("count=-1", (1, 0)),
        ("count=9999999", (1, 25)),
    ] {
        let page = it.done(&format!("GET Users?{query}"), &Value::Null).await;
        assert_eq!(
            (&page["totalResults"], &page["startIndex"]),
            (&json!(25), &json!(start)),
            "{query}"
        );
        assert_eq!(page["itemsPerPage"], items, "{query}");
    }
    let page = it.done("GET Users?attributes=userName&count=1", &Value::Null).await;
    let one = page["Resources"][0].as_object().unwrap();
    assert_eq!(one.keys().collect::<Vec<_>>(), ["id", "schemas", "userName"]);
}

// B35.types, B35.unique, B35.flood, B35.seen
#[tokio::test]
async fn what_is_wrong_is_refused_in_the_protocols_words() {
    let it = Directory::start(&[]).await;
    let made = it.done("POST Users", &json!({ "userName": BOB, "externalId": "b" })).await;
    let one = format!("Users/{}", made["id"].as_str().unwrap());
    let op = |operation: Value| patch(&json!([operation]));
    let named = |n: usize| json!({ "value": format!("0192a000-0000-7000-8000-{n:012}") });
    let many: Vec<Value> = (0..10_001).map(named).collect();
    for (operation, body, status, word) in [
        ("POST Users", json!({ "userName": BOB }), 409, "uniqueness"),
        ("POST Users", json!({ "userName": "BOB@EXAMPLE.ORG" }), 409, "uniqueness"),
        ("POST Users", json!({ "userName": "a@b.c", "externalId": "b" }), 409, "uniqueness"),
        ("POST Users", json!({ "userName": "no address" }), 400, "invalidValue"),
        ("POST Users", json!({ "userName": 7 }), 400, "invalidValue"),
        ("POST Users", json!({ "userName": "a@b.c", "active": "x" }), 400, "invalidValue"),
        ("POST Users", json!([]), 400, "invalidSyntax"),
        ("PATCH", json!({}), 400, "invalidSyntax"),
        ("PATCH", op(json!({ "op": "drop", "path": "active" })), 400, "invalidSyntax"),
        ("PATCH", op(json!({ "op": "remove" })), 400, "noTarget"),
        ("PATCH", op(json!({ "op": "add", "path": "a b", "value": 1 })), 400, "invalidPath"),
        ("PATCH", op(json!({ "op": "add", "path": "active", "value": 7 })), 400, "invalidValue"),
        ("PATCH", op(json!({ "op": "remove", "path": "userName" })), 400, "invalidValue"),
        ("PUT", json!({ "displayName": "x" }), 400, "invalidValue"),
        ("GET Users?count=x", Value::Null, 400, "invalidValue"),
        ("GET Users/not-an-id", Value::Null, 404, ""),
        ("GET Users/01912345-6789-7abc-8def-0123456789ab", Value::Null, 404, ""),
        ("POST Groups", json!({}), 400, "invalidValue"),
        ("POST Groups", json!({ "displayName": "g", "members": [named(1)] }), 400, "invalidValue"),
        ("POST Groups", json!({ "displayName": "g", "members": many }), 400, "tooMany"),
        ("GET Groups?filter=members eq \"x\"", Value::Null, 400, "invalidFilter"),
        ("GET Schemas/none", Value::Null, 404, ""),
    ] {
        let whole = if operation.contains(' ') {
            operation.to_owned()
        } else {
            format!("{operation} {one}")
        };
        assert_eq!(
            it.refused(&whole, &body).await,
            (status, word.to_owned()),
            "{operation} {body}"
        );
    }
    // Of two who have seen the same, one is told.
    let seen = made["meta"]["version"].as_str().unwrap();
    let out = op(json!({ "op": "replace", "path": "active", "value": false }));
    let change = format!("PATCH {one}");
    let first = it.send(&change, &out, &[("if-match", seen)]).await;
    assert_eq!(first.status(), StatusCode::OK);
    let now = first.headers().get(header::ETAG).unwrap().to_str().unwrap().to_owned();
    assert_ne!(now, seen);
    let second = it.send(&change, &out, &[("if-match", seen)]).await;
    assert_eq!(second.status(), StatusCode::PRECONDITION_FAILED);
    let same = it.send(&format!("GET {one}"), &Value::Null, &[("if-none-match", &now)]).await;
    assert_eq!(same.status(), StatusCode::NOT_MODIFIED);
}

// B35.schemas
#[tokio::test]
async fn a_directory_finds_out_what_there_is() {
    let it = Directory::start(&[]).await;
    let config = it.done("GET ServiceProviderConfig", &Value::Null).await;
    assert_eq!(
        (&config["patch"]["supported"], &config["bulk"]["supported"]),
        (&json!(true), &json!(false))
    );
    let types = it.done("GET ResourceTypes", &Value::Null).await;
    assert_eq!(types["totalResults"], 2);
    for kind in types["Resources"].as_array().unwrap() {
        let (name, schema) = (kind["name"].as_str().unwrap(), kind["schema"].as_str().unwrap());
        assert_eq!(it.done(&format!("GET ResourceTypes/{name}"), &Value::Null).await, *kind);
        let schema = it.done(&format!("GET Schemas/{schema}"), &Value::Null).await;
        assert_eq!(schema["name"], name);
        let endpoint = kind["endpoint"].as_str().unwrap().trim_start_matches('/');
        it.done(&format!("GET {endpoint}"), &Value::Null).await;
    }
    let answer = it.send("GET ServiceProviderConfig", &Value::Null, &[]).await;
    assert_eq!(answer.headers().get(header::CONTENT_TYPE).unwrap(), "application/scim+json");
    let made = it.send("POST Users", &json!({ "userName": BOB }), &[]).await;
    let location = made.headers().get(header::LOCATION).unwrap().to_str().unwrap();
    assert!(location.contains("/scim/v2/Users/"), "{location}");
}
