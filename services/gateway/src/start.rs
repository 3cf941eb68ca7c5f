//! Puts the gateway together. Binds nothing: the executable owns the sockets.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use openframe_auth_api::AuthClient;
use openframe_clock::Clock;
use openframe_ids::TenantId;
use openframe_mesh::identity::service_credential;
use openframe_mesh::{Client, Peer};
use openframe_tokens::internal::{Minter, Verifier};
use prometheus_client::registry::Registry;

use crate::agents::Agents;
use crate::edge::{Edge, Intake, Shared};
use crate::ended::Endings;
use crate::identity::Identity;
use crate::link::{Registry as Links, Services};
use crate::metrics::Metrics;
use crate::routes::Routes;
use crate::{Assets, Config, Health};

/// What the gateway needs from outside.
pub struct Deps<'a> {
    /// The auth service.
    pub auth: Peer,
    /// The devices service.
    pub devices: Peer,
    /// The monitoring service.
    pub monitoring: Peer,
    /// The console's files.
    pub console: Arc<dyn Assets>,
    /// Makes the internal tokens.
    pub minter: Minter,
    /// Reads internal tokens for the audience `gateway`.
    pub verifier: Verifier,
    /// The time.
    pub clock: Clock,
    /// How the platform is.
    pub health: Arc<dyn Health>,
    /// The merged API document.
    pub openapi: serde_json::Value,
    /// The tenant that this platform serves.
    pub tenant: TenantId,
    /// Where metrics are registered.
    pub metrics: &'a mut Registry,
}

/// A gateway that has started.
pub struct Running {
    /// Routes for the platform's own services.
    pub internal: Router,
    /// Routes for everybody else; give it sockets.
    pub edge: Edge,
    /// Hears whose access has ended; let it follow.
    pub endings: Endings,
}

/// Starts the gateway.
pub fn start(config: Config, deps: Deps<'_>) -> Running {
    let own = |peer: &Peer, audience: &'static str| {
        let minter = deps.minter.clone();
        let names = ("gateway", audience);
        let credential = service_credential(minter, deps.clock.clone(), names, deps.tenant);
        Client::new(peer.clone(), credential)
    };
    let auth = AuthClient::new(own(&deps.auth, "auth"));
    let believe = Duration::from_millis(config.identity_cache_ms.min(1_000));
    let metrics = Metrics::new(deps.metrics);
    let links = Arc::new(Links::default());
    let identity = Identity::new(auth.clone(), deps.minter.clone(), deps.clock.clone(), believe);
    let beginning = identity.beginning();
    let asks = (auth, beginning.clone());
    let services = Services {
        devices: deps.devices.clone(),
        monitoring: deps.monitoring.clone(),
        minter: deps.minter,
        clock: deps.clock.clone(),
        metrics: metrics.clone(),
    };
    let agents = Agents::new(asks, services, Arc::clone(&links), config.clone(), deps.tenant);
    let endings = Endings::new(beginning, identity.clone(), agents.clone());
    let shared = Shared {
        routes: ArcSwap::from_pointee(Routes::public()),
        identity,
        peers: [deps.auth, deps.devices, deps.monitoring],
        console: deps.console,
        health: deps.health,
        openapi: deps.openapi.to_string().into(),
        tenant: deps.tenant,
        metrics,
        agents,
        intake: Intake::new(&config),
        work: tokio_util::task::TaskTracker::new(),
        asked: AtomicU64::default(),
        config,
    };
    let internal = crate::http::router(links);
    let internal = openframe_mesh::identity::require(internal, deps.verifier, deps.clock);
    Running { internal: openframe_fault::layer(internal), edge: Edge::new(shared), endings }
}
