//! The platform's doors: who answers on each socket, with which certificate, and how each is shut.

use std::sync::Arc;
use std::time::Duration;

use openframe_clock::Clock;
use openframe_gateway::Edge;
use openframe_pki::Authority;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::admin::{self, Admin};
use crate::certificate::ServerCertificate;
use crate::serve::Bound;

/// How long probes under way may take at the very end.
const PROBE_LIMIT: Duration = Duration::from_secs(1);

/// What is listened on.
pub(crate) struct Sockets {
    pub(crate) people: Bound,
    pub(crate) agents: Bound,
    pub(crate) admin: Option<Bound>,
}

/// What certificates of servers are made with.
pub(crate) struct Certificates {
    pub(crate) authority: Arc<Authority>,
    /// Names beyond those of the sockets.
    pub(crate) names: Vec<String>,
    pub(crate) clock: Clock,
}

impl Certificates {
    /// A certificate for a socket.
    fn of(&self, bound: &Bound) -> anyhow::Result<Arc<ServerCertificate>> {
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        names.push(bound.address.host.clone());
        names.extend(self.names.iter().cloned());
        names.sort();
        names.dedup();
        ServerCertificate::issue(&self.authority, names, self.clock.clone())
    }
}

/// Who answers on the sockets, and how each is told to end.
pub(crate) struct Doors {
    servers: JoinSet<()>,
    stop: CancellationToken,
    /// Probes are answered until the very end.
    admin: JoinSet<()>,
    admin_stop: CancellationToken,
}

impl Doors {
    /// Gives the sockets to those who answer on them; `gone` tells when people's and agents' no
    /// longer do.
    pub(crate) fn open(
        sockets: Sockets,
        certificates: &Certificates,
        (edge, admin): (&Edge, Admin),
        gone: [CancellationToken; 2],
    ) -> anyhow::Result<Self> {
        let mut doors = Self {
            servers: JoinSet::new(),
            stop: CancellationToken::new(),
            admin: JoinSet::new(),
            admin_stop: CancellationToken::new(),
        };
        let [users_gone, agents_gone] = gone.map(CancellationToken::drop_guard);
        let people = sockets.people;
        let mut tls = None;
        if people.address.tls {
            let shown = doors.young(certificates, &people)?;
            tls = Some(Arc::new(openframe_pki::users_server(shown)?));
        }
        let (own, token) = (edge.clone(), doors.stop.clone());
        doors.servers.spawn(async move {
            let _gone = users_gone;
            own.serve_users(people.listener, tls, token).await;
        });
        let shown = doors.young(certificates, &sockets.agents)?;
        let root = certificates.authority.root_pem();
        let tls = Arc::new(openframe_pki::agents_server(shown, root)?);
        let (own, token) = (edge.clone(), doors.stop.clone());
        doors.servers.spawn(async move {
            let _gone = agents_gone;
            own.serve_agents(sockets.agents.listener, tls, token).await;
        });
        if let Some(bound) = sockets.admin {
            doors.answer_probes(bound, admin);
        }
        Ok(doors)
    }

    /// A certificate that is renewed for as long as the server runs.
    fn young(
        &mut self,
        certificates: &Certificates,
        bound: &Bound,
    ) -> anyhow::Result<Arc<ServerCertificate>> {
        let shown = certificates.of(bound)?;
        self.servers.spawn(Arc::clone(&shown).keep_young(self.stop.clone()));
        Ok(shown)
    }

    fn answer_probes(&mut self, bound: Bound, admin: Admin) {
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
