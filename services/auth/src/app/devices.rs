//! The certificates of devices that have enrolled: renewed, recovered, checked, revoked.
//!
//! A device is bound to a key. Its certificates are for that key only, and a new key takes over only
//! by the word of the old one.

use jiff::{SignedDuration, Timestamp};
use openframe_agent_api::enrolment::{RecoverRequest, RenewRequest};
use openframe_ids::{DeviceId, TenantId};
use openframe_pki::{IssuedDevice, KeyProof, csr_spki_sha256};
use openframe_tokens::{Caller, Permission};

use super::{Asked, Auth, Origin, need};
use crate::Error;
use crate::domain::{Device, DeviceCertificate, Event};

/// How far the time in a recovery may be from ours, so that an old one cannot be sent again.
const RECOVERY_SKEW: SignedDuration = SignedDuration::from_hours(1);

/// A device's certificate.
#[derive(Debug)]
pub struct Certificate {
    /// The device.
    pub device: DeviceId,
    /// Its tenant.
    pub tenant: TenantId,
    /// The certificate and its issuers, PEM.
    pub chain_pem: String,
    /// The root, PEM.
    pub root_pem: String,
    /// When it ends.
    pub not_after: Timestamp,
}

impl Auth {
    /// Renews the certificate of the device that asks: for the key that it is bound to, or for a
    /// new one that the old one vouches for.
    pub async fn renew(&self, asked: &Asked, request: &RenewRequest) -> Result<Certificate, Error> {
        let id = asked.caller.device().ok_or(Error::BadDevice)?;
        let device = self.known(asked.caller.tenant, id).await?;
        let wanted = csr_spki_sha256(&request.csr_pem).map_err(bad_csr)?;
        let same = wanted == device.spki;
        let action = if same { "device.renew" } else { "device.roll_key" };
        let event = self.event(asked, action, id);
        let statement = RenewRequest::statement(id, &request.csr_pem);
        let proof = request.old_key_proof.as_deref();
        if !same && signer(proof, &statement) != Some(device.spki) {
            self.refused(event, Some(&id.to_string())).await;
            return Err(Error::BadDevice);
        }
        self.certify(&request.csr_pem, &device, event).await
    }

    /// Gives a device whose certificate has ended a new one: it proves that it holds its bound key.
    /// Not for ever: who stayed away too long enrols again.
    pub async fn recover(
        &self,
        request: &RecoverRequest,
        origin: &Origin,
    ) -> Result<Certificate, Error> {
        let recovering = self.recover_now(request, origin);
        self.limited_device("device.recover", origin, recovering).await
    }

    async fn recover_now(
        &self,
        request: &RecoverRequest,
        origin: &Origin,
    ) -> Result<Certificate, Error> {
        let wanted = csr_spki_sha256(&request.csr_pem).map_err(bad_csr)?;
        let (id, now) = (request.device_id, self.now());
        let event = self.event_by(("device", id.to_string()), origin, "device.recover", id);
        let grace = SignedDuration::from_hours(24 * i64::from(self.config.recover_days));
        let found = self.store.enrolment.device(self.tenant, id).await?;
        let device = found.filter(|device| {
            let proven = signer(Some(&request.proof), &request.statement()) == Some(device.spki);
            let fresh = now.duration_since(request.time).abs() <= RECOVERY_SKEW;
            let in_time = now.duration_since(device.certified_until) <= grace;
            !device.revoked && proven && fresh && in_time && wanted == device.spki
        });
        let Some(device) = device else {
            self.refused(event, Some(&id.to_string())).await;
            return Err(Error::BadDevice);
        };
        self.certify(&request.csr_pem, &device, event).await
    }

    /// Makes the certificates of a device count no more. The devices service asks for a person whom
    /// it has checked itself.
    pub async fn revoke_device(&self, asked: &Asked, id: DeviceId) -> Result<(), Error> {
        if !asked.caller.is_service("devices") {
            need(&asked.caller, Permission::DevicesWrite)?;
        }
        let event = self.event(asked, "device.revoke", id);
        let done = self.store.enrolment.revoke(asked.caller.tenant, id, &event).await?;
        if done { Ok(()) } else { Err(Error::Missing("device")) }
    }

    /// Fails when a device's certificate does not count: the device is revoked, or the certificate
    /// was not issued to it, is over, or is of a key that it has given up. Asked by the gateway.
    pub async fn check_device(
        &self,
        caller: &Caller,
        (tenant, id): (TenantId, DeviceId),
        serial: &str,
    ) -> Result<(), Error> {
        if !caller.is_service("gateway") {
            return Err(Error::ServicesOnly);
        }
        let counts = self.store.enrolment.counts((tenant, id), serial, self.now()).await?;
        if counts { Ok(()) } else { Err(Error::BadDevice) }
    }

    async fn known(&self, tenant: TenantId, id: DeviceId) -> Result<Device, Error> {
        let device = self.store.enrolment.device(tenant, id).await?;
        device.filter(|device| !device.revoked).ok_or(Error::BadDevice)
    }

    /// Issues a certificate; it counts from when it is written down.
    pub(super) async fn certify(
        &self,
        csr_pem: &str,
        device: &Device,
        mut event: Event,
    ) -> Result<Certificate, Error> {
        let (tenant, id) = (device.tenant, device.id);
        let IssuedDevice { chain_pem, serial, spki_sha256: spki, not_after } =
            self.authority.issue_device(csr_pem, tenant, id, self.now()).map_err(bad_csr)?;
        event.target = id.to_string();
        format!("serial {serial} {}", event.detail).trim_end().clone_into(&mut event.detail);
        let issued = DeviceCertificate { serial, tenant, device: id, spki, expires: not_after };
        if !self.store.enrolment.certify(&issued, device.spki, &event).await? {
            // Revoked, or bound to another key, a moment ago.
            return Err(Error::BadDevice);
        }
        let root_pem = self.authority.root_pem().to_owned();
        Ok(Certificate { device: id, tenant, chain_pem, root_pem, not_after })
    }
}

fn signer(proof: Option<&str>, statement: &str) -> Option<[u8; 32]> {
    KeyProof::read(proof?)?.signer(statement)
}

pub(super) fn bad_csr(error: openframe_pki::Error) -> Error {
    if matches!(error, openframe_pki::Error::BadRequest(_)) {
        return Error::Invalid(error.to_string());
    }
    Error::Damaged(error.into())
}
