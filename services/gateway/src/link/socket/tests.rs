//! A link between a socket in memory and services that do as they are told.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use http::{Request, StatusCode};
use openframe_agent_api::link::{CommandState, Snapshot};
use openframe_ids::{DeviceId, TenantId};
use openframe_mesh::{Late, Peer};
use openframe_tokens::internal::Minter;
use prometheus_client::registry::Registry as Figures;
use tokio::io::DuplexStream;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::*;
use crate::link::{Registry, Services};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The services behind.
#[derive(Default)]
struct Behinds {
    heard: AtomicUsize,
    /// Monitoring is away.
    away: AtomicBool,
    reports: AtomicUsize,
    paths: Mutex<Vec<String>>,
}

struct Agent {
    socket: WebSocketStream<DuplexStream>,
    behind: Arc<Behinds>,
    links: Arc<Registry>,
    whose: (TenantId, DeviceId),
}

fn router(behind: &Arc<Behinds>) -> Router {
    let behind = Arc::clone(behind);
    Router::new().fallback(move |request: Request<axum::body::Body>| {
        let path = request.uri().path().to_owned();
        let count = match path.as_str() {
            HEARD => Some(&behind.heard),
            openframe_devices_api::internal::REPORT => Some(&behind.reports),
            _ => None,
        };
        count.map(|count| count.fetch_add(1, Ordering::SeqCst));
        let away =
            path == openframe_monitoring_api::TELEMETRY && behind.away.load(Ordering::SeqCst);
        behind.paths.lock().unwrap().push(path);
        std::future::ready(if away {
            StatusCode::SERVICE_UNAVAILABLE
        } else {
            StatusCode::NO_CONTENT
        })
    })
}

async fn connect(config: Config) -> Agent {
    connect_with(config, || Ok(())).await
}

/// Connects a device of which `check` says whether it still counts.
async fn connect_with(config: Config, check: fn() -> Result<(), Fault>) -> Agent {
    let behind = Arc::<Behinds>::default();
    let late = Late::default();
    late.set(router(&behind));
    let peer = Peer::Local(late);
    let (links, whose) = (Arc::<Registry>::default(), (TenantId::new(), DeviceId::new()));
    let services = Services {
        devices: peer.clone(),
        monitoring: peer,
        minter: Minter::generate(),
        clock: Clock::system(),
        metrics: Metrics::new(&mut Figures::default()),
    };
    let line = Line {
        registered: links.enter(whose.0, whose.1),
        behind: services.for_device(whose),
        config,
        clock: services.clock.clone(),
        metrics: services.metrics.clone(),
        remote: String::new(),
        check: Box::new(move || Box::pin(std::future::ready(check()))),
        drain: Draining::default(),
    };
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    tokio::spawn(async move {
        drive(WebSocketStream::from_raw_socket(theirs, Role::Server, None).await, line).await;
    });
    let socket = WebSocketStream::from_raw_socket(ours, Role::Client, None).await;
    let mut agent = Agent { socket, behind, links, whose };
    agent.say(management(Body::Hello(Hello::default()))).await;
    assert!(matches!(agent.hear().await, Ok(Body::Welcome(_))));
    agent
}

impl Agent {
    async fn say(&mut self, frame: Frame) {
        self.socket.send(Message::Binary(frame.encode_to_vec().into())).await.unwrap();
    }

    /// The next frame, or the code with which the link was closed.
    async fn hear(&mut self) -> Result<Body, u16> {
        loop {
            let message = timeout(PATIENCE, self.socket.next()).await.expect("an answer");
            match message.unwrap().unwrap() {
                Message::Binary(bytes) => return Ok(Frame::decode(bytes).unwrap().body.unwrap()),
                Message::Close(frame) => return Err(frame.unwrap().code.into()),
                Message::Text(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }
}

fn snapshot(seq: u64, bytes: usize) -> Frame {
    let values = vec![0; bytes].into();
    let body = Body::Snapshot(Snapshot { table_hash: 7, values, ..Snapshot::default() });
    Frame { channel: Channel::Telemetry.into(), seq, body: Some(body) }
}

#[tokio::test]
async fn a_device_that_only_sends_snapshots_is_heard() {
    let mut agent = connect(Config { heartbeat_s: 1, ..Config::default() }).await;
    let begun = Instant::now();
    let mut seq = 0;
    while agent.behind.heard.load(Ordering::SeqCst) < 2 {
        assert!(begun.elapsed() < PATIENCE, "not heard");
        seq += 1;
        agent.say(snapshot(seq, 1)).await;
        assert!(matches!(agent.hear().await, Ok(Body::Ack(ack)) if ack.seq == seq));
    }
}

#[tokio::test]
async fn telemetry_that_waits_holds_up_no_report() {
    let mut agent = connect(Config::default()).await;
    agent.behind.away.store(true, Ordering::SeqCst);
    // More than may wait, by number and by size.
    for seq in 1..=100 {
        agent.say(snapshot(seq, 64 << 10)).await;
    }
    let body = Body::CommandState(CommandState::default());
    agent.say(Frame { channel: Channel::Control.into(), seq: 1, body: Some(body) }).await;
    let answer = agent.hear().await.unwrap();
    assert!(matches!(answer, Body::Ack(ack) if ack.channel() == Channel::Control), "{answer:?}");
    agent.behind.away.store(false, Ordering::SeqCst);
    // What was dropped is asked for, until all is durable.
    loop {
        let answer = agent.hear().await.unwrap();
        if let Body::NeedTable(need) = answer {
            for seq in need.seq..=100 {
                agent.say(snapshot(seq, 64 << 10)).await;
            }
        } else if matches!(answer, Body::Ack(ack) if ack.seq == 100) {
            return;
        }
    }
}

#[tokio::test]
async fn a_retired_device_is_told_why_its_link_ends() {
    let mut agent = connect(Config::default()).await;
    assert!(agent.links.revoke(agent.whose.0, agent.whose.1));
    assert_eq!(agent.hear().await, Err(CLOSE_REVOKED));
}

#[tokio::test]
async fn only_a_revoked_device_is_told_to_stay_away() {
    let config = Config { device_check_s: 1, ..Config::default() };
    let expired = || Err(Fault::new(Kind::Unauthenticated, "not_a_device", "expired"));
    let mut agent = connect_with(config.clone(), expired).await;
    assert_eq!(agent.hear().await, Err(CloseCode::Policy.into()));
    let revoked = || Err(Fault::new(Kind::Unauthenticated, "bad_device", "revoked"));
    let mut agent = connect_with(config, revoked).await;
    assert_eq!(agent.hear().await, Err(CLOSE_REVOKED));
}
