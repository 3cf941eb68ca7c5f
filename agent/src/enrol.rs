//! Enrolment, renewal and recovery. The same key in every request, so that asking twice is harmless.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use openframe_agent_api::enrolment::{
    Certified, ENROL_PATH, EnrolRequest, PinnedToken, RECOVER_PATH, RENEW_PATH, RecoverRequest,
    RenewRequest, WAITS,
};
use openframe_clock::Clock;
use openframe_pki::{DEVICE_LIFETIME, DeviceKey};
use rustls::ClientConfig;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::config::Config;
use crate::credentials::Credentials;
use crate::net::{Server, post};
use crate::state::{Folder, Identity};
use crate::{Error, facts};

/// Asks for the first certificate of `key`. The token is sent only after the server's root key was
/// found to be the one that the token pins; a proxy that ends TLS is trusted with it.
pub async fn enrol(
    server: &Server,
    token: &PinnedToken,
    key: &DeviceKey,
    hostname: &str,
    clock: &Clock,
) -> Result<Identity, Error> {
    let tls = server.proxy_tls()?;
    let tls = tls.unwrap_or_else(|| Arc::new(openframe_pki::pinned_client(&token.pin)));
    let csr_pem = key.csr_pem(hostname).map_err(|e| Error::Certificate(e.into()))?;
    let (secret, hostname, serial) = (token.token.clone(), hostname.to_owned(), facts::serial());
    let request = EnrolRequest { token: secret, csr_pem, hostname, serial };
    let certified: Certified = post(server, tls, ENROL_PATH, &request).await?;
    identity(server, certified, (key, &token.pin), clock)
}

/// Asks for a new certificate with the current one, by the request that was kept for it.
pub async fn renew(
    server: &Server,
    identity_now: &Identity,
    key: &DeviceKey,
    csr_pem: String,
    clock: &Clock,
) -> Result<Identity, Error> {
    let credentials = Credentials::of(server, identity_now, key, clock)?;
    let state = identity_now.state.clone();
    let request = RenewRequest { csr_pem, old_key_proof: None, state };
    let certified: Certified = post(server, credentials, RENEW_PATH, &request).await?;
    identity(server, certified, (key, &pin(&identity_now.root_pem)?), clock)
}

/// Asks for a new certificate after the current one has ended: the key itself proves who this is.
pub async fn recover(
    server: &Server,
    identity_now: &Identity,
    key: &DeviceKey,
    csr_pem: String,
    clock: &Clock,
) -> Result<Identity, Error> {
    let (device_id, proof) = (identity_now.device_id, String::new());
    let (time, state) = (clock.now(), identity_now.state.clone());
    let mut request = RecoverRequest { device_id, csr_pem, time, proof, state };
    let proof = key.prove(&request.statement()).map_err(|e| Error::Certificate(e.into()))?;
    request.proof = proof.to_text();
    let tls = match server.proxy_tls()? {
        Some(tls) => tls,
        None => openframe_pki::root_client(&identity_now.root_pem)
            .map(Arc::new)
            .map_err(|e| Error::Certificate(e.into()))?,
    };
    let certified: Certified = post(server, tls, RECOVER_PATH, &request).await?;
    identity(server, certified, (key, &pin(&identity_now.root_pem)?), clock)
}

/// The TLS settings of an enrolled device: its own certificate, and its platform's root only.
pub fn tls(identity: &Identity, key: &DeviceKey) -> Result<Arc<ClientConfig>, Error> {
    openframe_pki::device_client(&identity.root_pem, &identity.chain_pem, &key.to_pem())
        .map(Arc::new)
        .map_err(|e| Error::Certificate(e.into()))
}

/// The pin of a root.
fn pin(root_pem: &str) -> Result<String, Error> {
    let root = CertificateDer::from_pem_slice(root_pem.as_bytes())
        .map_err(|e| Error::BadAnswer(e.into()))?;
    openframe_pki::pin_of(&root).map_err(|e| Error::BadAnswer(e.into()))
}

/// Checks that the answer can be used before it replaces anything: it is for our key, and of the platform
/// whose root has this pin. TLS with a proxy says nothing of who is behind it.
fn identity(
    server: &Server,
    certified: Certified,
    (key, root): (&DeviceKey, &str),
    clock: &Clock,
) -> Result<Identity, Error> {
    if pin(&certified.root_pem)? != root {
        let cause = "its root is another one".into();
        return Err(Error::NotTheServer { server: server.text().to_owned(), cause });
    }
    let identity = Identity {
        server: server.text().to_owned(),
        device_id: certified.device_id,
        tenant_id: certified.tenant_id,
        chain_pem: certified.chain_pem,
        root_pem: certified.root_pem,
        state: certified.state,
        issued: issued(clock.now(), certified.not_after),
        not_after: certified.not_after,
    };
    tls(&identity, key)?;
    Ok(identity)
}

/// When a certificate was received, by the device's clock. One that is a day ahead would place it
/// behind its end: then what certificates live counts.
fn issued(now: Timestamp, not_after: Timestamp) -> Timestamp {
    if now < not_after {
        now
    } else {
        not_after.saturating_sub(DEVICE_LIFETIME).unwrap_or(not_after)
    }
}

/// How often a device that waits to be let in asks whether it is.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// What `enrol` found.
#[derive(Debug)]
pub enum Enrolled {
    /// A new identity was made and kept.
    New(Identity),
    /// The device was enrolled before.
    Already(Identity),
}

/// Enrols the device whose state is in `folder`. With `again`, an existing identity is replaced:
/// for a device whose certificate has ended. Where somebody has to let each device in, this lasts until
/// then; `waiting` is told once, with the SHA-256 of the device's key, hex.
pub async fn enrol_folder(
    folder: &Folder,
    (server, token): (&str, &str),
    again: bool,
    clock: &Clock,
    waiting: impl Fn(&str),
) -> Result<Enrolled, Error> {
    if let Some(identity) = folder.identity()?
        && !again
    {
        return Ok(Enrolled::Already(identity));
    }
    let server = Server::read(server)?.behind(Config::read(folder)?.proxy_ca);
    let token = PinnedToken::read(token).ok_or(Error::BadToken)?;
    let key = folder.key()?;
    let (hostname, mut waits) = (facts::hostname(), false);
    let identity = loop {
        match enrol(&server, &token, &key, &hostname, clock).await {
            Err(Error::Refused(fault)) if fault.code() == WAITS => {
                if !std::mem::replace(&mut waits, true) {
                    waiting(&key.fingerprint());
                }
            }
            // Whoever lets it in may be at work tomorrow, and the platform may restart until then.
            Err(Error::Unreachable { .. }) if waits => {}
            answer => break answer?,
        }
        tokio::time::sleep(ASK_AGAIN).await;
    };
    folder.keep_identity(&identity)?;
    Ok(Enrolled::New(identity))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_clock_far_ahead_leaves_time_to_renew() {
        let end = Timestamp::UNIX_EPOCH + DEVICE_LIFETIME;
        let hour = SignedDuration::from_hours(1);
        assert_eq!(issued(Timestamp::UNIX_EPOCH + hour, end), Timestamp::UNIX_EPOCH + hour);
        assert_eq!(issued(end, end), Timestamp::UNIX_EPOCH);
        assert_eq!(issued(end + hour * 100, end), Timestamp::UNIX_EPOCH);
    }
}
