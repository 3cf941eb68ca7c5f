//! A platform that serves: every service in one process on embedded stores, or one service alone.

mod alone;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use openframe_clock::Clock;
use openframe_devices_api::DevicesClient;
use openframe_ids::{ApiKeyId, UserId};
use openframe_mesh::identity::insert;
use openframe_mesh::{Client, Late, Peer};
use openframe_tokens::internal::Minter;
use openframe_tokens::{Caller, Grants, Permission, Role as PersonsRole, Subject};
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

use crate::admin::Admin;
use crate::certificate::Issuer;
use crate::doors::{Certificates, Doors, Sockets};
use crate::folder::DataFolder;
use crate::health::PlatformHealth;
use crate::roles::Role;
use crate::services::{Peers, Platform, Services, Start};
use crate::settings::Settings;
use crate::stores::Place;
use crate::{authority, bootstrap, serve};

/// A platform that serves.
pub(crate) struct Started {
    pub(crate) platform: Platform,
    /// The address for people; empty where there is no gateway.
    pub(crate) url: String,
    /// The address for agents.
    pub(crate) agents_url: String,
    /// The same, from this machine.
    pub(crate) agents_here: String,
    /// The data folder.
    pub(crate) data: PathBuf,
    /// The platform's root certificate, to be trusted by browsers.
    pub(crate) root_certificate: PathBuf,
    health: Arc<PlatformHealth>,
    doors: Doors,
    services: Services,
    /// Ends what looks for other services.
    stop: CancellationToken,
    grace: Duration,
    // Freed last: until then no other process may use the folder.
    _folder: Option<DataFolder>,
}

/// Starts every service, or the one of `role`, and serves. When this returns, requests are answered.
pub(crate) async fn start(settings: Settings, role: Option<Role>) -> anyhow::Result<Started> {
    if role.is_none_or(|role| role == Role::Gateway) {
        let gateway = &settings.gateway;
        serve::raise_open_files(gateway.connections + gateway.agent_connections);
    }
    let mut sockets = Sockets::bind(&settings, role).await?;
    let health = PlatformHealth::starting(role.unwrap_or(Role::Gateway).name());
    let (mut doors, registry) = (Doors::default(), Arc::new(OnceLock::new()));
    if let Some(bound) = sockets.admin.take() {
        let (registry, health) = (Arc::clone(&registry), Arc::clone(&health));
        doors.answer_probes(bound, Admin { registry, health });
    }
    let base = Base { settings, sockets, health, doors, registry, stop: CancellationToken::new() };
    match role {
        Some(role) => Box::pin(alone::start(base, role)).await,
        None => Box::pin(start_all(base)).await,
    }
}

/// What both shapes begin with.
struct Base {
    settings: Settings,
    sockets: Sockets,
    health: Arc<PlatformHealth>,
    doors: Doors,
    registry: Arc<OnceLock<Registry>>,
    stop: CancellationToken,
}

async fn start_all(base: Base) -> anyhow::Result<Started> {
    let Base { mut settings, mut sockets, health, mut doors, registry, stop } = base;
    let folder = DataFolder::take(&settings.data)?;
    let clock = Clock::system();
    let pki = folder.join("pki");
    let authority = Arc::new(authority::read_or_make(&pki, clock.now())?);
    let agents_here = sockets.agents_url();
    if settings.agents_url.is_empty() {
        settings.agents_url.clone_from(&agents_here);
    }
    settings.auth.agents_url.clone_from(&settings.agents_url);
    let here = sockets.people_url();
    settings.auth.url = if settings.url.is_empty() { here } else { settings.url.clone() };
    let late = [Late::default(), Late::default(), Late::default(), Late::default()];
    let [auth, devices, monitoring, gateway] = late.clone().map(Peer::Local);
    let peers = Peers { gateway, auth, devices, monitoring };
    let (tenant, minter) = (folder.tenant()?, Minter::generate());
    let platform = Platform { clock: clock.clone(), minter, root: None, tenant, peers };
    let (mut services, mut metrics) = (Services::default(), Registry::default());
    let place = Place::Folder(&settings.data);
    let mut start = Start { settings: &settings, place, health: &health, metrics: &mut metrics };
    let keys = (&authority, openframe_auth::JoinKeys::default());
    let routers = [
        services.start_auth(&platform, keys, &mut start).await?,
        services.start_devices(&platform, &mut start).await?,
        services.start_monitoring(&platform, authority.root_pem(), &mut start).await?,
        services.start_gateway(&platform, &mut start)?,
    ];
    for (late, router) in late.iter().zip(routers) {
        late.set(router);
    }
    // It is set once.
    drop(registry.set(metrics));
    let root_pem = authority.root_pem().to_owned();
    let issuer = Issuer::Here(authority);
    let names = settings.server_names.clone();
    let certificates = Certificates { issuer, root_pem, names, clock };
    let url = open_edge(&mut doors, &mut sockets, &certificates, (&services, &health)).await?;
    health.is_up();
    Ok(Started {
        platform,
        url: if settings.url.is_empty() { url } else { settings.url },
        agents_url: settings.agents_url,
        agents_here,
        data: settings.data,
        root_certificate: pki.join(authority::ROOT),
        health,
        doors,
        services,
        stop,
        grace: Duration::from_secs(settings.grace_s),
        _folder: Some(folder),
    })
}

