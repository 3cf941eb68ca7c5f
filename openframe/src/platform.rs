//! The wiring: every service on its embedded stores, in one process. The only file that knows both
//! a service and a store.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use openframe_auth_api::AuthClient;
use openframe_clock::Clock;
use openframe_devices_api::DevicesClient;
use openframe_ids::{ApiKeyId, TenantId, UserId};
use openframe_mesh::identity::{insert, service_credential};
use openframe_mesh::{Client, Late, Peer};
use openframe_pki::Authority;
use openframe_sqlite::Database;
use openframe_tokens::internal::Minter;
use openframe_tokens::{Caller, Permission, Role, Subject};
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

use crate::admin::Admin;
use crate::bootstrap;
use crate::doors::{Certificates, Doors, Sockets};
use crate::folder::DataFolder;
use crate::health::PlatformHealth;
use crate::page::Page;
use crate::serve;
use crate::settings::Settings;

/// What every service is given, and how each reaches the others.
pub(crate) struct Platform {
    clock: Clock,
    minter: Minter,
    tenant: TenantId,
    auth: Peer,
    devices: Peer,
}

/// A platform that serves.
pub(crate) struct Started {
    pub(crate) platform: Platform,
    /// The address for people.
    pub(crate) url: String,
    /// The address for agents.
    pub(crate) agents_url: String,
    /// The same, from this machine.
    pub(crate) agents_here: String,
    /// The data folder.
    pub(crate) data: PathBuf,
    /// The platform's root certificate, to be trusted by browsers.
    pub(crate) root_certificate: PathBuf,
    auth_app: openframe_auth::Auth,
    edge: openframe_gateway::Edge,
    health: Arc<PlatformHealth>,
    doors: Doors,
    services: Services,
    grace: Duration,
    // Freed last: until then no other process may use the folder.
    _folder: DataFolder,
}

/// The services' background work.
struct Services {
    auth: CancellationToken,
    devices: Arc<openframe_devices::Running>,
    monitoring: Arc<openframe_monitoring::Running>,
}

/// Starts every service and serves. When this returns, requests are answered.
pub(crate) async fn start(mut settings: Settings) -> anyhow::Result<Started> {
    let connections = settings.gateway.connections + settings.gateway.agent_connections;
    serve::raise_open_files(connections);
    let sockets = bind(&settings).await?;
    let folder = DataFolder::take(&settings.data)?;
    let clock = Clock::system();
    let authority = Arc::new(folder.authority(clock.now())?);
    let agents_here = sockets.agents.url();
    if settings.agents_url.is_empty() {
        settings.agents_url.clone_from(&agents_here);
    }
    settings.auth.agents_url.clone_from(&settings.agents_url);
    let late = [Late::default(), Late::default(), Late::default(), Late::default()];
    let [auth, devices, monitoring, gateway] = late.clone().map(Peer::Local);
    let tenant = folder.tenant()?;
    let minter = Minter::generate();
    let platform = Platform { clock, minter, tenant, auth, devices };
    let mut registry = Registry::default();
    let stop = CancellationToken::new();
    let (auth, auth_database) =
        start_auth(&platform, &settings, &folder, &authority, &mut registry).await?;
    let (devices, devices_database) =
        start_devices(&platform, &settings, &folder, gateway, &mut registry).await?;
    let (running, monitoring_database) =
        start_monitoring(&platform, &settings, &folder, &authority, &mut registry).await?;
    let watched = ["gateway.users", "gateway.agents"].map(|name| (name, CancellationToken::new()));
    let databases = [
        ("auth.database", auth_database),
        ("devices.database", devices_database),
        ("monitoring.database", monitoring_database),
    ];
    let services = (Arc::clone(&devices), Arc::clone(&running));
    let health = PlatformHealth::watch(services, (&watched, databases.into()), stop).await;
    let shown = Arc::clone(&health) as Arc<dyn openframe_gateway::Health>;
    let gateway = start_gateway(&platform, &settings, (monitoring, shown), &mut registry)?;
    let routers = [auth.router, devices.router.clone(), running.router.clone(), gateway.internal];
    for (late, router) in late.iter().zip(routers) {
        late.set(router);
    }
    let admin = Admin { registry: Arc::new(registry), health: Arc::clone(&health) as _ };
    let (url, clock) = (sockets.people.url(), platform.clock.clone());
    let certificates = Certificates { authority, names: settings.server_names.clone(), clock };
    let gone = watched.map(|(_, gone)| gone);
    let doors = Doors::open(sockets, &certificates, (&gateway.edge, admin), gone)?;
    Ok(Started {
        platform,
        url,
        agents_url: settings.agents_url,
        agents_here,
        data: settings.data,
        root_certificate: folder.join("pki").join("root.pem"),
        auth_app: auth.app,
        edge: gateway.edge,
        health,
        doors,
        services: Services { auth: auth.stop, devices, monitoring: running },
        grace: Duration::from_secs(settings.grace_s),
        _folder: folder,
    })
}

