//! Puts the gateway together. Binds nothing: the executable owns the sockets.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use openframe_auth_api::AuthClient;
use openframe_clock::Clock;
use openframe_ids::TenantId;
use openframe_mesh::identity::{require, service_credential};
use openframe_mesh::{Client, Peer};
use openframe_tokens::internal::Minter;
use prometheus_client::registry::Registry;

use crate::assets::Assets;
use crate::config::Config;
use crate::edge::{Edge, Inner};
use crate::health::Health;
use crate::identity::Identity;
use crate::link::Links;
use crate::metrics::Metrics;
use crate::routes::Routes;

/// What the gateway needs.
pub struct Deps<'a> {
    /// The auth service.
    pub auth: Peer,
    /// The devices service.
    pub devices: Peer,
    /// The monitoring service.
    pub monitoring: Peer,
    /// The console's files.
    pub assets: Arc<dyn Assets>,
    /// How the platform is.
    pub health: Arc<dyn Health>,
    /// The merged API document.
    pub openapi: serde_json::Value,
    /// Makes internal tokens.
    pub minter: Minter,
    /// The time.
    pub clock: Clock,
    /// The tenant of requests that name nobody.
    pub tenant: TenantId,
    /// Where metrics are registered.
    pub metrics: &'a mut Registry,
}

/// A gateway that runs.
#[derive(Debug)]
pub struct Running {
    /// Answers requests from outside.
    pub edge: Edge,
    /// Answers the devices service.
    pub inner: Router,
}

/// Puts the gateway together.
pub fn start(config: Config, deps: Deps<'_>) -> Running {
    let names = ("gateway", "auth");
    let credential =
        service_credential(deps.minter.clone(), deps.clock.clone(), names, deps.tenant);
    let auth = AuthClient::new(Client::new(deps.auth.clone(), credential));
    let believe = Duration::from_millis(config.identity_cache_ms);
    let identity = Identity::new(auth, deps.minter.clone(), deps.clock.clone(), believe);
    let metrics = Metrics::new(deps.metrics);
    let peers = (deps.auth.clone(), deps.devices.clone(), deps.monitoring.clone());
    let links =
        Links::new(config.clone(), identity.clone(), peers, deps.clock.clone(), metrics.clone());
    let verifier = deps.minter.verifier("gateway");
    let inner = require(crate::http::router(links.clone()), verifier, deps.clock);
    let edge = Edge::new(Inner {
        config,
        routes: ArcSwap::from_pointee(Routes::public()),
        identity,
        auth: deps.auth,
        devices: deps.devices,
        monitoring: deps.monitoring,
        assets: deps.assets,
        health: deps.health,
        openapi: deps.openapi,
        tenant: deps.tenant,
        links,
        metrics,
    });
    Running { edge, inner: openframe_fault::layer(inner) }
}