/// Opens the doors for people and agents; returns the address for people.
async fn open_edge(
    doors: &mut Doors,
    sockets: &mut Sockets,
    certificates: &Certificates,
    (services, health): (&Services, &PlatformHealth),
) -> anyhow::Result<String> {
    let (Some(people), Some(agents)) = (sockets.people.take(), sockets.agents.take()) else {
        anyhow::bail!("a gateway listens for people and agents");
    };
    let Some(edge) = &services.edge else { anyhow::bail!("there is no gateway here") };
    let url = people.url();
    doors.open_edge((people, agents), certificates, (edge, health)).await?;
    Ok(url)
}

impl Platform {
    /// The devices service, for the executable's own look at it: nothing but reading.
    pub(crate) fn devices(&self) -> DevicesClient {
        let client = self.own("devices", self.peers.devices.clone(), Permission::DevicesRead);
        DevicesClient::new(client)
    }

    /// A client that may look, as a key that exists for this process only and changes nothing.
    fn own(&self, audience: &'static str, peer: Peer, permission: Permission) -> Client {
        let subject = Subject::ApiKey {
            key: ApiKeyId::new(),
            owner: UserId::new(),
            role: PersonsRole::ReadOnly,
            grants: Grants::default(),
            scopes: vec![permission.as_str().to_owned()],
        };
        let caller = Caller { tenant: self.tenant, subject };
        let (minter, clock) = (self.minter.clone(), self.clock.clone());
        Client::new(
            peer,
            Arc::new(move |headers: &mut http::HeaderMap| {
                insert(headers, &minter.mint(&caller, audience, clock.now()));
            }),
        )
    }
}

impl Started {
    fn auth(&self) -> anyhow::Result<&openframe_auth::Auth> {
        let running = self.services.auth.as_ref();
        running.map(|running| &running.app).ok_or_else(|| anyhow::anyhow!("auth is elsewhere"))
    }

    /// On first start, writes an owner's API key to `file`, if one is named.
    pub(crate) async fn bootstrap_key(&self, file: Option<&Path>) -> anyhow::Result<()> {
        let Some(file) = file else { return Ok(()) };
        bootstrap::write_key(self.auth()?, &self.data, file).await
    }

    /// A token that enrols one device: this machine.
    pub(crate) async fn enrolment_token(&self) -> anyhow::Result<String> {
        Ok(self.auth()?.own_enrolment_token("this machine", 10).await?)
    }

    /// The link that makes the first owner; `None` once there is one who can sign in, and where the
    /// auth service is not.
    pub(crate) async fn setup_link(&self) -> anyhow::Result<Option<String>> {
        let Ok(auth) = self.auth() else { return Ok(None) };
        let token = auth.issue_setup_token().await?;
        Ok(token.map(|token| format!("{}/setup#token={token}", self.url)))
    }

    /// Stops in good order: probes fail, agents leave, requests end, changes are done to their
    /// end, background work ends. All of it but the last takes `grace` at most.
    pub(crate) async fn stop(mut self) {
        self.health.stopping();
        let good_order = async {
            if let Some(edge) = &self.services.edge {
                edge.drain(self.grace / 2).await;
            }
            self.doors.shut().await;
            if let Some(edge) = &self.services.edge {
                edge.finish().await;
            }
        };
        if tokio::time::timeout(self.grace, good_order).await.is_err() {
            tracing::warn!("requests were cut off after {} s", self.grace.as_secs());
        }
        self.services.stop().await;
        self.stop.cancel();
        self.doors.shut_admin().await;
    }
}
