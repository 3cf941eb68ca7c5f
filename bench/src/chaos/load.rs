//! Steady load, and what was acknowledged of it.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::post;
use futures::future::BoxFuture;
use http::{HeaderMap, Request, StatusCode, header};
use openframe_auth_api::{NewEnrolmentToken, NewUser};
use openframe_devices_api::DeviceQuery;
use openframe_ids::{CommandId, DeviceId, EnrolmentTokenId};
use openframe_monitoring_api::{ChannelDefinition, RuleDefinition, Webhook};
use openframe_system::remote_write::{Label, Sample, TimeSeries, WriteRequest};
use openframe_system::{Server, script, until};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::DEVICES;
use super::tally::{Counts, Tally};
use crate::client::Target;
use crate::now_ms;

/// The operations, and the time between two of each.
pub(super) const KINDS: [(&str, Duration); 6] = [
    ("sample", Duration::from_millis(100)),
    ("question", Duration::from_millis(100)),
    ("command", Duration::from_millis(200)),
    ("token", Duration::from_millis(500)),
    ("sign-in", Duration::from_millis(500)),
    ("alert", Duration::from_secs(2)),
];
/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
const PASSWORD: &str = "correct horse battery staple 9";
const EMAIL: &str = "chaos@example.org";

/// What was acknowledged since the last beginning.
#[derive(Debug, Default, Clone)]
pub(super) struct Acknowledged {
    pub(super) samples: Vec<u64>,
    pub(super) commands: Vec<CommandId>,
    pub(super) tokens: Vec<EnrolmentTokenId>,
    pub(super) alerts: Vec<u64>,
}

/// A message: its key, its state, and the numbers of its alerts.
pub(super) type Message = (String, String, Vec<String>);

/// What every operation shares.
pub(super) struct Shared {
    server: Access,
    devices: Vec<DeviceId>,
    number: AtomicU64,
    tallies: [Tally; KINDS.len()],
    acknowledged: Mutex<Acknowledged>,
    told: Arc<Mutex<Vec<Message>>>,
}

/// The clients of a server.
struct Access {
    auth: openframe_auth_api::AuthClient,
    devices: openframe_devices_api::DevicesClient,
    monitoring: openframe_monitoring_api::MonitoringClient,
    peer: openframe_mesh::Peer,
    writes: Target,
}

/// The load.
pub(super) struct Load {
    pub(super) shared: Arc<Shared>,
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn take(
    State(told): State<Arc<Mutex<Vec<Message>>>>,
    headers: HeaderMap,
    axum::Json(message): axum::Json<Webhook>,
) {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
    let numbers = message.alerts.iter().filter_map(|alert| alert.labels.get("n").cloned());
    let key = key.unwrap_or_default().to_owned();
    locked(&told).push((key, message.status, numbers.collect()));
}

impl Load {
    /// Begins.
    pub(super) async fn start(server: &Server) -> anyhow::Result<Self> {
        let access = Access {
            auth: server.auth()?,
            devices: server.devices()?,
            monitoring: server.monitoring()?,
            peer: server.peer()?,
            writes: Target::new(&server.url, &server.key)?,
        };
        let told = Arc::<Mutex<Vec<Message>>>::default();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let webhook_url = format!("http://{}/hook", listener.local_addr()?);
        let receiver = Router::new().route("/hook", post(take)).with_state(Arc::clone(&told));
        tokio::spawn(async move { axum::serve(listener, receiver).await });
        let channel = ChannelDefinition { name: "chaos".to_owned(), webhook_url };
        let channel = access.monitoring.create_channel(&channel).await?;
        let rule = RuleDefinition {
            name: "chaos".to_owned(),
            expr: "chaos_alert > 0".to_owned(),
            for_s: 0,
            severity: "warning".to_owned(),
            summary: String::new(),
            channels: vec![channel.id],
        };
        access.monitoring.create_rule(&rule).await?;
        let [email, name, role, password] =
            [EMAIL, "Chaos", "read_only", PASSWORD].map(str::to_owned);
        access.auth.create_user(&NewUser { email, name, role, password }).await?;
        let wanted = DeviceQuery { limit: Some(200), ..DeviceQuery::default() };
        let devices = until("every device", || async {
            let page = access.devices.devices(&wanted).await.ok()?;
            (page.items.len() == DEVICES).then_some(page.items)
        })
        .await;
        let shared = Arc::new(Shared {
            server: access,
            devices: devices.into_iter().map(|device| device.id).collect(),
            number: AtomicU64::new(0),
            tallies: KINDS.map(|_| Tally::new()),
            acknowledged: Mutex::default(),
            told,
        });
        let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
        for kind in 0..KINDS.len() {
            let (shared, stop) = (Arc::clone(&shared), stop.clone());
            tasks.spawn(async move {
                stop.run_until_cancelled(shared.repeat(kind)).await;
            });
        }
        Ok(Self { shared, tasks, stop })
    }

