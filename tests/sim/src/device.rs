//! One simulated device.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use openframe_agent::link::backoff::Backoff;
use openframe_agent::link::connection::{Ended, Line, drive, open};
use openframe_agent::link::outbox::MemoryOutbox;
use openframe_agent::link::session::Action;
use openframe_agent::net::Server;
use openframe_agent::state::Identity;
use openframe_agent::{Error, enrol};
use openframe_agent_api::enrolment::PinnedToken;
use openframe_agent_api::link::command_output::Stream;
use openframe_agent_api::link::command_state::State;
use openframe_agent_api::link::frame::Body;
use openframe_agent_api::link::{
    Channel, CommandOutput, CommandState, Facts, Hello, InventorySection, Label, Series,
    SeriesTable, Snapshot,
};
use openframe_agent_api::table;
use openframe_clock::Clock;
use openframe_ids::DeviceId;
use openframe_pki::DeviceKey;
use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::noise::Noise;
use crate::{Plan, Told};

/// Systems that the fleet is a mix of: family, name, version.
const SYSTEMS: [(&str, &str, &str); 4] = [
    ("linux", "Debian GNU/Linux", "12 (bookworm)"),
    ("linux", "Ubuntu", "24.04 LTS"),
    ("windows", "Windows 11", "24H2"),
    ("macos", "macOS", "15.1"),
];
/// How long a device that stops waits for what it has sent to be acknowledged.
const LAST_WORDS: Duration = Duration::from_secs(30);

/// A device with its certificate.
pub(crate) struct Device {
    number: usize,
    server: Server,
    identity: Identity,
    key: DeviceKey,
    clock: Clock,
    plan: Arc<Plan>,
    outbox: Mutex<MemoryOutbox>,
    wake: Notify,
    /// The commands that it has run.
    ran: Mutex<BTreeSet<String>>,
}

impl Device {
    pub(crate) async fn enrol(
        number: usize,
        server: Server,
        token: &PinnedToken,
        plan: Arc<Plan>,
    ) -> anyhow::Result<Self> {
        let key = DeviceKey::generate()?;
        let clock = if number % 2 == 1 { Clock::skewed(plan.skew) } else { Clock::system() };
        let name = format!("sim-{number:05}");
        // Its certificate is of the platform's time, not of a clock that is off.
        let identity = enrol::enrol(&server, token, &key, &name, &Clock::system()).await?;
        let (outbox, wake, ran) = (Mutex::default(), Notify::new(), Mutex::default());
        Ok(Self { number, server, identity, key, clock, plan, outbox, wake, ran })
    }

    pub(crate) fn id(&self) -> DeviceId {
        self.identity.device_id
    }

