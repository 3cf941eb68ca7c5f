//! The platform's own authority: what signs, for whom, for how long.

use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use jiff::{SignedDuration, Timestamp};
use openframe_ids::{DeviceId, TenantId, random};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, SanType, SerialNumber,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::Error;
use crate::device::{DeviceKey, csr_spki_sha256, spiffe_uri};
use crate::verify::pin_of;

/// How long a device certificate is valid.
pub const DEVICE_LIFETIME: SignedDuration = SignedDuration::from_hours(24);
/// How long a server certificate is valid.
pub const SERVER_LIFETIME: SignedDuration = SignedDuration::from_hours(24 * 90);
/// How long the root and the issuing authority are valid.
const AUTHORITY_LIFETIME: SignedDuration = SignedDuration::from_hours(24 * 3650);
/// How far the clock of a server may be behind that of the one which signed a device certificate.
const DEVICE_BACKDATED: SignedDuration = SignedDuration::from_mins(15);
/// How far a device's clock may be behind: a root or server certificate is checked by devices, also
/// in the minutes after it was made.
const SERVER_BACKDATED: SignedDuration = SignedDuration::from_hours(24);

/// A certificate and its key, PEM. The key is secret.
#[derive(Clone)]
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// The key.
    pub key: String,
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pair(***)")
    }
}

/// What signs: the authority of devices and servers, and that of the platform's own services, both
/// signed by the root, whose key is not needed to run.
pub struct Authority {
    root_pem: String,
    issuing: Signer,
    services: Signer,
    pin: String,
}

struct Signer {
    pair: Pair,
    issuer: Issuer<'static, KeyPair>,
}

impl Signer {
    fn read(pair: Pair) -> Result<Self, Error> {
        let key = KeyPair::from_pem(&pair.key).map_err(Error::damaged)?;
        let issuer = Issuer::from_ca_cert_pem(&pair.certificate, key).map_err(Error::damaged)?;
        Ok(Self { pair, issuer })
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Authority({})", self.pin)
    }
}

/// A certificate made for a device.
#[derive(Debug, Clone)]
pub struct IssuedDevice {
    /// The certificate and the issuing authority's, PEM.
    pub chain_pem: String,
    /// The serial number, hex.
    pub serial: String,
    /// SHA-256 of the key it is for (subject public key info).
    pub spki_sha256: [u8; 32],
    /// When it ends.
    pub not_after: Timestamp,
}

/// A certificate made for a service of the platform.
#[derive(Debug, Clone)]
pub struct IssuedService {
    /// The certificate and that of the services' authority, PEM.
    pub chain_pem: String,
    /// When it ends.
    pub not_after: Timestamp,
}

/// What a TLS server shows, root included: an enrolling device looks for the pinned root in it.
#[derive(Debug)]
pub struct ServerIdentity {
    /// The server's certificate, the issuing authority's and the root's.
    pub chain: Vec<CertificateDer<'static>>,
    /// The server's key.
    pub key: PrivateKeyDer<'static>,
}

