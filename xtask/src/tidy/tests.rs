//! One violation of each rule, planted into a small workspace.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;

const LIBRARY: &str = "//! What it is for.\n\nmod inner;\n";
const INNER: &str = "//! What it is for.\n";

/// A workspace without a fault.
fn workspace() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let members = "members = ['api/*', 'libs/*', 'services/*', 'stores/*']";
    write(
        root.path(),
        "Cargo.toml",
        &format!("[workspace]\nresolver = '3'\n{members}\n\n[workspace.lints]\n"),
    );
    for (folder, dependencies) in [
        ("api/auth-api", ""),
        ("libs/fault", ""),
        ("services/auth", "openframe-fault = { path = '../../libs/fault' }"),
        ("services/devices", ""),
        ("stores/auth-sqlite", "openframe-auth = { path = '../../services/auth' }"),
    ] {
        let name = folder.rsplit('/').next().unwrap();
        write(root.path(), &format!("{folder}/Cargo.toml"), &manifest(name, dependencies));
        write(root.path(), &format!("{folder}/src/lib.rs"), LIBRARY);
        write(root.path(), &format!("{folder}/src/inner.rs"), INNER);
    }
    write(root.path(), "docs/adr/README.md", "- [0001 One](0001-one.md)\n");
    write(root.path(), "docs/adr/0001-one.md", "# One\n");
    write(root.path(), "docs/checked.md", "Checked.\n");
    write(root.path(), "tests/mutants/one.patch", &mutant("Checked.", "-p x --lib"));
    root
}

fn manifest(name: &str, dependencies: &str) -> String {
    format!(
        "[package]\nname = 'openframe-{name}'\nedition = '2024'\n\n[dependencies]\n{dependencies}\n\n\
         [lints]\nworkspace = true\n"
    )
}

/// A mutant that takes `line` out of the document.
fn mutant(line: &str, test: &str) -> String {
    let path = "docs/checked.md";
    format!(
        "Check: x\nSource: y\nTest: {test}\n--- a/{path}\n+++ b/{path}\n@@ -1 +0,0 @@\n-{line}\n"
    )
}

#[test]
fn mutants_say_who_must_notice_and_apply() {
    let path = "tests/mutants/one.patch";
    rejects(path, &mutant("Other.", "-p x --lib"), "does not apply any more");
    rejects(path, &mutant("Checked.", "x"), "the test is");
    rejects("tests/mutants/one.txt", "", "not a .patch");
}

fn write(root: &Path, path: &str, text: &str) {
    let file = root.join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}

/// Writes `text` to `path` and expects nothing but one violation, there, that says `what`.
#[track_caller]
fn rejects(path: &str, text: &str, what: &str) {
    let root = workspace();
    write(root.path(), path, text);
    let (_, found) = check(root.path()).unwrap();
    let [Violation { place, what: said }] = found.as_slice() else {
        panic!("wanted one violation that says {what:?}, got {found:#?}");
    };
    let place = place.split(':').next().unwrap();
    assert!(path.starts_with(place), "{place} is not {path}");
    assert!(said.contains(what), "{said:?} does not say {what:?}");
}

/// As [`rejects`], for code in a service.
#[track_caller]
fn rejects_code(code: &str, what: &str) {
    rejects("services/auth/src/inner.rs", &format!("//! What it is for.\n\n{code}\n"), what);
}

/// Writes code into a service, or `path`, and expects no violation.
#[track_caller]
fn accepts(path: &str, code: &str) {
    let root = workspace();
    write(root.path(), path, &format!("//! What it is for.\n\n{code}\n"));
    assert_eq!(check(root.path()).unwrap().1, []);
}

#[test]
fn a_workspace_without_a_fault_is_tidy() {
    assert_eq!(check(workspace().path()).unwrap(), (10, Vec::new()));
}

#[test]
fn the_dependency_table() {
    for (folder, dependencies, other) in [
        ("services/auth", "openframe-devices = { path = '../devices' }", "services/devices"),
        (
            "services/devices",
            "openframe-auth-sqlite = { path = '../../stores/auth-sqlite' }",
            "stores/auth-sqlite",
        ),
        ("libs/fault", "openframe-auth-api = { path = '../../api/auth-api' }", "api/auth-api"),
        (
            "stores/auth-sqlite",
            "openframe-devices = { path = '../../services/devices' }",
            "services/devices",
        ),
        (
            "services/devices",
            "[dev-dependencies]\nopenframe-auth = { path = '../auth' }",
            "services/auth",
        ),
        (
            "services/devices",
            "[build-dependencies]\nopenframe-auth = { path = '../auth' }",
            "services/auth",
        ),
    ] {
        let name = folder.rsplit('/').next().unwrap();
        let what = format!("may not depend on {other}");
        rejects(&format!("{folder}/Cargo.toml"), &manifest(name, dependencies), &what);
    }
}