    /// Holds a connection until the platform ends it because it counts the device no more, and then
    /// knocks until it is not let in. `connected` hears of the first connection.
    pub(crate) async fn stay(&self, connected: &Notify) -> anyhow::Result<()> {
        let over = CancellationToken::new();
        loop {
            let tls = enrol::tls(&self.identity, &self.key)?;
            let socket = match open(&self.server, tls).await {
                Ok(socket) => socket,
                Err(Error::Refused(_)) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            connected.notify_one();
            let (clock, outbox, wake) = (&self.clock, &self.outbox, &self.wake);
            let line = Line { server: &self.server, clock, outbox, wake, stop: &over };
            match drive(socket, self.hello(), &line, |action| self.act(action)).await {
                Ended::Retired => {}
                other @ (Ended::Stopped | Ended::Drained(_) | Ended::Lost(_)) => {
                    anyhow::bail!("the connection ended otherwise: {other:?}")
                }
            }
        }
    }

    fn outbox(&self) -> std::sync::MutexGuard<'_, MemoryOutbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Measures and reports until `stop`.
    pub(crate) async fn live(self, stop: CancellationToken) -> Told {
        let series = self.series();
        let hash = table::hash(&series);
        self.outbox().keep_table(hash, series);
        self.take_stock();
        let mut noise = Noise::new(self.plan.seed, self.number);
        let (mut taken, mut connects) = (0, 0);
        let over = CancellationToken::new();
        let cut = Mutex::new(CancellationToken::new());
        let measuring = async {
            // Not all at once.
            let spread = u64::try_from(self.plan.interval.as_millis()).unwrap_or(u64::MAX);
            tokio::time::sleep(Duration::from_millis(noise.below(spread))).await;
            while !stop.is_cancelled() {
                self.snapshot(hash, &mut noise);
                taken += 1;
                if noise.below(1_000) < self.plan.cuts {
                    cut.lock().unwrap_or_else(PoisonError::into_inner).cancel();
                }
                tokio::select! {
                    () = tokio::time::sleep(self.plan.interval) => {}
                    () = stop.cancelled() => {}
                }
            }
            let sent = async {
                while !self.outbox().is_empty() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            // What is not acknowledged by then is not counted as such.
            tokio::time::timeout(LAST_WORDS, sent).await.ok();
            over.cancel();
        };
        let ((), ()) = tokio::join!(measuring, self.stay_connected(&over, &cut, &mut connects));
        let is_snapshot = |(channel, _): &&(Channel, u64)| *channel == Channel::Telemetry;
        let acknowledged = self.outbox().acknowledged.iter().filter(is_snapshot).count();
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Told {
            device: self.identity.device_id,
            taken,
            acknowledged: number(acknowledged),
            connects,
            ran: number(self.ran.lock().unwrap_or_else(PoisonError::into_inner).len()),
        }
    }

    async fn stay_connected(
        &self,
        over: &CancellationToken,
        cut: &Mutex<CancellationToken>,
        connects: &mut u64,
    ) {
        let mut backoff = Backoff::default();
        while !over.is_cancelled() {
            let broken = CancellationToken::new();
            *cut.lock().unwrap_or_else(PoisonError::into_inner) = broken.clone();
            let tls = enrol::tls(&self.identity, &self.key);
            let opened = async { open(&self.server, tls?).await };
            let wait = match opened.await {
                Err(_) => backoff.next_wait(),
                Ok(socket) => {
                    *connects += 1;
                    let (clock, outbox, wake) = (&self.clock, &self.outbox, &self.wake);
                    let line = Line { server: &self.server, clock, outbox, wake, stop: over };
                    let driven = drive(socket, self.hello(), &line, |action| self.act(action));
                    // A cut drops the socket in the middle of whatever it is at.
                    match broken.run_until_cancelled(driven).await {
                        None | Some(Ended::Stopped | Ended::Drained(_)) => Duration::ZERO,
                        Some(Ended::Retired | Ended::Lost(_)) => backoff.next_wait(),
                    }
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = over.cancelled() => {}
            }
        }
    }

    /// What the device has: one section, small.
    fn take_stock(&self) {
        let body = format!("{{\"model\":\"sim\",\"number\":{}}}", self.number);
        let section = InventorySection {
            section: "hardware".to_owned(),
            time_ms: self.clock.now().as_millisecond(),
            hash: Sha256::digest(&body).to_vec().into(),
            body: body.into(),
        };
        self.outbox().push(Channel::Control, Body::Inventory(section));
    }

    /// Runs a command at once, unless it was run before: then only its end is told again.
    fn act(&self, action: Action) {
        let Action::Run(command) = action else { return };
        let is_new = {
            let mut ran = self.ran.lock().unwrap_or_else(PoisonError::into_inner);
            ran.insert(command.id.clone())
        };
        let data = format!("{}\n", self.number);
        let bytes = u64::try_from(data.len()).unwrap_or_default();
        let say = |state: State| {
            self.outbox().push(
                Channel::Control,
                Body::CommandState(CommandState {
                    id: command.id.clone(),
                    state: state.into(),
                    time_ms: self.clock.now().as_millisecond(),
                    exit_code: (state == State::Succeeded).then_some(0),
                    reason: String::new(),
                    output_bytes: bytes,
                }),
            );
        };
        if is_new {
            say(State::Accepted);
            say(State::Running);
            let (id, stream, data) = (command.id.clone(), Stream::Stdout.into(), data.into());
            let output = CommandOutput { id, stream, offset: 0, data };
            self.outbox().push(Channel::Control, Body::CommandOutput(output));
        }
        say(State::Succeeded);
        self.wake.notify_one();
    }

    fn snapshot(&self, hash: u64, noise: &mut Noise) {
        let values: Vec<f64> = (0..self.plan.series)
            .map(|_| f64::from(u32::try_from(noise.below(10_000)).unwrap_or_default()) / 100.0)
            .collect();
        let snapshot = Snapshot {
            time_ms: self.clock.now().as_millisecond(),
            table_hash: hash,
            table: None,
            values: table::pack(&values).into(),
        };
        self.outbox().push(Channel::Telemetry, Body::Snapshot(snapshot));
        self.wake.notify_one();
    }

    fn series(&self) -> SeriesTable {
        let one = |n: usize| {
            let labels = vec![Label { name: "n".to_owned(), value: n.to_string() }];
            Series { name: "sim_value".to_owned(), labels }
        };
        SeriesTable { series: (0..self.plan.series).map(one).collect() }
    }

    fn hello(&self) -> Hello {
        let (family, name, version) =
            SYSTEMS.get(self.number % SYSTEMS.len()).copied().unwrap_or_default();
        let facts = Facts {
            hostname: format!("sim-{:05}", self.number),
            os_family: family.to_owned(),
            os_name: name.to_owned(),
            os_version: version.to_owned(),
            kernel: "6.1.0".to_owned(),
            arch: "x86_64".to_owned(),
            machine_id: format!("{:032x}", self.number),
            serial: format!("S{:07}", self.number),
            vendor: "Simulated".to_owned(),
            model: format!("Model {}", self.number % 20),
            cpu_count: 8,
            memory_bytes: 16 << 30,
            addresses: vec!["192.0.2.1".to_owned()],
        };
        Hello {
            agent_version: "0.1.0".to_owned(),
            boot_id: String::new(),
            time_ms: self.clock.now().as_millisecond(),
            facts: Some(facts),
            capabilities: vec!["telemetry".to_owned()],
        }
    }
}
