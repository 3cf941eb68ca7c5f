//! Devices that something on the way keeps from showing their certificate in TLS: each request comes with
//! it, and is signed by its key (RFC 9421). What counts of the certificate is what counts in TLS.

use std::sync::Arc;

use axum::body::Body;
use http::Request;
use openframe_agent_api::CLOCK_OFF;
use openframe_auth_api::internal::DeviceNonce;
use openframe_clock::Timestamp;
use openframe_fault::{Fault, Kind};
use openframe_pki::{DeviceIdentity, DeviceRoot};
use openframe_signatures::{Digest, Refusal, SKEW_S, Signed};

use crate::agents::{Agents, not_a_device};

/// Who sends a request of a device.
pub(crate) struct Sender {
    pub(crate) device: Arc<DeviceIdentity>,
    /// What it has signed that the body is. In TLS nobody can change that.
    pub(crate) body: Option<Digest>,
}

impl Agents {
    /// What a request says that was signed.
    pub(crate) fn signed(&self, request: &Request<Body>) -> Result<Signed, Refusal> {
        Signed::read(request, self.services.clock.now().as_second())
    }

    /// The device that has signed a request, which counts, and has not sent this one before: to no
    /// gateway, since the auth service keeps the nonces.
    pub(crate) async fn signer(&self, root: &DeviceRoot, signed: Signed) -> Result<Sender, Fault> {
        let now = self.services.clock.now();
        let shown = root.verify(&signed.chain, now).map_err(|_| not_a_device())?;
        if !shown.has_signed(signed.message.as_bytes(), &signed.signature) {
            let what = "the signature is not one of this request by the key of the certificate";
            return Err(bad_signature(what.to_owned()));
        }
        self.check(&shown.identity).await?;
        // For as long as it would be good, by a clock that is off as well.
        let until = Timestamp::from_second(signed.created.saturating_add(2 * SKEW_S));
        let nonce = DeviceNonce {
            device_id: shown.identity.device,
            nonce: signed.nonce,
            until: until.map_err(|_| refused(Refusal::Time))?,
        };
        self.auth.spend_nonce(&nonce).await?;
        Ok(Sender { device: Arc::new(shown.identity), body: Some(signed.body) })
    }
}

/// Refuses a body that is not the one that was signed.
pub(crate) fn check_body(signed: Option<Digest>, body: &[u8]) -> Result<(), Fault> {
    if signed.is_none_or(|digest| digest.fits(body)) {
        return Ok(());
    }
    Err(bad_signature("the body is not the one that was signed".to_owned()))
}

/// The refusal of a request that is not signed as it has to be.
pub(crate) fn refused(refusal: Refusal) -> Fault {
    match refusal {
        Refusal::Unsigned => not_a_device(),
        Refusal::Time => Fault::new(Kind::Unauthenticated, CLOCK_OFF, refusal.to_string()),
        Refusal::Malformed(_)
        | Refusal::TooLong(_)
        | Refusal::Digest
        | Refusal::Several
        | Refusal::Components
        | Refusal::Parameters
        | Refusal::Algorithm
        | Refusal::Tag
        | Refusal::Nonce
        | Refusal::KeyId => bad_signature(refusal.to_string()),
    }
}

fn bad_signature(what: String) -> Fault {
    Fault::new(Kind::Unauthenticated, "bad_signature", what)
}
