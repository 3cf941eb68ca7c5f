//! Seals: what the platform has said, signed so that whoever knows its root can check it at any later
//! time.
//!
//! Each seal has a key of its own, made for it and forgotten with it, whose certificate the issuing
//! authority signs for that one purpose: the URI `spiffe://openframe/seal/PURPOSE`, the key usage of
//! signed documents (RFC 9336), a quarter of an hour. Thus no signing key lies anywhere or is shared by
//! replicas, none opens a connection, and what was sealed stays good when the issuing authority is
//! made anew under the same root.

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    ExtendedKeyUsagePurpose, KeyPair, PKCS_ED25519, SanType, SerialNumber, SigningKey as _,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;

use crate::Error;
use crate::authority::{Authority, leaf_params, serial};
use crate::device::TRUST_DOMAIN;
use crate::verify::provider;

/// How long before and after its making a seal's certificate is good.
const AROUND: SignedDuration = SignedDuration::from_mins(15);
/// What its key may be used for: signing documents (`id-kp-documentSigning`).
const DOCUMENTS: [u64; 9] = [1, 3, 6, 1, 5, 5, 7, 3, 36];
/// The same, as it is in a certificate.
const DOCUMENTS_DER: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 36];

/// A signature, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    /// The certificate of the key, and the issuing authority's, PEM.
    pub chain_pem: String,
    /// The signature, Ed25519.
    pub signature: Vec<u8>,
}

fn uri(purpose: &str) -> String {
    format!("{TRUST_DOMAIN}/seal/{purpose}")
}

/// What is signed: no message of one purpose is one of another.
fn signed(purpose: &str, message: &[u8]) -> Vec<u8> {
    [b"openframe seal\0", purpose.as_bytes(), b"\0", message].concat()
}

impl Authority {
    /// Seals `message`, said at `now`.
    pub fn seal(&self, purpose: &str, message: &[u8], now: Timestamp) -> Result<Seal, Error> {
        let key = KeyPair::generate_for(&PKCS_ED25519).map_err(Error::failed)?;
        let mut params = leaf_params("OpenFrame seal", (now - AROUND, now + AROUND))?;
        params.serial_number = Some(SerialNumber::from_slice(&serial()));
        params.subject_alt_names =
            vec![SanType::URI(uri(purpose).try_into().map_err(Error::failed)?)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Other(DOCUMENTS.to_vec())];
        let certificate = params.signed_by(&key, self.issuer()).map_err(Error::failed)?;
        let chain_pem = format!("{}{}", certificate.pem(), self.issuing().certificate);
        let signature = key.sign(&signed(purpose, message)).map_err(Error::failed)?;
        Ok(Seal { chain_pem, signature })
    }
}

impl Seal {
    /// Fails unless a platform with this root has sealed `message` for `purpose` at `at`.
    pub fn check(
        &self,
        root_pem: &str,
        (purpose, message): (&str, &[u8]),
        at: Timestamp,
    ) -> Result<(), Error> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(self.chain_pem.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|_| Error::NotASeal)?;
        let (leaf, rest) = chain.split_first().ok_or(Error::NotASeal)?;
        let root = CertificateDer::from_pem_slice(root_pem.as_bytes()).map_err(Error::damaged)?;
        let anchors = [anchor_from_trusted_cert(&root).map_err(Error::damaged)?];
        let seconds = u64::try_from(at.as_second()).unwrap_or(0);
        let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        let certificate = EndEntityCert::try_from(leaf).map_err(|_| Error::NotASeal)?;
        // The authorities above say nothing of it; that the key's own certificate does is checked below.
        let usage = KeyUsage::required_if_present(DOCUMENTS_DER);
        let known = provider().signature_verification_algorithms;
        certificate
            .verify_for_usage(known.all, &anchors, rest, time, usage, None, None)
            .map_err(|_| Error::NotASeal)?;
        if !is_for(leaf, &uri(purpose)) {
            return Err(Error::NotASeal);
        }
        let ed25519 = webpki::aws_lc_rs::ED25519;
        let checked =
            certificate.verify_signature(ed25519, &signed(purpose, message), &self.signature);
        checked.map_err(|_| Error::NotASeal)
    }
}

/// Whether a certificate names `uri` and nothing else, for signing documents and nothing else.
fn is_for(certificate: &[u8], uri: &str) -> bool {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return false };
    let (names, uses) = (parsed.subject_alternative_name(), parsed.extended_key_usage());
    let (Ok(Some(names)), Ok(Some(uses))) = (names, uses) else { return false };
    let named =
        matches!(names.value.general_names.as_slice(), [GeneralName::URI(it)] if *it == uri);
    let documents = matches!(uses.value.other.as_slice(), [it] if it.as_bytes() == DOCUMENTS_DER);
    named && documents && !uses.value.any
}

