//! The server's certificate: made at start, and made anew while the server runs.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use openframe_auth_api::AuthClient;
use openframe_auth_api::internal::ServerRequest;
use openframe_clock::{Clock, Timestamp};
use openframe_pki::{Authority, DeviceKey, SERVER_LIFETIME, ServerIdentity};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_util::sync::CancellationToken;

/// How often it is looked whether a certificate is old. The time of the machine counts, which also
/// goes on while the machine sleeps.
const LOOK_EVERY: Duration = Duration::from_mins(10);

/// What signs servers' certificates.
#[derive(Clone)]
pub(crate) enum Issuer {
    /// The authority of this process.
    Here(Arc<Authority>),
    /// The auth service.
    There(Box<AuthClient>),
}

impl Issuer {
    async fn sign(
        &self,
        csr_pem: String,
        names: &[String],
        now: Timestamp,
    ) -> anyhow::Result<String> {
        let names = names.to_vec();
        match self {
            Self::Here(authority) => Ok(authority.issue_server(&csr_pem, names, now)?),
            Self::There(auth) => {
                Ok(auth.server_certificate(&ServerRequest { csr_pem, names }).await?.chain_pem)
            }
        }
    }
}

/// A certificate that is always young enough. A new one holds for connections that begin after it.
pub(crate) struct ServerCertificate {
    issuer: Issuer,
    names: Vec<String>,
    clock: Clock,
    current: ArcSwap<Issued>,
}

struct Issued {
    key: Arc<CertifiedKey>,
    renew_at: Timestamp,
}

impl ServerCertificate {
    /// A certificate for a server that is reached under `names`.
    pub(crate) async fn issue(
        issuer: Issuer,
        names: Vec<String>,
        clock: Clock,
    ) -> anyhow::Result<Arc<Self>> {
        let current = ArcSwap::from_pointee(issue(&issuer, &names, clock.now()).await?);
        Ok(Arc::new(Self { issuer, names, clock, current }))
    }

    /// Makes a new certificate once two thirds of the old one's life are over.
    async fn renew(&self) -> anyhow::Result<()> {
        let now = self.clock.now();
        if now < self.current.load().renew_at {
            return Ok(());
        }
        self.current.store(Arc::new(issue(&self.issuer, &self.names, now).await?));
        tracing::info!("the server shows a new certificate");
        Ok(())
    }

    /// Renews until `stop`.
    pub(crate) async fn keep_young(self: Arc<Self>, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_some() {
            if let Err(error) = self.renew().await {
                tracing::error!("the server's certificate is not renewed: {error:#}");
            }
        }
    }
}

async fn issue(issuer: &Issuer, names: &[String], now: Timestamp) -> anyhow::Result<Issued> {
    let key = DeviceKey::generate()?;
    let chain_pem = issuer.sign(key.csr_pem("OpenFrame")?, names, now).await?;
    let key = Arc::new(ServerIdentity::new(&chain_pem, &key)?.certified()?);
    Ok(Issued { key, renew_at: now + SERVER_LIFETIME * 2 / 3 })
}

impl fmt::Debug for ServerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerCertificate({:?})", self.names)
    }
}

impl ResolvesServerCert for ServerCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.load().key))
    }
}

#[cfg(test)]
mod tests {
    use openframe_clock::{ManualClock, SignedDuration};

    use super::*;

    #[tokio::test]
    async fn a_new_certificate_is_shown_after_two_thirds_of_the_olds_life() {
        let time = ManualClock::new(Timestamp::UNIX_EPOCH);
        let issuer = Issuer::Here(Arc::new(Authority::create(time.clock().now()).unwrap().0));
        let names = vec!["localhost".to_owned()];
        let certificate = ServerCertificate::issue(issuer, names, time.clock()).await.unwrap();
        let shown = || certificate.current.load().key.end_entity_cert().unwrap().to_vec();
        let first = shown();
        time.advance(SERVER_LIFETIME * 2 / 3 - SignedDuration::from_secs(1));
        certificate.renew().await.unwrap();
        assert_eq!(shown(), first);
        time.advance(SignedDuration::from_secs(1));
        certificate.renew().await.unwrap();
        let second = shown();
        assert_ne!(second, first);
        certificate.renew().await.unwrap();
        assert_eq!(shown(), second);
    }
}
