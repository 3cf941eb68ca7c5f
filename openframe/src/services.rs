//! How each service is started, whatever process it is in.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use openframe_auth::JoinKeys;
use openframe_auth_api::AuthClient;
use openframe_clock::Clock;
use openframe_fault::chain;
use openframe_ids::TenantId;
use openframe_mesh::identity::service_credential;
use openframe_mesh::{Client, Peer};
use openframe_pki::{Authority, ServiceRoot};
use openframe_tokens::internal::{Minter, Verifier};
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

use crate::health::{PlatformHealth, part};
use crate::page::Page;
use crate::settings::Settings;
use crate::stores::Place;

/// What every service is given, and how each reaches the others.
pub(crate) struct Platform {
    pub(crate) clock: Clock,
    pub(crate) minter: Minter,
    /// Whose certificates tokens carry; none where services share a process and its key.
    pub(crate) root: Option<ServiceRoot>,
    pub(crate) tenant: TenantId,
    pub(crate) peers: Peers,
}

/// How each service is reached.
pub(crate) struct Peers {
    pub(crate) gateway: Peer,
    pub(crate) auth: Peer,
    pub(crate) devices: Peer,
    pub(crate) monitoring: Peer,
}

/// The services of this process.
#[derive(Default)]
pub(crate) struct Services {
    pub(crate) auth: Option<openframe_auth::Running>,
    pub(crate) devices: Option<Arc<openframe_devices::Running>>,
    pub(crate) monitoring: Option<Arc<openframe_monitoring::Running>>,
    pub(crate) edge: Option<openframe_gateway::Edge>,
}

/// What a start needs beside the platform.
pub(crate) struct Start<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) place: Place<'a>,
    pub(crate) health: &'a Arc<PlatformHealth>,
    pub(crate) metrics: &'a mut Registry,
}

impl Platform {
    /// A client of one service to another, by both names.
    pub(crate) fn service(&self, names: (&'static str, &'static str), peer: &Peer) -> Client {
        let (minter, clock) = (self.minter.clone(), self.clock.clone());
        Client::new(peer.clone(), service_credential(minter, clock, names, self.tenant))
    }

    /// The auth service, as the service `name` reaches it.
    pub(crate) fn auth(&self, name: &'static str) -> AuthClient {
        AuthClient::new(self.service((name, "auth"), &self.peers.auth))
    }

    pub(crate) fn verifier(&self, audience: &str) -> Verifier {
        match &self.root {
            Some(root) => Verifier::trusting(root.clone(), audience),
            None => self.minter.verifier(audience),
        }
    }
}

impl Services {
    /// Starts the auth service; gives what answers its requests.
    pub(crate) async fn start_auth(
        &mut self,
        platform: &Platform,
        (authority, joins): (&Arc<Authority>, JoinKeys),
        start: &mut Start<'_>,
    ) -> anyhow::Result<Router> {
        let opened = start.place.auth().await?;
        let roots = webhook_roots(authority.root_pem(), &start.settings.webhook_roots);
        let tls = openframe_pki::public_client(&roots)?;
        let streams = streams(start.settings, &tls, &platform.clock)?;
        let mailer = mailer(start.settings, authority.root_pem())?;
        start.health.watch_store("auth.database", opened.probe).await;
        let deps = openframe_auth::Deps {
            store: opened.stores,
            authority: Arc::clone(authority),
            clock: platform.clock.clone(),
            verifier: platform.verifier("auth"),
            tenant: platform.tenant,
            streams,
            webhooks: openframe_auth::Webhooks::new(tls),
            mailer,
            joins,
            metrics: start.metrics,
        };
        let running = openframe_auth::start(start.settings.auth.clone(), deps);
        let router = running.router.clone();
        let watched = running.app.clone();
        start.health.watch(move || {
            // A destination that is away keeps nobody from asking this process.
            let shown = |(name, why)| part(&format!("auth.audit_stream.{name}"), None, why);
            let streams = watched.streams_failing().into_iter().map(shown);
            streams.chain(watched.mail_failing().map(|why| part("auth.mail", None, why))).collect()
        });
        self.auth = Some(running);
        Ok(router)
    }

    /// Starts the devices service.
    pub(crate) async fn start_devices(
        &mut self,
        platform: &Platform,
        start: &mut Start<'_>,
    ) -> anyhow::Result<Router> {
        let opened = start.place.devices().await?;
        start.health.watch_store("devices.database", opened.probe).await;
        let deps = openframe_devices::Deps {
            stores: opened.stores,
            clock: platform.clock.clone(),
            verifier: platform.verifier("devices"),
            gateway: platform.service(("devices", "gateway"), &platform.peers.gateway),
            siblings: platform
                .root
                .is_some()
                .then(|| platform.service(("devices", "devices"), &platform.peers.devices)),
            auth: platform.auth("devices"),
            metrics: start.metrics,
        };
        let running = openframe_devices::start(start.settings.devices.clone(), deps).await;
        let running = Arc::new(running.context("the devices service cannot start")?);
        let router = running.router.clone();
        let watched = Arc::clone(&running);
        start.health.watch(move || {
            vec![part("devices.index", None, format!("{} devices", watched.indexed()))]
        });
        self.devices = Some(running);
        Ok(router)
    }