#[test]
fn drivers_names_and_lints_of_crates() {
    for name in ["sqlx", "scylla", "redis", "fred", "rusqlite", "tokio-postgres", "cdrs-tokio"] {
        let driver = manifest("auth", &format!("{name} = '*'"));
        rejects("services/auth/Cargo.toml", &driver, &format!("names the driver {name};"));
    }
    let name = manifest("device", "");
    rejects("services/devices/Cargo.toml", &name, "name it after its folder");
    let lints = manifest("devices", "").replace("[lints]\nworkspace = true\n", "");
    rejects("services/devices/Cargo.toml", &lints, "does not take the workspace's lints");
}

#[test]
fn files_say_what_they_are_for_and_are_short() {
    rejects("libs/fault/src/inner.rs", "fn f() {}\n", "begin the file with //!");
    let long = format!("{INNER}{}", "\n".repeat(500));
    rejects("libs/fault/src/inner.rs", &long, "501 lines; split it");
    let tested = format!("#[cfg(test)]\nmod tests {{\n{}}}", "\n".repeat(500));
    accepts("libs/fault/src/inner.rs", &tested);
    let after = format!("#[cfg(test)]\nmod tests {{}}\n{}", "\n".repeat(500));
    rejects_code(&after, "lines; split it");
}

#[test]
fn files_have_names_that_say_something() {
    let root = workspace();
    for (path, text) in [
        ("libs/fault/src/lib.rs", "//! What it is for.\n\nmod inner;\nmod util;\n"),
        ("libs/fault/src/util.rs", INNER),
        ("services/auth/src/lib.rs", "//! What it is for.\n\nmod inner;\nmod things;\n"),
        ("services/auth/src/things/mod.rs", INNER),
    ] {
        write(root.path(), path, text);
    }
    let (_, found) = check(root.path()).unwrap();
    let [vague, module] = found.as_slice() else { panic!("{found:#?}") };
    assert!(vague.what.contains("name the subject"), "{vague:?}");
    assert!(module.what.contains("name it name.rs"), "{module:?}");
}

#[test]
fn every_file_is_named_by_a_module() {
    rejects("services/auth/src/lost.rs", INNER, "no `mod` names it");
    rejects("services/auth/src/inner/lost.rs", INNER, "no `mod` names it");
    rejects("services/auth/inner.rs", INNER, "no `mod` names it");
    let root = workspace();
    write(root.path(), "libs/fault/src/inner.rs", "//! It.\n\n#[cfg(test)]\nmod tests;\n");
    write(root.path(), "libs/fault/src/inner/tests.rs", INNER);
    write(root.path(), "libs/fault/tests/outside.rs", INNER);
    assert_eq!(check(root.path()).unwrap().1, []);
}

#[test]
fn functions_are_short() {
    let function = |lines: usize| format!("fn f() {{\n{}}}", "    g();\n".repeat(lines));
    rejects_code(&function(71), "`f` has 71 lines");
    rejects_code(&format!("impl X {{\n{}\n}}", function(71)), "`f` has 71 lines");
    rejects_code(&format!("trait X {{\n{}\n}}", function(71)), "`f` has 71 lines");
    accepts("services/auth/src/inner.rs", &function(70));
    let spaced = format!("fn f() {{\n{}}}", "    g();\n\n    // Why.\n".repeat(40));
    accepts("services/auth/src/inner.rs", &spaced);
}

#[test]
fn public_items_are_documented() {
    for (code, name) in [
        ("pub fn shown() {}", "shown"),
        ("pub const SHOWN: u8 = 1;", "SHOWN"),
        ("/// X.\npub struct X {\n    pub shown: u8,\n}", "shown"),
        ("/// X.\npub enum X {\n    Shown,\n}", "Shown"),
        ("/// X.\npub enum X {\n    /// A.\n    A { shown: u8 },\n}", "shown"),
        ("/// X.\npub trait X {\n    fn shown();\n}", "shown"),
        ("impl X {\n    pub fn shown() {}\n}", "shown"),
        ("pub type Shown = u8;", "Shown"),
    ] {
        rejects_code(code, &format!("`{name}` is public"));
    }
    let hidden = "pub(crate) fn f() {}\nfn g() {}\nimpl X for Y {\n    fn h() {}\n}";
    accepts("services/auth/src/inner.rs", hidden);
    accepts("services/auth/src/inner.rs", "#[cfg(test)]\nmod tests {\n    pub fn f() {}\n}");
}

