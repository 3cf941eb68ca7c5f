//! How a device shows who it is: by its certificate in TLS or, where something on the way ends TLS, by
//! signing each request with the same key (RFC 9421).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Request;
use openframe_clock::Clock;
use openframe_pki::DeviceKey;
use openframe_signatures::{Signer, sign};
use rustls::ClientConfig;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::net::Server;
use crate::state::Identity;
use crate::{Error, enrol};

/// What a device connects with.
#[derive(Debug)]
pub struct Credentials<'a> {
    tls: Arc<ClientConfig>,
    signing: Option<Signing<'a>>,
}

#[derive(Debug)]
struct Signing<'a> {
    key: &'a DeviceKey,
    /// Its certificate and its issuers', DER.
    chain: Vec<Vec<u8>>,
    clock: &'a Clock,
}

/// All that is needed is in TLS.
impl From<Arc<ClientConfig>> for Credentials<'_> {
    fn from(tls: Arc<ClientConfig>) -> Self {
        Self { tls, signing: None }
    }
}

impl<'a> Credentials<'a> {
    /// Those of an enrolled device. `clock` tells the platform's time.
    pub fn of(
        server: &Server,
        identity: &Identity,
        key: &'a DeviceKey,
        clock: &'a Clock,
    ) -> Result<Self, Error> {
        let Some(tls) = server.proxy_tls()? else { return Ok(enrol::tls(identity, key)?.into()) };
        let chain = CertificateDer::pem_slice_iter(identity.chain_pem.as_bytes())
            .map(|it| it.map(|der| der.to_vec()))
            .collect::<Result<_, _>>()
            .map_err(|e| Error::Certificate(e.into()))?;
        Ok(Self { tls, signing: Some(Signing { key, chain, clock }) })
    }

    pub(crate) fn tls(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.tls)
    }

    /// Signs a request whose body is `body`, if that is how this device is known.
    pub(crate) fn sign<B>(&self, request: &mut Request<B>, body: &[u8]) -> Result<(), Error> {
        let Some(Signing { key, chain, clock }) = &self.signing else { return Ok(()) };
        let nonce = URL_SAFE_NO_PAD.encode(openframe_ids::random::<16>());
        let signer = Signer { chain, nonce: &nonce, created: clock.now().as_second() };
        sign(request, body, &signer, |message| key.sign(message).ok())
            .ok_or_else(|| Error::Certificate("a request cannot be signed".into()))
    }
}
