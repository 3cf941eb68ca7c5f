//! Devices that show their certificate otherwise than in TLS, because something on the way ends that. What
//! the TLS layer checks of a certificate is checked here, by the same verifier.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use jiff::Timestamp;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use crate::device::is_p256;
use crate::verify::clients;
use crate::{DeviceIdentity, Error, device_identity};

/// Certificates of a chain at most: the device's, its issuer's, and the root's for whoever sends it.
const CHAIN: usize = 4;

/// Tells devices by certificates of one root.
#[derive(Debug, Clone)]
pub struct DeviceRoot(Arc<dyn ClientCertVerifier>);

/// A device whose chain has been verified. Whether it holds the key is still to be shown.
#[derive(Debug)]
pub struct ShownDevice {
    /// What its certificate says.
    pub identity: DeviceIdentity,
    /// The point of its key.
    key: Vec<u8>,
}

impl DeviceRoot {
    /// Trusts this root.
    pub fn new(root_pem: &str) -> Result<Self, Error> {
        clients(root_pem).map(Self)
    }

    /// The device that a chain is of, DER, its own certificate first, if it is good at `now`.
    pub fn verify(&self, chain: &[Vec<u8>], now: Timestamp) -> Result<ShownDevice, Error> {
        let chain: Vec<_> = chain.iter().map(|it| CertificateDer::from(it.as_slice())).collect();
        let (device, issuers) = chain.split_first().ok_or(Error::NotADevice)?;
        let seconds = u64::try_from(now.as_second()).unwrap_or(0);
        let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let good = chain.len() <= CHAIN && self.0.verify_client_cert(device, issuers, now).is_ok();
        if !good {
            return Err(Error::NotADevice);
        }
        let (_, parsed) = X509Certificate::from_der(device).map_err(|_| Error::NotADevice)?;
        if !is_p256(parsed.public_key()) {
            return Err(Error::NotADevice);
        }
        let key = parsed.public_key().subject_public_key.data.to_vec();
        Ok(ShownDevice { identity: device_identity(device)?, key })
    }
}

impl ShownDevice {
    /// Whether its key has signed `message`, as [`DeviceKey::sign`](crate::DeviceKey::sign) does.
    pub fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.key);
        key.verify(message, signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use openframe_ids::{DeviceId, TenantId};
    use rustls_pki_types::pem::PemObject as _;

    use super::*;
    use crate::{Authority, DeviceKey};

    fn der(chain_pem: &str) -> Vec<Vec<u8>> {
        let chain = CertificateDer::pem_slice_iter(chain_pem.as_bytes());
        chain.map(|it| it.unwrap().to_vec()).collect()
    }

    #[test]
    fn a_device_is_told_outside_of_tls_by_what_counts_in_it() {
        let start = Timestamp::from_second(1_800_000_000).unwrap();
        let at = |hours| start + SignedDuration::from_hours(hours);
        let (authority, _) = Authority::create(at(0)).unwrap();
        let (other, _) = Authority::create(at(0)).unwrap();
        let (key, stranger) = (DeviceKey::generate().unwrap(), DeviceKey::generate().unwrap());
        let (csr, tenant, device) = (key.csr_pem("x").unwrap(), TenantId::new(), DeviceId::new());
        let issued = authority.issue_device(&csr, tenant, device, at(1)).unwrap();
        let root = DeviceRoot::new(authority.root_pem()).unwrap();
        let chain = der(&issued.chain_pem);
        let shown = root.verify(&chain, at(2)).unwrap();
        assert_eq!((shown.identity.tenant, shown.identity.device), (tenant, device));
        assert_eq!(shown.identity.serial, issued.serial);
        let signature = key.sign(b"this").unwrap();
        assert_eq!(signature.len(), 64);
        assert!(shown.has_signed(b"this", &signature));
        assert!(!shown.has_signed(b"that", &signature));
        assert!(!shown.has_signed(b"this", &stranger.sign(b"this").unwrap()));

        let foreign = other.issue_device(&csr, tenant, device, at(1)).unwrap();
        let server = authority.issue_server(&csr, vec!["x".to_owned()], at(1)).unwrap();
        let without_issuer = vec![chain[0].clone()];
        let with_root = [chain.clone(), der(authority.root_pem())].concat();
        assert!(root.verify(&with_root, at(2)).is_ok());
        for (what, chain, hours) in [
            ("ended", chain.clone(), 26),
            ("not yet valid", chain.clone(), -2),
            ("another authority's", der(&foreign.chain_pem), 2),
            ("a server's", der(&server), 2),
            ("without its issuer", without_issuer, 2),
            ("its issuer's", chain[1..].to_vec(), 2),
            ("long", vec![chain[0].clone(); 100], 2),
            ("none", Vec::new(), 2),
            ("garbage", vec![b"x".to_vec()], 2),
        ] {
            assert!(root.verify(&chain, at(hours)).is_err(), "{what}");
        }
    }

    #[test]
    fn each_signature_has_its_size() {
        // Of 600 numbers some begin with a zero byte, and half have DER's sign.
        let key = DeviceKey::generate().unwrap();
        for _ in 0..300 {
            assert_eq!(key.sign(b"x").unwrap().len(), 64);
        }
    }
}
