//! Enrolment and renewal: JSON over HTTPS, before the link.

use jiff::Timestamp;
use openframe_ids::{DeviceId, TenantId};
use serde::{Deserialize, Serialize};

/// Where a device enrols: `POST`, without a client certificate.
pub const ENROL_PATH: &str = "/agent/v1/enrol";
/// Where a device renews its certificate: `POST`, with the current one.
pub const RENEW_PATH: &str = "/agent/v1/renew";

/// Where a device whose certificate has ended gets a new one: `POST`, without a client certificate.
pub const RECOVER_PATH: &str = "/agent/v1/recover";

/// Asks for a device's first certificate. The same token and key again give the same device, so a
/// lost answer costs nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolRequest {
    /// The enrolment token without its pin: `of_et_…`.
    pub token: String,
    /// A PKCS #10 request in PEM, signed by the device's own P-256 key.
    pub csr_pem: String,
    /// What the device calls itself, for the audit trail.
    pub hostname: String,
    /// The serial number of the machine, if it may be read: a token can be for some machines only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
}

/// The code of the answer to a device that has enrolled and waits until somebody lets it in: it asks
/// again with the same token and key.
pub const WAITS: &str = "device_waits";

/// Asks for a new certificate for the device that the TLS client certificate names.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenewRequest {
    /// A PKCS #10 request in PEM.
    pub csr_pem: String,
    /// When it is for a new key: the old one's signature under [`RenewRequest::statement`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_key_proof: Option<String>,
    /// The state that came with the last certificate, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

impl RenewRequest {
    /// What the old key signs to hand over to the key of `csr_pem`.
    pub fn statement(device: DeviceId, csr_pem: &str) -> String {
        format!("openframe key roll v1\n{device}\n{csr_pem}")
    }
}

/// Asks for a new certificate after the last one has ended, by the key that the device is bound to.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecoverRequest {
    /// The device.
    pub device_id: DeviceId,
    /// A PKCS #10 request in PEM, for the same key as before.
    pub csr_pem: String,
    /// When it was made, by the device's clock; at most an hour off.
    pub time: Timestamp,
    /// The key's signature under [`RecoverRequest::statement`].
    pub proof: String,
    /// The state that came with the last certificate, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

impl RecoverRequest {
    /// What the key signs.
    pub fn statement(&self) -> String {
        let Self { device_id, csr_pem, time, .. } = self;
        format!("openframe recovery v1\n{device_id}\n{}\n{csr_pem}", time.as_millisecond())
    }
}

/// A device's certificate and what it needs to use it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Certified {
    /// The device's id, for life.
    pub device_id: DeviceId,
    /// The tenant it belongs to.
    pub tenant_id: TenantId,
    /// The certificate and its issuers, PEM, the device's own first.
    pub chain_pem: String,
    /// The platform's root certificate, PEM: what the device trusts from now on.
    pub root_pem: String,
    /// What the device keeps beside the certificate, and shows when it asks for the next one. Older
    /// platforms send none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// When the certificate ends.
    pub not_after: Timestamp,
}

/// An enrolment token as an operator copies it: the secret, and the pin of the platform's root key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinnedToken {
    /// What the platform knows: `of_et_…`.
    pub token: String,
    /// SHA-256 of the root's subject public key info, base64url without padding.
    pub pin: String,
}

impl PinnedToken {
    /// The text form: token, dot, pin.
    pub fn to_text(&self) -> String {
        format!("{}.{}", self.token, self.pin)
    }

    /// Reads the text form. `None` when there is no pin: without it the device could not tell the
    /// platform from somebody in between.
    pub fn read(text: &str) -> Option<Self> {
        let (token, pin) = text.trim().split_once('.')?;
        let whole = token.starts_with("of_et_") && pin.len() == 43;
        whole.then(|| Self { token: token.to_owned(), pin: pin.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_without_a_pin_is_no_token() {
        assert_eq!(PinnedToken::read("of_et_abc"), None);
        let whole = PinnedToken { token: "of_et_abc".to_owned(), pin: "p".repeat(43) };
        assert_eq!(PinnedToken::read(&whole.to_text()), Some(whole));
    }
}
