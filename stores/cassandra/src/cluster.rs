//! Connections to a cluster.

use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::statement::Consistency;

use crate::OpenError;

/// How long one statement may take.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a change of tables may take: every node has to learn of it.
pub(crate) const DEFINE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long one node may take to let a connection in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a node says that it lives, and how long it may take to: one that hangs is asked nothing
/// more after two of these.
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);

/// How often nodes are asked whether they know the same tables.
const AGREED_EVERY: Duration = Duration::from_millis(20);

/// Where a cluster is, and who comes to it.
#[derive(Clone)]
pub struct Cluster {
    /// `HOST:PORT` of nodes to begin with; the others are learnt from them.
    pub nodes: Vec<String>,
    /// The role.
    pub user: String,
    /// Its password.
    pub password: String,
    /// Certificates, PEM, of the authorities that nodes' certificates are checked against.
    pub roots_pem: Vec<u8>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cluster({} as {})", self.nodes.join(", "), self.user)
    }
}

impl Cluster {
    /// Connects to the cluster. Reads and writes are `LOCAL_QUORUM`: with three copies, one node may
    /// be down and every read still sees every write. Of the schema only `keyspace` is followed, if one
    /// is named: a cluster may hold many that are none of ours.
    pub(crate) async fn connect(&self, keyspace: Option<&str>) -> Result<Session, OpenError> {
        let profile = ExecutionProfile::builder()
            .consistency(Consistency::LocalQuorum)
            .request_timeout(Some(STATEMENT_TIMEOUT))
            .build();
        SessionBuilder::new()
            .known_nodes(&self.nodes)
            .user(&self.user, &self.password)
            .tls_context(Some(self.tls()?))
            .connection_timeout(CONNECT_TIMEOUT)
            .keepalive_interval(SIGN_OF_LIFE)
            .keepalive_timeout(SIGN_OF_LIFE)
            .keyspaces_to_fetch(keyspace)
            .schema_agreement_interval(AGREED_EVERY)
            .default_execution_profile_handle(profile.into_handle())
            .build()
            .await
            .map_err(|error| OpenError::Connect {
                nodes: self.nodes.join(", "),
                cause: error.into(),
            })
    }

    fn tls(&self) -> Result<Arc<rustls::ClientConfig>, OpenError> {
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&self.roots_pem) {
            let certificate = certificate.map_err(|error| OpenError::Authorities(error.into()))?;
            roots.add(certificate).map_err(|error| OpenError::Authorities(error.into()))?;
        }
        let config =
            rustls::ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_protocol_versions(&[&rustls::version::TLS13])
                .map_err(|error| OpenError::Authorities(error.into()))?
                .with_root_certificates(roots)
                .with_no_client_auth();
        Ok(Arc::new(config))
    }
}
