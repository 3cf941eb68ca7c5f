//! Laws: what is written reads back, and nothing that comes in breaks anything.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::{
    AttrPath, Change, Filter, Group, Literal, Operator, Path, Person, Selection, person_name,
};

fn name() -> impl Strategy<Value = String> {
    "[a-zA-Z][a-zA-Z0-9_-]{0,6}".prop_filter("a word of the language", |name| {
        !["and", "or", "not", "pr"].iter().any(|word| name.eq_ignore_ascii_case(word))
    })
}

fn attribute() -> impl Strategy<Value = AttrPath> {
    let schema = proptest::option::of("urn:[a-z0-9:.]{1,12}[a-z]");
    (schema, name(), proptest::option::of(name())).prop_map(|(schema, name, sub)| AttrPath {
        schema,
        name,
        sub,
    })
}

fn literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
        Just(Literal::Null),
        any::<bool>().prop_map(Literal::Bool),
        any::<f64>().prop_filter("finite", |it| it.is_finite()).prop_map(Literal::Number),
        "\\PC{0,12}|[\"\\\\\n\t]{0,6}".prop_map(Literal::Text),
    ]
}

fn many(mut parts: Vec<Filter>, other: fn(Vec<Filter>) -> Filter) -> Filter {
    let (and, only) = (matches!(other(Vec::new()), Filter::And(_)), parts.len() == 1);
    parts = parts
        .into_iter()
        .flat_map(|part| {
            let same = matches!((&part, and), (Filter::And(_), true) | (Filter::Or(_), false));
            match part {
                Filter::And(inner) | Filter::Or(inner) if same => inner,
                part @ (Filter::Present(_)
                | Filter::Compare(..)
                | Filter::Some(..)
                | Filter::And(_)
                | Filter::Or(_)
                | Filter::Not(_)) => vec![part],
            }
        })
        .collect();
    if only && parts.len() == 1 { parts.swap_remove(0) } else { other(parts) }
}

fn simple() -> impl Strategy<Value = Filter> {
    let operator = proptest::sample::select(Operator::ALL.to_vec());
    prop_oneof![
        attribute().prop_map(Filter::Present),
        (attribute(), operator, literal()).prop_map(|(a, b, c)| Filter::Compare(a, b, c)),
    ]
}

fn joined(leaf: impl Strategy<Value = Filter> + 'static) -> impl Strategy<Value = Filter> {
    leaf.prop_recursive(3, 16, 4, |inner| {
        let some = || proptest::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            some().prop_map(|parts| many(parts, Filter::And)),
            some().prop_map(|parts| many(parts, Filter::Or)),
            inner.clone().prop_map(|it| Filter::Not(Box::new(it))),
        ]
    })
}

fn filter() -> impl Strategy<Value = Filter> {
    let values = (attribute(), joined(simple()))
        .prop_map(|(path, inner)| Filter::Some(AttrPath { sub: None, ..path }, Box::new(inner)));
    joined(prop_oneof![3 => simple(), 1 => values])
}

/// Text that looks like a filter, more often than not.
fn nearly() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        proptest::sample::select(vec![
            "(", ")", "[", "]", " ", "and", "or", "not", "eq", "pr", "\"", "\\", "a", "a.b", "1",
            "true", ".", ":", "-", "\u{e9}", "members", "value",
        ])
        .prop_map(str::to_owned),
        ".{0,3}",
    ];
    proptest::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

fn value() -> impl Strategy<Value = Value> {
    let key = proptest::sample::select(vec![
        "op",
        "path",
        "value",
        "Operations",
        "members",
        "active",
        "userName",
        "name",
        "displayName",
        "emails",
        "type",
        "schemas",
        "name.givenName",
        "emails[type eq \"work\"].value",
        "",
        "x y",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        proptest::sample::select(vec![
            "add",
            "Replace",
            "remove",
            "members[value eq \"1\"]",
            "name",
            "1"
        ])
        .prop_map(Value::from),
        nearly().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((key.clone(), inner), 0..5).prop_map(|fields| {
                let fields = fields.into_iter().map(|(key, value)| (key.to_owned(), value));
                Value::Object(fields.collect())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn a_filter_that_is_written_reads_back(filter in filter()) {
        let text = filter.to_string();
        prop_assume!(text.len() <= crate::LENGTH);
        prop_assert_eq!(Filter::parse(&text), Ok(filter), "{}", text);
    }

    #[test]
    fn a_path_that_is_written_reads_back(
        attribute in attribute(),
        filter in proptest::option::of(joined(simple())),
    ) {
        let path = Path { attribute, filter };
        let text = path.to_string();
        prop_assert_eq!(Path::parse(&text), Ok(path), "{}", text);
    }

    #[test]
    fn whatever_reads_as_a_filter_means_what_its_writing_means(text in nearly()) {
        if let Ok(filter) = Filter::parse(&text) {
            prop_assert_eq!(Filter::parse(&filter.to_string()), Ok(filter.clone()));
            let mut ann = super::ann();
            let first = filter.matches(&ann);
            ann.insert("another".to_owned(), json!([1]));
            prop_assert_eq!(first, filter.matches(&super::ann()));
        }
    }

    #[test]
    fn nothing_that_comes_in_breaks_anything(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let text = String::from_utf8_lossy(&bytes);
        drop((Filter::parse(&text), Path::parse(&text), Selection::parse(Some(&text), Some(&text))));
    }

    #[test]
    fn no_body_breaks_anything(body in value(), resource in value()) {
        let mut fields: Map<String, Value> = super::object(resource);
        drop((Person::read(&fields), Group::read(&fields), person_name(&fields, None)));
        let wrapped = json!({ "Operations": [body] });
        for body in [body, wrapped] {
            if let Ok(change) = Change::parse(&body) {
                drop(change.apply(&mut fields));
            }
        }
        drop((Person::read(&fields), Group::read(&fields)));
    }

    #[test]
    fn what_is_put_in_and_taken_out_is_as_before(
        before in proptest::collection::btree_set("[a-c][0-9]", 0..8),
        more in proptest::collection::btree_set("[d-f][0-9]", 1..8),
    ) {
        let list = |ids: &std::collections::BTreeSet<String>| {
            ids.iter().map(|id| json!({ "value": id })).collect::<Vec<_>>()
        };
        let mut group = super::object(json!({ "displayName": "g", "members": list(&before) }));
        for (op, wanted) in [("add", before.union(&more).cloned().collect()), ("remove", before)] {
            let body = json!({ "Operations": [{ "op": op, "path": "members", "value": list(&more) }] });
            Change::parse(&body).unwrap().apply(&mut group).unwrap();
            prop_assert_eq!(Group::read(&group).unwrap().members, wanted);
        }
    }
}