async fn bind(settings: &Settings) -> anyhow::Result<Sockets> {
    let agents = serve::bind("agents_listen", &settings.agents_listen, false).await?;
    anyhow::ensure!(
        agents.address.tls,
        "`agents_listen`: devices prove who they are by TLS; write https://HOST:PORT"
    );
    let admin = match settings.admin_listen.as_str() {
        "" => None,
        text => Some(serve::bind("admin_listen", text, false).await?),
    };
    anyhow::ensure!(
        admin.as_ref().is_none_or(|admin| !admin.address.tls),
        "`admin_listen`: probes and metrics are served without TLS; write http://HOST:PORT"
    );
    let proxied = !settings.gateway.trusted_proxies.is_empty();
    let people = serve::bind("listen", &settings.listen, proxied).await?;
    Ok(Sockets { people, agents, admin })
}

async fn start_auth(
    platform: &Platform,
    settings: &Settings,
    folder: &DataFolder,
    authority: &Arc<Authority>,
    metrics: &mut Registry,
) -> anyhow::Result<(openframe_auth::Running, Database)> {
    let database =
        Database::open(&folder.join("auth.db"), &openframe_auth_sqlite::MIGRATIONS).await?;
    let running = openframe_auth::start(
        settings.auth.clone(),
        openframe_auth::Deps {
            store: openframe_auth_sqlite::stores(&database),
            authority: Arc::clone(authority),
            clock: platform.clock.clone(),
            verifier: platform.minter.verifier("auth"),
            tenant: platform.tenant,
            metrics,
        },
    );
    Ok((running, database))
}

async fn start_devices(
    platform: &Platform,
    settings: &Settings,
    folder: &DataFolder,
    gateway: Peer,
    metrics: &mut Registry,
) -> anyhow::Result<(Arc<openframe_devices::Running>, Database)> {
    let database =
        Database::open(&folder.join("devices.db"), &openframe_devices_sqlite::MIGRATIONS).await?;
    let deps = openframe_devices::Deps {
        stores: openframe_devices_sqlite::stores(&database),
        clock: platform.clock.clone(),
        verifier: platform.minter.verifier("devices"),
        gateway: platform.service(("devices", "gateway"), gateway),
        auth: platform.audit("devices"),
        metrics,
    };
    let running = openframe_devices::start(settings.devices.clone(), deps).await;
    Ok((Arc::new(running.context("the devices service cannot start")?), database))
}

async fn start_monitoring(
    platform: &Platform,
    settings: &Settings,
    folder: &DataFolder,
    authority: &Authority,
    metrics: &mut Registry,
) -> anyhow::Result<(Arc<openframe_monitoring::Running>, Database)> {
    let options = openframe_monitoring_embedded::Options::default();
    let place = folder.join("monitoring");
    let (stores, database) = openframe_monitoring_embedded::Embedded::open(&place, options).await?;
    let roots = authority_roots(authority, &settings.webhook_roots);
    let sender = openframe_monitoring::Webhooks::new(openframe_pki::public_client(&roots)?);
    let deps = openframe_monitoring::Deps {
        stores,
        clock: platform.clock.clone(),
        verifier: platform.minter.verifier("monitoring"),
        audit: Arc::new(platform.audit("monitoring")),
        sender: Arc::new(sender),
        metrics,
    };
    let running = openframe_monitoring::start(settings.monitoring.clone(), deps).await;
    Ok((Arc::new(running.context("the monitoring service cannot start")?), database))
}

