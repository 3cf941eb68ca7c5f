//! Enrolment tokens and the certificates of devices.

use jiff::{SignedDuration, Timestamp};
use openframe_ids::{DeviceId, EnrolmentTokenId, TenantId};
use openframe_pki::{IssuedDevice, csr_spki_sha256};
use openframe_tokens::opaque::{Purpose, mint, read};
use openframe_tokens::{Caller, Permission};

use super::people::checked_name;
use super::{Asked, Auth, Origin, need};
use crate::Error;
use crate::domain::EnrolmentToken;
use crate::store::Joining;

/// How many devices a token can enrol.
const MOST_USES: u32 = 10_000;
/// How many minutes a token can last: 7 days.
const MOST_MINUTES: u32 = 10_080;
/// How many minutes a token lasts when its maker does not say.
const DEFAULT_MINUTES: u32 = 60;

/// A token just made.
pub struct Made {
    /// The token.
    pub token: EnrolmentToken,
    /// The secret with the root's pin: the only time it is seen.
    pub secret: String,
    /// The line to run on a device.
    pub command: String,
}

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
    /// The tokens that can still be used.
    pub async fn enrolment_tokens(&self, asked: &Asked) -> Result<Vec<EnrolmentToken>, Error> {
        need(&asked.caller, Permission::EnrolmentManage)?;
        Ok(self.store.enrolment.tokens(asked.caller.tenant, self.now()).await?)
    }

    /// Makes a token.
    pub async fn create_enrolment_token(
        &self,
        asked: &Asked,
        name: Option<&str>,
        uses: Option<u32>,
        minutes: Option<u32>,
    ) -> Result<Made, Error> {
        need(&asked.caller, Permission::EnrolmentManage)?;
        let name = name.map(checked_name).transpose()?.unwrap_or_default();
        let (uses_left, minutes) = (uses.unwrap_or(1), minutes.unwrap_or(DEFAULT_MINUTES));
        if !(1..=MOST_USES).contains(&uses_left) {
            return Err(Error::Invalid("a token enrols 1 to 10,000 devices".to_owned()));
        }
        if !(1..=MOST_MINUTES).contains(&minutes) {
            return Err(Error::Invalid("a token lasts 1 to 10,080 minutes".to_owned()));
        }
        let (id, now) = (EnrolmentTokenId::new(), self.now());
        let minted = mint(Purpose::Enrolment, id.0);
        let token = EnrolmentToken {
            id,
            tenant: asked.caller.tenant,
            name,
            secret: minted.hash,
            uses_left,
            uses: 0,
            created: now,
            expires: now + SignedDuration::from_mins(i64::from(minutes)),
            last_used: None,
        };
        let mut event = self.event(asked, "enrolment_token.create", id);
        event.detail = format!("uses {uses_left}, minutes {minutes}");
        self.store.enrolment.add_token(&token, &event).await?;
        let secret = format!("{}.{}", minted.text, self.authority.pin());
        let server = &self.config.agents_url;
        let command = format!(
            "openframe-agent enrol --server {server} --token {secret} && openframe-agent install"
        );
        Ok(Made { token, secret, command })
    }

    /// Revokes a token. Devices that have enrolled with it stay.
    pub async fn revoke_enrolment_token(
        &self,
        asked: &Asked,
        id: EnrolmentTokenId,
    ) -> Result<(), Error> {
        need(&asked.caller, Permission::EnrolmentManage)?;
        let event = self.event(asked, "enrolment_token.revoke", id);
        let done = self.store.enrolment.remove_token(asked.caller.tenant, id, &event).await?;
        if done { Ok(()) } else { Err(Error::Missing("enrolment token")) }
    }

    /// Enrols a device: whoever shows a good token and a key of their own.
    pub async fn enrol(
        &self,
        token: &str,
        csr_pem: &str,
        hostname: &str,
        origin: &Origin,
    ) -> Result<Certificate, Error> {
        let spki = csr_spki_sha256(csr_pem).map_err(bad_csr)?;
        let hostname: String = hostname.chars().filter(|c| !c.is_control()).take(253).collect();
        let nobody = ("nobody", hostname.clone());
        let mut event = self.event_by(nobody, origin, "device.enrol", "");
        let shown = read(Purpose::Enrolment, token);
        let joined = match shown {
            Some(shown) => {
                let token = EnrolmentTokenId(shown.id);
                let device = DeviceId::new();
                let joining = Joining { token, secret: shown.hash, spki, device };
                event.detail = format!("hostname {hostname}, token {token}");
                self.store.enrolment.join(&joining, &event).await?
            }
            None => None,
        };
        let Some(device) = joined else {
            "refused".clone_into(&mut event.outcome);
            self.metrics.enrolments_refused.inc();
            self.store.trail.append(self.tenant, &event).await?;
            return Err(Error::BadEnrolmentToken);
        };
        self.metrics.enrolments.inc();
        tracing::info!(device.id = %device.id, "enrolled device {}", device.id);
        self.certify(csr_pem, device.tenant, device.id).map(|(certificate, _)| certificate)
    }

    /// Renews the certificate of the device that asks.
    pub async fn renew(&self, asked: &Asked, csr_pem: &str) -> Result<Certificate, Error> {
        let id = asked.caller.device().ok_or(Error::BadDevice)?;
        self.known(asked.caller.tenant, id).await?;
        let (certificate, serial) = self.certify(csr_pem, asked.caller.tenant, id)?;
        let mut event = self.event(asked, "device.renew", id);
        event.detail = format!("serial {serial}");
        self.store.trail.append(asked.caller.tenant, &event).await?;
        Ok(certificate)
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

    /// Fails when a device's certificate does not count. Asked by the gateway.
    pub async fn check_device(
        &self,
        caller: &Caller,
        tenant: TenantId,
        id: DeviceId,
    ) -> Result<(), Error> {
        if !caller.is_service("gateway") {
            return Err(Error::ServicesOnly);
        }
        self.known(tenant, id).await
    }

    async fn known(&self, tenant: TenantId, id: DeviceId) -> Result<(), Error> {
        let device = self.store.enrolment.device(tenant, id).await?;
        device.filter(|device| !device.revoked).map(drop).ok_or(Error::BadDevice)
    }

    fn certify(
        &self,
        csr_pem: &str,
        tenant: TenantId,
        device: DeviceId,
    ) -> Result<(Certificate, String), Error> {
        let IssuedDevice { chain_pem, serial, not_after, .. } =
            self.authority.issue_device(csr_pem, tenant, device, self.now()).map_err(bad_csr)?;
        let root_pem = self.authority.root_pem().to_owned();
        Ok((Certificate { device, tenant, chain_pem, root_pem, not_after }, serial))
    }
}

fn bad_csr(error: openframe_pki::Error) -> Error {
    if matches!(error, openframe_pki::Error::BadRequest(_)) {
        return Error::Invalid(error.to_string());
    }
    Error::Damaged(error.into())
}
