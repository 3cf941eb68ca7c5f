//! One service in a process of its own: it joins the mesh, waits for what it needs in any order, and
//! answers the other services at its door.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::routing::get;
use openframe_auth::JoinKeys;
use openframe_auth_api::Outcome;
use openframe_auth_api::internal::AuditRecord;
use openframe_clock::Clock;
use openframe_mesh::{Client, Metrics, Peer, Told};
use openframe_pki::Authority;
use openframe_platform_api::internal::REPORT;
use openframe_tokens::internal::Minter;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

use super::{Base, Started, open_edge};
use crate::authority::AuthFolder;
use crate::certificate::Issuer as ServerIssuer;
use crate::doors::Certificates;
use crate::health::PlatformHealth;
use crate::membership::{Issuer, Membership};
use crate::roles::Role;
use crate::services::{Peers, Platform, Services, Start};
use crate::settings::Settings;
use crate::stores::Place;

/// What the auth service has of its own.
struct Keys {
    authority: Arc<Authority>,
    joins: JoinKeys,
}

/// Starts the service of `role`.
pub(super) async fn start(base: Base, role: Role) -> anyhow::Result<Started> {
    let Base { mut settings, mut sockets, health, mut doors, registry, stop } = base;
    let clock = Clock::system();
    settings.auth.agents_url.clone_from(&settings.agents_url);
    settings.auth.url.clone_from(&settings.url);
    let mesh_door = sockets.mesh.take().context("a service of its own listens for the others")?;
    let (membership, keys) = join(&settings, (role, &health), &clock, &stop).await?;
    let (mut services, mut metrics) = (Services::default(), Registry::default());
    let calls = Metrics::register(role.name(), &mut metrics);
    let platform = platform(&settings, &membership, (clock.clone(), &calls), &stop).await?;
    let place = Place::Clusters(&settings.stores, &health);
    let mut start = Start { settings: &settings, place, health: &health, metrics: &mut metrics };
    let router = match keys {
        Some(Keys { authority, joins }) => {
            services.start_auth(&platform, (&authority, joins), &mut start).await?
        }
        None => start_service(&mut services, (role, &platform), &membership, &mut start).await?,
    };
    // It is set once.
    drop(registry.set(metrics));
    health.join(neighbours(&platform, role), calls);
    let router = router.merge(reporting(&health));
    let verifier = platform.verifier(role.name());
    let known = membership.known(settings.mesh.provider, verifier, clock.clone())?;
    let service = (router, role.rules(), refusals(&platform, role));
    doors.open_mesh(mesh_door, known, service, &health)?;
    let agents_here = sockets.agents_url();
    let mut url = settings.url.clone();
    if role == Role::Gateway {
        let certificates = Certificates {
            issuer: ServerIssuer::There(Box::new(platform.auth(role.name()))),
            root_pem: membership.root_pem.clone(),
            names: settings.server_names.clone(),
            clock,
        };
        let opened = open_edge(&mut doors, &mut sockets, &certificates, (&services, &health));
        let shown = opened.await?;
        if url.is_empty() {
            url = shown;
        }
    }
    health.is_up();
    Ok(Started {
        platform,
        url,
        agents_url: settings.agents_url,
        agents_here,
        data: settings.data,
        root_certificate: Path::new(&settings.mesh.identity).join(crate::authority::ROOT),
        health,
        doors,
        services,
        stop,
        grace: Duration::from_secs(settings.grace_s),
        _folder: None,
    })
}