impl Authority {
    /// Makes a new root and what it signs; returns the root's key too, PEM. It is secret, and needed
    /// only to make another authority of services or devices.
    pub fn create(now: Timestamp) -> Result<(Self, String), Error> {
        let root_key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).map_err(Error::failed)?;
        let root = ca_params("OpenFrame root", now)?;
        let root_pem = root.self_signed(&root_key).map_err(Error::failed)?.pem();
        let root = Pair { certificate: root_pem, key: root_key.serialize_pem() };
        let issuing = intermediate(&root, "OpenFrame issuing authority", now)?;
        let services = Self::create_services(&root, now)?;
        Ok((Self::from_pem(&root.certificate, issuing, services)?, root.key))
    }

    /// Makes an authority of services under an existing root.
    pub fn create_services(root: &Pair, now: Timestamp) -> Result<Pair, Error> {
        intermediate(root, "OpenFrame authority of services", now)
    }

    /// Reads an authority back: the root's certificate, then what it signed.
    pub fn from_pem(root_pem: &str, issuing: Pair, services: Pair) -> Result<Self, Error> {
        let root_der =
            CertificateDer::from_pem_slice(root_pem.as_bytes()).map_err(Error::damaged)?;
        Ok(Self {
            pin: pin_of(&root_der)?,
            root_pem: root_pem.to_owned(),
            issuing: Signer::read(issuing)?,
            services: Signer::read(services)?,
        })
    }

    /// The root's certificate, PEM: what browsers and devices are told to trust.
    pub fn root_pem(&self) -> &str {
        &self.root_pem
    }

    /// A secret that every holder of this authority derives alike, for `purpose` alone (HKDF with
    /// SHA-256, RFC 5869): what is sealed with it is as safe as the authority's key.
    #[expect(clippy::expect_used, reason = "32 bytes are fewer than HKDF can give")]
    pub fn derived_key(&self, purpose: &str) -> [u8; 32] {
        let salt = Salt::new(HKDF_SHA256, b"openframe derived key v1");
        let (key, purpose) = (salt.extract(self.issuing.pair.key.as_bytes()), [purpose.as_bytes()]);
        let mut derived = [0; 32];
        let filled = key.expand(&purpose, HKDF_SHA256).and_then(|okm| okm.fill(&mut derived));
        filled.expect("HKDF gives 32 bytes");
        derived
    }

    /// The authority of devices and servers.
    pub fn issuing(&self) -> &Pair {
        &self.issuing.pair
    }

    /// What signs the certificates of devices, servers and seals.
    pub(crate) fn issuer(&self) -> &Issuer<'static, KeyPair> {
        &self.issuing.issuer
    }

    /// The authority of the platform's own services.
    pub fn services(&self) -> &Pair {
        &self.services.pair
    }

    /// What signs services' certificates.
    pub(crate) fn services_issuer(&self) -> &Issuer<'static, KeyPair> {
        &self.services.issuer
    }

    /// The pin of the root: SHA-256 of its subject public key info, base64url without padding.
    pub fn pin(&self) -> &str {
        &self.pin
    }

    /// Signs a device's request. Only the key is taken from it: name, use and time are ours, so a
    /// request that asks for more gets no more.
    pub fn issue_device(
        &self,
        csr_pem: &str,
        tenant: TenantId,
        device: DeviceId,
        now: Timestamp,
    ) -> Result<IssuedDevice, Error> {
        let spki_sha256 = csr_spki_sha256(csr_pem)?;
        let request = CertificateSigningRequestParams::from_pem(csr_pem)
            .map_err(|_| Error::BadRequest("it is not a signed PKCS #10 request"))?;
        let not_after = now + DEVICE_LIFETIME;
        let serial = serial();
        let mut params = leaf_params(&device.to_string(), (now - DEVICE_BACKDATED, not_after))?;
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        let uri = spiffe_uri(tenant, device).try_into().map_err(Error::failed)?;
        params.subject_alt_names = vec![SanType::URI(uri)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate =
            params.signed_by(&request.public_key, &self.issuing.issuer).map_err(Error::failed)?;
        let chain_pem = format!("{}{}", certificate.pem(), self.issuing.pair.certificate);
        Ok(IssuedDevice { chain_pem, serial: hex(&serial), spki_sha256, not_after })
    }

    /// Signs the request for a server that is reached under `names` (host names and addresses).
    /// Only the key is taken from it. Returns the whole chain, root included, PEM.
    pub fn issue_server(
        &self,
        csr_pem: &str,
        names: Vec<String>,
        now: Timestamp,
    ) -> Result<String, Error> {
        csr_spki_sha256(csr_pem)?;
        let request = CertificateSigningRequestParams::from_pem(csr_pem)
            .map_err(|_| Error::BadRequest("it is not a signed PKCS #10 request"))?;
        let sans = CertificateParams::new(names)
            .map_err(|_| Error::BadRequest("a name is neither a host name nor an address"))?
            .subject_alt_names;
        let mut params = leaf_params("OpenFrame", (now - SERVER_BACKDATED, now + SERVER_LIFETIME))?;
        params.serial_number = Some(SerialNumber::from_slice(&serial()));
        params.subject_alt_names = sans;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate =
            params.signed_by(&request.public_key, &self.issuing.issuer).map_err(Error::failed)?;
        let issuing = &self.issuing.pair.certificate;
        Ok(format!("{}{issuing}{}", certificate.pem(), self.root_pem))
    }
}

impl ServerIdentity {
    /// A server's identity: the chain that was signed, and the key that it was signed for.
    pub fn new(chain_pem: &str, key: &DeviceKey) -> Result<Self, Error> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain_pem.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(Error::damaged)?;
        let key = PrivateKeyDer::from_pem_slice(key.to_pem().as_bytes()).map_err(Error::damaged)?;
        Ok(Self { chain, key })
    }
}

/// An authority that the root signs, which may sign no other.
fn intermediate(root: &Pair, name: &str, now: Timestamp) -> Result<Pair, Error> {
    let root_key = KeyPair::from_pem(&root.key).map_err(Error::damaged)?;
    let root = Issuer::from_ca_cert_pem(&root.certificate, root_key).map_err(Error::damaged)?;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(Error::failed)?;
    let mut params = ca_params(name, now)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let certificate = params.signed_by(&key, &root).map_err(Error::failed)?.pem();
    Ok(Pair { certificate, key: key.serialize_pem() })
}

fn ca_params(name: &str, now: Timestamp) -> Result<CertificateParams, Error> {
    let mut params = leaf_params(name, (now - SERVER_BACKDATED, now + AUTHORITY_LIFETIME))?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

pub(crate) fn leaf_params(
    name: &str,
    valid: (Timestamp, Timestamp),
) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = offset_date_time(valid.0)?;
    params.not_after = offset_date_time(valid.1)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

pub(crate) fn offset_date_time(at: Timestamp) -> Result<time::OffsetDateTime, Error> {
    time::OffsetDateTime::from_unix_timestamp(at.as_second()).map_err(Error::failed)
}

/// A new serial number: a positive integer (RFC 5280, 4.1.2.2) that does not begin with a zero byte.
pub(crate) fn serial() -> [u8; 16] {
    let mut bytes: [u8; 16] = random();
    let [first, ..] = &mut bytes;
    *first = *first & 0x7f | 0x40;
    bytes
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
pub(crate) mod tests;