#[test]
fn clocks_are_read_in_one_place() {
    let clock = "reads the clock";
    rejects_code("fn f() {\n    jiff::Timestamp::now();\n}", clock);
    rejects_code("fn f() {\n    std::time::SystemTime::now();\n}", clock);
    rejects_code("use std::time::Instant;\nfn f() {\n    g!(Instant::now());\n}", clock);
    // A file goes on after its tests.
    let after = "#[cfg(test)]\nmod tests;\nfn f() {\n    Instant::now();\n}";
    let root = workspace();
    write(root.path(), "libs/fault/src/inner.rs", &format!("{INNER}\n{after}\n"));
    write(root.path(), "libs/fault/src/inner/tests.rs", INNER);
    assert_eq!(check(root.path()).unwrap().1.len(), 1);
    for code in [
        "// Timestamp::now() is not read.",
        "const TEXT: &str = \"Timestamp::now()\";",
        "#[cfg(test)]\nmod tests {\n    fn f() {\n        Timestamp::now();\n    }\n}",
        "use tokio::time::Instant;\nfn f() {\n    Instant::now();\n}",
    ] {
        accepts("services/auth/src/inner.rs", code);
    }
}

#[test]
fn the_environment_and_chance_are_asked_in_one_place() {
    rejects_code("fn f() {\n    std::env::var(\"HOME\");\n}", "reads the environment");
    rejects_code("use std::env;\nfn f() {\n    env::vars_os();\n}", "reads the environment");
    accepts("services/auth/build.rs", "fn main() {\n    std::env::var(\"OUT_DIR\");\n}");
    for code in ["rand::random()", "uuid::Uuid::new_v4()", "aws_lc_rs::rand::fill(x)"] {
        rejects_code(&format!("fn f() {{\n    {code};\n}}"), "makes its own randomness");
    }
}

#[test]
fn nothing_is_state_for_everybody() {
    for code in [
        "static mut COUNT: u32 = 0;",
        "static COUNT: AtomicU64 = AtomicU64::new(0);",
        "static ALL: std::sync::LazyLock<Registry> = f();",
        "fn f() {\n    static ONCE: OnceLock<u8> = OnceLock::new();\n}",
        "thread_local! {\n    static OWN: u8 = 0;\n}",
    ] {
        rejects_code(code, "state for everybody");
    }
    accepts("services/auth/src/inner.rs", "static NAMES: [&str; 1] = [\"a\"];");
}

#[test]
fn lints_are_set_aside_by_expect() {
    rejects_code("#[allow(dead_code)]\nfn f() {}", "use #[expect(");
    rejects_code("fn f() {\n    #![allow(dead_code)]\n}", "use #[expect(");
    rejects_code("#[cfg_attr(unix, allow(dead_code))]\nfn f() {}", "use #[expect(");
    rejects("libs/fault/src/inner.rs", "//! It.\n\n#![allow(dead_code)]\n", "use #[expect(");
}

#[test]
fn services_do_not_know_how_they_are_written() {
    let derived = "#[derive(Debug, Serialize)]\nstruct X;";
    rejects_code(derived, "knows how it is written");
    rejects_code("impl serde::Serialize for X {}", "knows how it is written");
    accepts("api/auth-api/src/inner.rs", derived);
    let root = workspace();
    write(root.path(), "services/auth/src/lib.rs", "//! It.\n\nmod config;\nmod inner;\n");
    write(root.path(), "services/auth/src/config.rs", &format!("{INNER}\n{derived}\n"));
    assert_eq!(check(root.path()).unwrap().1, []);
}

#[test]
fn the_index_of_decisions_is_whole() {
    let index = "docs/adr/README.md";
    rejects("docs/adr/0002-two.md", "# Two\n", "is not in the index");
    let root = workspace();
    write(root.path(), index, "- [One](0001-one.md)\n- [Two](0002-two.md)\n");
    let (_, found) = check(root.path()).unwrap();
    assert!(found.len() == 1 && found[0].what.contains("but not there"), "{found:#?}");
    write(root.path(), index, "- [One](0001-one.md)\n- [Three](0003-three.md)\n");
    write(root.path(), "docs/adr/0003-three.md", "# Three\n");
    let (_, found) = check(root.path()).unwrap();
    assert!(found.len() == 1 && found[0].what.contains("is the decision 0002"), "{found:#?}");
}