#[cfg(test)]
mod tests {
    use rcgen::CertificateParams;

    use super::*;
    use crate::{DeviceKey, Pair};

    const SAID: (&str, &[u8]) = ("test", b"hello");

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + minute * 60).unwrap()
    }

    #[test]
    fn a_seal_is_good_for_what_was_said_then_and_for_nothing_else() {
        let (authority, _) = Authority::create(at(0)).unwrap();
        let (other, _) = Authority::create(at(0)).unwrap();
        let seal = authority.seal("test", b"hello", at(0)).unwrap();
        let root = authority.root_pem();
        seal.check(root, SAID, at(0)).unwrap();
        seal.check(root, ("test", b"hello!"), at(0)).unwrap_err();
        seal.check(root, ("tes", b"t\0hello"), at(0)).unwrap_err();
        seal.check(root, ("other", b"hello"), at(0)).unwrap_err();
        seal.check(root, SAID, at(20)).unwrap_err();
        seal.check(other.root_pem(), SAID, at(0)).unwrap_err();
        let mut flipped = seal.clone();
        flipped.signature[7] ^= 1;
        flipped.check(root, SAID, at(0)).unwrap_err();
        let foreign = other.seal("test", b"hello", at(0)).unwrap();
        let mixed = Seal { chain_pem: foreign.chain_pem, ..seal };
        mixed.check(root, SAID, at(0)).unwrap_err();
        Seal { chain_pem: String::new(), signature: Vec::new() }
            .check(root, SAID, at(0))
            .unwrap_err();
    }

    #[test]
    fn no_other_certificate_of_the_platform_seals() {
        let (authority, _) = Authority::create(at(0)).unwrap();
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let csr = CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap();
        let service = authority.issue_service(&csr, "seal/test", at(0)).unwrap();
        let signature = key.sign(&signed("test", b"hello")).unwrap();
        let forged = Seal { chain_pem: service.chain_pem, signature: signature.clone() };
        forged.check(authority.root_pem(), SAID, at(0)).unwrap_err();
        let device = DeviceKey::generate().unwrap();
        let csr = device.csr_pem("host").unwrap();
        let ids = (openframe_ids::TenantId::new(), openframe_ids::DeviceId::new());
        let issued = authority.issue_device(&csr, ids.0, ids.1, at(0)).unwrap();
        let forged = Seal { chain_pem: issued.chain_pem, signature };
        forged.check(authority.root_pem(), SAID, at(0)).unwrap_err();
    }

    #[test]
    fn a_certificate_seals_what_it_says_and_nothing_else() {
        let (authority, _) = Authority::create(at(0)).unwrap();
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let check = |names: &[&str], uses: Vec<ExtendedKeyUsagePurpose>| {
            let mut params = leaf_params("x", (at(-1), at(1))).unwrap();
            let name = |name: &&str| SanType::URI(uri(name).try_into().unwrap());
            params.subject_alt_names = names.iter().map(name).collect();
            params.extended_key_usages = uses;
            let certificate = params.signed_by(&key, authority.issuer()).unwrap().pem();
            let chain_pem = format!("{certificate}{}", authority.issuing().certificate);
            let signature = key.sign(&signed("test", b"hello")).unwrap();
            Seal { chain_pem, signature }.check(authority.root_pem(), SAID, at(0)).is_ok()
        };
        let documents = || vec![ExtendedKeyUsagePurpose::Other(DOCUMENTS.to_vec())];
        assert!(check(&["test"], documents()));
        assert!(!check(&["test"], Vec::new()), "of no use in particular");
        assert!(!check(&["other"], documents()));
        assert!(!check(&["test", "other"], documents()));
        assert!(!check(&[], documents()));
    }

    #[test]
    fn a_seal_outlives_the_issuing_authority() {
        let (authority, root_key) = Authority::create(at(0)).unwrap();
        let seal = authority.seal("test", b"hello", at(0)).unwrap();
        let root = Pair { certificate: authority.root_pem().to_owned(), key: root_key };
        let anew = Authority::create_services(&root, at(1)).unwrap();
        let services = authority.services().clone();
        let later = Authority::from_pem(&root.certificate, anew, services).unwrap();
        seal.check(later.root_pem(), SAID, at(0)).unwrap();
        later.seal("test", b"hello", at(2)).unwrap().check(&root.certificate, SAID, at(2)).unwrap();
    }
}
