//! What the mesh's choice of a replica is worth beside taking them in turn, and how much it asks again
//! when half of the answers are failures.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::get;
use futures::future::try_join_all;
use http::{Request, StatusCode};
use openframe_mesh::{Known, Metrics, Peer, Rule, Service, Upstream, serve};
use openframe_pki::{
    Authority, ServiceCertificate, ServiceKey, ServiceRoot, service_client, services_server,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::say;

const REPLICAS: usize = 3;
/// How long a replica takes to answer, and the slow one.
const WORK: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(50));
/// Requests under way at the same time.
const WORKERS: usize = 8;
const ROUNDS: usize = 5;
const ANYBODY: &[Rule] = &[Rule { prefix: "/", services: &["gateway"] }];

#[derive(Clone, Default)]
struct Replica {
    delay: Duration,
    asked: Arc<AtomicU64>,
}

async fn work(State(replica): State<Replica>) -> &'static str {
    tokio::time::sleep(replica.delay).await;
    "done"
}

/// Every second answer is a failure.
async fn flaky(State(replica): State<Replica>) -> StatusCode {
    let number = replica.asked.fetch_add(1, Ordering::Relaxed);
    if number.is_multiple_of(2) { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
}

/// Replicas in this process, behind real connections and certificates; the last one is slow.
async fn start(asked: &Arc<AtomicU64>) -> anyhow::Result<Peer> {
    let now = openframe_clock::Clock::system().now();
    let (authority, _) = Authority::create(now)?;
    let certificate = |name: &str| -> anyhow::Result<Arc<ServiceCertificate>> {
        let key = ServiceKey::generate()?;
        let issued = authority.issue_service(&key.csr_pem()?, name, now)?;
        Ok(Arc::new(ServiceCertificate::new(&key, &issued)?))
    };
    let stop = CancellationToken::new();
    let mut addresses = Vec::new();
    for number in 1..=REPLICAS {
        let delay = if number == REPLICAS { WORK.1 } else { WORK.0 };
        let replica = Replica { delay, asked: Arc::clone(asked) };
        let router = Router::new().route("/work", get(work)).route("/flaky", get(flaky));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        addresses.push(listener.local_addr()?.to_string());
        let tls = Arc::new(services_server(certificate("devices")?, authority.root_pem())?);
        let service = (router.with_state(replica), ANYBODY, Arc::new(|_: &str, _: &str| {}) as _);
        tokio::spawn(serve(listener, Known::ByCertificate(tls), service, stop.clone()));
    }
    let root = ServiceRoot::new(authority.root_pem())?;
    let tls = Some(service_client(Some(certificate("gateway")?), root, "devices")?);
    let (each, balanced) = (Vec::new(), true);
    let upstream = Upstream { name: "devices", addresses, each, tls, balanced };
    Ok(Peer::Service(Service::find(upstream, Metrics::new("gateway"), stop).await))
}

/// Asks for `path` again and again until `seconds` are over; `next` says whom. Gives the latencies,
/// sorted, microseconds.
async fn load(
    path: &'static str,
    seconds: u64,
    next: impl Fn() -> Peer + Clone + Send + 'static,
) -> anyhow::Result<Vec<u64>> {
    let end = openframe_clock::monotonic() + Duration::from_secs(seconds);
    let workers = (0..WORKERS).map(|_| {
        let next = next.clone();
        tokio::spawn(async move {
            let mut took = Vec::new();
            while openframe_clock::monotonic() < end {
                let request = Request::get(path).body(Body::empty())?;
                let began = openframe_clock::monotonic();
                next().call(request).await?;
                took.push(u64::try_from(began.elapsed().as_micros())?);
            }
            anyhow::Ok(took)
        })
    });
    let mut all = Vec::new();
    for took in try_join_all(workers).await? {
        all.extend(took?);
    }
    all.sort_unstable();
    Ok(all)
}

fn p99(sorted: &[u64]) -> u64 {
    sorted.get(sorted.len() * 99 / 100).copied().unwrap_or_default()
}

fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Measures both, in turn.
pub(crate) async fn run(seconds: u64) -> anyhow::Result<()> {
    openframe_pki::install_provider();
    let asked = Arc::new(AtomicU64::new(0));
    let peer = start(&asked).await?;
    let turns = Arc::new(AtomicUsize::new(0));
    let each: Vec<Peer> = peer.each().into_iter().map(|(_, replica)| replica).collect();
    let in_turn = move || {
        let number = turns.fetch_add(1, Ordering::Relaxed) % each.len();
        each.get(number).cloned().unwrap_or_else(|| Router::new().into())
    };
    let chosen = {
        let peer = peer.clone();
        move || peer.clone()
    };
    load("/work", 1, chosen.clone()).await?;
    let (mut ours, mut turn) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(p99(&load("/work", seconds, chosen.clone()).await?));
        turn.push(p99(&load("/work", seconds, in_turn.clone()).await?));
    }
    let (ours, turn) = (median(ours), median(turn));
    let requests = u64::try_from(load("/flaky", seconds, chosen).await?.len())?;
    let sent = asked.load(Ordering::Relaxed);
    #[expect(clippy::cast_precision_loss, reason = "ratios")]
    let ratio = |a: u64, b: u64| a as f64 / b as f64;
    say("| what | figure |\n|---|---|");
    say(&format!("| p99, replicas in turn | {turn} µs |"));
    say(&format!("| p99, as the mesh chooses | {ours} µs |"));
    say(&format!("| ratio (goal: 0.5 at most) | {:.2} |", ratio(ours, turn)));
    say(&format!("| requests while half of the answers are failures | {requests} |"));
    say(&format!("| the same, as replicas count them | {sent} |"));
    say(&format!("| amplification (goal: 1.2 at most) | {:.3} |", ratio(sent, requests)));
    Ok(())
}
