//! Many devices in one process. Each enrols by the real protocol, has a certificate and a connection
//! of its own, and speaks by the agent's own link code ([`openframe_agent::link`]); only what it
//! measures, has and runs is made up, from a fixed seed.

mod device;
mod noise;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jiff::SignedDuration;
use openframe_agent::net::Server;
use openframe_agent_api::enrolment::PinnedToken;
use openframe_ids::DeviceId;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use device::Device;

/// Devices that enrol at the same time.
const ENROLLING: usize = 16;

/// What the devices do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How many.
    pub devices: usize,
    /// Series that each measures.
    pub series: usize,
    /// Time between two snapshots.
    pub interval: Duration,
    /// Of a thousand snapshots, after how many the connection is cut: without a word, wherever it is.
    pub cuts: u64,
    /// How far each second device's clock is off.
    pub skew: SignedDuration,
    /// What the made-up values come from.
    pub seed: u64,
}

/// What became of one device.
#[derive(Debug, Clone)]
pub struct Told {
    /// Its id.
    pub device: DeviceId,
    /// Snapshots taken.
    pub taken: u64,
    /// Snapshots that the platform has acknowledged.
    pub acknowledged: u64,
    /// Connections made.
    pub connects: u64,
    /// Commands run. One that comes again is answered and not run.
    pub ran: u64,
}

/// Devices at work.
#[derive(Debug)]
pub struct Fleet {
    tasks: JoinSet<Told>,
    stop: CancellationToken,
}

impl Fleet {
    /// Enrols every device with `token`, which must be good for all of them, and sets them to work.
    pub async fn start(server: &str, token: &str, plan: Plan) -> anyhow::Result<Self> {
        let server = Server::read(server)?;
        let token = PinnedToken::read(token).context("the token has no pin")?;
        let (plan, turn) = (Arc::new(plan), Arc::new(Semaphore::new(ENROLLING)));
        let mut enrolling = JoinSet::new();
        for number in 0..plan.devices {
            let (server, token) = (server.clone(), token.clone());
            let (plan, turn) = (Arc::clone(&plan), Arc::clone(&turn));
            enrolling.spawn(async move {
                let _turn = turn.acquire().await?;
                Device::enrol(number, server, &token, plan).await
            });
        }
        let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
        while let Some(device) = enrolling.join_next().await {
            tasks.spawn(device??.live(stop.clone()));
        }
        Ok(Self { tasks, stop })
    }

    /// Stops every device once it has nothing left to send, and tells what became of each.
    pub async fn stop(self) -> Vec<Told> {
        self.stop.cancel();
        self.tasks.join_all().await
    }
}

/// One device that does nothing but hold its connection.
pub struct Lone(Device);

impl std::fmt::Debug for Lone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lone({})", self.0.id())
    }
}

impl Lone {
    /// Enrols the device.
    pub async fn enrol(server: &str, token: &str) -> anyhow::Result<Self> {
        let server = Server::read(server)?;
        let token = PinnedToken::read(token).context("the token has no pin")?;
        let (devices, series, cuts, seed) = (1, 0, 0, 0);
        let (interval, skew) = (Duration::MAX, SignedDuration::ZERO);
        let plan = Plan { devices, series, interval, cuts, skew, seed };
        Ok(Self(Device::enrol(0, server, &token, Arc::new(plan)).await?))
    }

    /// Its id.
    pub fn id(&self) -> DeviceId {
        self.0.id()
    }

    /// Returns when the platform has ended its connection because the device is revoked, and lets it
    /// in no more. `connected` hears that it is connected.
    pub async fn stay(&self, connected: &Notify) -> anyhow::Result<()> {
        self.0.stay(connected).await
    }
}
