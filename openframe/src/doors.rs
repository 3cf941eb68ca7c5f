//! The platform's doors: who answers on each socket, with which certificate, and how each is shut.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use openframe_clock::Clock;
use openframe_gateway::Edge;
use openframe_mesh::{Known, Rule, Told};
use openframe_pki::DeviceRoot;
use tokio::net::TcpSocket;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::admin::{self, Admin};
use crate::certificate::{Issuer, ServerCertificate};
use crate::health::PlatformHealth;
use crate::roles::Role;
use crate::serve::{self, Bound};
use crate::settings::Settings;

/// Connections of other services that wait to be let in.
const BACKLOG: u32 = 1_024;
/// How long probes under way may take at the very end.
const PROBE_LIMIT: Duration = Duration::from_secs(1);

/// What is listened on.
pub(crate) struct Sockets {
    pub(crate) people: Option<Bound>,
    pub(crate) agents: Option<Bound>,
    /// Not listened on before there is somebody who answers.
    pub(crate) mesh: Option<TcpSocket>,
    pub(crate) admin: Option<Bound>,
}

impl Sockets {
    /// Binds what the service of `role` listens on, or all services in one process.
    pub(crate) async fn bind(settings: &Settings, role: Option<Role>) -> anyhow::Result<Self> {
        let admin = match settings.admin_listen.as_str() {
            "" => None,
            text => Some(serve::bind("admin_listen", text, false).await?),
        };
        anyhow::ensure!(
            admin.as_ref().is_none_or(|admin| !admin.address.tls),
            "`admin_listen`: probes and metrics are served without TLS; write http://HOST:PORT"
        );
        let mesh = match role {
            Some(_) => Some(serve::bind_mesh(&settings.mesh.listen).await?),
            None => None,
        };
        if role.is_some_and(|role| role != Role::Gateway) {
            return Ok(Self { people: None, agents: None, mesh, admin });
        }
        let agents = serve::bind("agents_listen", &settings.agents_listen, false).await?;
        anyhow::ensure!(
            agents.address.tls,
            "`agents_listen`: devices prove who they are by TLS; write https://HOST:PORT"
        );
        let proxied = !settings.gateway.trusted_proxies.is_empty();
        let people = serve::bind("listen", &settings.listen, proxied).await?;
        Ok(Self { people: Some(people), agents: Some(agents), mesh, admin })
    }

    /// The address for people on this machine; empty where none are listened for.
    pub(crate) fn people_url(&self) -> String {
        self.people.as_ref().map(Bound::url).unwrap_or_default()
    }

    /// The address for agents on this machine; empty where none are listened for.
    pub(crate) fn agents_url(&self) -> String {
        self.agents.as_ref().map(Bound::url).unwrap_or_default()
    }
}

/// What certificates of servers are made with.
pub(crate) struct Certificates {
    pub(crate) issuer: Issuer,
    /// What devices' certificates are checked against.
    pub(crate) root_pem: String,
    /// Names beyond those of the sockets.
    pub(crate) names: Vec<String>,
    pub(crate) clock: Clock,
}

impl Certificates {
    /// A certificate for a socket.
    async fn of(&self, bound: &Bound) -> anyhow::Result<Arc<ServerCertificate>> {
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        names.push(bound.address.host.clone());
        names.extend(self.names.iter().cloned());
        names.sort();
        names.dedup();
        ServerCertificate::issue(self.issuer.clone(), names, self.clock.clone()).await
    }
}

/// Who answers on the sockets, and how each is told to end.
#[derive(Default)]
pub(crate) struct Doors {
    servers: JoinSet<()>,
    stop: CancellationToken,
    /// Probes are answered until the very end.
    admin: JoinSet<()>,
    admin_stop: CancellationToken,
}

impl Doors {
    /// Gives the sockets for people and agents to the gateway, with certificates that are waited
    /// for.
    pub(crate) async fn open_edge(
        &mut self,
        (people, agents): (Bound, Bound),
        certificates: &Certificates,
        (edge, health): (&Edge, &PlatformHealth),
    ) -> anyhow::Result<()> {
        let mut tls = None;
        if people.address.tls {
            let shown = self.young(certificates, &people, health).await;
            tls = Some(Arc::new(openframe_pki::users_server(shown)?));
        }
        let (own, token, gone) = (edge.clone(), self.stop.clone(), CancellationToken::new());
        health.watch_door("gateway.users", gone.clone());
        self.servers.spawn(async move {
            let _gone = gone.drop_guard();
            own.serve_users(people.listener, tls, token).await;
        });
        let shown = self.young(certificates, &agents, health).await;
        let tls = Arc::new(openframe_pki::agents_server(shown, &certificates.root_pem)?);
        let root = DeviceRoot::new(&certificates.root_pem)?;
        let (own, token, gone) = (edge.clone(), self.stop.clone(), CancellationToken::new());
        health.watch_door("gateway.agents", gone.clone());
        self.servers.spawn(async move {
            let _gone = gone.drop_guard();
            own.serve_agents(agents.listener, (tls, root), token).await;
        });
        Ok(())
    }

    /// Answers the other services.
    pub(crate) fn open_mesh(
        &mut self,
        socket: TcpSocket,
        known: Known,
        service: (Router, &'static [Rule], Told),
        health: &PlatformHealth,
    ) -> anyhow::Result<()> {
        let listener = socket.listen(BACKLOG).context("`mesh.listen` cannot be listened on")?;
        let (token, gone) = (self.stop.clone(), CancellationToken::new());
        health.watch_door("mesh", gone.clone());
        self.servers.spawn(async move {
            let _gone = gone.drop_guard();
            openframe_mesh::serve(listener, known, service, token).await;
        });
        Ok(())
    }

    /// A certificate that is renewed for as long as the server runs.
    async fn young(
        &mut self,
        certificates: &Certificates,
        bound: &Bound,
        health: &PlatformHealth,
    ) -> Arc<ServerCertificate> {
        let issue = async || certificates.of(bound).await;
        let shown = health.until("gateway.certificate", issue).await;
        self.servers.spawn(Arc::clone(&shown).keep_young(self.stop.clone()));
        shown
    }

    /// Answers probes from now on.
    pub(crate) fn answer_probes(&mut self, bound: Bound, admin: Admin) {
        let (router, token) = (admin::router(admin), self.admin_stop.clone());
        self.admin.spawn(async move {
            let served = axum::serve(bound.listener, router)
                .with_graceful_shutdown(async move { token.cancelled().await });
            if let Err(error) = served.await {
                tracing::error!("the admin port has ended: {error}");
            }
        });
    }

    /// Lets nobody in any more, and returns when everybody is out.
    pub(crate) async fn shut(&mut self) {
        self.stop.cancel();
        while self.servers.join_next().await.is_some() {}
    }

    /// Answers no probe any more.
    pub(crate) async fn shut_admin(&mut self) {
        self.admin_stop.cancel();
        let probed = async { while self.admin.join_next().await.is_some() {} };
        if tokio::time::timeout(PROBE_LIMIT, probed).await.is_err() {
            tracing::debug!("a probe was cut off");
        }
    }
}
