//! Prometheus' own client asks the real server.

use std::process::Command;

use openframe_system::remote_write::{Label, Sample, TimeSeries, WriteRequest};
use openframe_system::{Server, executable};

use crate::bad_disk::now_ms;

/// What `promtool query` writes, of a server that it asks with a key.
struct Promtool {
    server: String,
    config: tempfile::NamedTempFile,
}

impl Promtool {
    fn new(server: &Server) -> Self {
        let config = tempfile::NamedTempFile::new().unwrap();
        let text = format!("authorization:\n  credentials: {}\n", server.key);
        std::fs::write(config.path(), text).unwrap();
        Self { server: format!("{}/prometheus", server.url), config }
    }

    /// Options come before the server's address, the rest behind it.
    fn query(&self, kind: &str, options: &[&str], rest: &[&str]) -> (bool, String) {
        let done = Command::new(executable("prometheus/promtool").unwrap())
            .args(["query", kind, "--http.config.file"])
            .arg(self.config.path())
            .args(options)
            .arg(&self.server)
            .args(rest)
            .output()
            .unwrap();
        let said = [done.stdout, done.stderr].concat();
        (done.status.success(), String::from_utf8_lossy(&said).into_owned())
    }
}

async fn write(server: &Server, end_ms: i64) {
    let pairs = [("__name__", "up"), ("job", "a"), ("zone.name", "x")];
    let labels = pairs.map(|(name, value)| Label { name: name.into(), value: value.into() });
    let sample = |n: i64| Sample { value: 2.0, timestamp: end_ms - n * 10_000 };
    let samples = (0..30).rev().map(sample).collect();
    let timeseries = vec![TimeSeries { labels: labels.to_vec(), samples }];
    let body = WriteRequest { timeseries }.body();
    assert!(server.remote_write(body).await.unwrap().is_success());
}

#[tokio::test]
#[ignore = "needs promtool; `cargo xtask test` builds it and runs this"]
async fn promtool_queries_the_server() {
    let server = Server::start().unwrap();
    let now_ms = now_ms();
    write(&server, now_ms).await;
    let promtool = Promtool::new(&server);
    let (now, start) = ((now_ms / 1_000).to_string(), (now_ms / 1_000 - 120).to_string());
    let at = ["--time", now.as_str()];
    let over = ["--start", start.as_str(), "--end", now.as_str()];
    let stepped = [&over[..], &["--step", "60s"]].concat();
    let matching = [&over[..], &["--match", "up"]].concat();
    for (kind, options, rest, want) in [
        ("instant", &at[..], &["sum by (job) (up) * 2"][..], "{job=\"a\"} => 4 @"),
        ("instant", &at, &["{\"up\",\"zone.name\"=\"x\"}"], "zone.name=\"x\""),
        ("range", &stepped, &["up"], "2 @["),
        ("series", &matching, &[], "job=\"a\""),
        ("labels", &over, &["job"], "a\n"),
    ] {
        let (well, said) = promtool.query(kind, options, rest);
        assert!(well && said.contains(want), "{kind} {options:?} {rest:?}: {said}");
    }
    let (well, said) = promtool.query("instant", &at, &["sum("]);
    assert!(!well && said.contains("bad_data: invalid parameter \"query\""), "{said}");
    let (well, said) = promtool.query("instant", &at, &["topk(NaN, up)"]);
    assert!(!well && said.contains("execution: Parameter value is NaN"), "{said}");
}
