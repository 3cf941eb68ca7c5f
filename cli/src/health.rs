//! `openframe health`: how the platform itself is.

use clap::Args;
use openframe_fault::Fault;
use openframe_platform_api::{Edge, Health, Part, Replica};

use crate::connection::Connection;
use crate::{Format, output};

/// What is shown of the platform's health.
#[derive(Debug, Args)]
pub struct HealthArgs {
    /// Show how services reached each other in the last minute
    #[arg(long)]
    edges: bool,
}

/// Fails when a part of the platform is not ready, after it was shown.
pub(crate) async fn run(
    connection: &Connection,
    format: Format,
    args: HealthArgs,
) -> Result<(), Fault> {
    let health = connection.platform().health().await?;
    if args.edges {
        let headings = ["FROM", "TO", "CALLS/S", "SUCCESS", "RETRIES/S", "P50", "P95", "P99"];
        output::print(format, &health, &headings, health.edges.iter().map(edge).collect())?;
    } else {
        let headings = ["SERVICE", "ADDRESS", "VERSION", "PART", "STATE", "WAITS FOR", "MORE"];
        output::print(
            format,
            &health,
            &headings,
            health.replicas.iter().flat_map(parts).collect(),
        )?;
    }
    waits_for(&health).map_or(Ok(()), |what| Err(Fault::unavailable("not_ready", what)))
}

/// What the first part that is not ready waits for.
fn waits_for(health: &Health) -> Option<String> {
    let parts = health.replicas.iter().flat_map(|it| it.parts.iter().map(move |part| (it, part)));
    let (replica, part) = parts.into_iter().find(|(_, part)| !part.ready)?;
    let what = part.waiting_for.as_deref().unwrap_or("something");
    let place = if replica.address.is_empty() { "" } else { " at " };
    Some(format!("{}{place}{} waits for {what}", part.name, replica.address))
}

fn parts(replica: &Replica) -> Vec<Vec<String>> {
    let row = |part: &Part| {
        vec![
            replica.service.clone(),
            replica.address.clone(),
            replica.version.clone().unwrap_or_default(),
            part.name.clone(),
            if part.ready { "ready" } else { "waiting" }.to_owned(),
            part.waiting_for.clone().unwrap_or_default(),
            part.detail.clone(),
        ]
    };
    replica.parts.iter().map(row).collect()
}

/// Never rounded up: 100 % says that no call failed.
fn success(share: f64) -> String {
    format!("{:.2} %", (share * 10_000.0).floor() / 100.0)
}

fn edge(edge: &Edge) -> Vec<String> {
    let ms = |value: Option<f64>| value.map(|ms| format!("{ms:.1} ms")).unwrap_or_default();
    vec![
        edge.from.clone(),
        edge.to.clone(),
        format!("{:.1}", edge.requests_per_s),
        edge.success.map(success).unwrap_or_default(),
        format!("{:.1}", edge.retries_per_s),
        ms(edge.p50_ms),
        ms(edge.p95_ms),
        ms(edge.p99_ms),
    ]
}

#[cfg(test)]
mod tests {
    use super::success;

    #[test]
    fn a_hundred_per_cent_says_that_none_failed() {
        let table = [(1.0, "100.00 %"), (0.999_999, "99.99 %"), (0.5, "50.00 %"), (0.0, "0.00 %")];
        for (share, wanted) in table {
            assert_eq!(success(share), wanted);
        }
    }
}