    /// Starts the monitoring service. `root_pem` is trusted in servers of webhooks, beside the
    /// machine's roots.
    pub(crate) async fn start_monitoring(
        &mut self,
        platform: &Platform,
        root_pem: &str,
        start: &mut Start<'_>,
    ) -> anyhow::Result<Router> {
        let log = openframe_monitoring_cassandra::Options {
            retention_days: start.settings.monitoring.retention_days,
            clock: platform.clock.clone(),
        };
        let opened = start.place.monitoring(log).await?;
        start.health.watch_store("monitoring.database", opened.probe).await;
        let roots = webhook_roots(root_pem, &start.settings.webhook_roots);
        let sender = openframe_monitoring::Webhooks::new(openframe_pki::public_client(&roots)?);
        let deps = openframe_monitoring::Deps {
            stores: opened.stores,
            clock: platform.clock.clone(),
            verifier: platform.verifier("monitoring"),
            audit: Arc::new(platform.auth("monitoring")),
            places: Arc::new(platform.auth("monitoring")),
            sender: Arc::new(sender),
            metrics: start.metrics,
        };
        let running = openframe_monitoring::start(start.settings.monitoring.clone(), deps).await;
        let running = Arc::new(running.context("the monitoring service cannot start")?);
        let router = running.router.clone();
        let watched = Arc::clone(&running);
        start.health.watch(move || {
            let shown = |of: openframe_monitoring::Part| {
                part(&format!("monitoring.{}", of.name), of.waiting_for, of.detail)
            };
            watched.ready().into_iter().map(shown).collect()
        });
        self.monitoring = Some(running);
        Ok(router)
    }

    /// Starts the gateway; gives what answers the other services.
    pub(crate) fn start_gateway(
        &mut self,
        platform: &Platform,
        start: &mut Start<'_>,
    ) -> anyhow::Result<Router> {
        let deps = openframe_gateway::Deps {
            auth: platform.peers.auth.clone(),
            devices: platform.peers.devices.clone(),
            monitoring: platform.peers.monitoring.clone(),
            console: Arc::new(Page),
            minter: platform.minter.clone(),
            verifier: platform.verifier("gateway"),
            clock: platform.clock.clone(),
            health: Arc::clone(start.health) as _,
            openapi: serde_json::to_value(crate::docs::openapi())?,
            tenant: platform.tenant,
            metrics: start.metrics,
        };
        let running = openframe_gateway::start(start.settings.gateway.clone(), deps);
        self.edge = Some(running.edge);
        tokio::spawn(running.endings.follow());
        Ok(running.internal)
    }

    /// Ends background work; what it is in the middle of, it finishes.
    pub(crate) async fn stop(&self) {
        if let Some(auth) = &self.auth {
            auth.stop.cancel();
            auth.tasks.close();
            auth.tasks.wait().await;
            auth.app.tell_refusals(true).await;
            // What was written since the last one would else be without until the next start.
            if let Err(error) = auth.app.checkpoint(true).await {
                tracing::warn!("no last checkpoint of the audit trail: {}", chain(&error));
            }
        }
        let devices = self.devices.iter().map(|it| (&it.stop, &it.tasks));
        let monitoring = self.monitoring.iter().map(|it| (&it.stop, &it.tasks));
        let ends = devices.chain(monitoring).map(async |(stop, tasks)| {
            CancellationToken::cancel(stop);
            tasks.close();
            tasks.wait().await;
        });
        futures::future::join_all(ends).await;
    }
}

/// Where the audit trail is sent to.
fn streams(
    settings: &Settings,
    tls: &rustls::ClientConfig,
    clock: &Clock,
) -> anyhow::Result<openframe_auth::Streams> {
    let config = &settings.auth.audit.stream;
    if config.syslog.is_empty() && config.webhook.is_empty() {
        return Ok(openframe_auth::Streams::default());
    }
    let secret = if config.webhook.is_empty() {
        String::new()
    } else {
        crate::stores::secret(&config.webhook_secret_file)?
    };
    let by = (secret.as_str(), clock.clone());
    openframe_auth::Streams::of(config, tls, by).map_err(anyhow::Error::msg)
}

/// What mail is sent by.
fn mailer(settings: &Settings, root_pem: &str) -> anyhow::Result<openframe_auth::Mailer> {
    let config = &settings.auth.mail;
    if config.server.is_empty() {
        return Ok(openframe_auth::Mailer::default());
    }
    // Not the address that is listened on, or that a request names: mail is read elsewhere.
    anyhow::ensure!(
        !settings.url.is_empty(),
        "`auth.mail.server` needs `url`, the address that links in mails begin with"
    );
    let password = if config.user.is_empty() {
        String::new()
    } else {
        crate::stores::secret(&config.password_file)?
    };
    let roots = webhook_roots(root_pem, &settings.webhook_roots);
    openframe_auth::Mailer::of(config, &roots, &password).map_err(anyhow::Error::msg)
}

/// The roots that webhooks' servers are checked against: the machine's and the platform's own.
fn webhook_roots(root_pem: &str, file: &Path) -> Vec<u8> {
    let mut roots = std::fs::read(file).unwrap_or_else(|error| {
        tracing::warn!("webhooks reach servers of this platform's own root only: {error}");
        Vec::new()
    });
    roots.extend_from_slice(b"\n");
    roots.extend_from_slice(root_pem.as_bytes());
    roots
}
