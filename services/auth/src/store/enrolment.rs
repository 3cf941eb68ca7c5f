//! Enrolment tokens, and the devices that join by them.

use async_trait::async_trait;
use jiff::Timestamp;
use openframe_ids::{DeviceId, EnrolmentTokenId, TenantId};
use openframe_pki::Withdrawn;
use openframe_tokens::opaque::SecretHash;

use super::Answer;
use crate::domain::{
    Claims, Device, DeviceCertificate, EnrolmentToken, Event, Generation, Judged, WaitingDevice,
};

/// A device that asks to join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joining {
    /// The token it shows.
    pub token: EnrolmentTokenId,
    /// The hash of the token's secret.
    pub secret: SecretHash,
    /// Its first certificate if it is new, by which it says its key, and what its id shall be.
    pub first: DeviceCertificate,
    /// What it says of itself.
    pub claims: Claims,
    /// What goes on the trail if it comes to wait.
    pub waits: Event,
}

/// What became of a device that asked to join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Joined {
    /// It is new here, and its first certificate counts.
    New,
    /// It joined by this token before, and is as it was; the certificate counts for nothing.
    Before(Device),
    /// It waits until somebody lets it in, and has no certificate.
    Waiting(DeviceId),
    /// The token does not let it in.
    Refused,
    /// It does not meet the token's terms: which of them.
    Elsewhere(Judged),
}

/// A certificate that is issued to a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuing {
    /// The certificate.
    pub certificate: DeviceCertificate,
    /// The SHA-256 of the key that the device was seen to be bound to.
    pub bound: [u8; 32],
    /// The number of the generation that it was seen at.
    pub seen: u64,
    /// The generation of this certificate.
    pub generation: Generation,
}

/// Enrolment tokens and devices.
#[async_trait]
pub trait Enrolment: Send + Sync + 'static {
    /// Adds a token.
    async fn add_token(&self, token: &EnrolmentToken, event: &Event) -> Answer<()>;
    /// The tokens that can be used at `now`, oldest first.
    async fn tokens(&self, tenant: TenantId, now: Timestamp) -> Answer<Vec<EnrolmentToken>>;
    /// Revokes a token; `false` when there is none.
    async fn remove_token(
        &self,
        tenant: TenantId,
        id: EnrolmentTokenId,
        event: &Event,
    ) -> Answer<bool>;
    /// Lets a device join: takes one use of the token and writes its first certificate down, unless the
    /// same key has joined with it before, which changes nothing. Refused when the token is unknown,
    /// of another tenant, wrong, used up or over at `event.at`, or the device was revoked or is in
    /// quarantine; a token that is over still serves a device that has waited and has no certificate yet.
    /// One that does not meet the token's terms takes no use. Where somebody has to let each in, the
    /// device is kept without a certificate, [`Joining::waits`] goes on the trail instead of `event`, and
    /// it waits until then. Of many at once no more succeed than there are uses.
    async fn join(&self, joining: &Joining, event: &Event) -> Answer<Joined>;
    /// One device.
    async fn device(&self, tenant: TenantId, id: DeviceId) -> Answer<Option<Device>>;
    /// Writes a certificate down, binds the device to its key and takes it to its generation. Only if
    /// the device is as it was seen and neither revoked nor in quarantine; says whether it was done.
    /// Of several at once that saw the same and go on from it one does. Certificates of another key
    /// than the new one count no more.
    async fn certify(&self, issuing: &Issuing, event: &Event) -> Answer<bool>;
    /// Puts a device into quarantine at the event's time; `false` when there is no such device, or it
    /// is there, or was revoked.
    async fn quarantine(&self, tenant: TenantId, id: DeviceId, event: &Event) -> Answer<bool>;
    /// Takes a device out of quarantine: its certificates count again, and the next generation that is
    /// shown is the device's. `false` when it is not in quarantine, waits to be let in, or was revoked.
    async fn readmit(&self, tenant: TenantId, id: DeviceId, event: &Event) -> Answer<bool>;
    /// The devices that wait to be let in and are not revoked, the first first, no more than `limit`.
    async fn waiting(&self, tenant: TenantId, limit: u32) -> Answer<Vec<WaitingDevice>>;
    /// Lets a device in that waits; `false` when it does not, or was revoked.
    async fn admit(&self, tenant: TenantId, id: DeviceId, event: &Event) -> Answer<bool>;
    /// Revokes a device that waits to be let in; `false` when it does not, or was revoked.
    async fn turn_away(&self, tenant: TenantId, id: DeviceId, event: &Event) -> Answer<bool>;
    /// The devices that are in quarantine, wait for nothing and are not revoked, the latest first, no more
    /// than `limit`.
    async fn quarantined(&self, tenant: TenantId, limit: u32) -> Answer<Vec<Device>>;
    /// Whether a certificate counts at `now`: it was written down for the device and the key that
    /// it is bound to, it has not ended, and the device is neither revoked nor in quarantine.
    async fn counts(
        &self,
        device: (TenantId, DeviceId),
        serial: &str,
        now: Timestamp,
    ) -> Answer<bool>;
    /// Forgets certificates that ended at `now` or before.
    async fn forget_certificates(&self, now: Timestamp) -> Answer<()>;
    /// The certificates of devices that do not count at `now` although they have not ended: the device
    /// was revoked or is in quarantine. By serial number.
    async fn withdrawn(&self, tenant: TenantId, now: Timestamp) -> Answer<Vec<Withdrawn>>;
    /// Makes a device's certificates count no more; `false` when there is no such device or it was
    /// revoked before.
    async fn revoke(&self, tenant: TenantId, id: DeviceId, event: &Event) -> Answer<bool>;
}
