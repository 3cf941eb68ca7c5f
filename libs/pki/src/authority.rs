//! The platform's own authority: what signs, for whom, for how long.

use jiff::{SignedDuration, Timestamp};
use openframe_ids::{DeviceId, TenantId, random};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, SanType, SerialNumber,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::Error;
use crate::device::{check_csr, spiffe_uri};
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

/// The root and the issuing authority, with their keys.
pub struct Authority {
    root_pem: String,
    root_key_pem: String,
    issuing_pem: String,
    issuing_key_pem: String,
    issuer: Issuer<'static, KeyPair>,
    pin: String,
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

/// What a TLS server shows, root included: an enrolling device looks for the pinned root in it.
#[derive(Debug)]
pub struct ServerIdentity {
    /// The server's certificate, the issuing authority's and the root's.
    pub chain: Vec<CertificateDer<'static>>,
    /// The server's key.
    pub key: PrivateKeyDer<'static>,
}

impl Authority {
    /// Makes a new root and issuing authority.
    pub fn create(now: Timestamp) -> Result<Self, Error> {
        let root_key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).map_err(Error::failed)?;
        let root = ca_params("OpenFrame root", now)?;
        let root_pem = root.self_signed(&root_key).map_err(Error::failed)?.pem();
        let root_issuer = Issuer::new(root, root_key);
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(Error::failed)?;
        let mut params = ca_params("OpenFrame issuing authority", now)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let issuing_pem = params.signed_by(&key, &root_issuer).map_err(Error::failed)?.pem();
        let keys = (root_issuer.key().serialize_pem(), key.serialize_pem());
        Self::from_pem((&root_pem, &keys.0), (&issuing_pem, &keys.1))
    }

    /// Reads an authority back: certificate and key of the root, then of the issuing authority.
    pub fn from_pem(root: (&str, &str), issuing: (&str, &str)) -> Result<Self, Error> {
        let key = KeyPair::from_pem(issuing.1).map_err(Error::damaged)?;
        let issuer = Issuer::from_ca_cert_pem(issuing.0, key).map_err(Error::damaged)?;
        let root_der = CertificateDer::from_pem_slice(root.0.as_bytes()).map_err(Error::damaged)?;
        Ok(Self {
            pin: pin_of(&root_der)?,
            root_pem: root.0.to_owned(),
            root_key_pem: root.1.to_owned(),
            issuing_pem: issuing.0.to_owned(),
            issuing_key_pem: issuing.1.to_owned(),
            issuer,
        })
    }

    /// The root's certificate, PEM: what browsers and devices are told to trust.
    pub fn root_pem(&self) -> &str {
        &self.root_pem
    }

    /// The root's key, PEM. Secret.
    pub fn root_key_pem(&self) -> &str {
        &self.root_key_pem
    }

    /// The issuing authority's certificate, PEM.
    pub fn issuing_pem(&self) -> &str {
        &self.issuing_pem
    }

    /// The issuing authority's key, PEM. Secret.
    pub fn issuing_key_pem(&self) -> &str {
        &self.issuing_key_pem
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
        let spki_sha256 = check_csr(csr_pem)?;
        let request = CertificateSigningRequestParams::from_pem(csr_pem)
            .map_err(|_| Error::BadRequest("it is not a signed PKCS #10 request"))?;
        let not_after = now + DEVICE_LIFETIME;
        let serial: [u8; 16] = positive(random());
        let mut params = leaf_params(&device.to_string(), (now - DEVICE_BACKDATED, not_after))?;
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        let uri = spiffe_uri(tenant, device).try_into().map_err(Error::failed)?;
        params.subject_alt_names = vec![SanType::URI(uri)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate =
            params.signed_by(&request.public_key, &self.issuer).map_err(Error::failed)?;
        let chain_pem = format!("{}{}", certificate.pem(), self.issuing_pem);
        Ok(IssuedDevice { chain_pem, serial: hex(&serial), spki_sha256, not_after })
    }

    /// Makes a key and certificate for a server that is reached under `names` (host names and
    /// addresses).
    pub fn issue_server(
        &self,
        names: Vec<String>,
        now: Timestamp,
    ) -> Result<ServerIdentity, Error> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(Error::failed)?;
        let sans = CertificateParams::new(names).map_err(Error::failed)?.subject_alt_names;
        let mut params = leaf_params("OpenFrame", (now - SERVER_BACKDATED, now + SERVER_LIFETIME))?;
        params.serial_number = Some(SerialNumber::from_slice(&positive(random::<16>())));
        params.subject_alt_names = sans;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.signed_by(&key, &self.issuer).map_err(Error::failed)?;
        let mut chain = vec![certificate.der().clone()];
        for pem in [&self.issuing_pem, &self.root_pem] {
            chain.push(CertificateDer::from_pem_slice(pem.as_bytes()).map_err(Error::damaged)?);
        }
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Ok(ServerIdentity { chain, key })
    }
}

fn ca_params(name: &str, now: Timestamp) -> Result<CertificateParams, Error> {
    let mut params = leaf_params(name, (now - SERVER_BACKDATED, now + AUTHORITY_LIFETIME))?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn leaf_params(name: &str, valid: (Timestamp, Timestamp)) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = offset_date_time(valid.0)?;
    params.not_after = offset_date_time(valid.1)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn offset_date_time(at: Timestamp) -> Result<time::OffsetDateTime, Error> {
    time::OffsetDateTime::from_unix_timestamp(at.as_second()).map_err(Error::failed)
}

/// A serial number is a positive integer (RFC 5280, 4.1.2.2), and must not begin with a zero byte.
fn positive(mut bytes: [u8; 16]) -> [u8; 16] {
    let [first, ..] = &mut bytes;
    *first = *first & 0x7f | 0x40;
    bytes
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests;
