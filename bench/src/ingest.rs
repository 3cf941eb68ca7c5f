//! CPU per sample of `remote_write` 1.0, ours (durable before the answer) beside Prometheus.

use std::path::Path;

use bytes::Bytes;
use openframe_system::Server;
use openframe_system::remote_write::{Label, Sample, TimeSeries, WriteRequest};

use crate::client::Target;
use crate::peer::Prometheus;
use crate::say;
use crate::usage::{cpu_us, peak_kib, rss_kib};

/// How much is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Series; each request has one sample of each.
    pub(crate) series: usize,
    /// Requests of a round.
    pub(crate) requests: usize,
    /// Rounds.
    pub(crate) rounds: usize,
}

struct Rival {
    name: &'static str,
    target: Target,
    path: &'static str,
    pid: u32,
    /// Microseconds of CPU per sample of each round.
    cost: Vec<f64>,
}

/// Sends the same requests to both in turn.
pub(crate) async fn run(prometheus: &Path, load: Load) -> anyhow::Result<()> {
    let mut server = Server::start()?;
    let peer = Prometheus::start(prometheus, None).await?;
    let own = Target::new(&server.url, &server.key)?;
    let (ours, theirs) = (server.process().id(), peer.id());
    let mut rivals = [
        Rival {
            name: "OpenFrame",
            target: own,
            path: "/prometheus/api/v1/write",
            pid: ours,
            cost: Vec::new(),
        },
        Rival {
            name: "Prometheus",
            target: peer.target.clone(),
            path: "/api/v1/write",
            pid: theirs,
            cost: Vec::new(),
        },
    ];
    let now_ms = crate::now_ms()?;
    let total = load.rounds * load.requests;
    let first_ms = i64::try_from(now_ms)? - i64::try_from(total)? * 10_000;
    for round in 0..load.rounds {
        let bodies: Vec<Bytes> = (0..load.requests)
            .map(|n| body(load.series, round * load.requests + n, first_ms))
            .collect::<Result<_, _>>()?;
        for rival in &mut rivals {
            let before = cpu_us(rival.pid)?;
            for body in &bodies {
                rival.target.write(rival.path, body.clone()).await?;
            }
            let used = cpu_us(rival.pid)? - before;
            #[expect(clippy::cast_precision_loss, reason = "an average")]
            rival.cost.push(used as f64 / (load.requests * load.series) as f64);
        }
    }
    say("| server | first round, µs CPU/sample | later rounds, median | RSS, KiB | at most, KiB |");
    say("|---|---|---|---|---|");
    for rival in &rivals {
        let mut later = rival.cost.get(1..).unwrap_or_default().to_vec();
        later.sort_by(f64::total_cmp);
        let median = later.get(later.len() / 2).copied().unwrap_or(f64::NAN);
        let first = rival.cost.first().copied().unwrap_or(f64::NAN);
        let (rss, peak) = (rss_kib(rival.pid)?, peak_kib(rival.pid)?);
        say(&format!("| {} | {first:.3} | {median:.3} | {rss} | {peak} |", rival.name));
    }
    Ok(())
}

/// Request `n`: one sample of each series; constant, counter, two decimals and noise in turn.
fn body(series: usize, n: usize, first_ms: i64) -> anyhow::Result<Bytes> {
    let timestamp = first_ms + i64::try_from(n)? * 10_000;
    let one = |number: usize| {
        // A cheap hash, the same in each run.
        let noise = (number * 2_654_435_761 + n * 40_503) % 1_000_003;
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let value = match number % 10 {
            0..=3 => number as f64,
            4..=6 => (n * 100 + noise % 100) as f64,
            7 | 8 => (noise % 10_000) as f64 / 100.0,
            _ => noise as f64 / 1_000_003.0,
        };
        let label = |name: &str, value: String| Label { name: name.to_owned(), value };
        let labels = vec![
            label("__name__", format!("metric_{}", number % 50)),
            label("instance", format!("host-{:05}", number / 50)),
            label("job", "bench".to_owned()),
        ];
        TimeSeries { labels, samples: vec![Sample { value, timestamp }] }
    };
    Ok(WriteRequest { timeseries: (0..series).map(one).collect() }.body())
}
