//! The platform's own services: their certificates (SPIFFE X.509-SVID), and who trusts what among
//! them.
//!
//! A service's name is its certificate's one URI, `spiffe://openframe/svc/NAME`; addresses are in
//! none, since replicas come and go. Both ends of a connection show one.

use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    CertificateParams, CertificateSigningRequestParams, ExtendedKeyUsagePurpose, KeyPair,
    PKCS_ED25519, SanType, SerialNumber,
};
use rustls::client::ResolvesClientCert;
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;

use crate::authority::{Authority, leaf_params, serial};
use crate::device::{TRUST_DOMAIN, check_csr, is_ed25519};
use crate::verify::{provider, roots};
use crate::{Error, IssuedService};

/// How long a service's certificate is valid.
pub const SERVICE_LIFETIME: SignedDuration = SignedDuration::from_hours(24);
/// How far the clock of another service may be behind.
const BACKDATED: SignedDuration = SignedDuration::from_mins(15);

/// A service's own key. It never leaves its process.
pub struct ServiceKey(KeyPair);

impl std::fmt::Debug for ServiceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServiceKey(***)")
    }
}

impl ServiceKey {
    /// Makes a new Ed25519 key.
    pub fn generate() -> Result<Self, Error> {
        KeyPair::generate_for(&PKCS_ED25519).map(Self).map_err(Error::failed)
    }

    /// A request for a certificate of this key, PEM.
    pub fn csr_pem(&self) -> Result<String, Error> {
        let request = CertificateParams::default().serialize_request(&self.0);
        request.map_err(Error::failed)?.pem().map_err(Error::failed)
    }
}

impl Authority {
    /// Signs the request of the service `name`. Only the key is taken from it.
    pub fn issue_service(
        &self,
        csr_pem: &str,
        name: &str,
        now: Timestamp,
    ) -> Result<IssuedService, Error> {
        check_csr(csr_pem, is_ed25519, "its key is not an Ed25519 key")?;
        let request = CertificateSigningRequestParams::from_pem(csr_pem)
            .map_err(|_| Error::BadRequest("it is not a signed PKCS #10 request"))?;
        let not_after = now + SERVICE_LIFETIME;
        let mut params = leaf_params(name, (now - BACKDATED, not_after))?;
        params.serial_number = Some(SerialNumber::from_slice(&serial()));
        let uri = format!("{TRUST_DOMAIN}/svc/{name}").try_into().map_err(Error::failed)?;
        params.subject_alt_names = vec![SanType::URI(uri)];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate =
            params.signed_by(&request.public_key, self.services_issuer()).map_err(Error::failed)?;
        let chain_pem = format!("{}{}", certificate.pem(), self.services().certificate);
        Ok(IssuedService { chain_pem, not_after })
    }
}

/// What a service shows and signs with at present.
pub struct Shown {
    /// Its certificate, and the authority's of services.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its key, PKCS #8. Secret.
    pub key_pkcs8: Vec<u8>,
    certified: Arc<CertifiedKey>,
    not_after: Timestamp,
}

/// A service's certificate, which is replaced while the process runs. What was begun with an older
/// one goes on; what begins afterwards is shown the new one.
pub struct ServiceCertificate {
    name: String,
    current: ArcSwap<Shown>,
}

impl std::fmt::Debug for ServiceCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ServiceCertificate({})", self.name)
    }
}

impl ServiceCertificate {
    /// The certificate that was signed for `key`.
    pub fn new(key: &ServiceKey, issued: &IssuedService) -> Result<Self, Error> {
        let shown = shown(key, issued)?;
        let leaf = shown.chain.first().ok_or_else(|| Error::damaged("there is no certificate"))?;
        Ok(Self { name: service_name(leaf)?, current: ArcSwap::from_pointee(shown) })
    }

    /// The service's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Shows another certificate from now on.
    pub fn replace(&self, key: &ServiceKey, issued: &IssuedService) -> Result<(), Error> {
        self.current.store(Arc::new(shown(key, issued)?));
        Ok(())
    }

    /// What is shown now.
    pub fn shown(&self) -> Arc<Shown> {
        self.current.load_full()
    }

    /// Whether half of the life is over: time for another one.
    pub fn is_old(&self, now: Timestamp) -> bool {
        now >= self.current.load().not_after - SERVICE_LIFETIME / 2
    }
}

fn shown(ServiceKey(key): &ServiceKey, issued: &IssuedService) -> Result<Shown, Error> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(issued.chain_pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(Error::damaged)?;
    let key_pkcs8 = key.serialize_der();
    let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key_pkcs8.clone()));
    let certified =
        CertifiedKey::from_der(chain.clone(), der, &provider()).map_err(Error::damaged)?;
    Ok(Shown { chain, key_pkcs8, certified: Arc::new(certified), not_after: issued.not_after })
}

impl ResolvesServerCert for ServiceCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.load().certified))
    }
}

impl ResolvesClientCert for ServiceCertificate {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.load().certified))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// The service that a certificate names. The chain is the TLS layer's to verify.
pub fn service_name(certificate: &[u8]) -> Result<String, Error> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| Error::NotAService)?;
    let names = parsed.subject_alternative_name().map_err(|_| Error::NotAService)?;
    let [GeneralName::URI(uri)] = names.ok_or(Error::NotAService)?.value.general_names.as_slice()
    else {
        return Err(Error::NotAService);
    };
    let path = uri.strip_prefix(TRUST_DOMAIN).and_then(|path| path.strip_prefix("/svc/"));
    path.map(str::to_owned).ok_or(Error::NotAService)
}

/// A service whose chain has been verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownService {
    /// Its name.
    pub name: String,
    /// Its Ed25519 key.
    pub key: Vec<u8>,
    /// When its certificate ends.
    pub not_after: Timestamp,
}

/// Verifies services' certificates against the platform's root.
#[derive(Debug, Clone)]
pub struct ServiceRoot(Arc<RootCertStore>);

impl ServiceRoot {
    /// Trusts this root.
    pub fn new(root_pem: &str) -> Result<Self, Error> {
        Ok(Self(Arc::new(roots(root_pem)?)))
    }

    /// The service that a chain is of, if it is good at `now`.
    pub fn verify(
        &self,
        chain: &[CertificateDer<'_>],
        now: Timestamp,
    ) -> Result<KnownService, Error> {
        let (leaf, rest) = chain.split_first().ok_or(Error::NotAService)?;
        let seconds = u64::try_from(now.as_second()).unwrap_or(0);
        let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        self.verify_chain(leaf, rest, at).map_err(|_| Error::NotAService)?;
        let (_, parsed) = X509Certificate::from_der(leaf).map_err(|_| Error::NotAService)?;
        let not_after = Timestamp::from_second(parsed.validity().not_after.timestamp());
        Ok(KnownService {
            name: service_name(leaf)?,
            key: parsed.public_key().subject_public_key.data.to_vec(),
            not_after: not_after.map_err(|_| Error::NotAService)?,
        })
    }

    pub(crate) fn verify_chain(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        let leaf = ParsedCertificate::try_from(leaf)?;
        let algorithms = provider().signature_verification_algorithms.all;
        rustls::client::verify_server_cert_signed_by_trust_anchor(
            &leaf, &self.0, rest, now, algorithms,
        )
    }
}

#[cfg(test)]
mod tests;
