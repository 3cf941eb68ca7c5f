//! A device's half: its key, its request, and how its certificate is read.

use jiff::Timestamp;
use openframe_ids::{DeviceId, TenantId};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use sha2::{Digest as _, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;

use crate::Error;
use crate::authority::hex;

/// A request's size at most, PEM.
const MAX_CSR_BYTES: usize = 8 << 10;
/// The trust domain of every name.
const TRUST_DOMAIN: &str = "spiffe://openframe";
/// `id-ecPublicKey` and `prime256v1` (RFC 5480).
const P256: (&str, &str) = ("1.2.840.10045.2.1", "1.2.840.10045.3.1.7");

/// A device's own key. It never leaves the device.
pub struct DeviceKey(KeyPair);

impl std::fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DeviceKey(***)")
    }
}

impl DeviceKey {
    /// Makes a new P-256 key.
    pub fn generate() -> Result<Self, Error> {
        KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map(Self).map_err(Error::failed)
    }

    /// Reads a key that [`DeviceKey::to_pem`] wrote.
    pub fn from_pem(pem: &str) -> Result<Self, Error> {
        KeyPair::from_pem(pem).map(Self).map_err(Error::damaged)
    }

    /// The key in PKCS #8 PEM. Secret.
    pub fn to_pem(&self) -> String {
        self.0.serialize_pem()
    }

    /// A request for a certificate of this key, PEM. The name in it is a courtesy: the platform
    /// chooses what the certificate says.
    pub fn csr_pem(&self, hostname: &str) -> Result<String, Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, hostname);
        let request = params.serialize_request(&self.0).map_err(Error::failed)?;
        request.pem().map_err(Error::failed)
    }
}

/// What a device's certificate says, once its chain has been verified.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DeviceIdentity {
    /// The tenant.
    pub tenant: TenantId,
    /// The device.
    pub device: DeviceId,
    /// The certificate's serial number, hex.
    pub serial: String,
    /// When the certificate ends.
    pub not_after: Timestamp,
}

pub(crate) fn spiffe_uri(tenant: TenantId, device: DeviceId) -> String {
    format!("{TRUST_DOMAIN}/t/{tenant}/d/{device}")
}

/// Reads which device a certificate names. The chain is the TLS layer's to verify.
pub fn device_identity(certificate: &[u8]) -> Result<DeviceIdentity, Error> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| Error::NotADevice)?;
    let names = parsed.subject_alternative_name().map_err(|_| Error::NotADevice)?;
    let [GeneralName::URI(uri)] = names.ok_or(Error::NotADevice)?.value.general_names.as_slice()
    else {
        return Err(Error::NotADevice);
    };
    let path = uri.strip_prefix(TRUST_DOMAIN).and_then(|path| path.strip_prefix("/t/"));
    let (tenant, device) = path.and_then(|path| path.split_once("/d/")).ok_or(Error::NotADevice)?;
    let not_after = parsed.validity().not_after.timestamp();
    let serial = parsed.raw_serial();
    // A leading zero byte is DER's sign, not part of the number.
    let serial = serial.strip_prefix(&[0]).unwrap_or(serial);
    Ok(DeviceIdentity {
        tenant: tenant.parse().map_err(|_| Error::NotADevice)?,
        device: device.parse().map_err(|_| Error::NotADevice)?,
        serial: hex(serial),
        not_after: Timestamp::from_second(not_after).map_err(|_| Error::NotADevice)?,
    })
}

/// SHA-256 of the key that a request is for.
pub fn csr_spki_sha256(csr_pem: &str) -> Result<[u8; 32], Error> {
    check_csr(csr_pem)
}

/// Checks size, form, signature and kind of key of a request; returns SHA-256 of its key.
pub(crate) fn check_csr(csr_pem: &str) -> Result<[u8; 32], Error> {
    if csr_pem.len() > MAX_CSR_BYTES {
        return Err(Error::BadRequest("it is larger than 8 KiB"));
    }
    let (_, pem) = x509_parser::pem::parse_x509_pem(csr_pem.as_bytes())
        .map_err(|_| Error::BadRequest("it is not PEM"))?;
    let (rest, request) = X509CertificationRequest::from_der(&pem.contents)
        .map_err(|_| Error::BadRequest("it is not a PKCS #10 request"))?;
    if pem.label != "CERTIFICATE REQUEST" || !rest.is_empty() {
        return Err(Error::BadRequest("it is not a PKCS #10 request"));
    }
    let key = &request.certification_request_info.subject_pki;
    let curve = key.algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok());
    let algorithm = key.algorithm.algorithm.to_id_string();
    if algorithm != P256.0 || curve.is_none_or(|curve| curve.to_id_string() != P256.1) {
        return Err(Error::BadRequest("its key is not an ECDSA key on P-256"));
    }
    request.verify_signature().map_err(|_| Error::BadRequest("it is not signed by its own key"))?;
    Ok(Sha256::digest(key.raw).into())
}
