//! TLS settings of each side: who shows what, and who trusts what. TLS 1.3 among our own parts.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig,
    SignatureScheme,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use sha2::{Digest as _, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use crate::service::{ServiceCertificate, ServiceRoot, service_name};
use crate::{Error, ServerIdentity};

/// Makes aws-lc-rs the provider of every TLS connection of this process. Call it first in `main`;
/// calling it again does nothing.
pub fn install_provider() {
    // It fails only when a provider is installed already, which is then this one.
    drop(aws_lc_rs::default_provider().install_default());
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The pin of a certificate: SHA-256 of its subject public key info, base64url without padding.
pub fn pin_of(certificate: &CertificateDer<'_>) -> Result<String, Error> {
    let (_, parsed) = X509Certificate::from_der(certificate)
        .map_err(|error| Error::damaged(error.to_string()))?;
    Ok(URL_SAFE_NO_PAD.encode(Sha256::digest(parsed.public_key().raw)))
}

/// For the listener of people: TLS 1.3, no client certificate asked for. `shown` chooses the
/// certificate anew for each connection.
pub fn users_server(shown: Arc<dyn ResolvesServerCert>) -> Result<ServerConfig, Error> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(Error::failed)?
        .with_no_client_auth()
        .with_cert_resolver(shown);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// For the listener of agents: a client certificate of the root's is checked when one is shown; a
/// device that enrols has none yet. HTTP/1.1 only, for the link's upgrade.
pub fn agents_server(
    shown: Arc<dyn ResolvesServerCert>,
    root_pem: &str,
) -> Result<ServerConfig, Error> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(Error::failed)?
        .with_client_cert_verifier(clients(root_pem)?)
        .with_cert_resolver(shown);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Checks the certificates of clients of this root, wherever they come from.
pub(crate) fn clients(root_pem: &str) -> Result<Arc<dyn ClientCertVerifier>, Error> {
    let roots = Arc::new(roots(root_pem)?);
    WebPkiClientVerifier::builder_with_provider(roots, provider())
        .allow_unauthenticated()
        .build()
        .map_err(Error::failed)
}

/// For the listener of the platform's own services: a client certificate of the root's is checked
/// when one is shown; a service that joins has none yet.
pub fn services_server(
    shown: Arc<ServiceCertificate>,
    root_pem: &str,
) -> Result<ServerConfig, Error> {
    let mut config = agents_server(shown, root_pem)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// For calls to the service `name`: trusts no other one, whatever its address. Shows `own`, unless
/// this service has yet to join.
pub fn service_client(
    own: Option<Arc<ServiceCertificate>>,
    root: ServiceRoot,
    name: &str,
) -> Result<ClientConfig, Error> {
    let verifier = Trusting(Trust::Service(root, name.to_owned()), provider());
    let builder =
        client_builder()?.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    Ok(match own {
        Some(own) => builder.with_client_cert_resolver(own),
        None => builder.with_no_client_auth(),
    })
}

impl ServerIdentity {
    /// The certificate and its key, ready to be shown.
    pub fn certified(self) -> Result<CertifiedKey, Error> {
        CertifiedKey::from_der(self.chain, self.key, &provider()).map_err(Error::failed)
    }
}

/// For a client that trusts the platform's root only.
pub fn root_client(root_pem: &str) -> Result<ClientConfig, Error> {
    Ok(client_builder()?.with_root_certificates(roots(root_pem)?).with_no_client_auth())
}

/// For a device: trusts the platform's root only, and shows its certificate.
pub fn device_client(
    root_pem: &str,
    chain_pem: &str,
    key_pem: &str,
) -> Result<ClientConfig, Error> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain_pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(Error::damaged)?;
    let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).map_err(Error::damaged)?;
    client_builder()?
        .with_root_certificates(roots(root_pem)?)
        .with_client_auth_cert(chain, key)
        .map_err(Error::damaged)
}

/// For a device that enrols: trusts the one root whose pin it was given, found in what the server
/// shows. Nothing is sent to any other server.
pub fn pinned_client(pin: &str) -> ClientConfig {
    let verifier = Trusting(Trust::PinnedRoot(pin.to_owned()), provider());
    // The protocol version is one the provider has, so this cannot fail; if it ever did, the
    // fallback still verifies by the same pin.
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap_or_else(|_| ClientConfig::builder());
    builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth()
}

/// For calls to servers that are not ours, such as webhooks: trusts `roots`, in PEM.
pub fn public_client(roots_pem: &[u8]) -> Result<ClientConfig, Error> {
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(roots_pem).flatten() {
        // A system's bundle may hold roots that are too old to be parsed: the others still count.
        drop(store.add(certificate));
    }
    Ok(ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(Error::failed)?
        .with_root_certificates(store)
        .with_no_client_auth())
}

fn client_builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, Error> {
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(Error::failed)
}

pub(crate) fn roots(root_pem: &str) -> Result<RootCertStore, Error> {
    let mut store = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(root_pem.as_bytes()).map_err(Error::damaged)?;
    store.add(root).map_err(Error::damaged)?;
    Ok(store)
}

/// Which servers a client trusts, where it is not by their address.
#[derive(Debug)]
enum Trust {
    /// Those whose chain leads to the root of this pin, which is in the chain, under the name by which
    /// they are reached.
    PinnedRoot(String),
    /// The service of this name.
    Service(ServiceRoot, String),
}

impl Trust {
    fn check(
        &self,
        (end_entity, intermediates): (&CertificateDer<'_>, &[CertificateDer<'_>]),
        server_name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        let refused = |error| rustls::Error::InvalidCertificate(error);
        let pin = match self {
            Self::Service(root, name) => {
                root.verify_chain(end_entity, intermediates, now)?;
                let same = service_name(end_entity).is_ok_and(|shown| shown == *name);
                return same.then_some(()).ok_or(refused(CertificateError::NotValidForName));
            }
            Self::PinnedRoot(pin) => pin,
        };
        let unknown = || refused(CertificateError::UnknownIssuer);
        let is_root = |shown: &&CertificateDer<'_>| pin_of(shown).is_ok_and(|of| of == *pin);
        let root = intermediates.iter().find(is_root).ok_or_else(unknown)?;
        let mut store = RootCertStore::empty();
        store.add(root.clone().into_owned())?;
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider()).build();
        let verifier = verifier.map_err(|_| unknown())?;
        verifier.verify_server_cert(end_entity, intermediates, server_name, &[], now).map(drop)
    }
}

/// A [`Trust`] with the signatures checked as usual.
#[derive(Debug)]
struct Trusting(Trust, Arc<CryptoProvider>);

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.0.check((end_entity, intermediates), server_name, now)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::PeerIncompatible(
            rustls::PeerIncompatible::ServerDoesNotSupportTls12Or13,
        ))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.1.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.1.signature_verification_algorithms.supported_schemes()
    }
}