async fn join(
    settings: &Settings,
    (role, health): (Role, &PlatformHealth),
    clock: &Clock,
    stop: &CancellationToken,
) -> anyhow::Result<(Membership, Option<Keys>)> {
    let (issuer, root_pem, keys) = if role == Role::Auth {
        let folder = AuthFolder::read(Path::new(&settings.mesh.identity))?;
        let joins = folder.joins.iter().map(|(name, key)| (*name, key.as_str()));
        let (joins, authority) = (JoinKeys::new(joins), Arc::new(folder.authority));
        let root_pem = authority.root_pem().to_owned();
        let issuer = Issuer::Here(Arc::clone(&authority), folder.tenant);
        (issuer, root_pem, Some(Keys { authority, joins }))
    } else {
        let (issuer, root_pem) = Issuer::there(&settings.mesh, stop).await?;
        (issuer, root_pem, None)
    };
    let with = (health, clock.clone());
    let membership = Membership::join((role, issuer), root_pem, with, stop.clone()).await?;
    Ok((membership, keys))
}

/// Every service, as the one of `role` asks it how it is.
fn neighbours(platform: &Platform, role: Role) -> Vec<(&'static str, Client)> {
    let service =
        |to: Role, peer: &Peer| (to.name(), platform.service((role.name(), to.name()), peer));
    let Peers { gateway, auth, devices, monitoring } = &platform.peers;
    vec![
        service(Role::Gateway, gateway),
        service(Role::Auth, auth),
        service(Role::Devices, devices),
        service(Role::Monitoring, monitoring),
    ]
}

/// Says how this process is.
fn reporting(health: &Arc<PlatformHealth>) -> Router {
    let health = Arc::clone(health);
    Router::new().route(REPORT, get(async move || axum::Json(health.report())))
}

/// Puts refused services on the audit trail: one line a second at most, since whoever is refused asks
/// as often as it likes.
fn refusals(platform: &Platform, role: Role) -> Told {
    let (auth, tenant_id) = (platform.auth(role.name()), platform.tenant);
    let free_at = Mutex::new(openframe_clock::monotonic());
    Arc::new(move |peer: &str, path: &str| {
        let now = openframe_clock::monotonic();
        {
            let mut free_at = free_at.lock().unwrap_or_else(PoisonError::into_inner);
            if now < *free_at {
                return;
            }
            *free_at = now + Duration::from_secs(1);
        }
        let record = AuditRecord {
            tenant_id,
            actor_kind: if peer.is_empty() { "nobody" } else { "service" }.to_owned(),
            actor: peer.to_owned(),
            action: "service.ask".to_owned(),
            target: role.name().to_owned(),
            outcome: Outcome::Refused,
            detail: format!("path={:?}", path.chars().take(128).collect::<String>()),
            remote_address: String::new(),
            request_id: String::new(),
        };
        let auth = auth.clone();
        tokio::spawn(async move {
            if let Err(fault) = auth.record(&record).await {
                tracing::warn!("a refusal is not on the audit trail: {fault}");
            }
        });
    })
}

async fn platform(
    settings: &Settings,
    membership: &Membership,
    (clock, calls): (Clock, &Metrics),
    stop: &CancellationToken,
) -> anyhow::Result<Platform> {
    let mesh = &settings.mesh;
    Ok(Platform {
        clock,
        minter: Minter::of(Arc::clone(&membership.certificate)),
        root: Some(membership.root.clone()),
        tenant: membership.tenant,
        peers: Peers {
            gateway: membership.peer((Role::Gateway, mesh), calls, stop).await?,
            auth: membership.peer((Role::Auth, mesh), calls, stop).await?,
            devices: membership.peer((Role::Devices, mesh), calls, stop).await?,
            monitoring: membership.peer((Role::Monitoring, mesh), calls, stop).await?,
        },
    })
}

/// Starts any service but auth; gives what answers the others.
async fn start_service(
    services: &mut Services,
    (role, platform): (Role, &Platform),
    membership: &Membership,
    start: &mut Start<'_>,
) -> anyhow::Result<Router> {
    match role {
        Role::Gateway => services.start_gateway(platform, start),
        Role::Devices => services.start_devices(platform, start).await,
        Role::Monitoring => services.start_monitoring(platform, &membership.root_pem, start).await,
        Role::Auth => anyhow::bail!("the auth service starts with its keys"),
    }
}