fn start_gateway(
    platform: &Platform,
    settings: &Settings,
    (monitoring, health): (Peer, Arc<dyn openframe_gateway::Health>),
    metrics: &mut Registry,
) -> anyhow::Result<openframe_gateway::Running> {
    let deps = openframe_gateway::Deps {
        auth: platform.auth.clone(),
        devices: platform.devices.clone(),
        monitoring,
        console: Arc::new(Page),
        minter: platform.minter.clone(),
        verifier: platform.minter.verifier("gateway"),
        clock: platform.clock.clone(),
        health,
        openapi: serde_json::to_value(crate::docs::openapi())?,
        tenant: platform.tenant,
        metrics,
    };
    Ok(openframe_gateway::start(settings.gateway.clone(), deps))
}

/// The roots that webhooks' servers are checked against: the machine's and the platform's own.
fn authority_roots(authority: &Authority, file: &Path) -> Vec<u8> {
    let mut roots = std::fs::read(file).unwrap_or_else(|error| {
        tracing::warn!("webhooks reach servers of this platform's own root only: {error}");
        Vec::new()
    });
    roots.extend_from_slice(b"\n");
    roots.extend_from_slice(authority.root_pem().as_bytes());
    roots
}

impl Platform {
    /// A client of one service to another, by both names.
    fn service(&self, names: (&'static str, &'static str), peer: Peer) -> Client {
        let (minter, clock) = (self.minter.clone(), self.clock.clone());
        Client::new(peer, service_credential(minter, clock, names, self.tenant))
    }

    /// The audit trail, as the service `name` reaches it.
    fn audit(&self, name: &'static str) -> AuthClient {
        AuthClient::new(self.service((name, "auth"), self.auth.clone()))
    }

    /// The devices service, for the executable's own look at it: nothing but reading.
    pub(crate) fn devices(&self) -> DevicesClient {
        let client = self.own("devices", self.devices.clone(), Permission::DevicesRead);
        DevicesClient::new(client)
    }

    /// A client that may look, as a key that exists for this process only and changes nothing.
    fn own(&self, audience: &'static str, peer: Peer, permission: Permission) -> Client {
        let subject = Subject::ApiKey {
            key: ApiKeyId::new(),
            owner: UserId::new(),
            role: Role::ReadOnly,
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
    /// On first start, writes an owner's API key to `file`, if one is named.
    pub(crate) async fn bootstrap_key(&self, file: Option<&Path>) -> anyhow::Result<()> {
        let Some(file) = file else { return Ok(()) };
        bootstrap::write_key(&self.auth_app, &self.data, file).await
    }

    /// A token that enrols one device: this machine.
    pub(crate) async fn enrolment_token(&self) -> anyhow::Result<String> {
        Ok(self.auth_app.own_enrolment_token("this machine", 10).await?)
    }

    /// The link that makes the first owner; `None` once there is one who can sign in.
    pub(crate) async fn setup_link(&self) -> anyhow::Result<Option<String>> {
        let token = self.auth_app.issue_setup_token().await?;
        Ok(token.map(|token| format!("{}/setup#token={token}", self.url)))
    }

    /// Stops in good order: probes fail, agents leave, requests end, changes are done to their
    /// end, background work ends. All of it but the last takes `grace` at most.
    pub(crate) async fn stop(mut self) {
        self.health.stopping();
        let good_order = async {
            self.edge.drain(self.grace / 2).await;
            self.doors.shut().await;
            self.edge.finish().await;
        };
        if tokio::time::timeout(self.grace, good_order).await.is_err() {
            tracing::warn!("requests were cut off after {} s", self.grace.as_secs());
        }
        self.services.auth.cancel();
        self.auth_app.tell_refusals(true).await;
        self.services.devices.stop.cancel();
        self.services.devices.tasks.close();
        self.services.devices.tasks.wait().await;
        self.services.monitoring.stop.cancel();
        self.services.monitoring.tasks.close();
        self.services.monitoring.tasks.wait().await;
        self.doors.shut_admin().await;
    }
}
