//! The certificates of devices that have enrolled: renewed, recovered, checked, revoked.
//!
//! A device is bound to a key. Its certificates are for that key only, and a new key takes over only
//! by the word of the old one. Each certificate comes with a state that the device shows for the next:
//! one that shows an old state is a copy, and then neither counts until somebody has looked.

use jiff::{SignedDuration, Timestamp};
use openframe_agent_api::enrolment::{RecoverRequest, RenewRequest};
use openframe_ids::{DeviceId, TenantId};
use openframe_oauth::OneTime;
use openframe_pki::{DeviceState, IssuedDevice, KeyProof, csr_spki_sha256};
use openframe_tokens::opaque::SecretHash;
use openframe_tokens::{Caller, Permission};
use sha2::{Digest as _, Sha256};

use super::{Asked, Auth, Origin, need};
use crate::Error;
use crate::domain::{Device, DeviceCertificate, Event, Generation, Showing, request_hash};
use crate::store::Issuing;

/// How far the time in a recovery may be from ours, so that an old one cannot be sent again.
const RECOVERY_SKEW: SignedDuration = SignedDuration::from_hours(1);
/// How often a certificate is issued anew because the device got another one meanwhile.
const TRIES: u32 = 5;
/// How many devices in quarantine are told.
const MOST_QUARANTINED: u32 = 1000;

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
    /// What the device shows when it asks for the next.
    pub state: String,
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
        let vouched = same || signer(proof, &statement) == Some(device.spki);
        let showing = self.showing(id, request.state.as_deref()).filter(|_| vouched);
        let Some(showing) = showing else {
            self.refused(event, Some(&id.to_string())).await;
            return Err(Error::BadDevice);
        };
        self.certify(&request.csr_pem, (device, showing), event).await
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
            device.is_in() && proven && fresh && in_time && wanted == device.spki
        });
        let Some(known) = device.zip(self.showing(id, request.state.as_deref())) else {
            self.refused(event, Some(&id.to_string())).await;
            return Err(Error::BadDevice);
        };
        self.certify(&request.csr_pem, known, event).await
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

    /// The devices that are in quarantine, the latest first.
    pub async fn quarantined(&self, asked: &Asked) -> Result<Vec<Device>, Error> {
        need(&asked.caller, Permission::DevicesRead)?;
        Ok(self.store.enrolment.quarantined(asked.caller.tenant, MOST_QUARANTINED).await?)
    }

    /// Takes a device out of quarantine. Of its copies the first that asks for a certificate is the
    /// device from then on.
    pub async fn readmit_device(&self, asked: &Asked, id: DeviceId) -> Result<(), Error> {
        need(&asked.caller, Permission::DevicesWrite)?;
        let event = self.event(asked, "device.readmit", id);
        let done = self.store.enrolment.readmit(asked.caller.tenant, id, &event).await?;
        if done { Ok(()) } else { Err(Error::Missing("device in quarantine")) }
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

    /// Uses up what a device has made up for one request that it has signed; fails when it was seen before,
    /// by whichever replica. Asked by the gateway.
    pub async fn spend_nonce(
        &self,
        caller: &Caller,
        (device, nonce): (DeviceId, &str),
        until: Timestamp,
    ) -> Result<(), Error> {
        if !caller.is_service("gateway") {
            return Err(Error::ServicesOnly);
        }
        let hash = Sha256::new().chain_update("device nonce\0").chain_update(device.0.as_bytes());
        let hash = SecretHash(hash.chain_update(nonce).finalize().into());
        let first = self.store.one_times.spend(&OneTime { hash, until }).await?;
        if first { Ok(()) } else { Err(Error::NonceSeen) }
    }

    async fn known(&self, tenant: TenantId, id: DeviceId) -> Result<Device, Error> {
        let device = self.store.enrolment.device(tenant, id).await?;
        device.filter(Device::is_in).ok_or(Error::BadDevice)
    }

    /// What a device shows by its state; `None` when the state is not ours, not its own, or over.
    fn showing(&self, id: DeviceId, state: Option<&str>) -> Option<Showing> {
        let Some(text) = state else { return Some(Showing::Nothing) };
        let state = self.states.read(text)?;
        let good = state.device == id && state.expires > self.now();
        good.then_some(Showing::Number(state.generation))
    }

    /// Issues a certificate; it counts from when it is written down. There is none for a copy: it takes
    /// the device into quarantine.
    pub(super) async fn certify(
        &self,
        csr_pem: &str,
        (mut device, showing): (Device, Showing),
        event: Event,
    ) -> Result<Certificate, Error> {
        let (tenant, id, request) = (device.tenant, device.id, request_hash(csr_pem));
        for _ in 0..TRIES {
            let Some(generation) = device.generation.next(showing, request) else {
                self.quarantine(&device, showing, event).await?;
                return Err(Error::BadDevice);
            };
            let (certificate, chain_pem) = self.issue(csr_pem, (tenant, id))?;
            let detail = certified(&certificate, generation, &event.detail);
            let event = Event { target: id.to_string(), detail, ..event.clone() };
            let (bound, seen) = (device.spki, device.generation.number);
            let issuing = Issuing { certificate, bound, seen, generation };
            if self.store.enrolment.certify(&issuing, &event).await? {
                return Ok(self.certificate(&issuing.certificate, chain_pem, generation));
            }
            // Revoked, or bound to another key, or a generation further, a moment ago.
            let now = self.known(tenant, id).await?;
            if now.spki != device.spki || now.generation == device.generation {
                return Err(Error::BadDevice);
            }
            device = now;
        }
        Err(Error::BadDevice)
    }

    /// Makes a certificate, PEM with its issuers. It counts once it is written down.
    pub(super) fn issue(
        &self,
        csr_pem: &str,
        (tenant, device): (TenantId, DeviceId),
    ) -> Result<(DeviceCertificate, String), Error> {
        let issued = self.authority.issue_device(csr_pem, tenant, device, self.now());
        let issued = issued.map_err(bad_csr)?;
        let IssuedDevice { chain_pem, serial, spki_sha256: spki, not_after: expires } = issued;
        Ok((DeviceCertificate { serial, tenant, device, spki, expires }, chain_pem))
    }

    /// What the device is given of a certificate that counts.
    pub(super) fn certificate(
        &self,
        issued: &DeviceCertificate,
        chain_pem: String,
        generation: Generation,
    ) -> Certificate {
        let kept = SignedDuration::from_hours(24 * i64::from(self.config.recover_days));
        let (device, expires) = (issued.device, issued.expires + kept);
        let state = DeviceState { device, generation: generation.number, expires };
        Certificate {
            device,
            tenant: issued.tenant,
            chain_pem,
            root_pem: self.authority.root_pem().to_owned(),
            state: self.states.write(&state),
            not_after: issued.expires,
        }
    }

    async fn quarantine(
        &self,
        device: &Device,
        showing: Showing,
        event: Event,
    ) -> Result<(), Error> {
        let shown = match showing {
            Showing::Number(number) => format!("generation {number}"),
            Showing::Nothing | Showing::Token => "no generation".to_owned(),
        };
        let id = device.id;
        let latest = device.generation.number;
        let detail = format!("a copy showed {shown} by another request after generation {latest}");
        tracing::warn!(device.id = %id, "device {id} is in quarantine: {detail}");
        let (action, target) = ("device.quarantine".to_owned(), id.to_string());
        let event = Event { action, target, detail, ..event };
        self.store.enrolment.quarantine(device.tenant, id, &event).await?;
        Ok(())
    }
}

/// What the audit trail says of a certificate that is written down.
pub(super) fn certified(issued: &DeviceCertificate, generation: Generation, more: &str) -> String {
    let text = format!("serial {} generation {} {more}", issued.serial, generation.number);
    text.trim_end().to_owned()
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
