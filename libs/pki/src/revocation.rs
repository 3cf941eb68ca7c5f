//! What others need who check devices' certificates themselves: whom to trust, and which do not count.

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    CertificateRevocationListParams, KeyIdMethod, RevocationReason, RevokedCertParams, SerialNumber,
};

use crate::authority::offset_date_time;
use crate::{Authority, DEVICE_LIFETIME, Error};

/// How long a list may be used by whoever cannot get a newer one.
const LIST_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// A certificate that does not count, although its time is not over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawn {
    /// Its serial number, hex.
    pub serial: String,
    /// When it ends by itself.
    pub expires: Timestamp,
    /// Whether it may count again: the device is in quarantine.
    pub held: bool,
}

impl Authority {
    /// The certificates of devices that do not count, DER (RFC 5280, section 5). The list's number is the
    /// time, so that each is greater than those before.
    ///
    /// # Errors
    /// When a serial number is not hex.
    pub fn revocation_list(
        &self,
        withdrawn: &[Withdrawn],
        now: Timestamp,
    ) -> Result<Vec<u8>, Error> {
        let revoked_certs = withdrawn.iter().map(revoked).collect::<Result<_, _>>()?;
        let number = now.as_millisecond().unsigned_abs();
        let list = CertificateRevocationListParams {
            this_update: offset_date_time(now)?,
            next_update: offset_date_time(now + LIST_LIFETIME)?,
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(self.issuer()).map_err(Error::failed)?;
        Ok(list.der().to_vec())
    }

    /// The root and the authority that signs devices and servers, PEM.
    pub fn trust_bundle(&self) -> String {
        format!("{}{}", self.root_pem(), self.issuing().certificate)
    }
}

fn revoked(it: &Withdrawn) -> Result<RevokedCertParams, Error> {
    let reason = if it.held {
        RevocationReason::CertificateHold
    } else {
        RevocationReason::CessationOfOperation
    };
    let serial = Some(it.serial.as_str()).filter(|serial| serial.len() == 32);
    let serial = serial.and_then(|serial| u128::from_str_radix(serial, 16).ok());
    let serial = serial.ok_or_else(|| Error::damaged("a serial number is not hex"))?;
    Ok(RevokedCertParams {
        serial_number: SerialNumber::from_slice(&serial.to_be_bytes()),
        // From when it was made on: what it was used for before somebody noticed does not count either.
        revocation_time: offset_date_time(it.expires - DEVICE_LIFETIME)?,
        reason_code: Some(reason),
        invalidity_date: None,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use openframe_ids::{DeviceId, TenantId};
    use rustls::RootCertStore;
    use rustls::server::WebPkiClientVerifier;
    use rustls_pki_types::pem::PemObject as _;
    use rustls_pki_types::{CertificateDer, UnixTime};

    use super::*;
    use crate::DeviceKey;

    const NOW: i64 = 1_800_000_000;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Whether somebody who has the trust bundle and the list accepts a device's chain.
    fn accepted(authority: &Authority, list: Vec<u8>, chain: &str, second: u64) -> bool {
        let mut roots = RootCertStore::empty();
        let bundle = authority.trust_bundle();
        let root = CertificateDer::pem_slice_iter(bundle.as_bytes()).next().unwrap().unwrap();
        roots.add(root).unwrap();
        let verifier = WebPkiClientVerifier::builder(Arc::new(roots))
            .with_crls([list.into()])
            .only_check_end_entity_revocation()
            .enforce_revocation_expiration()
            .build()
            .unwrap();
        let chain: Vec<_> =
            CertificateDer::pem_slice_iter(chain.as_bytes()).map(Result::unwrap).collect();
        let [device, issuers @ ..] = chain.as_slice() else { return false };
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(second));
        verifier.verify_client_cert(device, issuers, now).is_ok()
    }

    #[test]
    fn who_has_the_list_refuses_what_is_in_it() {
        crate::install_provider();
        let (authority, _) = Authority::create(at(NOW)).unwrap();
        let tenant = TenantId::new();
        let issue = || {
            let csr = DeviceKey::generate().unwrap().csr_pem("x").unwrap();
            authority.issue_device(&csr, tenant, DeviceId::new(), at(NOW)).unwrap()
        };
        let (good, revoked, held) = (issue(), issue(), issue());
        let withdrawn = |it: &crate::IssuedDevice, held| Withdrawn {
            serial: it.serial.clone(),
            expires: it.not_after,
            held,
        };
        let all = [withdrawn(&revoked, false), withdrawn(&held, true)];
        let list = authority.revocation_list(&all, at(NOW)).unwrap();
        let second = NOW.unsigned_abs() + 60;
        assert!(accepted(&authority, list.clone(), &good.chain_pem, second));
        assert!(!accepted(&authority, list.clone(), &revoked.chain_pem, second));
        assert!(!accepted(&authority, list.clone(), &held.chain_pem, second));
        let empty = authority.revocation_list(&[], at(NOW)).unwrap();
        assert!(accepted(&authority, empty, &revoked.chain_pem, second));
        let (other, _) = Authority::create(at(NOW)).unwrap();
        let foreign = other.revocation_list(&all, at(NOW)).unwrap();
        assert!(!accepted(&authority, foreign, &good.chain_pem, second), "nobody speaks for it");
    }

    #[test]
    fn a_serial_that_is_none_is_refused() {
        let (authority, _) = Authority::create(at(NOW)).unwrap();
        for serial in ["", "abc", &"x".repeat(32)] {
            let it = Withdrawn { serial: serial.to_owned(), expires: at(NOW), held: false };
            assert!(authority.revocation_list(&[it], at(NOW)).is_err(), "{serial}");
        }
    }
}
