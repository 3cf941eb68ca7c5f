//! Programs of the system that are asked what they know.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use super::{ENTRIES, text};

/// A program has so long to answer.
const LIMIT: Duration = Duration::from_secs(10);
/// Bytes of an answer that are read.
const ANSWER: u64 = 4 << 20;

/// What a program writes, or why that is not known; `None` when there is no such program.
pub(super) async fn ask(program: &str, arguments: &[&str]) -> Option<Result<String, String>> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).stdout(Stdio::piped());
    let mut child = match command.kill_on_drop(true).spawn() {
        Ok(child) => child,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return None,
        Err(cause) => return Some(Err(format!("{program}: {cause}"))),
    };
    let stdout = child.stdout.take()?;
    let answer = async {
        let mut bytes = Vec::new();
        stdout.take(ANSWER).read_to_end(&mut bytes).await.map_err(|cause| cause.to_string())?;
        match child.wait().await {
            Ok(status) if status.success() => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Ok(_) | Err(_) => Err("it failed".to_owned()),
        }
    };
    let answer = tokio::time::timeout(LIMIT, answer).await;
    let answer = answer.unwrap_or_else(|_| Err("it did not answer".to_owned()));
    Some(answer.map_err(|why| format!("{program}: {why}")))
}

/// Where a list comes from: program, arguments, the names of the columns that tabs part.
type Source = (&'static str, &'static [&'static str], &'static [&'static str]);

const RPM: Source = (
    "rpm",
    &["--query", "--all", "--queryformat", "%{NAME}\\t%{VERSION}-%{RELEASE}\\t%{ARCH}\\n"],
    &["name", "version", "arch"],
);
const FLATPAK: Source =
    ("flatpak", &["list", "--columns=application,version,arch"], &["name", "version", "arch"]);
const CONTAINERS: &[&str] =
    &["ps", "--all", "--no-trunc", "--format", "{{.Names}}\\t{{.Image}}\\t{{.State}}"];
const COLUMNS: &[&str] = &["name", "image", "state"];

/// Software that others than dpkg have installed: the field's name and its list.
pub(super) async fn software() -> Vec<(&'static str, Value)> {
    let mut found = Vec::new();
    for source in [RPM, FLATPAK] {
        found.extend(list(source).await.map(|list| (source.0, list)));
    }
    if let Some(answer) = ask("snap", &["list"]).await {
        found.push(("snap", answer.map_or_else(|why| json!(why), |it| json!(snaps(&it)))));
    }
    found
}

/// The containers of each engine that is there.
pub(super) async fn containers() -> Vec<(&'static str, Value)> {
    let mut found = Vec::new();
    for engine in ["docker", "podman"] {
        found.extend(list((engine, CONTAINERS, COLUMNS)).await.map(|list| (engine, list)));
    }
    found
}

/// A list of what a program names; the reason when it does not.
async fn list((program, arguments, columns): Source) -> Option<Value> {
    let answer = ask(program, arguments).await?;
    Some(answer.map_or_else(|why| json!(why), |lines| json!(rows(&lines, columns))))
}

fn rows(lines: &str, columns: &[&str]) -> Vec<Value> {
    let row = |line: &str| {
        let fields = line.split('\t').map(|field| Value::String(text(field.as_bytes())));
        columns.iter().map(|name| (*name).to_owned()).zip(fields).collect()
    };
    let mut rows: Vec<_> = lines.lines().filter(|line| !line.is_empty()).take(ENTRIES).collect();
    // Some programs name things in another order each time, which would count as a change.
    rows.sort_unstable();
    rows.into_iter().map(row).collect()
}

/// `snap list` writes a table with a heading.
fn snaps(table: &str) -> Vec<Value> {
    let row = |line: &str| {
        let mut words = line.split_whitespace().map(|word| text(word.as_bytes()));
        Some(json!({ "name": words.next()?, "version": words.next()? }))
    };
    table.lines().skip(1).filter_map(row).take(ENTRIES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read_in_one_order() {
        let columns = ["name", "version"];
        let want = json!([{ "name": "a", "version": "1" }, { "name": "b" }]);
        assert_eq!(json!(rows("b\n\na\t1\tmore\n", &columns)), want);
        let table = "Name  Version  Rev\ncore  16-2.61  16928\nodd\n";
        assert_eq!(json!(snaps(table)), json!([{ "name": "core", "version": "16-2.61" }]));
    }

    #[tokio::test]
    async fn a_program_answers_fails_or_is_not_there() {
        assert_eq!(ask("echo", &["hello"]).await, Some(Ok("hello\n".to_owned())));
        assert_eq!(ask("false", &[]).await, Some(Err("false: it failed".to_owned())));
        assert_eq!(ask("no-such-program-here", &[]).await, None);
    }
}
