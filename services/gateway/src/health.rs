//! How the platform is: what each replica says of itself, put together for people.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use openframe_fault::{Fault, Kind};
use openframe_mesh::Calls;
use openframe_platform_api as api;
use openframe_platform_api::internal::Report;
use openframe_tokens::{Caller, Permission};
use utoipa::OpenApi;

/// A replica of a service, and what it said when it was asked how it is.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its service.
    pub service: &'static str,
    /// Where it is reached; empty where all services share a process.
    pub address: String,
    /// None when it gave no answer.
    pub report: Option<Report>,
}

/// Asks how the platform is.
pub trait Health: Send + Sync + 'static {
    /// Asks every replica of every service, at the same time.
    fn replicas(&self) -> BoxFuture<'_, Vec<Asked>>;

    /// The version of this process.
    fn version(&self) -> &'static str;
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "OpenFrame platform",
        description = "How the platform itself is.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(tell)
)]
struct Document;

/// The document of what the gateway answers itself.
pub fn openapi() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// Shows how each replica of each service is, and how they reach each other.
#[utoipa::path(get, path = "/api/platform/v1/health", tag = "platform", operation_id = "get_health",
    responses((status = 200, body = api::Health)))]
pub(crate) async fn tell(health: &dyn Health, caller: &Caller) -> Result<api::Health, Fault> {
    if !caller.may(Permission::PlatformRead) {
        let message = "your role may not see the platform's health";
        return Err(Fault::new(Kind::Forbidden, "not_allowed", message));
    }
    Ok(put_together(health.version(), health.replicas().await))
}

fn put_together(version: &str, asked: Vec<Asked>) -> api::Health {
    let mut edges = BTreeMap::<(String, String), Calls>::new();
    let reports = asked.iter().filter_map(|replica| replica.report.as_ref());
    for calls in reports.flat_map(|report| &report.calls) {
        let names = (calls.from.clone(), calls.to.clone());
        edges.entry(names).or_insert_with(|| Calls::none(&calls.from, &calls.to)).add(calls);
    }
    let replicas: Vec<_> = asked.into_iter().map(replica).collect();
    api::Health {
        version: version.to_owned(),
        ready: replicas.iter().flat_map(|replica| &replica.parts).all(|part| part.ready),
        replicas,
        edges: edges.values().map(edge).collect(),
    }
}

fn replica(Asked { service, address, report }: Asked) -> api::Replica {
    let silent = || {
        let (name, waiting_for) = (service.to_owned(), Some("an answer".to_owned()));
        vec![api::Part { name, ready: false, waiting_for, detail: String::new() }]
    };
    let (version, uptime_s, parts) = match report {
        Some(report) => (Some(report.version), Some(report.uptime_s), report.parts),
        None => (None, None, silent()),
    };
    api::Replica { service: service.to_owned(), address, version, uptime_s, parts }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a minute")]
fn edge(calls: &Calls) -> api::Edge {
    let ms = |q| calls.quantile_s(q).map(|seconds| seconds * 1000.0);
    let per_s = |count: u64| if calls.seconds > 0.0 { count as f64 / calls.seconds } else { 0.0 };
    let good = calls.requests.saturating_sub(calls.failed);
    api::Edge {
        from: calls.from.clone(),
        to: calls.to.clone(),
        requests_per_s: per_s(calls.requests),
        success: (calls.requests > 0).then(|| good as f64 / calls.requests as f64),
        retries_per_s: per_s(calls.retries),
        p50_ms: ms(0.5),
        p95_ms: ms(0.95),
        p99_ms: ms(0.99),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(requests: u64, failed: u64) -> Report {
        let mut calls = Calls::none("gateway", "auth");
        (calls.seconds, calls.requests, calls.failed) = (10.0, requests, failed);
        Report { version: "1".to_owned(), uptime_s: 5, parts: Vec::new(), calls: vec![calls] }
    }

    #[test]
    fn edges_are_those_of_all_replicas_together() {
        let asked =
            [("gateway", Some(says(30, 0))), ("gateway", Some(says(10, 4))), ("auth", None)];
        let asked =
            asked.map(|(service, report)| Asked { service, address: "a:1".to_owned(), report });
        let health = put_together("2", asked.to_vec());
        let [edge] = &health.edges[..] else { panic!("{health:?}") };
        assert_eq!((edge.from.as_str(), edge.to.as_str()), ("gateway", "auth"));
        assert!((edge.requests_per_s - 4.0).abs() < 1e-9 && edge.success == Some(0.9), "{edge:?}");
        assert!(!health.ready, "a replica that does not answer is not ready");
        let silent = health.replicas.last().unwrap();
        assert_eq!(silent.parts[0].waiting_for.as_deref(), Some("an answer"));
        assert!(put_together("2", asked[..2].to_vec()).ready);
    }
}
