//! How a process of its own becomes a service of the mesh, and stays one: it shows its join key to
//! the auth service, and is given a certificate of 24 hours, again at half of its life.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use openframe_auth_api::AuthClient;
use openframe_auth_api::internal::JoinRequest;
use openframe_clock::Clock;
use openframe_ids::TenantId;
use openframe_mesh::{Client, Known, Metrics, Peer, Service, Upstream};
use openframe_pki::{
    Authority, IssuedService, ServiceCertificate, ServiceKey, ServiceRoot, service_client,
};
use openframe_tokens::internal::Verifier;
use tokio_util::sync::CancellationToken;

use crate::authority::{JOIN_KEY, ROOT};
use crate::health::PlatformHealth;
use crate::roles::Role;
use crate::settings::{MeshProvider, MeshSettings};
use crate::stores::secret;

/// How often it is looked whether the certificate is old.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// A service of the mesh.
pub(crate) struct Membership {
    pub(crate) certificate: Arc<ServiceCertificate>,
    pub(crate) root: ServiceRoot,
    pub(crate) root_pem: String,
    pub(crate) tenant: TenantId,
}

/// Where a service's certificates come from.
pub(crate) enum Issuer {
    /// From this process: it is the auth service.
    Here(Arc<Authority>, TenantId),
    /// From the auth service.
    There { auth: Box<AuthClient>, key: String },
}

impl Issuer {
    /// The auth service, as one reaches it who is not in the mesh yet, and what `folder` holds to
    /// get in.
    pub(crate) async fn there(
        mesh: &MeshSettings,
        stop: &CancellationToken,
    ) -> anyhow::Result<(Self, String)> {
        let folder = Path::new(&mesh.identity);
        let root_pem = secret(&folder.join(ROOT))?;
        let tls = service_client(None, ServiceRoot::new(&root_pem)?, Role::Auth.name())?;
        let upstream = upstream(mesh, Role::Auth, tls);
        let auth = Service::find(upstream, Metrics::new("nobody"), stop.clone()).await;
        let auth = Box::new(AuthClient::new(Client::anonymous(Peer::Service(auth))));
        Ok((Self::There { auth, key: secret(&folder.join(JOIN_KEY))? }, root_pem))
    }

    async fn issue(
        &self,
        role: Role,
        clock: &Clock,
    ) -> anyhow::Result<(ServiceKey, IssuedService, TenantId)> {
        let key = ServiceKey::generate()?;
        let csr_pem = key.csr_pem()?;
        match self {
            Self::Here(authority, tenant) => {
                let issued = authority.issue_service(&csr_pem, role.name(), clock.now())?;
                Ok((key, issued, *tenant))
            }
            Self::There { auth, key: join_key } => {
                let service = role.name().to_owned();
                let request = JoinRequest { service, key: join_key.clone(), csr_pem };
                let answer = auth.join(&request).await?;
                let (chain_pem, not_after) = (answer.chain_pem, answer.not_after);
                Ok((key, IssuedService { chain_pem, not_after }, answer.tenant_id))
            }
        }
    }
}

impl Membership {
    /// Joins the mesh as `role`, for as long as it takes, and stays in it until `stop`.
    pub(crate) async fn join(
        (role, issuer): (Role, Issuer),
        root_pem: String,
        (health, clock): (&PlatformHealth, Clock),
        stop: CancellationToken,
    ) -> anyhow::Result<Self> {
        let (key, issued, tenant) =
            health.until("mesh.identity", async || issuer.issue(role, &clock).await).await;
        let certificate = Arc::new(ServiceCertificate::new(&key, &issued)?);
        ensure!(certificate.name() == role.name(), "the certificate is that of another service");
        let root = ServiceRoot::new(&root_pem).context("the root's certificate")?;
        let renewed = Arc::clone(&certificate);
        tokio::spawn(async move {
            while stop.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_some() {
                if renewed.is_old(clock.now())
                    && let Err(error) = renew(&renewed, (role, &issuer), &clock).await
                {
                    tracing::error!("this service's certificate is not renewed: {error:#}");
                }
            }
        });
        Ok(Self { certificate, root, root_pem, tenant })
    }

    /// The service `role`, as `mesh` says where it is.
    pub(crate) async fn peer(
        &self,
        (role, mesh): (Role, &MeshSettings),
        metrics: &Metrics,
        stop: &CancellationToken,
    ) -> anyhow::Result<Peer> {
        let own = Some(Arc::clone(&self.certificate));
        let tls = service_client(own, self.root.clone(), role.name())?;
        let upstream = upstream(mesh, role, tls);
        Ok(Peer::Service(Service::find(upstream, metrics.clone(), stop.clone()).await))
    }

    /// How this service knows which other one asks it.
    pub(crate) fn known(
        &self,
        provider: MeshProvider,
        verifier: Verifier,
        clock: Clock,
    ) -> anyhow::Result<Known> {
        if !provider.encrypts_here() {
            return Ok(Known::ByToken(verifier, clock));
        }
        let certificate = Arc::clone(&self.certificate);
        let tls = openframe_pki::services_server(certificate, &self.root_pem)?;
        Ok(Known::ByCertificate(Arc::new(tls)))
    }
}

/// Where the service `role` is, and what of a mesh's work is done here.
fn upstream(mesh: &MeshSettings, role: Role, tls: rustls::ClientConfig) -> Upstream<'static> {
    let (addresses, each) = match role {
        Role::Gateway => (&mesh.gateway, &mesh.each.gateway),
        Role::Auth => (&mesh.auth, &mesh.each.auth),
        Role::Devices => (&mesh.devices, &mesh.each.devices),
        Role::Monitoring => (&mesh.monitoring, &mesh.each.monitoring),
    };
    Upstream {
        name: role.name(),
        addresses: addresses.clone(),
        each: each.clone(),
        tls: mesh.provider.encrypts_here().then_some(tls),
        balanced: mesh.provider.balances_here(),
    }
}

async fn renew(
    certificate: &ServiceCertificate,
    (role, issuer): (Role, &Issuer),
    clock: &Clock,
) -> anyhow::Result<()> {
    let (key, issued, _) = issuer.issue(role, clock).await?;
    certificate.replace(&key, &issued)?;
    tracing::info!("this service shows a new certificate");
    Ok(())
}