    /// Counts from now on.
    pub(super) fn begin(&self) {
        *locked(&self.shared.acknowledged) = Acknowledged::default();
        self.shared.tallies.iter().for_each(Tally::begin);
    }

    /// What was counted, and acknowledged, since the beginning.
    pub(super) fn end(&self) -> (Vec<Counts>, Acknowledged) {
        let counts = self.shared.tallies.iter().map(Tally::end).collect();
        (counts, locked(&self.shared.acknowledged).clone())
    }

    /// Every message so far.
    pub(super) fn told(&self) -> Vec<Message> {
        locked(&self.shared.told).clone()
    }

    /// Ends.
    pub(super) async fn stop(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

impl Shared {
    async fn repeat(&self, kind: usize) {
        let Some((_, period)) = KINDS.get(kind) else { return };
        let Some(tally) = self.tallies.get(kind) else { return };
        loop {
            let operation: BoxFuture<'_, anyhow::Result<()>> = match kind {
                0 => Box::pin(self.sample()),
                1 => Box::pin(self.question()),
                2 => Box::pin(self.command()),
                3 => Box::pin(self.token()),
                4 => Box::pin(self.sign_in()),
                _ => Box::pin(self.alert()),
            };
            tally.count(in_time(operation).await.is_ok());
            tokio::time::sleep(*period).await;
        }
    }

    fn next(&self) -> u64 {
        self.number.fetch_add(1, Ordering::Relaxed)
    }

    async fn sample(&self) -> anyhow::Result<()> {
        let n = self.next();
        self.write(("chaos_sample", "steady"), n).await?;
        locked(&self.acknowledged).samples.push(n);
        Ok(())
    }

    async fn alert(&self) -> anyhow::Result<()> {
        let n = self.next();
        self.write(("chaos_alert", &n.to_string()), 1).await?;
        locked(&self.acknowledged).alerts.push(n);
        Ok(())
    }

    async fn write(&self, (name, n): (&str, &str), value: u64) -> anyhow::Result<()> {
        let label = |name: &str, value: &str| Label { name: name.into(), value: value.into() };
        let value = f64::from(u32::try_from(value)?);
        let series = TimeSeries {
            labels: vec![label("__name__", name), label("n", n)],
            samples: vec![Sample { value, timestamp: i64::try_from(now_ms()?)? }],
        };
        let body = WriteRequest { timeseries: vec![series] }.body();
        self.server.writes.write("/prometheus/api/v1/write", body).await
    }

    async fn question(&self) -> anyhow::Result<()> {
        let answer = self.server.monitoring.query("count(sim_value)", None).await?;
        answer.pointer("/data/result/0").context("an empty answer").map(drop)
    }

    async fn command(&self) -> anyhow::Result<()> {
        let turn = usize::try_from(self.next())? % self.devices.len().max(1);
        let device = self.devices.get(turn).context("there are devices")?;
        let made = self.server.devices.run(*device, &script("echo chaos")).await?;
        locked(&self.acknowledged).commands.push(made.id);
        Ok(())
    }

    async fn token(&self) -> anyhow::Result<()> {
        let wanted = NewEnrolmentToken { uses: Some(1), ..NewEnrolmentToken::default() };
        let made = self.server.auth.create_enrolment_token(&wanted).await?;
        locked(&self.acknowledged).tokens.push(made.token.id);
        Ok(())
    }

    async fn sign_in(&self) -> anyhow::Result<()> {
        let typed = serde_json::json!({ "email": EMAIL, "password": PASSWORD });
        let request = Request::post("/api/auth/v1/login")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(typed.to_string()))?;
        let status = self.server.peer.call(request).await?.status();
        anyhow::ensure!(status == StatusCode::OK, "{status}");
        Ok(())
    }
}

async fn in_time<T>(operation: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::time::timeout(PATIENCE, operation).await?
}
