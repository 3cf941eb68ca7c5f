//! Layers and mistakes.

use serde::Deserialize;

use super::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    listen: String,
    limits: Limits,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Limits {
    body_bytes: u32,
    tags: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { listen: "https://127.0.0.1:8443".to_owned(), limits: Limits::default() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { body_bytes: 1024, tags: Vec::new() }
    }
}

fn layers(file: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Layers {
    let own = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    Layers {
        file: Some(("openframe.toml".to_owned(), file.to_owned())),
        environment: own(environment),
        flags: own(flags),
    }
}

#[test]
fn later_layers_win() {
    let layers = layers(
        "listen = \"a\"\n[limits]\nbody_bytes = 1\ntags = [\"x\"]\n",
        &[("OPENFRAME_LIMITS__BODY_BYTES", "2"), ("OPENFRAME_LISTEN", "b")],
        &[("listen", "c")],
    );
    let settings: Settings = load(&layers).unwrap();
    let limits = Limits { body_bytes: 2, tags: vec!["x".to_owned()] };
    assert_eq!(settings, Settings { listen: "c".to_owned(), limits });
}

#[test]
fn three_mistakes_are_reported_at_once() {
    let file = "lisen = \"a\"\n[limits]\nbody_bytes = \"many\"\ntags = 7\n";
    let Mistakes(found) = load::<Settings>(&layers(file, &[], &[])).unwrap_err();
    let found: Vec<&str> = found.iter().map(|mistake| mistake.what.as_str()).collect();
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found.iter().any(|what| what.starts_with("`lisen`: unknown field")), "{found:?}");
    assert!(found.iter().any(|what| what.starts_with("`limits.body_bytes`:")), "{found:?}");
    assert!(found.iter().any(|what| what.starts_with("`limits.tags`:")), "{found:?}");
}

#[test]
fn text_that_is_not_toml_is_one_mistake_with_its_line() {
    let Mistakes(found) = load::<Settings>(&layers("a = 1\nb = [\n", &[], &[])).unwrap_err();
    assert_eq!(found.len(), 1);
    assert!(found[0].what.starts_with("line "), "{found:?}");
}

#[test]
fn without_layers_the_defaults_hold() {
    assert_eq!(load::<Settings>(&Layers::default()).unwrap(), Settings::default());
}

#[test]
fn variables_of_one_word_set_something_too() {
    let all = ["OPENFRAME_LISTEN", "OPENFRAME_LIMITS__TAGS", "OPENFRAME_SERVER", "HOME"];
    let all = all.into_iter().map(|name| (name.to_owned(), "x".to_owned()));
    let found = settings_among(all, &["OPENFRAME_SERVER"]);
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["OPENFRAME_LISTEN", "OPENFRAME_LIMITS__TAGS"]);
    let settings: Settings = load(&Layers { environment: found, ..Layers::default() }).unwrap();
    assert_eq!((settings.listen.as_str(), settings.limits.tags[0].as_str()), ("x", "x"));
}

#[test]
fn a_list_may_be_given_by_its_one_item() {
    for (text, want) in [("NAME", vec!["NAME"]), ("[\"a\", \"b\"]", vec!["a", "b"])] {
        let settings: Settings = load(&layers("", &[], &[("limits.tags", text)])).unwrap();
        assert_eq!(settings.limits.tags, want);
    }
    let Mistakes(found) = load::<Settings>(&layers("", &[], &[("limits.tags", "7")])).unwrap_err();
    assert_eq!(found.len(), 1, "{found:?}");
}
