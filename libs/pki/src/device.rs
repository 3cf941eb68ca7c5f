//! A device's half: its key, its request, and how its certificate is read.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use openframe_ids::{DeviceId, TenantId};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256,
    PublicKeyData as _, SigningKey as _,
};
use sha2::{Digest as _, Sha256};
use x509_parser::asn1_rs::{Integer, Sequence};
use x509_parser::certificate::X509Certificate;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::Error;
use crate::authority::hex;

/// A request's size at most, PEM.
const MAX_CSR_BYTES: usize = 8 << 10;
/// Bytes of each of a signature's two numbers.
const NUMBER_BYTES: usize = 32;
/// A proof's size at most, as text.
const MAX_PROOF_BYTES: usize = 1 << 10;
/// The trust domain of every name.
pub(crate) const TRUST_DOMAIN: &str = "spiffe://openframe";
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

    /// Signs `statement`.
    pub fn prove(&self, statement: &str) -> Result<KeyProof, Error> {
        let signature = self.0.sign(statement.as_bytes()).map_err(Error::failed)?;
        Ok(KeyProof { key: self.0.subject_public_key_info(), signature })
    }

    /// Signs `message`: ECDSA on P-256 with SHA-256, both numbers in 32 bytes each.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let signature = self.0.sign(message).map_err(Error::failed)?;
        fixed(&signature).ok_or_else(|| Error::failed("a signature cannot be read"))
    }

    /// The SHA-256 of the key, hex: what people compare.
    pub fn fingerprint(&self) -> String {
        hex(&Sha256::digest(self.0.subject_public_key_info()))
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

/// A signature without ASN.1 around its two numbers (RFC 3279, 2.2.3; IEEE P1363).
fn fixed(signature: &[u8]) -> Option<Vec<u8>> {
    let (_, sequence) = Sequence::from_der(signature).ok()?;
    let (rest, r) = Integer::from_der(&sequence.content).ok()?;
    let (_, s) = Integer::from_der(rest).ok()?;
    let padded = |number: Integer<'_>| {
        // A leading zero byte is DER's sign, not part of the number.
        let bytes = number.as_ref();
        let bytes = bytes.strip_prefix(&[0]).unwrap_or(bytes);
        let zeros = NUMBER_BYTES.checked_sub(bytes.len())?;
        Some([vec![0; zeros].as_slice(), bytes].concat())
    };
    Some([padded(r)?, padded(s)?].concat())
}

/// What shows that the holder of a key made a statement: the key, and its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyProof {
    /// Subject public key info, DER.
    key: Vec<u8>,
    /// ECDSA on P-256 with SHA-256, ASN.1.
    signature: Vec<u8>,
}

impl KeyProof {
    /// The text form: key, dot, signature, each base64url.
    pub fn to_text(&self) -> String {
        format!("{}.{}", URL_SAFE_NO_PAD.encode(&self.key), URL_SAFE_NO_PAD.encode(&self.signature))
    }

    /// Reads the text form. That it is well formed says nothing of the signature.
    pub fn read(text: &str) -> Option<Self> {
        let (key, signature) = text.split_once('.').filter(|_| text.len() <= MAX_PROOF_BYTES)?;
        let read = |part| URL_SAFE_NO_PAD.decode(part).ok();
        Some(Self { key: read(key)?, signature: read(signature)? })
    }

    /// SHA-256 of the key that signed `statement`; `None` when the signature is not of both.
    pub fn signer(&self, statement: &str) -> Option<[u8; 32]> {
        let (rest, key) = SubjectPublicKeyInfo::from_der(&self.key).ok()?;
        if !rest.is_empty() || !is_p256(&key) {
            return None;
        }
        let point = &key.subject_public_key.data;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point)
            .verify(statement.as_bytes(), &self.signature)
            .ok()?;
        Some(Sha256::digest(&self.key).into())
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

/// SHA-256 of the P-256 key that a request is for, if the request is good.
pub fn csr_spki_sha256(csr_pem: &str) -> Result<[u8; 32], Error> {
    check_csr(csr_pem, is_p256, "its key is not an ECDSA key on P-256")
}

/// Checks size, form, signature and kind of key of a request; returns SHA-256 of its key.
pub(crate) fn check_csr(
    csr_pem: &str,
    is_kind: fn(&SubjectPublicKeyInfo<'_>) -> bool,
    otherwise: &'static str,
) -> Result<[u8; 32], Error> {
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
    if !is_kind(key) {
        return Err(Error::BadRequest(otherwise));
    }
    request.verify_signature().map_err(|_| Error::BadRequest("it is not signed by its own key"))?;
    Ok(Sha256::digest(key.raw).into())
}

/// `id-Ed25519` (RFC 8410).
pub(crate) fn is_ed25519(key: &SubjectPublicKeyInfo<'_>) -> bool {
    key.algorithm.algorithm.to_id_string() == "1.3.101.112"
}

pub(crate) fn is_p256(key: &SubjectPublicKeyInfo<'_>) -> bool {
    let curve = key.algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok());
    let algorithm = key.algorithm.algorithm.to_id_string();
    algorithm == P256.0 && curve.is_some_and(|curve| curve.to_id_string() == P256.1)
}

#[cfg(test)]
mod tests;
